# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# up, down, crash, boot, pause, resume, and files in and out.
# shellcheck disable=SC2154

BOOT_LIMIT=$((60 * ${LAB_PATIENCE:-1}))

build_agent() {
	local out=$repo/build/lab src=$here/agent p files
	if [ -e "$src/build.sh" ]; then
		"$src/build.sh" "$out" || die "building the lab's agent failed"
	fi
	for p in labnode labsup labctl labprobe; do
		files=$out/$p
		[ -x "$files" ] || die "$files is missing: run $src/build.sh $out"
	done
}

# nasd as the nodes see it; $LAB_INST names a tree that is installed already.
install_tree() {
	rm -rf "$LAB_STATE/inst"
	mkdir -p "$LAB_STATE/inst"
	if [ -n "${LAB_INST:-}" ]; then
		cp -a "$LAB_INST/." "$LAB_STATE/inst/"
		return
	fi
	[ -e "$repo/Makefile" ] || return 0
	grep -q '^install:' "$repo/Makefile" || return 0
	make -s -C "$repo" install "DESTDIR=$LAB_STATE/inst" prefix=/usr \
		>"$LAB_STATE/install.log" 2>&1 || {
		tail -n 20 "$LAB_STATE/install.log" >&2
		die "make install failed (log above)"
	}
}

# The lab's directory, the supervisor in its namespaces, and the networks.
lab_start() { # PLAIN (or empty)
	[ "$(id -u)" = 0 ] || die "the lab needs root: run it with sudo"
	"$repo/tests/install-deps" lab || die "packages are missing (see above)"
	case ${LAB_FS:-ext4} in
	ext4) ;;
	xfs) command -v mkfs.xfs >/dev/null || die "LAB_FS=xfs: there is no mkfs.xfs here (apt install xfsprogs)" ;;
	*) die "LAB_FS is ext4 or xfs, not '$LAB_FS'" 2 ;;
	esac
	build_agent
	if [ -e "$LAB_STATE" ] && [ ! -e "$LAB_STATE/lab.id" ] &&
		[ -n "$(ls -A "$LAB_STATE" 2>/dev/null)" ]; then
		die "$LAB_STATE is not empty and not a lab's; name another with -s"
	fi
	[ -e "$LAB_STATE/kept" ] || wipe_state
	rm -rf "$LAB_STATE/kept" "$LAB_STATE/mem" "$LAB_STATE/uml"
	mkdir -p "$LAB_STATE"/{bin,mem,uml,node,fault}
	rm -f "$LAB_STATE"/fault/*
	date +%s%N >"$LAB_STATE/lab.id"
	[ -e "$LAB_STATE/fs" ] || echo "${LAB_FS:-ext4}" >"$LAB_STATE/fs"
	cp "$repo"/build/lab/lab{node,sup,ctl,probe} "$LAB_STATE/bin/"
	[ -e "$LAB_STATE/secret" ] || head -c 16 /dev/urandom | od -An -tx1 |
		tr -d ' \n' >"$LAB_STATE/secret"
	[ -e "$LAB_STATE/psk" ] || (umask 077 && head -c 32 /dev/urandom |
		od -An -tx1 | tr -d ' \n' >"$LAB_STATE/psk")
	if [ -n "$1" ]; then
		mkdir -p "$LAB_STATE/inst"
		: >"$LAB_STATE/plain"
	else
		rm -f "$LAB_STATE/plain"
		echo "${LAB_TRIGGER:-manual}" >"$LAB_STATE/trigger"
		install_tree
	fi

	rm -f "$LAB_STATE/hold" "$LAB_STATE/sup.pid"
	mkfifo "$LAB_STATE/hold"
	exec 9<>"$LAB_STATE/hold"
	setsid "$LAB_STATE/bin/labsup" "$LAB_STATE" \
		</dev/null >"$LAB_STATE/sup.log" 2>&1 9>&- &
	wait_for 15 "the supervisor runs (log: $LAB_STATE/sup.log)" sup_ready
	net_create 9>&-
}

sup_ready() { [ -S "$LAB_STATE/sup.sock" ] && sup_pid; }

wipe_state() {
	[ -e "$LAB_STATE/lab.id" ] || return 0
	rm -rf "${LAB_STATE:?}"/{node,mem,uml,inst,fault,bin,secret,psk,plain,fs,trigger,trigger.before,guests,sup.sock,sup.pid,sup.log,hold,install.log,kept,lab.id}
}

lab_up() {
	local plain='' nodes='' n fresh='' new=''
	while [ $# -gt 0 ]; do
		case $1 in
		--plain) plain=1 ;;
		-*) die "usage: lab up [--plain] [NODE...]" 2 ;;
		*) need_node "$1"; nodes="$nodes $1" ;;
		esac
		shift
	done
	[ -n "$nodes" ] || nodes=$ALL_NODES
	if ! sup_pid >/dev/null; then
		fresh=1
		lab_start "$plain"
	elif [ -n "$plain" ] && [ ! -e "$LAB_STATE/plain" ]; then
		die "this lab runs with nasd; for --plain: lab down first"
	fi
	# All files first: once the nodes boot, the shell gets little of the CPU.
	for n in $nodes; do
		node_is_on "$n" 2>/dev/null || new="$new $n"
	done 9>&-
	for n in $new; do
		node_files "$n"
	done 9>&-
	for n in $new; do
		req on "$n" >/dev/null || die "cannot start $n"
	done 9>&-
	for n in $nodes; do
		node_wait "$n"
	done 9>&-
	services_up 9>&-
	if [ -n "$fresh" ]; then
		echo ok >&9
		exec 9>&-
	fi
	say "up:$nodes (state: $LAB_STATE)"
}

node_wait() {
	req wait "$1" "$BOOT_LIMIT" >/dev/null || {
		tail -n 15 "$LAB_STATE/node/$1/console.log" >&2
		die "$1 did not come up (console above: $LAB_STATE/node/$1/console.log)"
	}
}

# Storage and mounts, as far as their nodes are there.
services_up() {
	local n
	if node_is_ready nas1 && node_is_ready nas2; then
		drbd_first_time
		if [ -e "$LAB_STATE/plain" ] || ! nasd_present; then
			[ -e "$LAB_STATE/plain" ] ||
				say "nasd is not installed yet: as with --plain, ganesha on nas1"
			plain_start
		elif [ "$(nasd_trigger)" != peer ]; then
			nasd_start
		fi
	else
		say "no storage: that needs both nas1 and nas2"
	fi
	is_served || return 0
	for n in $VNODES; do
		! node_is_ready "$n" || mount_export "$n"
	done
}

lab_down() {
	local keep='' outer
	[ "${1:-}" != --keep ] || keep=1
	if sup_pid >/dev/null; then
		ctl down || true
	fi
	if sup_pid >/dev/null; then
		# It does not answer: kill it; the kernel takes the rest along.
		read -r outer _ <"$LAB_STATE/sup.pid"
		kill -9 "$outer"
		wait_for 10 "the lab's supervisor $outer is gone" sup_gone
	fi
	if [ -n "$keep" ]; then
		: >"$LAB_STATE/kept"
	elif [ -e "$LAB_STATE/lab.id" ]; then
		wipe_state
		rmdir "$LAB_STATE" 2>/dev/null || true
	fi
	say "down"
}

sup_gone() { ! sup_pid; }

lab_crash() {
	need_lab
	need_node "$1"
	node_is_on "$1" || die "$1 is off already"
	req off "$1" >/dev/null
}

node_is_on() { ctl req status "$1" | grep -qE "^$1 (ready|booting|failed)"; }

lab_boot() {
	need_lab
	need_node "$1"
	[ -e "$LAB_STATE/node/$1/cmdline" ] || node_files "$1"
	boot_conf "$1" >"$LAB_STATE/node/$1/boot.conf"
	req on "$1" >/dev/null
	node_wait "$1"
	net_reapply "$1"
	if ! is_nas "$1" && is_served; then
		mount_export "$1"
	fi
}

lab_pause() { # pause|resume NODE
	need_lab
	need_node "$2"
	req "$1" "$2" >/dev/null
}

lab_service() {
	need_lab
	[ $# -ge 2 ] || die "usage: lab service NODE list | lab service NODE NAME stop|start|restart|kill" 2
	need_node "$1"
	if [ "$2" = list ]; then
		in_node "$1" /lab/bin/labnode service list
		return
	fi
	case ${3:-} in
	stop | start | restart | kill) in_node "$1" /lab/bin/labnode service "$3" "$2" ;;
	*) die "usage: lab service NODE NAME stop|start|restart|kill" 2 ;;
	esac
}

lab_log() {
	local f
	[ $# -ge 1 ] || die "usage: lab log NODE [FILE]" 2
	need_node "$1"
	f=$LAB_STATE/node/$1/console.log
	[ $# = 1 ] || f=$LAB_STATE/node/$1/varlog/$2
	if [ $# = 1 ] || [ -e "$f" ]; then
		cat "$f"
	else
		in_node "$1" cat "/var/log/$2"
	fi
}

lab_put() {
	need_lab
	need_node "$1"
	# shellcheck disable=SC2016,SC2094
	ctl exec "$1" sh -c 'cat >"$1.lab-new" && chmod "$2" "$1.lab-new" && mv "$1.lab-new" "$1"' \
		sh "$3" "$(stat -c %a "$2")" <"$2"
}

lab_get() {
	need_lab
	need_node "$1"
	in_node "$1" cat "$2" >"$3"
}
