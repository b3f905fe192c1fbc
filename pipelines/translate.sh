#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# An interpreter: what is said into the microphone comes out of the loudspeaker in another language, and both languages are
# written on the screen. Wear headphones. Ctrl-C ends it. The local server needs a language model for this:
# SERVER_OPTIONS="--llm http://127.0.0.1:11434/v1".
#
#   pipelines/translate.sh LANGUAGE      e.g. es, for Spanish
. "$(dirname "$0")/support/prepare.sh"
[ $# = 1 ] || fail "usage: $0 LANGUAGE (an ISO 639-1 code, such as es)"

gst-launch-1.0 -m -e ${SOURCE:-autoaudiosrc} ! audioconvert ! audioresample \
    ! openairealtime session-type=translation translation-language="$1" \
    ! audioconvert ! audioresample ! ${SINK:-autoaudiosink} | realtime-trace tail
