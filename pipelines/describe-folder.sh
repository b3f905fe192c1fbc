#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Describes the pictures (JPEG, PNG) of a folder, four at a time: a JSON object a line, in the order of the names.
#
#   pipelines/describe-folder.sh FOLDER [QUESTION]
. "$(dirname "$0")/support/prepare.sh"
[ $# = 1 ] || [ $# = 2 ] || fail "usage: $0 FOLDER [QUESTION]"
[ -d "$1" ] || fail "there is no folder $1"

shopt -s nullglob nocaseglob
pictures=("$1"/*.jpg "$1"/*.jpeg "$1"/*.png)
[ ${#pictures[@]} -gt 0 ] || fail "there is no picture in $1"
mapfile -d '' -t pictures < <(printf '%s\0' "${pictures[@]}" | sort -z)

# Numbered, so that the pipeline takes each for a frame of one second, and so for a request.
frames=$(mktemp -d)
trap 'rm -rf "$frames"; [ -z "${server-}" ] || kill "$server" 2>/dev/null || true' EXIT
for index in "${!pictures[@]}"; do
    frame=$frames/$(printf %06d "$index")
    case "${pictures[index],,}" in
    *.png)
        # What cannot be decoded becomes an empty frame, which is told and skipped.
        gst-launch-1.0 -q filesrc location="${pictures[index]}" ! pngdec ! videoconvert ! jpegenc quality=95 \
            ! filesink location="$frame" || : >"$frame"
        ;;
    *) cp -- "${pictures[index]}" "$frame" ;;
    esac
done

gst-launch-1.0 -m multifilesrc location="$frames/%06d" caps=image/jpeg,framerate=1/1 \
    ! openaichat segment-duration=1000000000 model="${MODEL-gpt-4o-mini}" prompt="${2-What is in this picture?}" \
    response-format='{"type":"json_object"}' instructions="Answer with a JSON object." \
    | realtime-trace tail --json "${pictures[@]}"
