#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A telephone: G.711 µ-law over RTP comes in on port 5004 and goes out to port 5006, and is never transcoded here.
# Try it with a phone, or with another gst-launch-1.0 and rtppcmupay. Ctrl-C ends it.
. "$(dirname "$0")/support/prepare.sh"

gst-launch-1.0 -m udpsrc port="${IN:-5004}" \
    caps="application/x-rtp,media=audio,clock-rate=8000,encoding-name=PCMU,payload=0" \
    ! rtpjitterbuffer latency=60 ! rtppcmudepay ! openairealtime \
    ! rtppcmupay ! udpsink host="${HOST:-127.0.0.1}" port="${OUT:-5006}" | realtime-trace tail
