#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A question about a recording: the spoken answer becomes a file.
#
#   pipelines/ask-file.sh INPUT QUESTION ANSWER.wav
. "$(dirname "$0")/support/prepare.sh"
[ $# = 3 ] || fail "usage: $0 INPUT QUESTION ANSWER.wav"

gst-launch-1.0 -e -m filesrc location="$1" ! decodebin ! audioconvert ! audioresample ! audio/x-raw,rate=16000 \
    ! openaichat modalities=text-and-audio prompt="$2" ! wavenc ! filesink location="$3" | realtime-trace tail
