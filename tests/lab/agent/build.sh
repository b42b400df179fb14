#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the lab's own programs (static, so that a node needs nothing to run
# them) into the directory given. usage: build.sh OUT
set -eu
src=$(dirname "$(readlink -f "$0")")
mkdir -p "$1"
out=$(readlink -f "$1")
flags="-std=c11 -O2 -Wall -Wextra -Wshadow -Wvla -Wconversion -Wswitch-enum"

build() { # NAME SOURCE...
	name=$1
	shift
	new=$(find "$src" -name '*.[ch]' -newer "$out/$name" 2>/dev/null | head -n 1) || true
	if [ -x "$out/$name" ] && [ -z "$new" ]; then
		return
	fi
	# shellcheck disable=SC2086
	(cd "$src" && ${CC:-cc} $flags -static -o "$out/$name.$$" "$@") &&
		mv "$out/$name.$$" "$out/$name"
}

build labnode labnode.c boot.c service.c session.c util.c
build labsup labsup.c supnode.c supnet.c util.c
build labctl labctl.c util.c
build labprobe labprobe.c util.c
