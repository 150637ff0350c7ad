#!/usr/bin/env bash
#SBATCH --job-name=dseq
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
# Trains on all tasks of a Slurm job, and goes on in another job when time is over or the nodes are wanted back:
#
#   sbatch cluster/slurm.sh examples/mnist.py --epochs 50
#   sbatch --nodes=8 --ntasks-per-node=64 cluster/slurm.sh train.py
#
# Set what your site wants (account, partition, modules, a virtual environment) above and below. Before the time is over
# Slurm sends USR1 to this script, which hands it on; all ranks finish the same step, save the state of training and exit
# with 85. For that `fit` needs a `BackupAndRestore`, which also goes on from there when the job runs again.

set -u
# module load python mpich
# source .venv/bin/activate
export OMP_NUM_THREADS=1

# Ranks started by the wrong one of Slurm's interfaces do not find each other: each would train alone.
library=$(python -c 'import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(*MPI.get_vendor())')
case $library in
    "Open MPI"*) interface=pmix ;;
    *) interface=pmi2 ;;
esac

srun --mpi="$interface" --kill-on-bad-exit=1 python "$@" &
job=$!
trap 'kill -USR1 "$job"' USR1
while :; do # a signal ends `wait`, not the job
    wait "$job"
    code=$?
    kill -0 "$job" 2>/dev/null || break
done
if [ "$code" = 85 ]; then
    scontrol requeue "$SLURM_JOB_ID"
    sleep 60
fi
exit "$code"
