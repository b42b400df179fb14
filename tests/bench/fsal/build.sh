#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the measuring client `pairs` (static, so that a node needs nothing to run
# it) into the directory given. usage: build.sh OUT
set -eu
here=$(dirname "$(readlink -f "$0")")
xdr=$here/../../tools/nfs41load
mkdir -p "$1"
"${CC:-gcc}" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Wvla -Wconversion -Wswitch-enum -static -pthread \
	-I"$xdr" -o "$1/pairs.$$" "$here/pairs.c" "$here/target.c" "$xdr/xdr.c" "$xdr/rpc.c" "$xdr/nfs41.c"
mv "$1/pairs.$$" "$1/pairs"
