#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A Slurm array: a task for each line of a list of recordings on the shared file system. %8 is how many sessions the account
# allows at once. Run again, it does what is missing: a recording that is done takes a moment.
#
#   find /archive/calls -name '*.wav' | sort > recordings.txt
#   sbatch --array=1-$(wc -l < recordings.txt)%8 slurm.sh recordings.txt /archive/results [settings.json]
#
#SBATCH --job-name=archive
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@30
set -euo pipefail
list=$1 output=$2
uri=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$list")
[ -n "$uri" ] || { echo "$list has no line $SLURM_ARRAY_TASK_ID" >&2; exit 2; }

# A line that moves in the list would go on elsewhere: the folder is named by the recording.
folder=$output/$(printf %s "$uri" | sha256sum | cut -c1-16)
code=0
recording-worker "$uri" "$folder" "${@:3}" || code=$?
case $code in
3 | 4)
    # Worth another try: Slurm counts how often it was begun again.
    if [ "${SLURM_RESTART_COUNT:-0}" -lt 3 ]; then
        scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
    fi
    ;;
5)
    echo "every recording will fail so: the array is ended" >&2
    scancel "$SLURM_ARRAY_JOB_ID"
    ;;
esac
exit $code
