#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A folder full of recordings, so many at a time: SCRIPT makes a file ending in ENDING of each. What is there already is
# skipped, and what is there is complete, so it may be interrupted and run again. The exit code tells how many failed
# (100 for more).
#
#   pipelines/batch.sh N FOLDER OUTPUT_FOLDER [SCRIPT ENDING]      default: transcribe.sh srt
#   pipelines/batch.sh 4 questions answers file-to-file.sh wav
. "$(dirname "$0")/support/prepare.sh"
usage="usage: $0 N FOLDER OUTPUT_FOLDER [SCRIPT ENDING]"
[ $# = 3 ] || [ $# = 5 ] || fail "$usage"
[[ $1 =~ ^[1-9][0-9]*$ ]] || fail "'$1' is not how many at a time; $usage"
[ -d "$2" ] || fail "there is no folder $2"
export folder=$2 output=$3 script=$project/pipelines/${4-transcribe.sh} ending=${5-srt}
[ -x "$script" ] || fail "there is no $script"
mkdir -p "$output"

inputs() { find -L "$folder" -maxdepth 1 -type f ! -name '.*' -print0 | sort -z; }
made_of() { local name=${1##*/}; printf '%s' "$output/${name%.*}.$ending"; }
same=$(inputs | while IFS= read -r -d '' input; do made_of "$input"; echo; done | sort | uniq -d)
[ -z "$same" ] || fail "more than one file would become $same"

# work INPUT: written beside the others under a hidden name, and renamed when complete.
work() {
    local made hidden
    made=$(made_of "$1")
    hidden=$output/.${made##*/}
    hidden=${hidden%."$ending"}.part.$ending
    if [ -e "$made" ]; then
        printf 'skipped  %s\n' "$made"
    elif "$script" "$1" "$hidden" >"$hidden.log" 2>&1 </dev/null && mv -- "$hidden" "$made"; then
        printf 'made     %s\n' "$made"
    else
        printf 'failed   %s: %s\n' "$1" "$(grep -m 1 -iE '^error' "$hidden.log" || tail -n 1 "$hidden.log")"
    fi
    rm -f -- "$hidden" "$hidden.log"
}
export -f work made_of
inputs | xargs -0 -r -P "$1" -n 1 bash -c 'work "$1"' batch

failed=0
while IFS= read -r -d '' input; do
    [ -e "$(made_of "$input")" ] || failed=$((failed + 1))
done < <(inputs)
exit $((failed > 100 ? 100 : failed))
