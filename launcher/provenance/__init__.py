"""What a job ran, and with what: the code, the commit and diff it is of, the environment."""
