#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A conversation about what a camera sees: the model gets the newest picture with each turn. Ctrl-C ends it.
. "$(dirname "$0")/support/prepare.sh"

gst-launch-1.0 -m -e ${SOURCE:-autoaudiosrc} ! audioconvert ! audioresample \
    ! openairealtime name=ai frame-policy=turn ! audioconvert ! audioresample ! ${SINK:-autoaudiosink} \
    ${CAMERA:-autovideosrc} ! videorate ! videoscale ! videoconvert ! video/x-raw,width=640,height=480,framerate=5/1 \
    ! jpegenc ! ai. | realtime-trace tail
