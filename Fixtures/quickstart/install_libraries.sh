#!/usr/bin/env bash
# Installs the system libraries that the package builds on (Debian, Ubuntu), and those named as arguments; only what is missing.
#
#     bash Fixtures/quickstart/install_libraries.sh [PACKAGE ...]
set -euo pipefail

missing=()
for package in libsqlite3-dev libzstd-dev libopenblas-dev "$@"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install_libraries.sh: missing ${missing[*]}, and there is no apt-get here; install their equivalents and go on by hand" >&2
    exit 1
fi
sudo=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install_libraries.sh: missing ${missing[*]}; as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    sudo=(sudo)
fi
echo "installing ${missing[*]}"
"${sudo[@]}" apt-get update --quiet=2
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
