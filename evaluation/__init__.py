"""Score checkpoints, and keep the scores in one table that many processes write at once."""
