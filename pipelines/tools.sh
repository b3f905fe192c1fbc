#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The model calls a function of yours: a program that gets the function's name and, on standard input, its arguments. Here it
# is asked by typing; with a microphone in front of it and a loudspeaker behind, it is asked by voice.
#
#   pipelines/tools.sh [PROGRAM]      default: tells the number of processors
. "$(dirname "$0")/support/prepare.sh"
tools=$(mktemp --suffix=.json)
cat >"$tools" <<'JSON'
[{"type": "function", "name": "count_processors", "description": "How many processors this computer has",
  "parameters": {"type": "object", "properties": {}}}]
JSON

# The server of prepare.sh ends with the script as well.
trap 'rm -f "$tools"; kill "${server:-}" 2>/dev/null || true' EXIT

gst-launch-1.0 -m fdsrc ! text/x-raw,format=utf8 \
    ! openairealtime name=ai output-modalities=text tools="@$tools" tool-command="${1:-sh -c nproc}" | realtime-trace tail
