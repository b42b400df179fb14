# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The part script: the peer of today (peer-script.sh) under the same guest.
# shellcheck disable=SC2154,SC2153

# nasd's own file for a cold start; its recovery directory goes to the mirror.
script_setup() {
	local n
	for n in nas1 nas2; do
		node $n sh -c 'mkdir -p /run/peer-script &&
			sed "s|RecoveryRoot = .*|RecoveryRoot = \"/srv/vmstore/.ganesha\";|" \
				/run/nasd/vmstore/cold.conf >/run/peer-script/ganesha.conf'
	done
	node nas1 sh -c 'drbdadm primary r0 && mount -o noatime /dev/drbd0 /srv/vmstore &&
		mkdir -p /srv/vmstore/.ganesha && umount /srv/vmstore && drbdadm secondary r0' ||
		die "the mirror cannot be mounted for the script"
	script start nas1 || die "peer-script.sh start failed on nas1"
	clients_mount
}

script() { # VERB NODE [OPTION]
	node "$2" "$HELPERS/peer-script.sh" "$1" ${3:+"$3"}
}

# What a program start costs in a node (in a bash as the script's is), in
# microseconds, one line each.
start_costs() {
	# shellcheck disable=SC2016
	node nas1 bash -c 'for ((i = 0; i < 50; i++)); do
			t=${EPOCHREALTIME/[.,]/}
			/bin/true
			echo "{\"start_us\":$((${EPOCHREALTIME/[.,]/} - t))}"
		done'
}

# These, and what one remote command costs.
script_costs() {
	local i t
	start_costs >"$OUT/raw/starts.json"
	for ((i = 0; i < 20; i++)); do
		t=$(now_us)
		node nas2 /bin/true
		echo "{\"remote_us\":$(($(now_us) - t))}"
	done >>"$OUT/raw/starts.json"
	jq -n --argjson a "$("$here/peer-script.sh" programs stop)" \
		--argjson b "$("$here/peer-script.sh" programs start)" '{programs: ($a + $b)}' \
		>>"$OUT/raw/starts.json"
}

script_round() { # ROUND SOURCE TARGET KIND
	local t0 t1 t2 had guest option=''
	[ "$4" != kill ] || option=--kill
	mark "$GUEST" >/dev/null
	t0=$(now_us)
	script stop "$2" $option || die "peer-script.sh stop failed on $2"
	t1=$(now_us)
	had=$(acked "$GUEST") # no server: this is the last one
	script start "$3" || die "peer-script.sh start failed on $3"
	t2=$(now_us)
	until_true 180 "the guest writes again" acked_since "$GUEST" "$had"
	sleep 1.5
	guest=$(mark "$GUEST")
	jq -n -c --argjson round "$1" --arg kind "$4" --argjson guest "$guest" --arg load "$(load)" \
		--argjson stop $((t1 - t0)) --argjson start $((t2 - t1)) '
		{round: $round, kind: $kind, load: ($load | tonumber), stop_us: $stop, start_us: $start,
		 guest: $guest}' >>"$OUT/raw/script.json"
	say "  $4 $1 $2 -> $3: guest $(jq .longest_gap_ms <<<"$guest") ms, script $(((t2 - t0) / 1000)) ms"
	# Past the 7.5 s after which ganesha ends its grace period, all being back.
	sleep "$(n 10 2)"
}

part_script() {
	local kind i from=nas1 to=nas2 x
	guests_down script
	want_nasd out
	script_costs
	script_setup
	guest_up
	sleep "$(n 21 2)"
	for kind in term kill; do
		for ((i = 1; i <= SCRIPT_ROUNDS; i++)); do
			script_round "$i" $from $to $kind
			x=$from from=$to to=$x
		done
	done
	guests_down script
	clients_umount
	script stop $from --kill || die "peer-script.sh stop failed on $from"
	want_nasd in
}
