# SPDX-License-Identifier: GPL-2.0-or-later
# results.json as the table.
def pad($n): tostring | . + " " * ([0, $n - length] | max);
def lpad($n): tostring | " " * ([0, $n - length] | max) + .;
def fixed($d): . as $x | pow(10; $d) as $p | ($x * $p | round) as $r
  | (if $r < 0 then "-" else "" end) as $sign | ($r | fabs) as $r
  | $sign + ($r / $p | floor | tostring) + (if $d == 0 then "" else "." + ($r % $p | tostring | ("0" * ($d - length)) + .) end);
def percent: (. - 1) * 100 | (if . >= 0 then "+" else "" end) + fixed(2);
def cell: "\(.median | percent) [\(.low | percent), \(.high | percent)]";

"module against stock, percent: median of paired ratios [95 % interval]; control: a second stock server",
"\(.way), ganesha \(.ganesha), moments of \(.moment_ms) ms, load \(.load | join(" to "))",
"",
("load" | pad(9)) + ("turns" | lpad(6)) + ("stock" | lpad(20)) + "  " + ("" | pad(9)) + ("time per op" | pad(26)) + ("throughput" | pad(26)) + "server's CPU per op",
(.loads[] | . as $l | ("module", "control") as $who | $l[$who] as $r
  | (if $who == "module" then ($l.load | pad(9)) + ($r.latency.n | lpad(6)) + ("\($l.stock_us | fixed(0)) us \($l.stock_ops | fixed(0))/s" | lpad(20)) else "" | pad(35) end)
  + "  " + ($who | pad(9)) + ($r.latency | cell | pad(26)) + ($r.throughput | cell | pad(26)) + (if $r.cpu then $r.cpu | cell else "-" end)),
"",
("memory" | pad(9)) + ("RSS KiB" | lpad(10)) + ("own KiB" | lpad(10)) + ("threads" | lpad(10)),
(["stock", "control", "module"][] as $k | .memory[$k] | ($k | pad(9)) + (.rss_kib | fixed(0) | lpad(10)) + (.own_kib | fixed(0) | lpad(10)) + (.threads | fixed(0) | lpad(10))),
"",
({within: "within the limit of", over: "OVER the limit of", undecided: "NOT DECIDED, the intervals are too wide, or the control differs as well, for"}[.verdict] + " \(.limit_percent) %")
