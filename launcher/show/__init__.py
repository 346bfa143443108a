"""What people are shown: status, plan, logs."""
