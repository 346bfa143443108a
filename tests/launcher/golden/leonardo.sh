#!/bin/bash

# Parameters
#SBATCH --array=0-2%3
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=4
#SBATCH --job-name=isogrid-abc-sweep-train-1
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=4
#SBATCH --open-mode=append
#SBATCH --output='/roots/my root/submissions/isogrid-abc-sweep-train-1/%a.log'
#SBATCH --partition=boost_usr_prod
#SBATCH --requeue
#SBATCH --signal=B:USR1@600
#SBATCH --time=1440

# setup
trap '' USR1
export HF_DATASETS_OFFLINE=1
export TRANSFORMERS_OFFLINE=1
export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"
unset PYTHONSAFEPATH
cd '/roots/my root/code/c0ffee' || exit

# command
export SUBMITIT_EXECUTOR=slurm
exec /venv/bin/python -m launcher.jobs.job '/roots/my root/submissions/isogrid-abc-sweep-train-1'
