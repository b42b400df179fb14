#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Guests and probes of the lab; called by "lab guest ..." and "lab noise".
# "guest.sh help" lists the verbs.
#
# A guest is a QEMU on a hypervisor node whose disk is a file on the export. Its
# payload reports over a virtio port that QEMU connects, over the control
# network, to a viewer outside of the nodes ("probe view", see view.h), which
# notes when each line arrived. The viewer lives in the lab's own PID namespace
# and goes when the lab goes. All of a guest's files are in
# $LAB_STATE/guests/NAME: log (every line), console (kernel messages), control (a
# FIFO: stop, mark, report), node, kind, port.
set -eu
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
LAB_STATE=${LAB_STATE:-/dev/shm/nasd-lab-$UID}
# shellcheck source=/dev/null
. "$here/../lib/common.sh"
# shellcheck source=/dev/null
. "$here/../lib/nodes.sh"
# shellcheck source=/dev/null
. "$here/show.sh"
# shellcheck source=/dev/null
. "$here/libvirt.sh"

START_LIMIT=90
STOP_LIMIT=90
KERNEL_ARGS="console=ttyS0 quiet panic=-1 mitigations=off init_on_alloc=0 tsc=reliable no_timer_check cryptomgr.notests"

guest_usage() {
	cat <<-'END'
	usage: lab guest start NAME --on VNODE [--disk FILE] [--mem MB] [--libvirt] [PROBE-OPTION...]
	                                        --libvirt: as a domain of VNODE's libvirtd ("lab libvirt up")
	       lab guest where NAME             the hypervisor that runs it
	       lab guest stop NAME [--kill]     verify all, summary; 1 if it was not clean
	       lab guest log NAME [--json | --raw]   what it has seen so far
	       lab guest mark NAME              figures since the last mark, as JSON
	       lab guest list
	       lab guest build                  kernel, payload and initramfs (cached)
	       lab guest probe start NAME --on VNODE --file F [--lock A-B] [PROBE-OPTION...]
	                                        the same payload as a program on VNODE
	       lab guest probe start NAME --on VNODE --meta DIR [--pace MS] [--gap MS] [--beat MS]
	                                        create, link, rename, unlink, mkdir, rmdir, stat and
	                                        readdir in DIR, each checked for having been done once
	       lab guest probe stop|log|mark NAME
	       lab guest lock-test --on VNODE --file F --range A-B [--count N | --seconds S]
	                                        0: always refused, 1: the lock was got
	       lab guest verify NAME --on VNODE the disk against what was acknowledged
	       lab noise [SECONDS]              a guest's gaps with nothing else going on
	PROBE-OPTION: --pace MS, --size BYTES, --beat MS, --gap MS, --verify-every N
	END
}

dir_of() { # NAME
	case $1 in '' | *[!A-Za-z0-9_-]*) die "a guest's name is letters, digits, - and _: '$1'" 2 ;; esac
	echo "$LAB_STATE/guests/$1"
}

need_guest() { # NAME
	dir=$(dir_of "$1")
	[ -e "$dir/node" ] || die "no such guest or probe: '$1' (lab guest list)"
	[ "$(cat "$dir/kind")" != libvirt ] || libvirt_guest_node "$dir" >/dev/null
}

is_vnode() {
	case " $VNODES " in *" $1 "*) true ;; *) false ;; esac
}

build_guest() {
	local out
	out=$("$here/build.sh") || exit 1
	eval "$out"
}

# A port that no other guest of this lab has.
free_port() {
	local port=7810
	while grep -qsx "$port" "$LAB_STATE"/guests/*/port; do port=$((port + 1)); done
	echo "$port"
}

viewer_start() { # DIR BEAT
	local pid
	pid=$(sup_pid) || die "no lab is running in $LAB_STATE"
	setsid nsenter -t "$pid" -n -p -- "$GUEST_PROBE" view --beat "$2" \
		--listen "10.77.9.1:$(cat "$1/port")" --out "$1/log" --control "$1/control" \
		</dev/null >"$1/view.err" 2>&1 &
	wait_for 15 "the viewer runs (log: $1/view.err)" test -p "$1/control" -a -e "$1/log"
}

# The viewer holds the FIFO open for reading; without it a write would wait.
tell() { # DIR WORD
	# shellcheck disable=SC2016
	timeout 5 sh -c 'echo "$2" >"$1/control"' sh "$1" "$2" ||
		die "the viewer of ${1##*/} does not listen (was the lab stopped?)"
}

in_log() { grep -q "$2" "$1/log"; }
lines_of() { grep -c "$2" "$1/log" || true; }
more_lines() { [ "$(lines_of "$1" "$2")" -gt "$3" ]; }

# Ask for a line of JSON and wait for it: KIND is report or section.
ask() { # DIR WORD KIND SECONDS
	local have
	have=$(lines_of "$1" "^{\"ev\":\"$3\"")
	tell "$1" "$2"
	wait_for "$4" "${1##*/} answers '$2' (it does so between two writes)" \
		more_lines "$1" "^{\"ev\":\"$3\"" "$have"
}

# Options common to start and probe start; the rest goes to the payload.
parse_start() {
	name=${1:-} node='' disk='' file='' meta='' mem=128 beat=20 libvirt='' args=()
	[ -n "$name" ] || { guest_usage >&2; exit 2; }
	dir=$(dir_of "$name")
	shift
	while [ $# -gt 0 ]; do
		[ $# -ge 2 ] || [ "$1" = --no-direct ] || [ "$1" = --libvirt ] || die "$1: its value is missing" 2
		case $1 in
		--on) node=$2 ;;
		--disk) disk=$2 ;;
		--file) file=$2 ;;
		--meta) meta=$2 ;;
		--mem) mem=$2 ;;
		--beat) beat=$2 args+=("$1" "$2") ;;
		--libvirt)
			libvirt=1
			shift
			continue
			;;
		--no-direct)
			args+=("$1")
			shift
			continue
			;;
		*) args+=("$1" "$2") ;;
		esac
		shift 2
	done
	is_vnode "$node" || die "--on: one of $VNODES" 2
	need_lab
	if [ -e "$dir/node" ]; then
		! is_running "$dir" || die "$name runs already on $(cat "$dir/node")"
		# Its node may have lost power: then its viewer is still there.
		(tell "$dir" quit) 2>/dev/null || true
		rm -rf "$dir"
	fi
}

prepare() { # KIND
	build_guest
	mkdir -p "$dir"
	(
		flock 7
		free_port >"$dir/port"
	) 7>"$LAB_STATE/guests/lock"
	echo "$1" >"$dir/kind"
	viewer_start "$dir" "$beat"
	echo "$node" >"$dir/node"
}

# The process of a guest or probe, in its node.
pid_file() { # DIR
	if [ "$(cat "$1/kind")" = libvirt ]; then
		echo "/run/libvirt/qemu/${1##*/}.pid"
	else
		echo "/run/nasd-guest/${1##*/}.pid"
	fi
}

is_running() { # DIR
	# shellcheck disable=SC2016
	in_node "$(cat "$1/node")" sh -c \
		'kill -0 "$(cat "$1")"' sh "$(pid_file "$1")" 2>/dev/null
}

is_gone() { ! is_running "$1"; }

# It writes; or it has ended, and the reason is in one of its logs.
has_started() {
	in_log "$1" 'ev=hb n=[0-9]* acked=[1-9]' || in_log "$1" ev=fatal || {
		# Asked once in a while only: a program's start in the node is dear.
		[ $SECONDS -ge $((asked + 3)) ] && asked=$SECONDS && ! is_running "$1"
	}
}

wait_started() {
	asked=$SECONDS
	wait_for "$START_LIMIT" "$name writes (see $dir/log and: lab guest log $name --raw)" \
		has_started "$dir"
	in_log "$dir" 'ev=hb n=[0-9]* acked=[1-9]' && return
	grep ev=fatal "$dir/log" >&2 || true
	# shellcheck disable=SC2016
	in_node "$node" sh -c 'cat /run/nasd-guest/"$1".err /run/nasd-guest/"$1".console 2>/dev/null' sh "$name" >&2 || true
	(finish "$dir") 2>/dev/null || true
	die "$name did not start"
}

guest_start() {
	local began
	began=$(date +%s%N)
	parse_start "$@"
	disk=${disk:-/mnt/vm/$name.raw}
	if [ -n "$libvirt" ]; then prepare libvirt; else prepare guest; fi
	echo "$disk" >"$dir/disk"
	if [ -n "$libvirt" ]; then
		libvirt_guest_start
	else
		qemu_guest_start
	fi || {
		in_node "$node" cat "/run/nasd-guest/$name.err" >&2 || true
		(finish "$dir") 2>/dev/null || true
		die "QEMU did not start on $node"
	}
	wait_started
	say "guest $name writes to $disk on $node ($((($(date +%s%N) - began) / 1000000)) ms)"
}

# ioeventfd=off: the guest's processor hands a request over itself instead of
# waking the main loop; a switch between threads is dear in a node (measured: 53
# instead of 78 system calls for each write).
qemu_guest_start() {
	# shellcheck disable=SC2016
	in_node "$node" sh -c '
		set -e
		mkdir -p /run/nasd-guest
		[ -e "$2" ] || truncate -s 64M "$2"
		n=/run/nasd-guest/$1
		exec qemu-system-x86_64 -name "$1" -M q35,hpet=off -accel tcg,thread=single,tb-size=256 \
			-m "$3" -nodefaults -no-user-config -display none -no-reboot \
			-kernel "$4" -initrd "$5" -append "$6" \
			-drive file="$2",if=none,id=disk,format=raw,cache=none \
			-device virtio-blk-pci,drive=disk,ioeventfd=off \
			-device virtio-serial-pci,ioeventfd=off \
			-chardev socket,id=report,host=10.77.9.1,port="$7",reconnect=1,nodelay=on \
			-device virtserialport,chardev=report,name=probe \
			-chardev file,id=console,path="$n.console" -serial chardev:console \
			-qmp unix:"$n.qmp",server=on,wait=off \
			-pidfile "$n.pid" -daemonize >"$n.err" 2>&1' sh \
		"$name" "$disk" "$mem" "$GUEST_KERNEL" "$GUEST_INITRD" \
		"$KERNEL_ARGS -- --file /dev/vda --name $name ${args[*]-}" "$(cat "$dir/port")"
}

probe_start() {
	parse_start "$@"
	case ${file:+file}${meta:+meta} in
	file) args=(--file "$file" "${args[@]}") ;;
	meta) args=(--meta "$meta" "${args[@]}") ;;
	*) die "one of --file and --meta is required" 2 ;;
	esac
	prepare probe
	echo "$file$meta" >"$dir/disk"
	# shellcheck disable=SC2016
	in_node "$node" setsid -f sh -c '
		mkdir -p /run/nasd-guest
		n=/run/nasd-guest/$1
		echo $$ >"$n.pid"
		p=$2
		shift 2
		exec "$p" run "$@" </dev/null >"$n.out" 2>"$n.err"' sh \
		"$name" "$GUEST_PROBE" --name "$name" \
		--report "tcp:10.77.9.1:$(cat "$dir/port")" "${args[@]}" </dev/null >/dev/null 2>&1
	wait_started
	say "probe $name works on $file$meta on $node"
}

# Copy what only the node has, end the viewer.
finish() { # DIR
	local node
	node=$(cat "$1/node")
	in_node "$node" cat "/run/nasd-guest/${1##*/}.console" >"$1/console" 2>/dev/null || true
	(tell "$1" quit) || true
}

guest_stop() {
	local kill=''
	[ $# -ge 1 ] || { guest_usage >&2; exit 2; }
	need_guest "$1"
	[ "${2:-}" != --kill ] || kill=1
	need_lab
	if [ -n "$kill" ]; then
		# shellcheck disable=SC2016
		in_node "$(cat "$dir/node")" sh -c 'kill -9 "$(cat "$1")"' sh "$(pid_file "$dir")" || true
		finish "$dir"
		return
	fi
	in_log "$dir" '^{"ev":"summary"' || {
		tell "$dir" stop
		wait_for "$STOP_LIMIT" "$1 verifies and prints its summary" in_log "$dir" '^{"ev":"summary"'
	}
	wait_for 20 "$1 has ended" is_gone "$dir"
	finish "$dir"
	show_log "$dir" summary
	grep '^{"ev":"summary"' "$dir/log" | tail -n 1 | jq -e .clean >/dev/null
}

guest_log() {
	[ $# -ge 1 ] || { guest_usage >&2; exit 2; }
	need_guest "$1"
	if [ "${2:-}" = --raw ]; then
		cat "$dir/log"
		return
	fi
	# A guest whose disk stands still cannot answer: show what is known.
	in_log "$dir" '^{"ev":"summary"' || (ask "$dir" report report 5) ||
		echo "lab: $1 does not answer; these are its last figures" >&2
	case ${2:-} in
	--json) grep -E '^\{"ev":"(report|summary)"' "$dir/log" | tail -n 1 ;;
	'') show_log "$dir" '(report|summary)' ;;
	*) guest_usage >&2; exit 2 ;;
	esac
}

guest_mark() {
	[ $# = 1 ] || { guest_usage >&2; exit 2; }
	need_guest "$1"
	ask "$dir" mark section 60
	grep '^{"ev":"section"' "$dir/log" | tail -n 1
	grep '^{"ev":"view"' "$dir/log" | tail -n 1
}

guest_list() {
	local d state
	for d in "$LAB_STATE"/guests/*/; do
		d=${d%/}
		[ -e "$d/node" ] || continue
		state=stopped
		! is_running "$d" || state=running
		printf '%-16s %-6s %-7s %-8s %s\n' "${d##*/}" "$(cat "$d/kind")" \
			"$(cat "$d/node")" "$state" "$(cat "$d/disk")"
	done
}

lock_test() {
	local node='' args=()
	while [ $# -gt 0 ]; do
		[ $# -ge 2 ] || die "$1: its value is missing" 2
		if [ "$1" = --on ]; then node=$2; else args+=("$1" "$2"); fi
		shift 2
	done
	is_vnode "$node" || die "--on: one of $VNODES" 2
	need_lab
	build_guest
	in_node "$node" "$GUEST_PROBE" lock-test "${args[@]}"
}

# Against the last number that was reported as acknowledged. A guest that was
# killed may have written more than it could report: --newest allows for it.
guest_verify() {
	local acked run blocks newest
	if [ $# != 3 ] || [ "$2" != --on ]; then
		guest_usage >&2
		exit 2
	fi
	need_guest "$1"
	need_lab
	build_guest
	! grep -q ' ev=start .* meta=' "$dir/log" || die "$1 is a metadata client: it has verified when it stopped"
	run=$(sed -n 's/.* ev=start .* run=\([0-9a-f]*\) .*/\1/p' "$dir/log" | tail -n 1)
	blocks=$(sed -n 's/.* ev=start .* blocks=\([0-9]*\) .*/\1/p' "$dir/log" | tail -n 1)
	acked=$(sed -n 's/.* ev=hb n=[0-9]* acked=\([0-9]*\) .*/\1/p' "$dir/log" | tail -n 1)
	newest=$((acked + 1000))
	if in_log "$dir" '^{"ev":"summary"'; then
		acked=$(grep '^{"ev":"summary"' "$dir/log" | tail -n 1 | jq .acked)
		newest=$acked
	fi
	in_node "$3" "$GUEST_PROBE" verify --file "$(cat "$dir/disk")" --run "$run" \
		--acked "$acked" --blocks "$blocks" --newest "$newest"
}

# Processor time in ticks: of the whole machine (busy and idle), of this lab.
ticks() {
	awk '/^cpu /{ print $2 + $3 + $4 + $7 + $8 + $9, $5 + $6 }' /proc/stat
	ctl req status | grep -o 'ticks=[0-9]*' | awk -F= '{ t += $2 } END { print t }'
}

noise() {
	local seconds=${1:-60} section before after name=noise-$$
	case $seconds in '' | *[!0-9]*) die "usage: lab noise [SECONDS]" 2 ;; esac
	need_lab
	guest_start "$name" --on "${LAB_NOISE_ON:-vnode2}"
	# The first seconds are the guest's own translation, not the lab's noise.
	sleep 5
	guest_mark "$name" >/dev/null
	before=$(ticks)
	sleep "$seconds"
	section=$(guest_mark "$name")
	after=$(ticks)
	guest_stop "$name" >/dev/null || die "the guest was not clean: lab guest log $name"
	in_node "${LAB_NOISE_ON:-vnode2}" rm -f "/mnt/vm/$name.raw" || true
	show_noise "$section"
	# Figures taken while others use the processors say little about the lab.
	echo "$before $after" | tr '\n' ' ' | awk -v n="$(nproc)" '{
		busy = $4 - $1; idle = $5 - $2; lab = $6 - $3; all = busy + idle
		printf "processors (%d cores): busy %.0f %%, this lab %.0f %%, others %.0f %%\n",
			n, 100 * busy / all, 100 * lab / all, 100 * (busy - lab) / all
	}'
}

verb=${1:-help}
[ $# = 0 ] || shift
case $verb in
start) guest_start "$@" ;;
stop) guest_stop "$@" ;;
log) guest_log "$@" ;;
mark) guest_mark "$@" ;;
where)
	need_guest "${1:-}"
	cat "$dir/node"
	;;
list) guest_list ;;
build) "$here/build.sh" ;;
lock-test) lock_test "$@" ;;
verify) guest_verify "$@" ;;
probe)
	verb=${1:-}
	[ $# = 0 ] || shift
	case $verb in
	start) probe_start "$@" ;;
	stop) guest_stop "$@" ;;
	log) guest_log "$@" ;;
	mark) guest_mark "$@" ;;
	*) guest_usage >&2; exit 2 ;;
	esac
	;;
noise) noise "$@" ;;
help | -h | --help) guest_usage ;;
*) guest_usage >&2; die "unknown verb 'guest $verb'" 2 ;;
esac
