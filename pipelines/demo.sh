#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Installs what is missing, builds, and has a recorded question answered: the words on the screen, the voice in a file.
#
#   pipelines/demo.sh [QUESTION.wav [REPLY.wav]]
#
# With OPENAI_API_KEY set it talks to OpenAI, without it to the local server, with no key and no network.
set -euo pipefail
. "$(dirname "$0")/support/install.sh"
# In a package there is nothing to build.
if [ -f "$project/Cargo.toml" ]; then
    install_gstreamer
    need_rust
    build "${PROFILE:=release}"
fi
. "$(dirname "$0")/support/prepare.sh"

question=${1:-$project/tests/media/jfk.wav}
reply=${2:-reply.wav}
[ -f "$question" ] || fail "there is no file $question; name a recording: demo.sh QUESTION.wav"
say "Asking with $question"

gst-launch-1.0 -m filesrc location="$question" ! decodebin ! audioconvert ! audioresample \
    ! openairealtime instructions="Answer in one or two short sentences." \
    ! wavenc ! filesink location="$reply" | realtime-trace tail

say "The spoken answer is in $reply; listen to it with: gst-play-1.0 $reply"
