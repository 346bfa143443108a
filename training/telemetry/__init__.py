"""What training shows while it runs: metrics files, a line on a terminal, wandb."""
