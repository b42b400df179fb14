#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a guest is made of, built once into a cache directory and named by its
# content (the nodes see this directory over hostfs, which does not notice a
# file that changes):
#   kernel-VERSION/vmlinux    Debian's cloud kernel, unpacked: QEMU enters it
#                             directly (PVH), so no guest decompresses anything
#   kernel-VERSION/modules/   the modules a guest loads
#   probe-HASH                the payload, static
#   initrd-HASH               an archive of the payload (as /init) and modules
# Prints shell assignments: GUEST_KERNEL, GUEST_INITRD, GUEST_PROBE.
# usage: build.sh [CACHE-DIRECTORY]
set -eu
src=$(dirname "$(readlink -f "$0")")
cache=${1:-${LAB_CACHE:-/var/cache/nasd-lab}}
modules="virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk virtio_console"

die() {
	echo "guest build: $1" >&2
	exit 1
}

need() {
	command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"
}

# The kernel inside of a bzImage: the boot protocol's header (Linux
# Documentation/arch/x86/boot.rst) says where the compressed payload is.
unpack_kernel() { # BZIMAGE OUT
	local sectors offset length
	sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$1")
	offset=$(od -An -tu4 -j $((0x248)) -N 4 "$1")
	length=$(od -An -tu4 -j $((0x24c)) -N 4 "$1")
	# The payload's last four bytes are its unpacked size, not lz4 data.
	tail -c +$(((sectors + 1) * 512 + offset + 1)) "$1" |
		head -c $((length - 4)) | lz4 -dc >"$2" ||
		die "$1 is not compressed with lz4: cannot unpack it"
	[ "$(head -c 4 "$2" | od -An -c | tr -d ' ')" = '177ELF' ] ||
		die "$1 does not contain an ELF kernel"
}

get_kernel() {
	local tmp package deb m f version
	need lz4 lz4
	need dpkg dpkg
	tmp=$(mktemp -d "$cache/new.XXXXXX")
	chmod 755 "$tmp"
	find_package() {
		apt-cache depends linux-image-cloud-amd64 2>/dev/null |
			sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*-cloud-amd64\)$/\1/p' | head -n 1
	}
	package=$(find_package)
	if [ -z "$package" ] || ! (cd "$tmp" && apt-get -qq -o APT::Sandbox::User=root download "$package") >&2; then
		# The lists may be absent or older than the archive.
		apt-get -qq update >&2 || true
		package=$(find_package)
		[ -n "$package" ] || die "apt does not know linux-image-cloud-amd64: check /etc/apt/sources.list and the network (a kernel put into $cache/kernel-VERSION is used without asking apt)"
		(cd "$tmp" && apt-get -qq -o APT::Sandbox::User=root download "$package") >&2 ||
			die "cannot download $package: the guests need Debian's cloud kernel, once"
	fi
	deb=$(find "$tmp" -name '*.deb' | head -n 1)
	dpkg -x "$deb" "$tmp/root"
	version=${package#linux-image-}
	mkdir -p "$tmp/kernel/modules"
	unpack_kernel "$tmp/root/boot/vmlinuz-$version" "$tmp/kernel/vmlinux"
	for m in $modules; do
		f=$(find "$tmp/root/lib/modules" -name "$m.ko" | head -n 1)
		[ -n "$f" ] || die "$package has no module $m"
		cp "$f" "$tmp/kernel/modules/"
	done
	mv -T "$tmp/kernel" "$cache/kernel-$version"
	rm -rf "$tmp"
}

newest_kernel() {
	find "$cache" -maxdepth 1 -type d -name 'kernel-*' | sort -V | tail -n 1
}

build_probe() {
	local sum
	sum=$(cat "$src"/*.[ch] | sha256sum | cut -c1-16)
	probe=$cache/probe-$sum
	[ -x "$probe" ] || {
		need "${CC:-cc}" build-essential
		"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -pthread -static -s \
			-o "$probe.$$" "$src"/*.c >&2 || die "the payload does not compile"
		mv "$probe.$$" "$probe"
	}
}

build_initrd() {
	local sum tmp
	need cpio cpio
	sum=$(cat "$probe" "$kernel"/modules/* | sha256sum | cut -c1-16)
	initrd=$cache/initrd-$sum
	[ -e "$initrd" ] || {
		tmp=$(mktemp -d "$cache/new.XXXXXX")
		mkdir "$tmp/dev" "$tmp/proc" "$tmp/modules"
		cp "$probe" "$tmp/init"
		cp "$kernel"/modules/* "$tmp/modules/"
		strip --strip-debug "$tmp"/modules/*.ko
		# Not compressed: unpacking costs a guest more than reading.
		(cd "$tmp" && find . | cpio --quiet -o -H newc) >"$initrd.$$"
		mv "$initrd.$$" "$initrd"
		rm -rf "$tmp"
	}
}

mkdir -p "$cache" || die "cannot make $cache: name another in LAB_CACHE"
exec 8>"$cache/lock"
flock 8
kernel=$(newest_kernel)
if [ -z "$kernel" ]; then
	get_kernel
	kernel=$(newest_kernel)
fi
build_probe
build_initrd
printf 'GUEST_KERNEL=%s\nGUEST_INITRD=%s\nGUEST_PROBE=%s\n' "$kernel/vmlinux" "$initrd" "$probe"
