#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-3.0-or-later
# usage: fsal-lock.pl hold FILE SECONDS    makes FILE and holds a write lock on it
#        fsal-lock.pl probe FILE           prints "locked" or "free"
use strict;
use warnings;
use Errno qw(EAGAIN EACCES);
use Fcntl;

my ($verb, $file, $seconds) = @ARGV;
my $lock = pack('s s x4 q q l x4', F_WRLCK, 0, 0, 0, 0); # struct flock, 64 bit

sysopen(my $f, $file, O_RDWR | ($verb eq 'hold' ? O_CREAT : 0)) or die "$file: $!\n";
if (fcntl($f, F_SETLK, $lock)) {
	print "free\n" if $verb eq 'probe';
	if ($verb eq 'hold') {
		syswrite($f, "held\n");
		sleep $seconds;
	}
} elsif ($verb eq 'probe' && ($! == EAGAIN || $! == EACCES)) {
	print "locked\n";
} else {
	die "$file: $!\n";
}
