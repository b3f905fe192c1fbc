#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A recording in, the model's answers out as a file, faster than real time: each answer begins where its turn ends.
#
#   pipelines/file-to-file.sh INPUT OUTPUT.wav
. "$(dirname "$0")/support/prepare.sh"
[ $# = 2 ] || fail "usage: $0 INPUT OUTPUT.wav"

gst-launch-1.0 -e -m filesrc location="$1" ! decodebin ! audioconvert ! audioresample \
    ! openairealtime timing=offline ! wavenc ! filesink location="$2" | realtime-trace tail
