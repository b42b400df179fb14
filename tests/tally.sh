# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the tests that compare what they see with what is wanted.
passed=0 failed=0

is() { # WHAT SEEN WANTED
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAIL  %s\n      seen: %s, wanted: %s\n' "$1" "$2" "$3"
	fi
}

tally() { # NAME: the last line, and the exit status
	echo "$1: $passed held, $failed did not"
	[ "$failed" = 0 ]
}
