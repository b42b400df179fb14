#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Throws files at a socket, each over a connection of its own, from inside of a
# node. Per file one line: NAME, how the connection ended (closed, open), how
# many lines came back, the last of them.
#
# A FILE that is a directory stands for what is in it.
#
# usage: throw.pl unix PATH FILE...       a request each, ended with a newline
#        throw.pl tcp HOST PORT FILE...   the bytes as they are
#        throw.pl tls HOST PORT FILE...   the bytes after a TLS 1.3 ClientHello
#        throw.pl random HOST PORT COUNT  random bytes of random length
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;

$SIG{PIPE} = 'IGNORE';
my $kind = shift;

# A ClientHello that a TLS 1.3 server can read (RFC 8446 4.1.2); the key share
# is of no group's point in particular, which is enough for 32 bytes of X25519.
sub extension { my ($type, $data) = @_; return pack('n n/a*', $type, $data) }

sub client_hello {
	my $random = join '', map { chr int rand 256 } 1 .. 32;
	my $share = join '', map { chr int rand 256 } 1 .. 32;
	my $extensions = extension(43, pack('C/a*', "\x03\x04"))
		. extension(10, pack('n/a*', "\x00\x1d"))
		. extension(13, pack('n/a*', "\x08\x04\x04\x03"))
		. extension(51, pack('n/a*', "\x00\x1d" . pack('n/a*', $share)))
		. extension(45, "\x01\x01");
	my $body = "\x03\x03" . $random . "\x00" . pack('n/a*', "\x13\x01\x13\x02") . "\x01\x00"
		. pack('n/a*', $extensions);
	my $handshake = "\x01" . substr(pack('N', length $body), 1) . $body;
	return "\x16\x03\x01" . pack('n/a*', $handshake);
}

sub files { return map { -d $_ ? sort glob("$_/*") : $_ } @_ }

sub slurp {
	open my $f, '<:raw', $_[0] or die "$_[0]: $!\n";
	local $/;
	my $text = <$f>;
	return defined $text ? $text : '';
}

sub throw {
	my ($name, $sock, $bytes, $wait) = @_;
	my ($got, $end) = ('', 'open');
	my $select = IO::Select->new($sock);
	my $left = $bytes;

	while (length $left) {
		my $n = syswrite $sock, $left;
		last unless $n;
		substr $left, 0, $n, '';
	}
	shutdown $sock, 1 if $kind ne 'unix';
	while ($select->can_read($wait)) {
		my $n = sysread $sock, $got, 65536, length $got;
		if (!$n) { $end = 'closed'; last }
		last if $kind eq 'unix' && $got =~ /"result"/ && $got =~ /\n\z/;
	}
	my @lines = $kind eq 'unix' ? split /\n/, $got : length $got ? ('bytes ' . length $got) : ();
	printf "%s\t%s\t%d\t%s\n", $name, $end, scalar @lines, @lines ? $lines[-1] : '';
}

if ($kind eq 'unix') {
	my $path = shift;
	for my $file (files(@ARGV)) {
		my $sock = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!\n";
		my $text = slurp($file);
		$text .= "\n" unless $text =~ /\n\z/;
		throw($file =~ s{.*/}{}r, $sock, $text, 2);
	}
} else {
	my ($host, $port) = (shift, shift);
	my @files = $kind eq 'random' ? (1 .. shift) : files(@ARGV);
	for my $file (@files) {
		my $sock = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 5)
			or die "$host port $port: $!\n";
		my $bytes = $kind eq 'random' ? join('', map { chr int rand 256 } 1 .. 1 + int rand 3000) : slurp($file);
		$bytes = client_hello() . $bytes if $kind eq 'tls';
		throw($file =~ s{.*/}{}r, $sock, $bytes, 3);
	}
}
