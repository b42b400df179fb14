#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Asks a ganesha's module (fsal/README.md) and prints its answer, a line of JSON.
# usage: fsal-ask.pl SOCKET [in=FILE] [out=FILE] OPERATION [FIELD=VALUE...]
#   in, out: the request's body, and where the answer's goes
use strict;
use warnings;
use IO::Socket::UNIX;

my ($path, @words) = @ARGV;
my ($in, $out, $op);
my $fields = '';
for (@words) {
	if (!$op && /^(in|out)=(.*)/) { $1 eq 'in' ? ($in = $2) : ($out = $2) }
	elsif (!$op) { $op = $_ }
	elsif (/^(\w+)=(\d+)$/) { $fields .= ",\"$1\":$2" }
	elsif (/^(\w+)=(.*)$/) { $fields .= ",\"$1\":\"$2\"" }
}
my $body = '';
if ($in) {
	open(my $f, '<', $in) or die "$in: $!\n";
	local $/;
	$body = <$f>;
	$fields .= ',"bytes":' . length($body);
}
my $s = IO::Socket::UNIX->new($path) or die "$path: $!\n";
print $s "{\"v\":1,\"op\":\"$op\"$fields}\n$body";
$s->flush;
my $line = <$s> // die "no answer to $op\n";
print $line;
if ($out && $line =~ /"bytes":(\d+)/) {
	read($s, my $text, $1) == $1 or die "the answer's body is cut short\n";
	open(my $f, '>', $out) or die "$out: $!\n";
	print $f $text;
}
