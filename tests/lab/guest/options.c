/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "clock.h"

/* Decimal digits up to *end; a sign, a blank or an overflow is an error. */
static int parse_digits(const char *text, const char **end, uint64_t *out)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t d = (uint64_t)(*p - '0');

		if (v > (UINT64_MAX - d) / 10)
			return -1;
		v = v * 10 + d;
	}
	if (p == text)
		return -1;
	*end = p;
	*out = v;
	return 0;
}

static int parse_number(const char *text, uint64_t *out)
{
	const char *end;

	return parse_digits(text, &end, out) || *end ? -1 : 0;
}

int options_parse_size(const char *text, uint64_t *out)
{
	const char *end;
	unsigned shift = 0;

	if (parse_digits(text, &end, out))
		return -1;
	if (*end) {
		static const char units[] = "KMG";
		const char *unit = strchr(units, *end);

		if (!unit || end[1])
			return -1;
		shift = 10U * (unsigned)(unit - units + 1);
	}
	if (*out > (UINT64_MAX >> shift))
		return -1;
	*out <<= shift;
	return 0;
}

int options_parse_range(const char *text, struct range *out)
{
	const char *end;

	if (parse_digits(text, &end, &out->first))
		return -1;
	out->last = out->first;
	if (*end == '-') {
		text = end + 1;
		if (parse_digits(text, &end, &out->last))
			return -1;
	}
	return *end || out->last < out->first || out->last > INT64_MAX ? -1 : 0;
}

/* A time in milliseconds, at most an hour. */
static int parse_ms(const char *text, uint64_t *out_ns)
{
	uint64_t ms;

	if (parse_number(text, &ms) || ms > 3600000)
		return -1;
	*out_ns = ms * NS_PER_MS;
	return 0;
}

static int parse_value(struct options *opt, const char *key, const char *value)
{
	uint64_t n;

	if (strcmp(key, "--file") == 0) {
		opt->file = value;
		return 0;
	}
	if (strcmp(key, "--meta") == 0) {
		/* Goes into lines and JSON strings, as the name does. */
		opt->meta = value;
		return value[strcspn(value, "\"\\ =")] || !*value ? -1 : 0;
	}
	if (strcmp(key, "--report") == 0) {
		opt->report = value;
		return 0;
	}
	if (strcmp(key, "--name") == 0) {
		/* It goes into a JSON string and a key=value line as it is. */
		opt->name = value;
		return value[strcspn(value, "\"\\ =")] || !*value ? -1 : 0;
	}
	if (strcmp(key, "--size") == 0)
		return options_parse_size(value, &opt->size) || opt->size < PROBE_BLOCK ? -1 : 0;
	if (strcmp(key, "--pace") == 0)
		return parse_ms(value, &opt->pace_ns) || opt->pace_ns == 0 ? -1 : 0;
	if (strcmp(key, "--beat") == 0)
		return parse_ms(value, &opt->beat_ns) || opt->beat_ns == 0 ? -1 : 0;
	if (strcmp(key, "--gap") == 0)
		return parse_ms(value, &opt->gap_ns);
	if (strcmp(key, "--seconds") == 0)
		return parse_number(value, &opt->seconds) || opt->seconds > 86400 * 365 ? -1 : 0;
	if (strcmp(key, "--verify-every") == 0) {
		if (parse_number(value, &n) || n > 1000000)
			return -1;
		opt->verify_every = (unsigned)n;
		return 0;
	}
	if (strcmp(key, "--dirty") == 0)
		return options_parse_size(value, &opt->dirty) || opt->dirty < 400 << 10 ? -1 : 0; /* a page 100 times a second */
	if (strcmp(key, "--lock") == 0) {
		opt->lock = true;
		return options_parse_range(value, &opt->lock_range);
	}
	return -2;
}

int options_parse(struct options *opt, int argc, char *const *argv, char *message, size_t size)
{
	*opt = (struct options){
		.report = "-",
		.name = "probe",
		.pace_ns = 10 * NS_PER_MS,
		.beat_ns = 20 * NS_PER_MS,
		.gap_ns = 20 * NS_PER_MS,
		.verify_every = 5,
		.direct = true,
	};
	for (int i = 1; i < argc; i++) {
		int rc;

		if (strcmp(argv[i], "--no-direct") == 0) {
			opt->direct = false;
			continue;
		}
		if (i + 1 >= argc) {
			snprintf(message, size, "%s: unknown, or its value is missing", argv[i]);
			return -1;
		}
		rc = parse_value(opt, argv[i], argv[i + 1]);
		if (rc) {
			snprintf(message, size, "%s %s: %s", argv[i], argv[i + 1],
				 rc == -2 ? "unknown option" : "bad value");
			return -1;
		}
		i++;
	}
	if (!opt->file == !opt->meta) {
		snprintf(message, size, "one of --file and --meta is required");
		return -1;
	}
	if (opt->meta && (opt->lock || opt->size || !opt->direct)) {
		snprintf(message, size, "--lock, --size and --no-direct go with --file only");
		return -1;
	}
	return 0;
}
