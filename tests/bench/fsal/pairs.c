/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares servers in turns: each measures for a moment, then the next, and back in
 * the opposite order (A B C C B A), so that what drifts falls on all alike.
 *
 * usage: pairs [--write] [--turns N] [--ms M] THREADS WHERE[,PID]...
 * WHERE as in target.h, PID of its server. Prints a line per turn and place, over both
 * its moments: the median of an operation in microseconds, operations per second, and
 * the microseconds of CPU that the server took per operation (0 without PID):
 *   TURN PLACE(from 0) MEDIAN-US OPS-PER-SECOND CPU-US
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "target.h"

enum { MAX_PLACES = 8, MAX_THREADS = 64, MAX_SAMPLES = 1 << 17 };

struct worker {
	pthread_t thread;
	struct target *target;
	const struct moment *moment;
	uint64_t next; /* offset */
	float *us;     /* MAX_SAMPLES */
	size_t count;
};

struct moment {
	bool write;
	uint64_t until_ns;
};

struct place {
	struct worker worker[MAX_THREADS];
	uint64_t ns, cpu_ns; /* of both moments; the server's CPU time */
	clockid_t cpu;       /* its clock, if has_cpu */
	bool has_cpu;
};

struct options {
	bool write;
	unsigned turns, ms, threads, places;
	char **where;
};

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("pairs: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		die("a clock cannot be read: is the server gone?");
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t cpu_ns(const struct place *p)
{
	return p->has_cpu ? clock_ns(p->cpu) : 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	const struct moment *m = w->moment;
	uint64_t from = now_ns(), to;

	do {
		if (m->write)
			target_write(w->target, w->next);
		else
			target_read(w->target, w->next);
		w->next = (w->next + (m->write ? TARGET_WRITE : TARGET_READ)) % TARGET_FILE;
		to = now_ns();
		if (w->count < MAX_SAMPLES)
			w->us[w->count++] = (float)(to - from) / 1000.0F;
		from = to;
	} while (to < m->until_ns);
	return NULL;
}

/* Its operations all begin before the moment's end; the time is until the last has ended. */
static void measure(struct place *p, const struct options *o)
{
	uint64_t from = now_ns(), cpu = cpu_ns(p);
	struct moment m = {.write = o->write, .until_ns = from + (uint64_t)o->ms * 1000000U};

	for (unsigned i = 0; i < o->threads; i++) {
		p->worker[i].moment = &m;
		if (pthread_create(&p->worker[i].thread, NULL, work, &p->worker[i]))
			die("no thread");
	}
	for (unsigned i = 0; i < o->threads; i++)
		pthread_join(p->worker[i].thread, NULL);
	p->ns += now_ns() - from;
	p->cpu_ns += cpu_ns(p) - cpu;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void report(struct place *p, const struct options *o, unsigned turn, unsigned place)
{
	static float all[MAX_SAMPLES];
	size_t n = 0;

	for (unsigned i = 0; i < o->threads; i++) {
		for (size_t k = 0; k < p->worker[i].count && n < MAX_SAMPLES; k++)
			all[n++] = p->worker[i].us[k];
		p->worker[i].count = 0;
	}
	qsort(all, n, sizeof(*all), by_value);
	printf("%u %u %.1f %.2f %.3f\n", turn, place, (double)all[n / 2], (double)n * 1e9 / (double)p->ns,
	       (double)p->cpu_ns / 1000.0 / (double)n);
	p->ns = p->cpu_ns = 0;
}

/* A file as long as it will be read, all of it written. */
static void open_place(struct place *p, const struct options *o, char *where)
{
	char *pid = strchr(where, ',');

	if (pid) {
		*pid++ = '\0';
		p->has_cpu = clock_getcpuclockid((pid_t)strtol(pid, NULL, 10), &p->cpu) == 0;
		if (!p->has_cpu)
			die("no process %s", pid);
	}
	for (unsigned i = 0; i < o->threads; i++) {
		struct worker *w = &p->worker[i];

		w->target = target_open(where, i);
		w->us = malloc(MAX_SAMPLES * sizeof(*w->us));
		if (!w->us)
			die("no memory");
		target_fill(w->target);
	}
}

static unsigned number(const char *text, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text ? text : "", &end, 10);

	if (!n || *end || n > max)
		die("a number from 1 to %u, not '%s'", max, text ? text : "");
	return (unsigned)n;
}

static struct options parse(int argc, char **argv)
{
	struct options o = {.turns = 1, .ms = 60};
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--write"))
			o.write = true;
		else if (!strcmp(argv[i], "--turns"))
			o.turns = number(argv[++i], 100000);
		else if (!strcmp(argv[i], "--ms"))
			o.ms = number(argv[++i], 10000);
		else
			die("unknown option %s", argv[i]);
	}
	o.threads = number(i < argc ? argv[i] : NULL, MAX_THREADS);
	o.where = argv + i + 1;
	o.places = number(i + 1 < argc ? "1" : NULL, 1) * (unsigned)(argc - i - 1);
	if (o.places > MAX_PLACES)
		die("too many places");
	return o;
}

int main(int argc, char **argv)
{
	static struct place places[MAX_PLACES];
	struct options o = parse(argc, argv);

	for (unsigned i = 0; i < o.places; i++)
		open_place(&places[i], &o, o.where[i]);
	/* who begins goes round with the turns; turn 0 warms up */
	for (unsigned turn = 0; turn <= o.turns; turn++) {
		for (unsigned i = 0; i < o.places; i++)
			measure(&places[(i + turn) % o.places], &o);
		for (unsigned i = o.places; i-- > 0;)
			measure(&places[(i + turn) % o.places], &o);
		for (unsigned i = 0; i < o.places; i++) {
			if (turn)
				report(&places[i], &o, turn, i);
			else
				places[i].ns = places[i].cpu_ns = 0;
			for (unsigned k = 0; !turn && k < o.threads; k++)
				places[i].worker[k].count = 0;
		}
	}
	for (unsigned i = 0; i < o.places; i++)
		for (unsigned k = 0; k < o.threads; k++)
			target_close(places[i].worker[k].target);
	return 0;
}
