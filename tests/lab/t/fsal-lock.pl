#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-3.0-or-later
# usage: fsal-lock.pl hold FILE SECONDS    makes FILE and holds a write lock on it
#        fsal-lock.pl idle FILE SECONDS    makes FILE, locks it, unlocks, keeps it open
#        fsal-lock.pl wait FILE SECONDS    waits for a write lock, writes "mine"
#        fsal-lock.pl probe FILE           prints "locked" or "free"
use strict;
use warnings;
use Errno qw(EAGAIN EACCES);
use Fcntl;

my ($verb, $file, $seconds) = @ARGV;
my ($lock, $unlock) = map { pack('s s x4 q q l x4', $_, 0, 0, 0, 0) } F_WRLCK, F_UNLCK; # struct flock, 64 bit

sysopen(my $f, $file, O_RDWR | ($verb eq 'hold' || $verb eq 'idle' ? O_CREAT : 0)) or die "$file: $!\n";
if (fcntl($f, $verb eq 'wait' ? F_SETLKW : F_SETLK, $lock)) {
	print "free\n" if $verb eq 'probe';
	if ($verb eq 'idle') {
		fcntl($f, F_SETLK, $unlock) or die "$file: $!\n";
	}
	if ($verb ne 'probe') {
		syswrite($f, $verb eq 'wait' ? "mine\n" : "held\n");
		sleep $seconds;
	}
} elsif ($verb eq 'probe' && ($! == EAGAIN || $! == EACCES)) {
	print "locked\n";
} else {
	die "$file: $!\n";
}
