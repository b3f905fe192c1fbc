#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A conversation over a loudspeaker: the model's voice is taken out of the microphone, so that it does not hear itself.
# webrtcdsp and webrtcechoprobe work at 48 kHz and must be in one pipeline. Ctrl-C ends it.
. "$(dirname "$0")/support/prepare.sh"

gst-launch-1.0 -m -e ${SOURCE:-autoaudiosrc} ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=1 \
    ! webrtcdsp ! audioconvert ! audioresample ! openairealtime \
    ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=1 \
    ! webrtcechoprobe ! audioconvert ! audioresample ! ${SINK:-autoaudiosink} | realtime-trace tail
