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
("load" | pad(9)) + ("turns" | lpad(6)) + ("stock" | lpad(20)) + "  " + ("module: time per op" | pad(26)) + ("module: throughput" | pad(26)) + ("control: time per op" | pad(26)) + "control: throughput",
(.loads[] | (.load | pad(9)) + (.module.latency.n | lpad(6))
  + ("\(.stock_us | fixed(0)) us \(.stock_ops | fixed(0))/s" | lpad(20)) + "  "
  + (.module.latency | cell | pad(26)) + (.module.throughput | cell | pad(26))
  + (.control.latency | cell | pad(26)) + (.control.throughput | cell)),
"",
("memory" | pad(9)) + ("RSS KiB" | lpad(10)) + ("own KiB" | lpad(10)) + ("threads" | lpad(10)),
(["stock", "control", "module"][] as $k | .memory[$k] | ($k | pad(9)) + (.rss_kib | fixed(0) | lpad(10)) + (.own_kib | fixed(0) | lpad(10)) + (.threads | fixed(0) | lpad(10))),
"",
(if .within then "within" else "OVER" end) + " the limit of \(.limit_percent) %"
