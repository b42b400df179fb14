#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# In a NAS node: a switchover that is held before its freeze, as nasctl migrate asks for it.
# usage: hold.pl begin NODE    until it has ended; prints nasd's result
#        hold.pl go            the freeze may begin
use strict;
use warnings;
use IO::Socket::UNIX;

my ($verb, $node) = @ARGV;
my %line = (begin => sub { qq({"v":1,"cmd":"switchover","node":"$node","hold":600}) }, go => sub { '{"v":1,"cmd":"go"}' });
die "usage: hold.pl begin NODE | go\n" unless defined $verb && $line{$verb} && ($verb eq 'go') == !defined $node;
my $c = IO::Socket::UNIX->new(Peer => '/run/nasd/control.sock') or die "hold.pl: nasd does not answer: $!\n";
print $c $line{$verb}->(), "\n";
while (my $answer = <$c>) {
	next unless $answer =~ /"result":/ && $answer !~ /"event":/;
	print $answer;
	exit($answer =~ /"result": ?"ok"/ ? 0 : 1);
}
die "hold.pl: nasd has hung up\n";
