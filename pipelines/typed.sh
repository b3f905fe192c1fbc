#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A typed conversation: each line that you write is answered in writing. Ctrl-D ends it.
#
#   pipelines/typed.sh
. "$(dirname "$0")/support/prepare.sh"

# Each buffer is a message, so each line has to be read alone.
python3 "$project/pipelines/support/lines.py" | gst-launch-1.0 -q fdsrc ! text/x-raw,format=utf8 \
    ! openairealtime name=ai output-modalities=text ${PROPERTIES-} ai.text_src ! fdsink
