#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the load client (static, so that a node needs nothing to run it) into
# the directory given. usage: build.sh OUT
set -eu
src=$(dirname "$(readlink -f "$0")")
mkdir -p "$1"
out=$(readlink -f "$1")
new=$(find "$src" -name '*.[ch]' -newer "$out/nfs41load" 2>/dev/null | head -n 1) || true
if [ -x "$out/nfs41load" ] && [ -z "$new" ]; then
	exit 0
fi
(cd "$src" && ${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Wvla -Wconversion -Wswitch-enum \
	-static -o "$out/nfs41load.$$" ./*.c) && mv "$out/nfs41load.$$" "$out/nfs41load"
