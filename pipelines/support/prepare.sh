# SPDX-License-Identifier: MPL-2.0
# Sourced by the pipelines: makes sure that the element is there, and that there is somebody to talk to.
#
# With OPENAI_API_KEY, OPENAI_BASE_URL or AZURE_OPENAI_ENDPOINT set, that is who they name. Otherwise the local
# realtime-server is started for as long as the script runs, with the options in SERVER_OPTIONS.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/install.sh"

: "${PROFILE:=release}"
built="$CARGO_TARGET_DIR/${PROFILE/dev/debug}"
export GST_PLUGIN_PATH="$built${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
export PATH="$built:$PATH"

# realtime-trace tells the conversation in words that people read, out of what gst-launch-1.0 -m prints.
if ! { command -v realtime-trace && command -v gst-inspect-1.0 && gst-inspect-1.0 openairealtime; } >/dev/null 2>&1; then
    install_gstreamer
    need_rust
    build "$PROFILE"
fi

# Ctrl-C is for the pipeline, which ends in order. The script is no success then, whatever the pipeline's status.
trap 'exit 130' INT

if [ -z "${OPENAI_API_KEY-}${OPENAI_BASE_URL-}${AZURE_OPENAI_ENDPOINT-}" ]; then
    command -v realtime-server >/dev/null || { need_rust; build "$PROFILE"; }
    install_models
    # In a session of its own, so that Ctrl-C leaves it alone until the pipeline has ended.
    exec {server_says}< <(exec setsid realtime-server --listen 127.0.0.1:0 ${SERVER_OPTIONS-})
    server=$!
    trap 'kill $server 2>/dev/null || true' EXIT
    read -r -u "$server_says" line || fail 'the local server did not start'
    export OPENAI_BASE_URL="http:${line#*ws:}"
    OPENAI_BASE_URL=${OPENAI_BASE_URL%/realtime}
    say "No key is set: talking to the local server at $OPENAI_BASE_URL"
fi
