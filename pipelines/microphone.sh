#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A conversation with the microphone and the loudspeaker; wear headphones, or take echo-cancelled.sh. Ctrl-C ends it.
. "$(dirname "$0")/support/prepare.sh"

gst-launch-1.0 -m -e ${SOURCE:-autoaudiosrc} ! audioconvert ! audioresample \
    ! openairealtime ! audioconvert ! audioresample ! ${SINK:-autoaudiosink} | realtime-trace tail
