#!/bin/bash

# Parameters
#SBATCH --account='my account'
#SBATCH --constraint='a100&ib'
#SBATCH --cpus-per-task=1
#SBATCH --job-name=isogrid-abc-sweep-train-1
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output='/roots/my root/submissions/isogrid-abc-sweep-train-1/0.log'
#SBATCH --requeue
#SBATCH --signal=B:USR1@300
#SBATCH --time=90

# setup
trap '' USR1
module load CUDA/12 || exit
module load 'odd name; rm -rf ~' || exit
export A=1
export B='it'"'"'s $HOME'
export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"
unset PYTHONSAFEPATH
cd '/roots/my root/code/c0ffee' || exit

# command
export SUBMITIT_EXECUTOR=slurm
exec /venv/bin/python -m launcher.jobs.job '/roots/my root/submissions/isogrid-abc-sweep-train-1'
