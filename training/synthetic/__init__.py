"""Small data sets made on the spot: enough to learn from, nothing to download."""
