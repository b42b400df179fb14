#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-3.0-or-later
# Clients that make, rename, link and remove, and look at each result: an operation
# that is done twice says EEXIST or ENOENT. usage: fsal-meta.pl DIR PROCESSES SECONDS
# /run/meta is there once they run. Prints per process: "process N: operations O
# longest MS errors E", and what went wrong.
use strict;
use warnings;
use Time::HiRes qw(time);

my ($dir, $processes, $seconds) = @ARGV;
my @pids;

for my $n (1 .. $processes) {
	my $pid = fork;

	if ($pid) {
		push @pids, $pid;
		next;
	}
	my ($done, $errors, $longest, $end) = (0, 0, 0, time + $seconds);
	my $top = "$dir/meta$n";
	my $try = sub {
		my ($what, $do) = @_;
		my $start = time;

		$do->() or $errors++, print "process $n: $what: $!\n";
		my $ms = (time - $start) * 1000;
		$longest = $ms if $ms > $longest;
		$done++;
	};

	mkdir $top or $!{EEXIST} or die "$top: $!\n";
	for (my $i = 0; time < $end; $i++) {
		my ($a, $b, $c) = map { "$top/$_$$.$i" } 'a', 'b', 'c';

		$try->('mkdir', sub { mkdir $a });
		$try->('rename', sub { rename $a, $b });
		$try->('rmdir', sub { rmdir $b });
		$try->('create', sub { open my $f, '>', $a });
		$try->('link', sub { link $a, $c });
		$try->('unlink', sub { unlink $a });
		$try->('unlink', sub { unlink $c });
		open my $sign, '>', '/run/meta';
	}
	printf "process %d: operations %d longest %.1f errors %d\n", $n, $done, $longest, $errors;
	exit 0;
}
waitpid $_, 0 for @pids;
