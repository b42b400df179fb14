#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-3.0-or-later
# Listens to new clients' records as nasd does, on whatever module has the socket, again
# and again until it is ended. Of three words one is "alone", and every seventh record
# gets none. Prints a line per record.
# usage: fsal-records.pl SOCKET
use strict;
use warnings;
use IO::Socket::UNIX;
use Time::HiRes qw(sleep);

my $path = shift @ARGV or die "usage: fsal-records.pl SOCKET\n";
my $n = 0;

$| = 1;
$SIG{PIPE} = 'IGNORE';
for (;; sleep 0.1) {
	my $sock = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or next;

	print $sock "{\"v\":1,\"op\":\"records\"}\n";
	$sock->flush;
	while (my $line = <$sock>) {
		next if $line =~ /"ok":true/;
		last unless $line =~ /"record":(\d+),"name":"([^"]*)"/;
		my $word = ++$n % 7 == 0 ? '' : $n % 3 ? 'kept' : 'alone';

		print "$1 $2 ", $word || 'none', "\n";
		print $sock "{\"v\":1,\"op\":\"record-$word\",\"record\":$1}\n" if $word;
		$sock->flush;
	}
}
