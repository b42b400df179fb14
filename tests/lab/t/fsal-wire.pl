#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-3.0-or-later
# What a client and an NFSv4.1 server said, from a capture (pcap, Ethernet, IPv4).
# usage: fsal-wire.pl PCAP CLIENT SERVER
# One line per COMPOUND, in the order of the capture:
#
#     TIME call PORT XID OP...          a SEQUENCE with /SESSION/SLOT/SEQUENCE-ID,
#     TIME reply PORT XID STATUS OP...  an OPEN with /claimN, a WRITE with /VERIFIER
#
# of at most the first three operations (the others are only counted: "+N").
use strict;
use warnings;

my ($file, $client, $server) = @ARGV;
my %names = (4 => 'CLOSE', 5 => 'COMMIT', 9 => 'GETATTR', 12 => 'LOCK', 13 => 'LOCKT', 14 => 'LOCKU', 15 => 'LOOKUP',
	18 => 'OPEN', 22 => 'PUTFH', 24 => 'PUTROOTFH', 25 => 'READ', 38 => 'WRITE', 41 => 'BIND_CONN_TO_SESSION',
	42 => 'EXCHANGE_ID', 43 => 'CREATE_SESSION', 44 => 'DESTROY_SESSION', 53 => 'SEQUENCE', 55 => 'TEST_STATEID',
	57 => 'DESTROY_CLIENTID', 58 => 'RECLAIM_COMPLETE');
my ($text, $at); # what is being decoded

sub more { $at + $_[0] <= length $text or die "short\n"; my $b = substr $text, $at, $_[0]; $at += $_[0]; return $b }
sub u32 { return unpack 'N', more(4) }
sub opaque { my $n = u32(); my $b = more($n); more(-$n % 4); return $b }
sub name { return $names{$_[0]} // "OP$_[0]" }

# The words of an operation's arguments, or undef when what follows cannot be found.
sub call_op {
	my $op = u32();

	if ($op == 53) {
		my $session = unpack 'H*', more(16);
		my ($seq, $slot) = (u32(), u32());
		more(8);
		return ("SEQUENCE/$session/$slot/$seq", 1);
	}
	if ($op == 22) { opaque(); return ('PUTFH', 1) }
	if ($op == 18) {
		more(12 + 8), opaque();
		return ('OPEN/create', 0) if u32();
		return ('OPEN/claim' . u32(), 0);
	}
	return (name($op), 0);
}

sub reply_op {
	my $op = u32();
	my $status = u32();

	return (name($op) . "=$status", 0) if $status;
	if ($op == 53) { more(16 + 16); return (sprintf('SEQUENCE/flags%x', u32()), 1) }
	return ('PUTFH', 1) if $op == 22;
	if ($op == 38) { more(8); return ('WRITE/' . unpack('H*', more(8)), 0) }
	return ('COMMIT/' . unpack('H*', more(8)), 0) if $op == 5;
	return (name($op), 0);
}

sub ops {
	my ($decode) = @_;
	my ($n, @words) = (u32());

	while (@words < 3 && @words < $n) {
		my ($word, $go_on) = $decode->();

		push @words, $word;
		last unless $go_on;
	}
	push @words, '+' . ($n - @words) if $n > @words;
	return "@words";
}

sub record {
	my ($time, $port, $is_call) = @_;
	my ($xid, $kind) = (unpack('H*', more(4)), u32());

	if ($is_call && $kind == 0) {
		more(12);
		return unless u32() == 1; # COMPOUND
		u32(), opaque(), u32(), opaque(), opaque(), u32();
		printf "%.6f call %d %s %s\n", $time, $port, $xid, ops(\&call_op);
	} elsif (!$is_call && $kind == 1) {
		u32(), u32(), opaque();
		return if u32();
		return if $at == length $text; # of a NULL
		my $status = u32();
		opaque();
		printf "%.6f reply %d %s %d %s\n", $time, $port, $xid, $status, ops(\&reply_op);
	}
}

my %streams; # by port and direction: what is expected next, what has come, what came too early

sub records {
	my ($s, $time, $port, $is_call) = @_;

	while (length $s->{have} >= 4) {
		my $len = unpack('N', $s->{have}) & 0x7fffffff;

		last if length $s->{have} < 4 + $len;
		($text, $at) = (substr($s->{have}, 4, $len), 0);
		$s->{have} = substr $s->{have}, 4 + $len;
		eval { record($time, $port, $is_call); 1 } or $@ eq "short\n" or die $@;
	}
}

sub segment {
	my ($time, $port, $is_call, $seq, $flags, $data) = @_;
	my $key = "$port $is_call";

	$streams{$key} = {next => ($seq + 1) % 2**32, have => '', early => {}} if $flags & 2; # SYN
	my $s = $streams{$key} or return; # begun before the capture
	return unless length $data;
	$s->{early}{$seq} = $data if !$s->{early}{$seq} || length $data > length $s->{early}{$seq};
	for (my $progress = 1; $progress;) {
		$progress = 0;
		for my $begin (keys %{$s->{early}}) {
			my $skip = ($s->{next} - $begin) % 2**32;

			next if $skip >= 2**31; # ahead
			my $new = $skip < length $s->{early}{$begin} ? substr($s->{early}{$begin}, $skip) : '';
			delete $s->{early}{$begin};
			$s->{have} .= $new;
			$s->{next} = ($s->{next} + length $new) % 2**32;
			$progress = 1;
		}
	}
	records($s, $time, $port, $is_call);
}

open my $f, '<:raw', $file or die "$file: $!\n";
read $f, my $head, 24;
unpack('V', $head) == 0xa1b2c3d4 or die "$file: not a pcap of this machine\n";
while ((read($f, my $h, 16) // 0) == 16) {
	my ($sec, $usec, $len) = unpack 'VVV', $h;

	last if (read($f, my $frame, $len) // 0) < $len;
	next unless length $frame >= 54 && unpack('x12 n', $frame) == 0x0800 && unpack('x23 C', $frame) == 6;
	my $ip = 4 * (unpack('x14 C', $frame) & 15);
	my ($from, $to) = map { join '.', unpack 'C4', $_ } unpack 'x26 a4 a4', $frame;
	my $total = unpack 'x16 n', $frame;
	my ($sport, $dport, $seq, $offset, $flags) = unpack 'n n N x4 C C', substr $frame, 14 + $ip;
	my $data = substr $frame, 14 + $ip + 4 * ($offset >> 4), $total - $ip - 4 * ($offset >> 4);

	segment($sec + $usec / 1e6, $sport, 1, $seq, $flags, $data) if $from eq $client && $to eq $server && $dport == 2049;
	segment($sec + $usec / 1e6, $dport, 0, $seq, $flags, $data) if $from eq $server && $to eq $client && $sport == 2049;
}
