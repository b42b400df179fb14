#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Plays the part of nasd towards the programs of fence/, for fence-selftest.sh.
#   fence-stub.pl nasd SOCKET FILE   answers fence-peer requests with the word in
#                                    FILE, as soon as that is there
#   fence-stub.pl beat SOCKET FILE   sends a beat each 100 ms; "active" or "idle"
#                                    is the word in FILE; prints what comes back
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM SOCK_STREAM);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);

my ($part, $path, $file) = @ARGV;
die "usage: fence-stub.pl nasd|beat SOCKET FILE\n" unless defined $file;
$| = 1;

sub word {
	open(my $f, '<', $file) or return '';
	my $w = <$f> // '';
	chomp $w;
	return $w;
}

sub now_us { return int(clock_gettime(CLOCK_MONOTONIC) * 1e6) }

if ($part eq 'nasd') {
	unlink $path;
	my $l = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => 4) or die "$path: $!\n";
	print "listening\n";
	while (my $c = $l->accept) {
		my $request = <$c> // '';
		print "asked: $request";
		my ($r) = $request =~ /"resource":"([^"]+)"/ or next;
		my $hup = IO::Select->new($c);
		sleep 0.05 until word() ne '' || $hup->can_read(0);
		printf $c "{\"result\":\"ok\",\"data\":{\"resource\":\"%s\",\"peer\":\"%s\",\"reason\":\"stub\"}}\n", $r, word();
		close $c;
	}
} else {
	my $mine = "$path.stub";
	unlink $mine;
	my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $mine, Peer => $path) or die "$path: $!\n";
	my ($session, $seq, $last) = (now_us(), 0, '');
	while (1) {
		$seq++;
		$s->send(sprintf("beat 1 %d %d %d %s\n", $session, $seq, now_us(), word() || 'idle'));
		if (IO::Select->new($s)->can_read(1) && defined $s->recv(my $answer, 128)) {
			my ($state) = $answer =~ /(\w+)\n$/;
			print "$state\n" if defined $state && $state ne $last;
			$last = $state // '';
		}
		sleep 0.1;
	}
}
