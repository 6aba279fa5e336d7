#!/bin/sh
# Runs the server tests of LiveKit's own Python SDK against a server. The tests are fetched, never committed: PYTHON_SDKS_DIR names a checkout of
# livekit/python-sdks; LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET the server (default: ours in dev mode on port 7880).
# Further arguments go to pytest (`-k name`, `-x`, ..).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${PYTHON_SDKS_DIR:?set PYTHON_SDKS_DIR to a checkout of livekit/python-sdks}"
export LIVEKIT_URL="${LIVEKIT_URL:-ws://127.0.0.1:7880}"
export LIVEKIT_API_KEY="${LIVEKIT_API_KEY:-devkey}"
export LIVEKIT_API_SECRET="${LIVEKIT_API_SECRET:-secret}"
export RUN_DATA_TRACK_TESTS="${RUN_DATA_TRACK_TESTS:-1}"
export MPLBACKEND=Agg
"$here/setup.sh" --upstream

# Away from the checkout's own packages, so that the published wheels are what runs.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/rtc" "$work/livekit-rtc"
cp "$PYTHON_SDKS_DIR"/tests/rtc/test_e2e.py "$PYTHON_SDKS_DIR"/tests/rtc/test_connection_quality.py "$work/rtc/"
cp "$PYTHON_SDKS_DIR"/livekit-rtc/tests/*.py "$work/livekit-rtc/"
cd "$work"
status=0
"$here/.venv/bin/python" -m pytest -p no:cacheprovider -o asyncio_mode=auto --durations=0 -v rtc "$@" || status=$?
[ "$status" -ne 5 ] || status=0
second=0
(cd livekit-rtc && "$here/.venv/bin/python" -m pytest -p no:cacheprovider -o asyncio_mode=auto --durations=0 -v . "$@") || second=$?
[ "$second" -ne 5 ] || second=0
[ "$status" -eq 0 ] || exit "$status"
exit "$second"
