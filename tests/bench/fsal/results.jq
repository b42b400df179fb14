# SPDX-License-Identifier: GPL-2.0-or-later
# The turns (run's raw: LOAD GENERATION TURN PLACE US OPS CPU-US, places stock, module,
# control) to medians of paired ratios. A turn's ratio is over the same turn of stock.

# [median, low, high]: the 95 % interval of the median from order statistics; it
# assumes nothing of the distribution but that turns are independent.
def median_interval:
  sort as $v | length as $n
  | (0.98 * ($n | sqrt)) as $half
  | {median: (if $n % 2 == 1 then $v[($n - 1) / 2] else ($v[$n / 2 - 1] + $v[$n / 2]) / 2 end),
     low: $v[[0, ($n / 2 - $half | floor)] | max],
     high: $v[[$n - 1, ($n / 2 + $half | floor)] | min],
     n: $n};
def median: median_interval.median;
def ratios($turns; $place):
  {latency: ($turns | map(.[$place].us / .[0].us) | median_interval),
   throughput: ($turns | map(.[$place].ops / .[0].ops) | median_interval),
   cpu: (if $turns[0][0].cpu > 0 then $turns | map(.[$place].cpu / .[0].cpu) | median_interval else null end)};
# Proven to be so only if the whole interval is on that side, and where two stock
# servers do not differ by as much themselves.
def verdict($limit):
  if map(.control | .latency.median > 1 + $limit or .latency.median < 1 - $limit
      or .throughput.median > 1 + $limit or .throughput.median < 1 - $limit) | any then "undecided"
  else map(.module) | (if map(.latency.low > 1 + $limit or .throughput.high < 1 - $limit) | any then "over"
  elif map(.latency.high <= 1 + $limit and .throughput.low >= 1 - $limit) | all then "within"
  else "undecided" end) end;

[inputs | split(" ") | {load: .[0], g: .[1], turn: .[2], place: (.[3] | tonumber), us: (.[4] | tonumber), ops: (.[5] | tonumber), cpu: (.[6] | tonumber)}]
| group_by(.load)
| map((group_by([.g, .turn]) | map(sort_by(.place) | select(length == 3))) as $turns
    | {load: .[0].load,
       stock_us: ($turns | map(.[0].us) | median), stock_ops: ($turns | map(.[0].ops) | median),
       stock_cpu_us: ($turns | map(.[0].cpu) | median),
       module: ratios($turns; 1), control: ratios($turns; 2)})
| sort_by(.load | ["write-1", "write-8", "read-1", "read-8"] as $order | . as $l | $order | index($l))
| {loads: .,
   memory: ($memory | group_by(.[1]) | map({key: .[0][1],
     value: {rss_kib: (map(.[2] | tonumber) | median), own_kib: (map(.[3] | tonumber) | median),
             threads: (map(.[4] | tonumber) | median), n: length}}) | from_entries),
   ganesha: $ganesha, way: (if $way == "1" then "lab, kernel client" else "loopback" end), moment_ms: ($ms | tonumber),
   load: ($load | split("\n") | map(select(. != "") | tonumber)), limit_percent: $limit,
   verdict: verdict($limit / 100)}
