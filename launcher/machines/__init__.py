"""Where work runs: this machine, or a Slurm cluster by its client commands."""
