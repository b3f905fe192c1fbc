#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Captions of a video, one every so many seconds, faster than it plays: as SRT and as WebVTT beside OUTPUT.mkv, and as a
# subtitle track in it.
#
#   pipelines/caption-video.sh INPUT OUTPUT.mkv [SECONDS]      default: 5
. "$(dirname "$0")/support/prepare.sh"
[ $# = 2 ] || [ $# = 3 ] || fail "usage: $0 INPUT OUTPUT.mkv [SECONDS]"
[[ $2 == *.mkv ]] || fail "'$2' is to end in .mkv"
[[ ${3-5} =~ ^[1-9][0-9]*$ ]] || fail "'$3' is no number of seconds"

# A caption stands where its piece of the video begins, and is known when the piece is over: until then the muxer holds
# the pictures, for which a queue of the usual second is too short. It is behind the encoder, where they are small.
gst-launch-1.0 -e -m filesrc location="$1" ! decodebin ! videoconvert ! tee name=video \
    video. ! jpegenc ! queue max-size-time=0 max-size-buffers=0 max-size-bytes=1000000000 ! mux. \
    video. ! queue ! videorate ! video/x-raw,framerate=1/1 ! videoscale ! video/x-raw,width=640,pixel-aspect-ratio=1/1 \
    ! jpegenc ! openaichat name=ai model="${MODEL-gpt-4o-mini}" segment-duration=$((${3-5} * 1000000000)) \
    frame-selection=spread frame-detail=low prompt="Describe in one short sentence what happens." \
    ai.text_src ! tee name=text \
    text. ! queue ! srtenc ! filesink buffer-mode=unbuffered location="${2%.mkv}.srt" \
    text. ! queue ! webvttenc ! filesink buffer-mode=unbuffered location="${2%.mkv}.vtt" \
    text. ! queue ! mux. matroskamux name=mux ! filesink location="$2" | realtime-trace tail
