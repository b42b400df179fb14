#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-3.0-or-later
# Speaks to the ganesha module's socket (fsal/msg.h) over one connection.
# usage: fsal-ask.pl SOCKET ITEM...
# An item is a request ("gate reopen_ms=5000", "release path=/srv/x"), "load FILE"
# (the file is its body), "sleep S", or "run COMMAND" (its status and duration are
# printed in the form of an answer).
# Prints one line per request: the answer, with "rtt_us" added by this program; a
# body goes to standard error.
use strict;
use warnings;
use IO::Socket::UNIX;
use Time::HiRes qw(time sleep);

my $path = shift @ARGV or die "usage: fsal-ask.pl SOCKET ITEM...\n";
my $sock = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die "$path: $!\n";
$| = 1;
for my $item (@ARGV) {
	my ($op, $rest) = split / /, $item, 2;
	my $start = time;

	if ($op eq 'sleep') {
		sleep $rest;
		next;
	}
	if ($op eq 'run') {
		my $rc = system('/bin/sh', '-c', $rest);

		printf "{\"run\":true,\"rc\":%d,\"rtt_us\":%d}\n", $rc, (time - $start) * 1e6;
		next;
	}
	my $line = "{\"v\":1,\"op\":\"$op\"";
	my $send = '';
	if ($op eq 'load') {
		open(my $f, '<:raw', $rest) or die "$rest: $!\n";
		local $/;
		$send = <$f>;
		$rest = 'bytes=' . length $send;
	}
	for my $field (split / /, $rest // '') {
		my ($key, $value) = split /=/, $field, 2;

		$line .= ",\"$key\":" . ($value =~ /^\d+$/ ? $value : "\"$value\"");
	}
	print $sock "$line}\n$send";
	$sock->flush;
	my $answer = <$sock>;
	die "the module closed the connection at: $line\n" unless defined $answer;
	if ($answer =~ /"bytes":(\d+)/) {
		my $got = read($sock, my $body, $1);

		$got && $got == $1 or die "the body of $op is cut short\n";
		print STDERR $body;
	}
	my $us = int((time - $start) * 1e6);
	$answer =~ s/\}\n$/,"rtt_us":$us}\n/;
	print $answer;
}
