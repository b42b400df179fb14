#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# For tests/hyper.sh: a nasd that stands by, and says so to whoever asks on either socket.
# A move is held, and what becomes of it is written to $HYPER_DIR/storage: asked, then went or left;
# where there is a file $HYPER_DIR/hang it is not answered, with a hang-go not when it is told to go. Where there is a file $HYPER_DIR/unseen
# it serves, and does not see the hypervisors' connections the first times it is asked, as many as that says.
# usage: nasd.pl CONTROL-SOCKET STATUS-SOCKET
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;

$SIG{PIPE} = 'IGNORE'; # who asked may have gone
my $dir = $ENV{HYPER_DIR};
my $status = '"node":"nas2","groups":[{"name":"vmstore","state":"standby","owner":"nas1"}]';
my @listeners = map { IO::Socket::UNIX->new(Local => $_, Listen => 8) or die "$_: $!\n" } @ARGV;
my $connections = join ',', map { "{\"address\":\"10.77.1.$_\"}" } 22, 23;
my $asked = 0;
my $all = IO::Select->new(@listeners);
my $held;

sub became {
	open(my $f, '>', "$dir/storage.new") or die "$dir/storage: $!\n";
	print $f "$_[0]\n";
	close $f;
	rename("$dir/storage.new", "$dir/storage");
}

sub status {
	open(my $f, '<', "$dir/unseen") or return $status;
	my $clients = $asked++ < <$f> ? '' : $connections;
	return $status =~ s/"standby"/"active","clients":[$clients]/r =~ s/"nas1"/"nas2"/r;
}

sub answer {
	my ($c, $line) = @_;
	if ($line =~ /"switchover"/) {
		$held = $c;
		became('asked');
		syswrite($c, "{\"event\":\"held\"}\n") unless -e "$dir/hang";
		return;
	}
	if ($line =~ /"go"/ && $held) {
		became('went');
		if (!-e "$dir/hang-go") {
			syswrite($held, "{\"result\":\"ok\",\"data\":{\"note\":\"\"}}\n");
			undef $held;
		}
	}
	my $data = $line =~ /"check"/ ? '"findings":[],"ready":true' : status();
	syswrite($c, "{\"result\":\"ok\",\"data\":{$data}}\n");
}

while (my @ready = $all->can_read) {
	for my $c (@ready) {
		if (grep { $_ == $c } @listeners) {
			$all->add($c->accept // next);
			next;
		}
		if (sysread($c, my $line, 65536)) {
			answer($c, $line);
			next;
		}
		$all->remove($c);
		if ($held && $held == $c) {
			became('left');
			undef $held;
		}
		close $c;
	}
}
