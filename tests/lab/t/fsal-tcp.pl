#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-3.0-or-later
# What nasd does to TCP around a move, for the tests of the ganesha module alone.
# usage: fsal-tcp.pl abandon PID PORT       the connections of that process on that
#            port end without a packet when it dies; prints the peers (ADDR:PORT)
#        fsal-tcp.pl tickle ADDR:PORT PEER...    an ACK out of nowhere to each peer,
#            which answers, is reset, and connects again
use strict;
use warnings;
use Socket qw(:DEFAULT inet_ntop AF_INET6 IPPROTO_TCP);

use constant { PIDFD_OPEN => 434, PIDFD_GETFD => 438, TCP_REPAIR => 19, SO_ACCEPTCONN => 30, IPPROTO_RAW => 255 };

sub name_of { # a packed address, IPv4 also when it is mapped
	my $family = unpack 'S', $_[0];

	return unless $family == AF_INET || $family == AF_INET6;
	my ($port, $addr) = $family == AF_INET ? unpack('x2 n a4', $_[0]) : unpack('x2 n x4 a16', $_[0]);
	$addr = inet_ntop($family, $addr);
	$addr =~ s/^::ffff://;
	return ($addr, $port);
}

sub abandon {
	my ($pid, $port) = @_;
	my $pidfd = syscall(PIDFD_OPEN, $pid + 0, 0);

	$pidfd >= 0 or die "pidfd_open: $!\n";
	for my $n (map { m{(\d+)$} } glob "/proc/$pid/fd/*") {
		my $fd = syscall(PIDFD_GETFD, $pidfd, $n + 0, 0);
		next if $fd < 0 || !open(my $sock, '+<&=', $fd);
		my (undef, $local) = name_of(getsockname($sock) // next);
		next unless $local && $local == $port && unpack('i', getsockopt($sock, SOL_SOCKET, SO_ACCEPTCONN)) == 0;
		my $peer = getpeername($sock) // next;
		setsockopt($sock, IPPROTO_TCP, TCP_REPAIR, pack('i', 1)) or die "TCP_REPAIR: $!\n";
		print join(':', name_of($peer)), "\n";
	}
}

sub sum16 {
	my $sum = 0;

	$sum += $_ for unpack 'n*', length($_[0]) % 2 ? "$_[0]\0" : $_[0];
	$sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
	return ~$sum & 0xffff;
}

sub tickle {
	my ($us, @peers) = @_;
	my ($from, $port) = $us =~ /^(.*):(\d+)$/ or die "not ADDR:PORT: $us\n";

	socket(my $raw, AF_INET, SOCK_RAW, IPPROTO_RAW) or die "raw socket: $!\n";
	for (@peers) {
		my ($to, $to_port) = /^(.*):(\d+)$/ or die "not ADDR:PORT: $_\n";
		my ($s, $d) = (inet_aton($from), inet_aton($to));
		my $tcp = pack('n n N N C C n n n', $port, $to_port, 1, 1, 5 << 4, 0x10, 1024, 0, 0);

		substr($tcp, 16, 2) = pack('n', sum16($s . $d . pack('x C n', 6, length $tcp) . $tcp));
		my $ip = pack('C C n n n C C n a4 a4', 0x45, 0, 20 + length $tcp, 0, 0, 64, 6, 0, $s, $d);
		send($raw, $ip . $tcp, 0, pack_sockaddr_in(0, $d)) or die "tickle $_: $!\n";
	}
}

my $verb = shift @ARGV // '';
if ($verb eq 'abandon') { abandon(@ARGV) } elsif ($verb eq 'tickle') { tickle(@ARGV) } else { die "usage: see the file\n" }
