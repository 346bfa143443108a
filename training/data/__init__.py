"""Data: shards, their index, the sample order, pixels, and batches of them."""
