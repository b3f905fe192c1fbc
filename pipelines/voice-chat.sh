#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Talk to the model in a browser, with voice and camera: installs what is missing, builds, starts the page's server and
# prints its address. Further arguments are those of voice-chat (--listen, --tls, --max-visitors …). Ctrl-C ends it.
#
# With OPENAI_API_KEY (or Azure's variables) set it talks to that service, without it to the local server.
set -euo pipefail
. "$(dirname "$0")/support/install.sh"
install_gstreamer
need_rust
build release
. "$(dirname "$0")/support/prepare.sh"

"$built/voice-chat" "$@"
