#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The Debian packages on a node that runs a real systemd (in a PID namespace of its
# own, as in a container): installed, started, moved to under a writing guest, upgraded
# while they serve, refused to be removed then, removed when they stand by, purged, and
# installed anew. nas2 is that node; afterwards its power is cut, and it is as before.
#
# usage: deb.sh [DIR]   (DIR: the packages, default build/deb; built when there are none)
# shellcheck disable=SC2086,SC2015,SC2016
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"

node=nas2
repo=$(readlink -f "$t_lab/../..")
debs=${1:-$repo/build/deb}

# ---- packages

# The same with a higher version: what an upgrade is to dpkg.
as_newer() { # DEB
	local dir=$t_tmp/newer
	rm -rf "$dir"
	dpkg-deb -R "$1" "$dir" &&
		sed -i -E "s/^(Version: .*)/\1+later/; s/nasd \(= ([^)]*)\)/nasd (= \1+later)/" "$dir/DEBIAN/control" &&
		dpkg-deb --root-owner-group -Zgzip -b "$dir" "$share/later/$(basename "$1")" >/dev/null
}

packages() {
	local p
	ls "$debs"/nasd_*.deb >/dev/null 2>&1 || make -s -C "$repo" deb >"$t_tmp/deb.log" 2>&1 ||
		die "make deb failed: $(tail -n 3 "$t_tmp/deb.log")"
	[ -e "$debs/$(basename "$debs"/nasd-fsal-ganesha_*.deb)" ] || skip "no package of the ganesha module was built in $debs"
	mkdir -p "$share/later"
	for p in "$debs"/nasd_*.deb "$debs"/nasd-fsal-ganesha_*.deb; do
		cp "$p" "$share/" && as_newer "$p" || die "$p is no package"
	done
	at_end "rm -rf $share"
}

# ---- a node with systemd

sd() { on $node nsenter -t "$sd_pid" -m -p "$@"; }
sd_is_up() {
	sd_pid=$(on $node pgrep -x systemd | head -n 1) && [ "$(sd systemctl is-active lab.target)" = active ]
}
# In the lab no network-online.target; the node's second watchdog. The host may have a
# policy that its packages start nothing.
sd_begin() {
	on $node sh -e -c '
		rm -f /usr/sbin/policy-rc.d
		mkdir -p /etc/systemd/system/nasd-watchdog.service.d /etc/systemd/system/nasd.service.d
		printf "[Service]\nStandardError=append:/var/log/nasd/nasd.log\n" >/etc/systemd/system/nasd.service.d/lab.conf
		printf "[Unit]\nDefaultDependencies=no\n" >/etc/systemd/system/lab.target
		ln -s /dev/null /etc/systemd/system/network-online.target
		printf "[Service]\nExecStart=\nExecStart=/usr/sbin/nasd-watchdog --device /dev/watchdog1 --timeout 10\nStandardError=append:/var/log/nasd/nasd-watchdog.log\n" \
			>/etc/systemd/system/nasd-watchdog.service.d/lab.conf
		container=lab setsid unshare --pid --fork --mount --propagation shared --mount-proc /lib/systemd/systemd --system \
			--unit=lab.target --show-status=no --log-target=console </dev/null >/dev/null 2>&1 &'
	wait_until 60 sd_is_up || die "systemd did not come up in $node"
}

# Without the triggers: man-db's reads every page of the host.
dpkg_in() { sd sh -c "DEBIAN_FRONTEND=noninteractive dpkg --no-triggers $*" >"$t_tmp/dpkg" 2>&1; }
dpkg_does() { dpkg_in "$@" || { dpkg_said; return 1; }; }
dpkg_said() { cat "$t_tmp/dpkg"; }
# This kernel does not tell whether the device can be disarmed, so nasd-watchdog keeps it.
disarm() { on $node sh -c 'printf V >/dev/watchdog1'; }
version_of() { sd dpkg-query -W -f '${Version} ${db:Status-Status}' "$1" 2>/dev/null; }
main_pid() { sd systemctl show -P MainPID "$1.service"; }
server_pid() { sd pgrep -x ganesha.nfsd; }
sd_state() { sd systemctl is-active nasd.service nasd-watchdog.service | tr '\n' ' '; }
watchdog_is() { ctl $node fence status --json | jq -e --arg s "$1" '.watchdog == $s' >/dev/null; }
nothing_runs() { ! on $node pgrep -x 'nasd|nasd-watchdog|ganesha.nfsd'; }

# ---- what is shown

installed() {
	lab service $node nasd stop && lab service $node nasd-watchdog stop && disarm ||
		die "the lab's own nasd on $node does not stop"
	# shellcheck disable=SC2016
	on $node sh -c 'for p in $(pgrep -x "ganesha.nfsd|dbus-daemon"); do kill -9 $p; done; rm -rf /usr/sbin/nasd* /usr/lib/nasd /usr/lib/systemd/system/nasd*'
	sd_begin
	check "the packages are installed" dpkg_does -i "/lab/debs/*.deb"
	is "nothing was started, nothing enabled" "$(sd_state)$(sd systemctl is-enabled nasd.service)" "inactive inactive disabled"
	check "the units are good" sd systemd-analyze verify --man=no nasd.service nasd-watchdog.service
	check "both start under systemd" sd systemctl start nasd-watchdog nasd
	await 40 "$node stands by" is_ready || t_end
}

moved() {
	local from
	from=$(wall_us)
	check "a switchover to $node" ctl $node switchover $node
	check "the guest writes on" writes_on guest
	note "guest, gap of the move to the packaged nasd: $(gap_between guest "$from" "$(wall_us)") ms"
	await 20 "the watchdog is armed" watchdog_is armed
	await 40 "the pair is ready" is_ready
}

# dpkg itself loads the node; what the restart costs is told apart from that.
upgraded() {
	local from nasd watchdog server boot
	nasd=$(main_pid nasd) watchdog=$(main_pid nasd-watchdog) server=$(server_pid)
	boot=$(on $node cat /proc/sys/kernel/random/boot_id)
	from=$(wall_us)
	check "an upgrade while $node serves" dpkg_does -i "/lab/debs/later/*.deb"
	check "the guest writes on" writes_on guest
	await 20 "$node is active, with its peer" is_settled
	await 20 "the watchdog is armed again" watchdog_is armed
	note "guest, longest gap from the begin of the upgrade until all is settled: $(gap_between guest "$from" "$(wall_us)") ms"
	from=$(wall_us)
	sleep $((($(wall_us) - from) / 1000000 + 10)) # no readiness to wait for: the watchdog's whole time
	is "the node was not reset" "$(on $node cat /proc/sys/kernel/random/boot_id)" "$boot"
	is "the new version is installed" "$(version_of nasd)" "$(dpkg-deb -f "$share"/later/nasd_*.deb Version) installed"
	is "nasd is a new process" "$([ "$(main_pid nasd)" != "$nasd" ] && echo yes)" yes
	is "so is the watchdog" "$([ "$(main_pid nasd-watchdog)" != "$watchdog" ] && echo yes)" yes
	is "ganesha is the same process" "$(server_pid)" "$server"
	is "$node serves" "$(active)" $node
}

# A configuration that the new version does not take: the old nasd is left running.
upgraded_in_vain() {
	local nasd
	nasd=$(main_pid nasd)
	sd cp -p /etc/nasd/nasd.conf /etc/nasd/nasd.conf.good
	sd sed -i 's/trigger =/triger =/' /etc/nasd/nasd.conf
	check "the same package again, over a wrong configuration" dpkg_does -i "/lab/debs/later/*.deb"
	check "it says that nasd was not restarted, and why" grep -q 'triger' "$t_tmp/dpkg"
	is "the old nasd runs on" "$(main_pid nasd)" "$nasd"
	sd mv /etc/nasd/nasd.conf.good /etc/nasd/nasd.conf
}

removed() {
	if dpkg_in -r nasd-fsal-ganesha nasd; then
		fail "a node that serves refuses to remove nasd" "$(dpkg_said)"
	else
		check "a node that serves refuses to remove nasd, and says what to do" grep -q 'nasctl switchover' "$t_tmp/dpkg"
	fi
	is "nasd is installed and runs" "$(version_of nasd | cut -d' ' -f2) $(sd_state)" "installed active active "
	check "the guest writes on" writes_on guest
	check "the package of the module is installed again" dpkg_does -i "/lab/debs/later/nasd-fsal-ganesha_*.deb"
	await 40 "the pair is ready" is_ready
	check "a switchover to nas1" ctl nas1 switchover nas1
	await 40 "$node stands by" is_ready
	await 20 "the watchdog has the device still" watchdog_is kept
	if dpkg_in -r nasd-fsal-ganesha nasd; then
		fail "a node whose watchdog would reset it refuses to remove nasd" "$(dpkg_said)"
	else
		check "a node whose watchdog would reset it refuses, and says what to do" grep -q 'reboot' "$t_tmp/dpkg"
	fi
	check "the watchdog is stopped, and disarmed by hand" eval 'sd systemctl stop nasd-watchdog && disarm'
	await 20 "nasd has noticed" watchdog_is absent
	check "a standby removes nasd" dpkg_does -r nasd-fsal-ganesha nasd
	await 20 "nothing of it runs" nothing_runs
	check "the guest writes on" writes_on guest
}

purged() {
	check "the packages are purged" dpkg_does -P nasd-fsal-ganesha nasd
	is "the journal and the logs are gone" "$(sd sh -c 'ls -A /var/lib/nasd /var/log/nasd | grep -v :')" ""
	is "the administrator's files are there" "$(sd ls /etc/nasd | tr '\n' ' ')" "nasd.conf psk.key "
}

installed_anew() {
	check "the packages are installed anew" dpkg_does -i "/lab/debs/*.deb"
	check "both start" sd systemctl start nasd-watchdog nasd
	await 60 "$node, without a journal, stands by" is_ready
	check "a switchover to it" ctl $node switchover $node
	check "the guest writes on" writes_on guest
	await 40 "the pair is ready" is_ready
	check "and back" ctl nas1 switchover nas1
	await 40 "the pair is ready again" is_ready
}

as_it_was() {
	lab crash $node && lab boot $node && wait_until 60 is_ready
}

requires qemu-system-x86_64 dpkg-deb jq
[ -x /lib/systemd/systemd ] || skip "no systemd here for the node"
lab_begin
share=$LAB_STATE/node/$node/debs
packages
make_active nas1
guest_begin guest vnode2
at_end as_it_was
installed
moved
upgraded
upgraded_in_vain
removed
purged
installed_anew
check "the guest: no error, no bad block" lab guest stop guest
check "$node with the lab's own nasd is as before" as_it_was
t_end
