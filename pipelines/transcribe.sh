#!/usr/bin/env bash
# Writes down what is said in a recording, with times, faster than real time. Nobody answers.
#
#   pipelines/transcribe.sh INPUT
. "$(dirname "$0")/support/prepare.sh"
[ $# = 1 ] || fail "usage: $0 INPUT"

gst-launch-1.0 -m filesrc location="$1" ! decodebin ! audioconvert ! audioresample \
    ! openairealtime timing=offline create-response=false ! fakesink | conversation
