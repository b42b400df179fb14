# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: GPL-2.0-or-later
# For a node's bash, builtins only: the nodes' clocks are tens of ms apart.

# What is to be added to this node's clock, in us, to have the host's: into off. The
# shortest of five questions to the supervisor; false when it does not answer.
ask_time() {
	local best=1000000 a b host i
	for i in 1 2 3 4 5; do
		a=${EPOCHREALTIME/[.,]/}
		exec 4<>/dev/tcp/10.77.9.1/7700 || return
		echo time >&4
		read -r -t 1 -u 4 host || return
		b=${EPOCHREALTIME/[.,]/}
		exec 4<&-
		if ((b - a < best)); then best=$((b - a)) off=$((host - (a + b) / 2)); fi
	done
}
