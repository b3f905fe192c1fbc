#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A film in (mp4, mkv, webm), and the same film out: picture and sound are copied, and it gets the model's answers as a
# second sound track, and what both sides said as subtitles. Nothing is encoded but the model's voice.
#
#   pipelines/video-to-video.sh INPUT OUTPUT.mkv
. "$(dirname "$0")/support/prepare.sh"
[ $# = 2 ] || fail "usage: $0 INPUT OUTPUT.mkv"

# While the model thinks, the film waits in the queues: more of it than a muxer puts between two kinds of data.
wait=(queue max-size-time=30000000000 max-size-bytes=0 max-size-buffers=0)

gst-launch-1.0 -m -e filesrc location="$1" ! parsebin name=film matroskamux name=mux ! filesink location="$2" \
    film. ! 'video/x-h264;video/x-h265;video/x-vp8;video/x-vp9;video/x-av1;video/mpeg;video/x-theora;image/jpeg' \
    ! "${wait[@]}" ! mux.video_0 \
    film. ! 'audio/mpeg;audio/x-opus;audio/x-vorbis;audio/x-flac;audio/x-ac3;audio/x-raw' ! tee name=sound \
    sound. ! "${wait[@]}" ! mux.audio_0 \
    sound. ! "${wait[@]}" ! decodebin ! audioconvert ! audioresample ! openairealtime name=ai timing=offline \
    ! opusenc ! taginject tags=title=Answers ! queue ! mux.audio_1 \
    ai.transcript_src ! taginject tags=title=Transcript ! mux.subtitle_0 \
    ai.text_src ! taginject tags=title=Answers ! mux.subtitle_1 | realtime-trace tail
