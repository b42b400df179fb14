# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# status, and measure: the lab's own figures.
# shellcheck disable=SC2154

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
lab_measure() { die "not yet"; }
