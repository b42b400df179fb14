/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe: the lab's payload.  As process 1 it is a whole guest; as a program it
 * runs on a hypervisor's NFS mount.  See options.h, meta.h, view.h, lock.h, verify.h.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "guestinit.h"
#include "heartbeat.h"
#include "lock.h"
#include "memory.h"
#include "meta.h"
#include "options.h"
#include "report.h"
#include "summary.h"
#include "verify.h"
#include "view.h"
#include "writer.h"

#define LOCK_CHECK_NS (500 * NS_PER_MS)

/* Everything a run consists of; too large for a stack. */
struct run {
	struct options opt;
	struct report report;
	struct lock_watch locks;
	struct control control;
	struct writer writer; /* --file */
	struct meta meta;     /* --meta */
	struct heartbeat heartbeat;
	struct memory memory;
	sigset_t stop_signals;
};

static void *lock_thread(void *arg)
{
	struct run *run = arg;

	for (;;) {
		const char *wrong = lock_watch_check(&run->locks);

		if (wrong)
			report_event(&run->report, "ev=lock what=%s wall_us=%llu", wrong,
				     (unsigned long long)(clock_wall_ns() / NS_PER_US));
		clock_sleep_until(clock_mono_ns() + LOCK_CHECK_NS);
	}
	return NULL;
}

/* SIGTERM, SIGINT: end in order.  SIGUSR1: a mark. */
static void *signal_thread(void *arg)
{
	struct run *run = arg;

	for (;;) {
		int sig = 0;

		if (sigwait(&run->stop_signals, &sig))
			continue;
		if (sig == SIGUSR1)
			atomic_store(&run->control.mark, true);
		else
			atomic_store(&run->control.stop, true);
	}
	return NULL;
}

static int start_thread(void *(*body)(void *), void *arg, pthread_t *out)
{
	pthread_attr_t attr;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024); /* a guest has little memory */
	rc = pthread_create(out, &attr, body, arg);
	pthread_attr_destroy(&attr);
	return rc;
}

static int open_payload(struct run *run)
{
	if (run->opt.meta)
		return meta_open(&run->meta, &run->opt, &run->report, &run->control);
	return writer_open(&run->writer, &run->opt, &run->report, &run->control, &run->locks);
}

/* 0: clean; 1: something went wrong and was reported; 2: could not start. */
static int run_payload(struct run *run, bool guest)
{
	pthread_t beat, other;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&run->stop_signals);
	sigaddset(&run->stop_signals, SIGTERM);
	sigaddset(&run->stop_signals, SIGINT);
	sigaddset(&run->stop_signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &run->stop_signals, NULL);
	rc = report_open(&run->report, run->opt.report);
	if (rc) {
		fprintf(stderr, "probe: %s: %s\n", run->opt.report, strerror(-rc));
		return 2;
	}
	if (open_payload(run)) {
		report_drain(&run->report, 5000);
		return 2;
	}
	run->heartbeat.control = &run->control;
	run->heartbeat.report = &run->report;
	run->heartbeat.pace_ns = run->opt.beat_ns;
	run->heartbeat.set_clock = guest;
	rc = start_thread(heartbeat_thread, &run->heartbeat, &beat);
	if (rc == 0)
		rc = start_thread(signal_thread, run, &other);
	if (rc == 0 && run->opt.lock)
		rc = start_thread(lock_thread, run, &other);
	if (rc == 0 && run->opt.dirty) {
		run->memory = (struct memory){ &run->report, run->opt.dirty };
		rc = start_thread(memory_thread, &run->memory, &other);
	}
	if (rc) {
		fprintf(stderr, "probe: thread: %s\n", strerror(rc));
		return 2;
	}
	if (run->opt.meta)
		meta_run(&run->meta);
	else
		writer_run(&run->writer);
	atomic_store(&run->heartbeat.end, true);
	pthread_join(beat, NULL);
	if (run->opt.meta)
		meta_report(&run->meta, "summary", &run->meta.total);
	else
		summary_report(&run->writer, "summary", &run->writer.total);
	report_drain(&run->report, 5000); /* the summary is the last line */
	return (run->opt.meta ? meta_clean(&run->meta) : writer_clean(&run->writer)) ? 0 : 1;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: probe [run] --file F [--report -|tcp:ADDR:PORT] [--name N] [--size BYTES]\n"
		"             [--pace MS] [--beat MS] [--gap MS] [--seconds S] [--verify-every N]\n"
		"             [--no-direct] [--lock A-B] [--dirty BYTES-PER-S]\n"
		"       probe [run] --meta DIR [--report -|tcp:ADDR:PORT] [--name N] [--pace MS] [--beat MS]\n"
		"             [--gap MS] [--seconds S]\n"
		"       probe lock-test --file F --range A-B [--count N | --seconds S] [--pace MS]\n"
		"       probe verify --file F --run RUN --acked N --blocks B [--newest M]\n"
		"       probe view --listen ADDR:PORT --out FILE --control FIFO [--beat MS]\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct run *run;
	char message[256];
	bool guest = getpid() == 1;
	int status;

	if (argc > 1 && strcmp(argv[1], "lock-test") == 0)
		return lock_test_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "verify") == 0)
		return verify_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "view") == 0)
		return view_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "run") == 0) {
		argc--;
		argv++;
	}
	/* The kernel also hands us what it did not understand itself ("nokaslr"). */
	while (guest && argc > 1 && strncmp(argv[1], "--", 2) != 0) {
		argc--;
		argv++;
	}
	run = calloc(1, sizeof(*run));
	if (!run)
		return 2;
	status = options_parse(&run->opt, argc, argv, message, sizeof(message));
	if (guest) {
		/* A guest has no standard input or output worth the name. */
		const char *report = run->opt.report;

		if (report && strcmp(report, "-") == 0)
			report = NULL;
		run->opt.report = guestinit_prepare(run->opt.file ? run->opt.file : "/dev/null", report);
	}
	if (status) {
		fprintf(stderr, "probe: %s\n", message);
		status = guest ? 2 : usage();
	} else {
		status = run_payload(run, guest);
	}
	if (guest)
		guestinit_poweroff();
	free(run);
	return status;
}
