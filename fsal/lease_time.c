/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "lease_time.h"

#include <dlfcn.h>
#include <pthread.h>

static time_t (*server_time)(time_t *) = time;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find(void)
{
	void *program = dlopen(NULL, RTLD_LAZY);
	void *found = program ? dlsym(program, "time") : NULL;

	if (found)
		*(void **)&server_time = found;
}

time_t lease_time(void)
{
	pthread_once(&once, find);
	return server_time(NULL);
}
