/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>

#include "hyper.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

void hyper_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal }; /* without SA_RESTART: poll is to end */

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &sa, NULL);
}

bool hyper_interrupted(void)
{
	return interrupted != 0;
}
