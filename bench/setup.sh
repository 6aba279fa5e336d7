#!/bin/sh
# Installs what `make bench-turn` measures beside and with, and the machine does not have yet.
set -eu

missing=""
need() { # need COMMAND PACKAGE
    if ! command -v "$1" >/dev/null 2>&1; then missing="$missing $2"; fi
}
need turnserver coturn
need strace strace
need valgrind valgrind
need ip iproute2
if [ -n "$missing" ]; then
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then as_root=sudo; fi
    # shellcheck disable=SC2086
    $as_root apt-get -o DPkg::Lock::Timeout=600 update
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $missing
    # It is started for each measurement. As a service it would take port 3478 from ours.
    case "$missing" in *coturn*)
        if [ -d /run/systemd/system ]; then $as_root systemctl disable --quiet --now coturn; fi ;;
    esac
fi
