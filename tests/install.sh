#!/bin/sh
# install.sh [build]: installs the Debian packages of packages.txt that are missing; with "build" only its first
# paragraph. Without root or apt it says what is missing and fails.
set -eu
list=$(dirname "$0")/packages.txt
if [ "${1:-}" = build ]; then
    wanted=$(sed -e '/^#/d' -e '/^$/q' "$list")
else
    wanted=$(sed -e '/^#/d' "$list")
fi
missing=
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "install.sh: these packages are missing:$missing" >&2
    echo "install.sh: as root: apt-get install --no-install-recommends$missing" >&2
    exit 2
fi
echo "install.sh: installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
