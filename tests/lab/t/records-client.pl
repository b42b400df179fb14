#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: records-client.pl new DIR NODE    mounts the export on DIR, locks DIR/records and
#                                          has NODE's power cut at once ("-": no node's)
#        records-client.pl take FILE       tries to lock FILE until it has the lock
# Both then write and sync through the lock until TERM. Lines, times in us of the wall
# clock: "mounted TIME", "locked TIME", "wrote N TIME" now and then, "end N GAP-MS", and
# "error WHAT" when a write or a sync has failed.
use strict;
use warnings;
use Errno qw(EAGAIN EACCES);
use Fcntl;
use IO::Handle;
use IO::Socket::INET;
use Time::HiRes qw(time sleep);

my $SERVER = '10.77.1.100:/vmstore';
my $OPTIONS = 'vers=4.2,hard,proto=tcp,timeo=600,retrans=2';
my ($verb, $where, $node) = @ARGV;
my $lock = pack('s s x4 q q l x4', F_WRLCK, 0, 0, 0, 0); # struct flock, 64 bit
my ($ended, $switch) = (0);

sub us { sprintf '%.0f', 1e6 * time }
sub say_line { print "@_\n" }

$| = 1;
$SIG{TERM} = sub { $ended = 1 };
if ($verb eq 'new') {
	if ($node ne '-') {
		$switch = IO::Socket::INET->new(PeerAddr => '10.77.9.1:7700', Timeout => 5) or die "the power switch: $!\n";
	}
	system('mount', '-t', 'nfs4', '-o', $OPTIONS, $SERVER, $where) == 0 or die "it does not mount\n";
	say_line('mounted', us());
	$where = "$where/records";
}
sysopen(my $f, $where, O_RDWR) or die "$where: $!\n";
until (fcntl($f, F_SETLK, $lock)) {
	die "$where: $!\n" unless $verb eq 'take' && ($! == EAGAIN || $! == EACCES);
	sleep 0.1;
}
print {$switch} "off $node\n" if $switch;
say_line('locked', us());

my ($n, $last, $gap, $told) = (0, time, 0, 0);
until ($ended) {
	sysseek($f, 0, 0);
	unless (defined syswrite($f, sprintf("%511d\n", ++$n)) && $f->sync) {
		say_line('error', $!);
		exit 1;
	}
	my $now = time;
	$gap = $now - $last if $now - $last > $gap;
	$last = $now;
	if ($now - $told > 0.2) {
		say_line('wrote', $n, us());
		$told = $now;
	}
	sleep 0.02;
}
say_line('end', $n, sprintf('%.0f', 1000 * $gap));
