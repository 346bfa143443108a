"""What the launcher writes under a root: ledger, submissions, leases, orders."""
