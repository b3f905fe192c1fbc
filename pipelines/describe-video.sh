#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Describes a video in writing, one picture every five seconds, faster than real time.
#
#   pipelines/describe-video.sh INPUT
. "$(dirname "$0")/support/prepare.sh"
[ $# = 1 ] || fail "usage: $0 INPUT"

gst-launch-1.0 -m openairealtime name=ai timing=offline output-modalities=text frame-interval=5000000000 \
    frame-respond=true frame-prompt="Describe this picture in one sentence." ! fakesink \
    filesrc location="$1" ! decodebin ! queue ! videoconvert ! videoscale ! video/x-raw,width=640,height=480 \
    ! jpegenc ! ai. | realtime-trace tail
