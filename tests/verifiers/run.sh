#!/usr/bin/env bash
# Shows Mapae's tokens to verifiers that others wrote (PyJWT, jose, Django with SimpleJWT), and sends
# its SimpleJWT bridge what the real SimpleJWT is sent. Needs Python, Node.js and npm;
# MAPAE_E2E_BIN names the binary, by default the debug build.
# Usage: tests/verifiers/run.sh [pyjwt] [jose] [django] [bridge]
set -euo pipefail

fail() {
    echo "verifiers: $1" >&2
    exit 1
}

groups=("$@")
[ $# -gt 0 ] || groups=(pyjwt jose django bridge)
for group in "${groups[@]}"; do
    case $group in
    pyjwt | jose | django | bridge) ;;
    *) fail "there is no check '$group': pyjwt, jose, django, bridge" ;;
    esac
done
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$(realpath -e "${MAPAE_E2E_BIN:-$here/../../target/debug/mapae}") ||
    fail 'the binary under test is missing'
home=${MAPAE_VERIFIERS_HOME:-$here/installed}
mkdir -p "$home" || fail "cannot create $home"
home=$(cd "$home" && pwd)
for tool in node npm python3 flock; do
    command -v "$tool" >/dev/null || fail "$tool is missing"
done

folder=
check=
stop() {
    # A check stops what it has started, so it is asked, not killed.
    [ -z "$check" ] || kill -TERM "$check" || true
    wait || true
    rm -rf "$folder"
} 2>/dev/null
trap stop EXIT
# Many a sender signals twice, and the second must not cut the end short.
trap 'trap "" HUP INT TERM; exit 129' HUP
trap 'trap "" HUP INT TERM; exit 130' INT
trap 'trap "" HUP INT TERM; exit 143' TERM
folder=$(mktemp -d)

packages() {
    python3 -m venv "$home/$1" &&
        "$home/$1/bin/python" -m pip install --quiet --disable-pip-version-check \
            --requirement "$here/$2"
}

install() {
    # Two runs at once would write into the same folders.
    flock 9
    local stamp
    stamp=$(
        node --version
        python3 --version
        cat "$here/package.json" "$here/package-lock.json" "$here"/requirements*.txt
    )
    # Written last, so it is there only when all before it was.
    [ "$stamp" != "$(cat "$home/complete" 2>/dev/null)" ] || return 0
    echo "verifiers: installing into $home" >&2
    rm -rf "$home/complete" "$home/node" "$home/python" "$home/older"
    mkdir "$home/node"
    cp "$here/package.json" "$here/package-lock.json" "$home/node/"
    {
        (cd "$home/node" && npm ci --no-audit --no-fund --ignore-scripts) &&
            packages python requirements.txt &&
            packages older requirements-older.txt
    } >"$folder/install.log" 2>&1 || {
        cat "$folder/install.log" >&2
        fail 'the verifiers could not be installed'
    }
    echo "$stamp" >"$home/complete"
}
# A subshell, or what is started later would inherit the lock and keep it.
(install) 9>"$home/lock"

export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export MAPAE_E2E_BIN=$binary VERIFIERS_HOME=$home TMPDIR=$folder
status=0
for group in "${groups[@]}"; do
    # In the background, so that a signal does not wait for the check.
    "$home/python/bin/python" "$here/check_$group.py" &
    check=$!
    wait "$check" || status=1
    check=
done
exit "$status"
