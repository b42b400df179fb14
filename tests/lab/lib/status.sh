# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# status, and measure: the lab's own figures.
# shellcheck disable=SC2154,SC2016

# status: a line per node; CPU over one second, of one core.
lab_status() {
	local f name state rest
	need_lab
	echo "state: $LAB_STATE"
	ctl req status >"$LAB_STATE/status.1"
	sleep 1
	ctl req status | awk -v hz="$(getconf CLK_TCK)" '
		function val(k,   i, p) {
			for (i = 3; i <= NF; i++) {
				split($i, p, "=")
				if (p[1] == k) return p[2]
			}
		}
		NR == FNR { before[$1] = val("ticks"); next }
		{
			printf "%-7s %-14s boots %-2d last boot %4.1f s  cpu %5.1f%%  mem %4d MiB\n",
				$1, $2, val("boots"), val("ready_ms") / 1000,
				(val("ticks") - before[$1]) * 100 / hz, val("rss_kib") / 1024
		}' "$LAB_STATE/status.1" -
	rm -f "$LAB_STATE/status.1"
	for f in "$LAB_STATE"/fault/*; do
		[ ! -e "$f" ] || echo "fault: ${f##*/}: $(tr '\n' ' ' <"$f")"
	done
	for name in nas1 nas2; do
		node_is_ready "$name" || continue
		state=$(timeout 2 "$LAB_STATE/bin/labctl" "$LAB_STATE" exec -n "$name" \
			sh -c "sed -n 's/^ *0: //p' /proc/drbd; ip -o -4 addr show dev vec0 | grep -c ' $FLOAT4/'" 2>/dev/null) || true
		rest=''
		case $state in *$'\n'1) rest=", serves $FLOAT4" ;; esac
		echo "$name: drbd ${state%%$'\n'*}$rest"
	done
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# measure: latencies with nothing else going on. The export is written by
# vnode2 and by the active NAS node itself.
lab_measure() {
	local n=${1:-5000} t i active='' node
	need_lab
	lab_status
	t=$(now_ms)
	for i in 1 2 3 4 5 6 7 8 9 10; do in_node nas1 /bin/true; done
	echo "exec nas1 /bin/true: $((($(now_ms) - t) / i)) ms each"
	echo "nas1 timers: $(in_node nas1 /lab/bin/labprobe sleep 1000)"
	in_node nas1 sh -c '/lab/bin/labprobe echo 7799 >/dev/null 2>&1 & echo $! >/run/labprobe.pid'
	echo "vnode2 to nas1, TCP: $(in_node vnode2 /lab/bin/labprobe rtt 10.77.1.11 7799 "$n")"
	echo "nas2 to nas1, replication: $(in_node nas2 /lab/bin/labprobe rtt 10.77.2.11 7799 "$n")"
	in_node nas1 sh -c 'kill $(cat /run/labprobe.pid)'
	for node in $NAS_NODES; do
		! in_node "$node" mountpoint -q /srv/vmstore || active=$node
	done
	[ -n "$active" ] || return 0
	echo "$active, ext4 on DRBD, 4 KiB O_DSYNC: $(in_node "$active" /lab/bin/labprobe write /srv/vmstore/.labprobe "$n")"
	in_node "$active" rm -f /srv/vmstore/.labprobe
	in_node vnode2 mountpoint -q /mnt/vm || return 0
	echo "vnode2, NFS, 4 KiB O_DSYNC: $(in_node vnode2 /lab/bin/labprobe write /mnt/vm/.labprobe "$n")"
	in_node vnode2 rm -f /mnt/vm/.labprobe
}

# clock NODE: what is to be added to its clock, in us, to have this machine's.
lab_clock() {
	need_node "$1"
	ctl exec "$1" bash -c "$(cat "$here/lib/ask-time.sh")
		ask_time && echo \"\$off\"" </dev/null || die "$1 cannot ask the supervisor for the time"
}
