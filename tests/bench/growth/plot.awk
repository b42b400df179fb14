# SPDX-License-Identifier: GPL-2.0-or-later
# clients, opens, freeze, dump, hand-over, load (ms): bars on a logarithmic scale,
# one for the freeze and one for each part, by combination.
BEGIN {
	FS = "\t"
	left = 60; top = 40; high = 320; wide = 15; gap = 22
	split("freeze dump hand-over load", name, " ")
	split("#444 #59a14f #edc948 #e15759", colour, " ")
}
{ n++; label[n] = $1 " / " $2; for (k = 1; k <= 4; k++) { v[n, k] = $(k + 2); if (v[n, k] > most) most = v[n, k] } }
function y(ms) { return top + high - high * (ms > 1 ? log(ms) / log(10) : 0) / decades }
END {
	for (decades = 1; 10 ^ decades < most; decades++)
		continue
	width = left + n * (4 * wide + gap) + 20
	if (width < 420)
		width = 420
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">\n", width, top + high + 60
	print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
	for (k = 1; k <= 4; k++) {
		printf "<rect x=\"%d\" y=\"12\" width=\"10\" height=\"10\" fill=\"%s\"/>", left + (k - 1) * 80, colour[k]
		printf "<text x=\"%d\" y=\"21\">%s</text>\n", left + (k - 1) * 80 + 14, name[k]
	}
	for (d = 0; d <= decades; d++) {
		printf "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ccc\"/>", left, width - 10, y(10 ^ d), y(10 ^ d)
		printf "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d ms</text>\n", left - 6, y(10 ^ d) + 4, 10 ^ d
	}
	for (i = 1; i <= n; i++) {
		x = left + gap / 2 + (i - 1) * (4 * wide + gap)
		for (k = 1; k <= 4; k++) {
			if (v[i, k] <= 0)
				continue
			printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" fill=\"%s\"><title>%s: %s %s ms</title></rect>\n", \
				x + (k - 1) * wide, y(v[i, k]), wide - 2, top + high - y(v[i, k]), colour[k], label[i], name[k], v[i, k]
		}
		printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x + 2 * wide, top + high + 18, label[i]
	}
	printf "<text x=\"%d\" y=\"%d\">clients / opens with locks; medians, logarithmic</text>\n</svg>\n", left, top + high + 42
}
