#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Writes down what is said in a recording, with times, faster than real time: on the screen, and as subtitles where an
# OUTPUT is named. Of a film only the sound is decoded. Nobody answers.
#
#   pipelines/transcribe.sh INPUT [OUTPUT.srt|OUTPUT.vtt]
. "$(dirname "$0")/support/prepare.sh"
usage="usage: $0 INPUT [OUTPUT.srt|OUTPUT.vtt]"
case "$#-${2-}" in
1-) subtitles=() ;;
2-*.srt) subtitles=(ai.transcript_src ! srtenc ! filesink location="$2" buffer-mode=unbuffered) ;;
2-*.vtt) subtitles=(ai.transcript_src ! webvttenc ! filesink location="$2" buffer-mode=unbuffered) ;;
*) fail "$usage" ;;
esac

gst-launch-1.0 -m filesrc location="$1" ! decodebin caps=audio/x-raw expose-all-streams=false ! audioconvert ! audioresample \
    ! openairealtime name=ai timing=offline session-type=transcription turn-detection=local ! fakesink \
    "${subtitles[@]}" | realtime-trace tail
