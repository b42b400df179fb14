/* SPDX-License-Identifier: GPL-2.0-or-later */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "logsink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include "clocks.h"

enum { LINE_SIZE = 2048, FIELD_SIZE = 128, FIELDS = 6 };

/* JOURNAL_STREAM is "device:inode" of the stream that systemd gave us; a
 * standard error that was redirected since is not it (systemd.exec(5)). */
static int stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	if (!text || sscanf(text, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) != 2)
		return 0;
	return fstat(STDERR_FILENO, &st) == 0 && (uintmax_t)st.st_dev == dev &&
	       (uintmax_t)st.st_ino == ino;
}

void logsink_init(struct logsink *s, const char *node, enum log_priority max)
{
	memset(s, 0, sizeof(*s));
	if (node)
		strncpy(s->node, node, sizeof(s->node) - 1);
	s->max = max;
	s->fd = STDERR_FILENO;
	s->journald = stderr_is_journal();
}

static const char *priority_name(enum log_priority p)
{
	switch (p) {
	case LOGP_ERR: return "error";
	case LOGP_WARNING: return "warning";
	case LOGP_NOTICE: return "notice";
	case LOGP_INFO: return "info";
	case LOGP_DEBUG: return "debug";
	}
	return "?";
}

static void add_field(struct iovec *iov, int *n, char *buf, const char *key, const char *value)
{
	int len;

	if (!value || !*value)
		return;
	len = snprintf(buf, FIELD_SIZE, "%s=%s", key, value);
	iov[*n].iov_base = buf;
	iov[*n].iov_len = len < FIELD_SIZE ? (size_t)len : FIELD_SIZE - 1;
	(*n)++;
}

static int send_journald(const struct logsink *s, enum log_priority prio,
			 const struct log_fields *f, const char *message)
{
	char bufs[FIELDS][FIELD_SIZE], text[LINE_SIZE], num[24];
	struct iovec iov[FIELDS];
	int n = 0, len;

	len = snprintf(text, sizeof(text), "MESSAGE=%s", message);
	iov[n].iov_base = text;
	iov[n].iov_len = len < LINE_SIZE ? (size_t)len : LINE_SIZE - 1;
	n++;
	snprintf(num, sizeof(num), "%d", (int)prio);
	add_field(iov, &n, bufs[0], "PRIORITY", num);
	add_field(iov, &n, bufs[1], "NASD_NODE", s->node);
	if (f) {
		add_field(iov, &n, bufs[2], "NASD_GROUP", f->group);
		add_field(iov, &n, bufs[3], "NASD_STEP", f->step);
		snprintf(num, sizeof(num), "%" PRIu64, f->epoch);
		add_field(iov, &n, bufs[4], "NASD_EPOCH", f->epoch ? num : NULL);
	}
	return sd_journal_sendv(iov, n);
}

/* "[vmstore drbd-primary 7] ", or nothing. */
static void format_fields(const struct log_fields *f, char *buf, size_t size)
{
	char epoch[24] = "";
	const char *words[3];
	size_t n = 0, used = 0, i;

	buf[0] = '\0';
	if (!f)
		return;
	if (f->group && *f->group)
		words[n++] = f->group;
	if (f->step && *f->step)
		words[n++] = f->step;
	if (f->epoch) {
		snprintf(epoch, sizeof(epoch), "%" PRIu64, f->epoch);
		words[n++] = epoch;
	}
	for (i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s%s", i ? " " : "[",
					 words[i], i + 1 == n ? "] " : "");
}

static void write_line(const struct logsink *s, int64_t at_us, enum log_priority prio,
		       const struct log_fields *f, const char *message)
{
	char line[LINE_SIZE], stamp[32], fields[160];
	time_t seconds = at_us / 1000000;
	struct tm tm;
	size_t len, i;
	int n;

	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	format_fields(f, fields, sizeof(fields));
	n = snprintf(line, sizeof(line) - 1, "%s.%03ldZ %s %s%s", stamp, (long)(at_us % 1000000 / 1000),
		     priority_name(prio), fields, message);
	len = n < (int)sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
	/* One line is one line: a message from afar cannot forge another. */
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	line[len++] = '\n';
	/* Nowhere left to complain to. */
	if (write(s->fd, line, len) < 0)
		return;
}

void logsink_put(const struct logsink *s, int64_t at_us, enum log_priority prio,
		 const struct log_fields *fields, const char *message)
{
	if (!s->journald || send_journald(s, prio, fields, message) < 0)
		write_line(s, at_us, prio, fields, message);
}

void logsink_write(enum log_priority prio, const struct log_fields *fields, const char *message,
		   void *sink)
{
	const struct logsink *s = sink;

	if (prio <= s->max)
		logsink_put(s, wall_us(), prio, fields, message);
}
