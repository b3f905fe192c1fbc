#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# GNU parallel, here or over ssh: so many recordings at a time on each machine. HOSTS is what --sshlogin takes, `:` is this
# machine; recording-worker, the recordings and the settings have to be there as well (a shared folder, or object storage),
# and so has the key: a file that the settings name in api_key_file.
#
#   parallel.sh N RECORDINGS.txt OUTPUT [SETTINGS.json]
#   HOSTS=:,one.example.com,two.example.com parallel.sh 4 recordings.txt s3://results settings.json
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: [HOSTS=...] $0 N RECORDINGS.txt OUTPUT [SETTINGS.json]" >&2; exit 2; }
jobs=$1 list=$2 output=$3
settings=()
[ $# -lt 4 ] || settings=("$4")

# worker OUTPUT URI [SETTINGS]: tried again where it is worth it; a failure that concerns all ends all (parallel's 255).
worker() {
    local folder code try
    folder=$1/$(printf %s "$2" | sha256sum | cut -c1-16)
    for try in 1 2 3; do
        code=0
        recording-worker "$2" "$folder" "${@:3}" || code=$?
        case $code in
        3 | 4) sleep $((try * try)) ;;
        2 | 5 | 6) return 255 ;;
        *) return "$code" ;;
        esac
    done
    return "$code"
}
export -f worker

parallel --jobs "$jobs" --sshlogin "${HOSTS:-:}" --env worker --joblog "${JOBLOG:-archive.joblog}" --resume-failed \
    worker "$output" {} "${settings[@]}" :::: "$list"
