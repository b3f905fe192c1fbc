#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A film in (mp4, mkv, webm), and the same film out with a second sound track, in which an interpreter speaks over the original,
# and subtitles in both languages. Picture and original sound are copied. The local server needs a language model for this:
# SERVER_OPTIONS="--llm http://127.0.0.1:11434/v1".
#
#   pipelines/dub.sh INPUT OUTPUT.mkv LANGUAGE      e.g. es, for Spanish
. "$(dirname "$0")/support/prepare.sh"
[ $# = 3 ] || fail "usage: $0 INPUT OUTPUT.mkv LANGUAGE (an ISO 639-1 code, such as es)"

# While the interpreter listens, the film waits in the queues.
wait=(queue max-size-time=60000000000 max-size-bytes=0 max-size-buffers=0)

gst-launch-1.0 -m -e filesrc location="$1" ! parsebin name=film matroskamux name=mux ! filesink location="$2" \
    film. ! 'video/x-h264;video/x-h265;video/x-vp8;video/x-vp9;video/x-av1;video/mpeg;video/x-theora;image/jpeg' \
    ! "${wait[@]}" ! mux.video_0 \
    film. ! 'audio/mpeg;audio/x-opus;audio/x-vorbis;audio/x-flac;audio/x-ac3;audio/x-raw' ! tee name=sound \
    sound. ! "${wait[@]}" ! mux.audio_0 \
    sound. ! "${wait[@]}" ! decodebin ! audioconvert ! audioresample ! audio/x-raw,rate=24000,channels=1 ! tee name=original \
    original. ! "${wait[@]}" ! audioconvert ! audioresample ! volume volume=0.25 ! mix. \
    original. ! openairealtime name=ai timing=offline session-type=translation translation-language="$3" \
    ! audioconvert ! audioresample ! mix. \
    audiomixer name=mix ! audioconvert ! audioresample ! opusenc ! taginject tags="title=Translation,language-code=$3" \
    ! queue ! mux.audio_1 \
    ai.transcript_src ! taginject tags=title=Original ! mux.subtitle_0 \
    ai.text_src ! taginject tags="title=Translation,language-code=$3" ! mux.subtitle_1 | realtime-trace tail
