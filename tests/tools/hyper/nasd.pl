#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# For tests/hyper.sh: a nasd that stands by, and says so to whoever asks on either socket.
# usage: nasd.pl CONTROL-SOCKET STATUS-SOCKET
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;

my $all = IO::Select->new(map { IO::Socket::UNIX->new(Local => $_, Listen => 8) or die "$_: $!\n" } @ARGV);
while (my @ready = $all->can_read) {
	for (@ready) {
		my $c = $_->accept or next;
		my $line = <$c>;
		print $c '{"result":"ok","data":{"node":"nas2","groups":[{"name":"vmstore","state":"standby","owner":"nas1"}]}}', "\n";
	}
}
