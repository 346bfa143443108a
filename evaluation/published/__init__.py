"""Results of others into our table, and ours into their form."""
