#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-3.0-or-later
# Writers for the tests of the ganesha module: each appends numbered 4 KiB blocks
# with O_SYNC and counts; /run/wN is there from the first write on. usage: fsal-write.pl DIR WRITERS SECONDS [LONG-MS]
# Prints per writer: "writer N: writes W, errors E, long L, longest MS", where long
# counts the writes over LONG-MS (200); then reads the files back and prints
# "verified" or what is wrong.
use strict;
use warnings;
use Fcntl;
use Time::HiRes qw(time);

my ($dir, $writers, $seconds, $long_ms) = @ARGV;
$long_ms ||= 200;
my @pids;

sub block { return pack('a8 Q a4080', 'nasdtest', $_[0], 'x' x 4080) }

for my $n (1 .. $writers) {
	my $pid = fork;

	if ($pid) {
		push @pids, $pid;
		next;
	}
	my ($writes, $errors, $long, $longest, $end) = (0, 0, 0, 0, time + $seconds);
	sysopen(my $f, "$dir/w$n", O_WRONLY | O_CREAT | O_TRUNC | O_SYNC) or die "$dir/w$n: $!\n";
	while (time < $end) {
		my $start = time;
		my $got = syswrite($f, block($writes), 4096);
		my $ms = (time - $start) * 1000;

		if (defined $got && $got == 4096) { $writes++ } else { $errors++ }
		$long++ if $ms > $long_ms;
		$longest = $ms if $ms > $longest;
		open(my $sign, '>', "/run/w$n") if $writes == 1;
	}
	$errors++ unless close $f;
	printf "writer %d: writes %d, errors %d, long %d, longest %.1f\n", $n, $writes, $errors, $long, $longest;
	open($f, '<:raw', "$dir/w$n") or die;
	for my $i (0 .. $writes - 1) {
		my $got = read($f, my $bytes, 4096);

		$got && $got == 4096 && $bytes eq block($i) or die "writer $n: block $i is wrong\n";
	}
	exit 0;
}
my $bad = 0;
for (@pids) { waitpid $_, 0; $bad ||= $? }
print $bad ? "NOT verified\n" : "verified\n";
exit($bad ? 1 : 0);
