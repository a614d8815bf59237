#!/bin/sh
# Installs the Debian packages that the named lists hold, when run as root on a Debian; otherwise says so and leaves it
# be: the tests that need one of them then skip by name (and fail under CI=true), the benchmarks leave a peer out.
set -eu
packages=$(cat "$@" | grep -v '^#' | tr '\n' ' ')
command -v dpkg-query >/dev/null 2>&1 || { echo "not a Debian: $packages are not installed here"; exit 0; }
missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "not root: missing$missing; what needs them is skipped"
    exit 0
fi
apt-get update -qq
# In run level 1 no package starts a service of its own.
# shellcheck disable=SC2086 -- a list of names
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
