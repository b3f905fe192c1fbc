#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A conversation about the screen (X11): while you speak, the model gets a picture of it every second. Ctrl-C ends it.
. "$(dirname "$0")/support/prepare.sh"

gst-launch-1.0 -m -e ${SOURCE:-autoaudiosrc} ! audioconvert ! audioresample \
    ! openairealtime name=ai frame-policy=speech frame-interval=1000000000 frame-detail=high max-frames=3 \
    ! audioconvert ! audioresample ! ${SINK:-autoaudiosink} \
    ${SCREEN:-ximagesrc use-damage=false} ! videorate ! videoscale ! videoconvert \
    ! video/x-raw,width=1280,height=720,framerate=2/1 ! jpegenc ! ai. | realtime-trace tail
