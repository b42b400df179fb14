#!/bin/bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# Fetches what building the nfs-ganesha module needs and Debian does not package:
# the headers of nfs-ganesha 4.3 (from the package's source tarball) and the
# config.h that its build would have made. usage: fsal/headers.sh OUT
#
# OUT/src gets the tarball's include directories, OUT/include/config.h the
# configuration. Exit status 77, with the reason on standard error: they cannot
# be had here (no network, no such source); nothing else of nasd needs them.
#
# The source index is read with an apt configuration of its own below OUT: the
# system's sources, lists and cache are left alone, and root is not needed.
# A tarball that is at hand: NASD_GANESHA_TARBALL=/path/nfs-ganesha_4.3.orig.tar.gz
set -eu

version=4.3
package=nfs-ganesha
mirror=${NASD_DEB_SRC:-http://deb.debian.org/debian}
suite=${NASD_DEB_SUITE:-bookworm}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
out=${1:?usage: fsal/headers.sh OUT}
here=$(cd "$(dirname "$0")" && pwd)

skip() {
	echo "fsal: $1" >&2
	echo "fsal: the nfs-ganesha module is not built; nasd itself does not need it" >&2
	exit 77
}

fetch() {
	local apt=$out/apt tarball

	command -v apt-get >/dev/null || skip "no apt-get here; give the tarball in NASD_GANESHA_TARBALL"
	[ -r $keyring ] || skip "$keyring is missing: install debian-archive-keyring"
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
		"$mirror" "$suite" $keyring >"$apt/nasd.sources"
	set -- -o Dir::Etc::SourceList="$apt/nasd.sources" -o Dir::Etc::SourceParts=- \
		-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=2 -o Acquire::http::Timeout=20
	apt-get "$@" update >"$apt/log" 2>&1 || skip "no source index from $mirror $suite (log: $apt/log)"
	(cd "$apt" && apt-get "$@" source --tar-only $package >>"$apt/log" 2>&1) ||
		skip "no source of $package from $mirror $suite (log: $apt/log)"
	tarball=$apt/${package}_$version.orig.tar.gz
	[ -f "$tarball" ] || skip "the source is not version $version (see $apt)"
	rm -rf "$apt/lists" "$apt/cache"
	printf '%s\n' "$tarball"
}

unpack() {
	rm -rf "$out/src" "$out/src.new"
	mkdir -p "$out/src.new"
	tar -xzf "$1" -C "$out/src.new" --strip-components=2 "$package-$version/src/include" ||
		skip "$1 is not the source of $package $version"
	mv "$out/src.new" "$out/src"
}

mkdir -p "$out/include"
out=$(cd "$out" && pwd)
if [ ! -f "$out/src/include/fsal_api.h" ]; then
	tarball=${NASD_GANESHA_TARBALL:-}
	[ -n "$tarball" ] || tarball=$(fetch)
	unpack "$tarball"
fi
cmp -s "$here/ganesha_config.h" "$out/include/config.h" 2>/dev/null ||
	cp "$here/ganesha_config.h" "$out/include/config.h"
