#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A picture (SVG) of a guest's move together with its storage: the copies made ahead,
# both freezes, the guest's writes as dots. Above the whole move, below its freeze.
#
# usage: move-svg.pl MOVE LOG OFFSET >FILE
#   MOVE    what `nasctl migrate GUEST --to ... --with-nas ... --json` printed
#   LOG     the guest's log ($LAB_STATE/guests/NAME/log), whose rx_us is the host's time
#   OFFSET  us to add to the time of the node that nasctl ran on, to have the host's
use strict;
use warnings;
use JSON::PP;
use Time::Local 'timegm';

use constant { WIDTH => 1080, LEFT => 200, RIGHT => 40, TOP => 96, LANE => 26, BAR => 14, DOTS => 132 };
use constant PLOT => WIDTH - LEFT - RIGHT;
my ($ink, $faint, $grid, $guest, $memory, $bad) = ('#1f2933', '#7b8794', '#e4e7eb', '#8a6fd1', '#b9a8e6', '#c2410c');
my %node_colour;
my ($shade, $held) = ('#fde8e4', '#c9d8f5');
my %light = map { $_ => 1 } $memory, $held;

die "usage: move-svg.pl MOVE LOG OFFSET >FILE\n" if @ARGV != 3 || $ARGV[2] !~ /^-?\d+$/;
my ($move_file, $log_file, $offset) = @ARGV;

# ---- what happened, all times in us of the host

sub read_move {
	open my $in, '<', $move_file or die "move-svg: $move_file: $!\n";
	local $/;
	my $m = eval { decode_json(<$in>) } or die "move-svg: $move_file: no JSON of a move: $@";
	for (qw(guest from to began_wall_us stopped_us)) {
		defined $m->{$_} or die "move-svg: $move_file: it has no '$_'; was the move done?\n";
	}
	ref $m->{storage} eq 'HASH' && $m->{storage}{steps} or die "move-svg: $move_file: the storage did not move along\n";
	return $m;
}

sub wall_us { # of "2026-11-22T10:00:00.000Z"
	my ($y, $mon, $d, $h, $min, $s, $ms) = $_[0] =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.(\d{3})/
		or die "move-svg: '$_[0]' is no time\n";
	return timegm($s, $min, $h, $d, $mon - 1, $y) * 1e6 + $ms * 1000;
}

my $move = read_move();
my $nas = $move->{storage};
my $began = $move->{began_wall_us} + $offset;
my $stopped = $began + $move->{stopped_us};
my $nas_began = wall_us($nas->{began}) + $offset;
my @steps = map { { %$_, from => $nas_began + $_->{start_us}, to => $nas_began + $_->{start_us} + $_->{duration_us} } }
	sort { $a->{start_us} <=> $b->{start_us} } @{ $nas->{steps} };
@node_colour{ $nas->{source}, $nas->{target} } = ('#2f6fde', '#12936a');

sub step { # NAME: the last of that name that was done
	my ($s) = grep { $_->{name} eq $_[0] && !$_->{skipped} } reverse @steps;
	return $s;
}

# As nasd counts it: from the gate (or the addresses' going) to the end of the announcement.
my $first = step('gate') // step('address-del') or die "move-svg: $move_file: the storage had no freeze\n";
my $last = step('announce') or die "move-svg: $move_file: the storage had no freeze\n";
my ($frozen, $thawed) = ($first->{from}, $last->{to});

# The reports that came, [when, new writes]: each heartbeat, and how many writes had been acknowledged since.
sub read_log {
	my ($acked, @beats);
	open my $in, '<', $log_file or die "move-svg: $log_file: $!\n";
	while (<$in>) {
		my ($at, $n) = /^rx_us=(\d+) ev=hb .*\backed=(\d+)/ or next;
		push @beats, [$at, defined $acked ? $n - $acked : 0] if !defined $acked || $n >= $acked;
		$acked = $n;
	}
	return @beats;
}

my @beats = read_log();
my ($from, $to) = (($nas_began < $began ? $nas_began : $began) - 3e5, 0);
$to = ($began + $move->{total_us} > $thawed ? $began + $move->{total_us} : $thawed) + 12e5;
my @writes = map { [$_->[0]] } grep { $_->[1] > 0 } @beats;
$writes[$_][1] = ($writes[$_][0] - $writes[$_ - 1][0]) / 1000 for 1 .. $#writes; # ms since the one before
@writes = grep { defined $_->[1] && $_->[0] >= $from && $_->[0] <= $to } @writes;
@beats = grep { $_->[0] >= $from && $_->[0] <= $to } @beats;
@writes or die "move-svg: $log_file: no write in the time of the move; is OFFSET right?\n";

# The guest stands from the last heartbeat before the stop to the first one after it, as its watcher sees it.
sub longest_gap {
	my ($most, $at) = (0, 0);
	for (1 .. $#_) {
		my $gap = $_[$_][0] - $_[ $_ - 1 ][0];
		($most, $at) = ($gap, $_[ $_ - 1 ][0]) if $gap > $most;
	}
	return ($most, $at);
}
my ($silent, $silent_from) = longest_gap(@beats);
my ($idle, $idle_from) = longest_gap(@writes);
my $resumed = defined $move->{resumed_us} ? $began + $move->{resumed_us} : $silent_from + $silent;

# ---- drawing

my $out = '';
sub x_of { my ($p, $at) = @_; return LEFT + ($at - $p->{from}) / ($p->{to} - $p->{from}) * PLOT }
sub clip { my ($p, $at) = @_; return $at < $p->{from} ? $p->{from} : $at > $p->{to} ? $p->{to} : $at }
sub xml { my $t = shift; $t =~ s/&/&amp;/g; $t =~ s/</&lt;/g; $t =~ s/>/&gt;/g; $t =~ s/"/&quot;/g; return $t }
sub text { my ($x, $y, $fill, $more, $t) = @_; $out .= sprintf qq(<text x="%.1f" y="%.1f" fill="%s" %s>%s</text>\n), $x, $y, $fill, $more, xml($t) }
sub line { my ($x1, $y1, $x2, $y2, $c, $more) = @_; $out .= sprintf qq(<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" %s/>\n), $x1, $y1, $x2, $y2, $c, $more }

sub box {
	my ($x, $y, $w, $h, $fill, $more, $title) = @_;
	$out .= sprintf qq(<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" %s), $x, $y, $w < 1.5 ? 1.5 : $w, $h, $fill, $more;
	$out .= defined $title ? '><title>' . xml($title) . "</title></rect>\n" : "/>\n";
}

sub ms { my $us = shift; return $us >= 1e6 ? sprintf('%.2f s', $us / 1e6) : $us >= 1e4 ? sprintf('%.0f ms', $us / 1000) : sprintf('%.1f ms', $us / 1000) }

# A bar of a lane, its words beside it or in it.
sub bar {
	my ($p, $y, $a, $b, $fill, $words, $more) = @_;
	my ($x1, $x2) = (x_of($p, clip($p, $a)), x_of($p, clip($p, $b)));
	return if $b <= $p->{from} || $a >= $p->{to};
	box($x1, $y + (LANE - BAR) / 2, $x2 - $x1, BAR, $fill, 'rx="2" ' . ($more // ''), $words);
	my $wide = 6.3 * length $words;
	my ($x, $anchor, $colour) = $x2 - $x1 > $wide + 8 ? ($x1 + 5, 'start', $light{$fill} ? $ink : '#ffffff')
		: $x2 + $wide + 8 < WIDTH ? ($x2 + 5, 'start', $ink) : ($x1 - 5, 'end', $ink);
	text($x, $y + 17, $colour, qq(font-size="11.5" text-anchor="$anchor"), $words);
}

sub lane_name { my ($y, $name, $colour) = @_; text(LEFT - 12, $y + 17, $colour // $ink, 'font-size="12.5" text-anchor="end"', $name) }

sub tick { # the distance of at most 10 ticks over the span: 1, 2 or 5 times a power of ten
	my ($span, $t) = ($_[0], 1000);
	while (1) {
		for (1, 2, 5) { return $_ * $t if $span / ($_ * $t) <= 10 }
		$t *= 10;
	}
}

sub axis {
	my ($p, $y1, $y2) = @_;
	my ($zero, $step) = ($p->{zero}, tick($p->{to} - $p->{from}));
	my $unit = $p->{to} - $p->{from} > 3e6 ? 1e6 : 1e3;
	for (my $at = $zero - int(($zero - $p->{from}) / $step) * $step; $at <= $p->{to}; $at += $step) {
		my $x = x_of($p, $at);
		line($x, $y1, $x, $y2, $grid, 'stroke-width="1"');
		text($x, $y2 + 16, $faint, 'font-size="11.5" text-anchor="middle"', sprintf('%g', ($at - $zero) / $unit) . (abs($at - $zero) < 1 ? $unit == 1e6 ? ' s' : ' ms' : ''));
	}
	line(LEFT, $y2, LEFT + PLOT, $y2, $faint, 'stroke-width="1"');
}

# Dots: when a write was acknowledged, and how long after the one before (10 ms to 1 s and more, logarithmic).
sub dots {
	my ($p, $y) = @_;
	my $top = 1000;
	while ($idle / 1000 > $top) { $top *= 10 }
	my $y_of = sub { my $v = $_[0] < 1 ? 1 : $_[0]; return $y + DOTS - 8 - log($v) / log($top) * (DOTS - 20) };
	for (my $v = 1; $v <= $top; $v *= 10) {
		line(LEFT, $y_of->($v), LEFT + PLOT, $y_of->($v), $grid, 'stroke-width="1"');
		text(LEFT - 12, $y_of->($v) + 4, $faint, 'font-size="11" text-anchor="end"', $v < 1000 ? "$v ms" : $v / 1000 . ' s');
	}
	text(12, $y + 16, $ink, 'font-size="12.5"', "the guest's writes,");
	text(12, $y + 31, $faint, 'font-size="11"', 'time since the one before');
	for (grep { $_->[0] >= $p->{from} && $_->[0] <= $p->{to} } @writes) {
		$out .= sprintf qq(<circle cx="%.1f" cy="%.1f" r="%s" fill="%s" fill-opacity="0.75"/>\n), x_of($p, $_->[0]),
			$y_of->($_->[1]), $p->{r}, $_->[1] * 1000 == $idle ? $bad : $guest;
	}
}

sub shading {
	my ($p, $y1, $y2) = @_;
	my ($a, $b) = ($frozen < $stopped ? $frozen : $stopped, $thawed > $resumed ? $thawed : $resumed);
	box(x_of($p, $a), $y1, x_of($p, $b) - x_of($p, $a), $y2 - $y1, $shade, 'fill-opacity="0.6"');
}

# The memory's copy: from when it was first seen to go on, with what is left of it as a line over the bar.
sub memory_copy {
	my ($p, $y) = @_;
	my @seen = grep { $_->{memory_total} && $_->{at_us} < $move->{stopped_us} } @{ $move->{progress} // [] };
	my $passes = (sort { $b <=> $a } map { $_->{iteration} // 0 } @{ $move->{progress} // [] }, $move->{memory} // {})[0] || 1;
	my $begin = @seen ? $began + $seen[0]{at_us} : $began;
	lane_name($y, "memory pre-copy", $guest);
	bar($p, $y, $began, $begin, $held, "$move->{to} prepares") if $begin > $began;
	bar($p, $y, $begin, $stopped, $memory, sprintf("%s, %d pass%s", ms($stopped - $begin), $passes, $passes == 1 ? '' : 'es'));
	return if @seen < 2;
	my @points = map { sprintf '%.1f,%.1f', x_of($p, $began + $_->{at_us}),
		$y + (LANE - BAR) / 2 + BAR * (1 - $_->{memory_remaining} / $_->{memory_total}) } @seen;
	$out .= qq(<polyline points="@points" fill="none" stroke="$ink" stroke-width="1.3"><title>memory left to send</title></polyline>\n);
}

sub freezes { # both, as bars
	my ($p, $y) = @_;
	lane_name($y, "guest stopped", $guest);
	bar($p, $y, $stopped, $resumed, $guest, ms($resumed - $stopped));
	lane_name($y + LANE, "storage's freeze", $bad);
	bar($p, $y + LANE, $frozen, $thawed, $bad, ms($thawed - $frozen));
	return $y + 2 * LANE;
}

sub whole {
	my ($y) = @_;
	my $p = { from => $from, to => $to, zero => $began, r => '1.6' };
	my ($end, $pre) = ($y + 4 * LANE + DOTS, step('presync'));
	my $hold = step('hold');
	shading($p, $y, $end);
	axis($p, $y, $end);
	memory_copy($p, $y);
	lane_name($y + LANE, "state pre-copy", $node_colour{ $nas->{source} });
	bar($p, $y + LANE, $hold->{from}, $hold->{to}, $held, 'held until the guest stops') if $hold;
	bar($p, $y + LANE, $pre->{from}, $pre->{to}, $node_colour{ $nas->{source} }, $hold ? '' : ms($pre->{to} - $pre->{from})) if $pre;
	dots($p, freezes($p, $y + 2 * LANE));
	return $end + 34;
}

# The steps of the storage, each in a row of its own while they overlap.
sub storage_steps {
	my ($p, $y) = @_;
	my @ends;
	for my $s (grep { $_->{to} > $frozen - 1 && $_->{from} < $thawed && !$_->{skipped} } @steps) {
		my ($x1, $x2) = (x_of($p, $s->{from}), x_of($p, $s->{to}));
		my $words = x_of($p, $s->{to}) + 8 + 6 * length $s->{name};
		my ($row) = grep { ($ends[$_] // 0) <= $x1 } 0 .. 30;
		$ends[$row] = $words > $x2 ? $words : $x2;
		box($x1, $y + $row * 17 + 4, $x2 - $x1, 10, $node_colour{ $s->{node} } // $faint, 'rx="1.5"', "$s->{name} on $s->{node}: " . ms($s->{duration_us}));
		text($x2 + 4, $y + $row * 17 + 13, $ink, 'font-size="10.5"', $s->{name});
	}
	lane_name($y - 4, "the storage's steps");
	return $y + 17 * (@ends || 1) + 8;
}

sub zoom {
	my ($y) = @_;
	my $first_stop = (sort { $a <=> $b } $frozen, $stopped, $idle_from)[0];
	my $e = (sort { $a <=> $b } $thawed, $resumed, $idle_from + $idle)[-1];
	my $margin = ($e - $first_stop) * 0.12 + 4e4;
	my $p = { from => $first_stop - $margin, to => $e + $margin, zero => $stopped, r => '2.4' };
	my $begin = $y;
	my $kept = $out;
	for my $pass (0, 1) { # the first one measures how high it is
		$out = $kept;
		if ($pass) {
			shading($p, $begin, $y);
			axis($p, $begin, $y);
		}
		my $at = freezes($p, $begin);
		$at = storage_steps($p, $at + 4);
		lane_name($at, "its stream's beats");
		line(x_of($p, $_->[0]), $at + 6, x_of($p, $_->[0]), $at + 20, $guest, 'stroke-width="1"')
			for grep { $_->[0] >= $p->{from} && $_->[0] <= $p->{to} } @beats;
		dots($p, $at + LANE);
		$y = $at + LANE + DOTS;
	}
	return $y + 26;
}

sub head {
	text(24, 34, $ink, 'font-size="19" font-weight="600"',
		"$move->{guest} from $move->{from} to $move->{to}, its storage from $nas->{source} to $nas->{target}");
	text(24, 56, $faint, 'font-size="13"', sprintf '%s, total %s; the guest stood for %s as its watcher saw it; %s without a write done',
		($nas->{began} =~ s/T/ /r =~ s/\.\d+Z/ UTC/r), ms($move->{total_us}), ms($silent), ms($idle));
	my $x = 24;
	for ([$nas->{source}, 'source'], [$nas->{target}, 'target']) {
		box($x, 68, 11, 11, $node_colour{ $_->[0] }, 'rx="2"');
		text($x + 16, 78, $ink, 'font-size="12"', "steps of $_->[0] ($_->[1])");
		$x += 30 + 6.6 * (length("$_->[0]$_->[1]") + 12);
	}
	box($x, 68, 11, 11, $shade, qq(stroke="$bad" stroke-width="0.7"));
	text($x + 16, 78, $ink, 'font-size="12"', 'guest or storage stands');
}

my $y = whole(TOP);
text(24, $y + 4, $ink, 'font-size="14" font-weight="600"', 'The freeze, in ms since the guest was stopped');
my $height = zoom($y + 18);
head();
print qq(<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="@{[WIDTH]}" height="$height" ),
	qq(viewBox="0 0 @{[WIDTH]} $height" font-family="Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif">\n),
	qq(<rect width="@{[WIDTH]}" height="$height" fill="#ffffff"/>\n), $out, "</svg>\n";
