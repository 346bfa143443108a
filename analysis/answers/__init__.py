"""What laws say: of a table, of compute nobody spent yet, of two groups, of a budget's best split."""
