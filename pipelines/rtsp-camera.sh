#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Says aloud every ten seconds what a network camera sees, if it sees anything else than before. Ctrl-C ends it.
#
#   pipelines/rtsp-camera.sh rtsp://USER:PASSWORD@HOST/PATH
. "$(dirname "$0")/support/prepare.sh"
[ $# = 1 ] || [ -n "${CAMERA-}" ] || fail "usage: $0 rtsp://USER:PASSWORD@HOST/PATH"

gst-launch-1.0 -m -e openairealtime name=ai frame-interval=10000000000 frame-respond=true max-frames=2 \
    frame-prompt="The picture of the camera now. Say in one sentence what is new in it." \
    ! audioconvert ! audioresample ! ${SINK:-autoaudiosink} \
    ${CAMERA:-rtspsrc location="$1" latency=200 ! decodebin} ! videorate ! videoscale ! videoconvert \
    ! video/x-raw,width=640,height=480,framerate=1/1 ! jpegenc ! ai. | realtime-trace tail
