#!/bin/sh
# Installs what the end-to-end tests need and the machine does not have yet: browsers, ffmpeg, a certificate authority for tests (pebble), coturn's clients, GStreamer's RTSP server and fonts by apt, npm packages, a Python environment.
# Running it twice costs a second. `setup.sh --upstream` adds what upstream_python.sh needs.
set -eu
cd "$(dirname "$0")"

missing=""
need() { # need COMMAND-OR-FILE PACKAGE
    if ! command -v "$1" >/dev/null 2>&1 && [ ! -e "$1" ]; then missing="$missing $2"; fi
}
need chromium chromium
need firefox-esr firefox-esr
need ffmpeg ffmpeg
need openssl openssl
need pebble pebble
need turnutils_uclient coturn
need ip iproute2
need nft nftables
need /usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf fonts-dejavu-core
need /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc fonts-noto-cjk
/usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0")' 2>/dev/null || missing="$missing python3-gi gir1.2-gst-rtsp-server-1.0"
need /usr/share/doc/gstreamer1.0-plugins-good gstreamer1.0-plugins-good
need /usr/share/doc/gstreamer1.0-plugins-bad gstreamer1.0-plugins-bad
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then as_root=sudo; fi
    # shellcheck disable=SC2086
    $as_root apt-get -o DPkg::Lock::Timeout=600 update
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $missing
    # Of coturn the tests want the clients. Its server would take port 3478 from ours.
    case "$missing" in *coturn*)
        if [ -d /run/systemd/system ]; then $as_root systemctl disable --quiet --now coturn; fi ;;
    esac
fi

stamp() { cat "$@" | cksum | cut -d' ' -f1; }

want=$(stamp package.json package-lock.json)
if [ "$(cat node_modules/.stamp 2>/dev/null || true)" != "$want" ]; then
    # No package needs its install script, and kurento-client names one that it does not contain.
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    echo "$want" >node_modules/.stamp
fi

environment() { # environment FOLDER REQUIREMENTS...
    folder=$1
    shift
    want=$(stamp "$@")
    if ! grep -qx "$want" "$folder/.stamps" 2>/dev/null; then
        [ -x "$folder/bin/python" ] || python3 -m venv "$folder"
        for file in "$@"; do "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$file"; done
        echo "$want" >>"$folder/.stamps"
    fi
}

if [ "${1:-}" = "--upstream" ]; then
    environment .venv requirements.txt requirements-upstream.txt
else
    environment .venv requirements.txt
fi
environment .venv-aiortc-1.9 requirements-aiortc-1.9.txt
