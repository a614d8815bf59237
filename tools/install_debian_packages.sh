#!/bin/sh
# Installs what tools/debian-packages.txt names, when run as root on a Debian; otherwise says so and leaves it be:
# the tests that need one of them then skip by name (and fail under CI=true).
set -eu
list="$(dirname "$0")/debian-packages.txt"
packages=$(grep -v '^#' "$list" | tr '\n' ' ')
missing=""
command -v dpkg-query >/dev/null 2>&1 || { echo "not a Debian: $packages are not installed here"; exit 0; }
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "not root: missing$missing; the tests that need them skip"
    exit 0
fi
apt-get update -qq
# shellcheck disable=SC2086 -- a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
