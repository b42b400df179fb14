#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a NAS node: memory of nasd, ganesha and dbus-daemon, and the CPU time they
# use in SECONDS of doing nothing. One JSON line each. usage: idle.sh SECONDS
set -eu

find_pids() {
	local p exe
	for p in /proc/[0-9]*; do
		exe=$(readlink "$p/exe") || continue
		case ${exe##*/} in nasd | ganesha.nfsd | dbus-daemon) echo "${p#/proc/} ${exe##*/}" ;; esac
	done
}

# User and system ticks, with those of the threads.
ticks() {
	local line f
	line=$(cat "/proc/$1/stat")
	read -r -a f <<<"${line##*) }"
	echo $((f[11] + f[12]))
}

list=$(find_pids)
declare -A before
while read -r pid name; do before[$pid]=$(ticks "$pid"); done <<<"$list"
sleep "$1"
while read -r pid name; do
	after=$(ticks "$pid")
	awk -v node="$(hostname)" -v name="$name" -v ticks=$((after - before[$pid])) -v s="$1" \
		-v hz="$(getconf CLK_TCK)" '
		/^VmRSS/ { rss = $2 } /^RssAnon/ { anon = $2 } /^VmHWM/ { hwm = $2 } /^Threads/ { thr = $2 }
		END {
			printf "{\"node\":\"%s\",\"program\":\"%s\",\"rss_kib\":%d,\"anon_kib\":%d,\"peak_kib\":%d,\"threads\":%d,\"ticks\":%d,\"seconds\":%d,\"cpu_percent\":%.2f}\n",
				node, name, rss, anon, hwm, thr, ticks, s, ticks * 100 / hz / s
		}' "/proc/$pid/status"
done <<<"$list"
