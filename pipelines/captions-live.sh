#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A camera's picture with captions in another language burnt in. The picture is held back by DELAY seconds (5 where it is not
# set), so that the words stand in it while they are said. Ctrl-C ends it. The local server needs a language model for this:
# SERVER_OPTIONS="--llm http://127.0.0.1:11434/v1".
#
#   pipelines/captions-live.sh LANGUAGE      e.g. es, for Spanish
. "$(dirname "$0")/support/prepare.sh"
[ $# = 1 ] || fail "usage: $0 LANGUAGE (an ISO 639-1 code, such as es)"
delay=$((${DELAY:-5} * 1000000000))

gst-launch-1.0 -m -e ${CAMERA:-autovideosrc} ! videoconvert ! videoscale ! video/x-raw,width=640,height=480 \
    ! queue max-size-time=$((delay + 2000000000)) max-size-bytes=0 max-size-buffers=0 ! textoverlay name=captions wait-text=false \
    ! videoconvert ! ${VIDEO_SINK:-autovideosink} \
    ${SOURCE:-autoaudiosrc} ! audioconvert ! audioresample \
    ! openairealtime name=ai session-type=translation translation-language="$1" translation-delay=$delay \
    ! audioconvert ! audioresample ! ${SINK:-autoaudiosink} \
    ai.text_src ! captions.text_sink | realtime-trace tail
