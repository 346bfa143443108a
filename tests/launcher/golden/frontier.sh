#!/bin/bash

# Parameters
#SBATCH --array=0-2%3
#SBATCH --cpus-per-task=7
#SBATCH --gpus-per-node=8
#SBATCH --job-name=isogrid-abc-sweep-train-1
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --open-mode=append
#SBATCH --output='/roots/my root/submissions/isogrid-abc-sweep-train-1/%a.log'
#SBATCH --partition=batch
#SBATCH --requeue
#SBATCH --signal=B:USR1@600
#SBATCH --time=120

# setup
trap '' USR1
export NCCL_SOCKET_IFNAME=hsn0,hsn1,hsn2,hsn3
export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"
unset PYTHONSAFEPATH
cd '/roots/my root/code/c0ffee' || exit

# command
export SUBMITIT_EXECUTOR=slurm
exec /venv/bin/python -m launcher.jobs.job '/roots/my root/submissions/isogrid-abc-sweep-train-1'
