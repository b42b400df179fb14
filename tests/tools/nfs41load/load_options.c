/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "load_options.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

/* Decimal digits only, from 1 to limit. */
static bool parse_number(const char *text, uint64_t limit, uint64_t *out)
{
	uint64_t v = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || v > limit)
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*out = v;
	return v >= 1 && v <= limit;
}

/* It goes into owners, file names and lines as it is. */
static bool is_name(const char *text)
{
	return *text && strlen(text) <= 40 && !text[strcspn(text, " /\"\\=")];
}

static bool parse_value(struct load_options *opt, const char *key, const char *value, uint64_t *lease_ms,
			uint64_t *renew_ms)
{
	uint64_t n = 0;
	bool good = true;

	if (strcmp(key, "--server") == 0) {
		opt->server = value;
	} else if (strcmp(key, "--port") == 0) {
		good = parse_number(value, 65535, &n);
		opt->port = (uint16_t)n;
	} else if (strcmp(key, "--path") == 0) {
		opt->path = value;
		good = *value == '/' && strlen(value) < 512;
	} else if (strcmp(key, "--name") == 0) {
		opt->name = value;
		good = is_name(value);
	} else if (strcmp(key, "--clients") == 0) {
		good = parse_number(value, 10000, &n);
		opt->clients = (unsigned)n;
	} else if (strcmp(key, "--opens") == 0) {
		good = parse_number(value, 99999, &n);
		opt->opens = (unsigned)n;
	} else if (strcmp(key, "--files") == 0) {
		good = parse_number(value, 99999, &n);
		opt->files = (unsigned)n;
	} else if (strcmp(key, "--lease") == 0) {
		good = parse_number(value, 3600, &n);
		*lease_ms = n * 1000;
	} else if (strcmp(key, "--renew") == 0) {
		good = parse_number(value, 3600000, renew_ms);
	} else {
		good = false;
	}
	return good;
}

int load_options_parse(struct load_options *opt, int argc, char *const *argv, char *message, size_t size)
{
	uint64_t lease_ms = 15000, renew_ms = 0;

	*opt = (struct load_options){ .port = 2049, .name = "nfs41load", .clients = 1, .opens = 1 };
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!parse_value(opt, argv[i], value, &lease_ms, &renew_ms)) {
			snprintf(message, size, "%s %s: unknown option or bad value", argv[i], value);
			return -1;
		}
	}
	if (!opt->server || !opt->path) {
		snprintf(message, size, "--server and --path are required");
		return -1;
	}
	if (!opt->files)
		opt->files = opt->opens;
	/* Two opens of one file by one client would be one to the server. */
	if ((opt->opens + opt->clients - 1U) / opt->clients > opt->files) {
		snprintf(message, size, "--files: fewer than one client has opens");
		return -1;
	}
	opt->renew_ns = renew_ms ? renew_ms * NS_PER_MS : lease_ms * NS_PER_MS / 3;
	opt->timeout_ns = lease_ms * NS_PER_MS;
	return 0;
}
