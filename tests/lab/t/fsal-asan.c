/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Preloaded into ganesha.nfsd by fsal-asan.sh. It lets modules be loaded under
 * AddressSanitizer, which refuses RTLD_DEEPBIND, and does what it is told through the
 * FIFO that $ASAN_FIFO names: 'l' looks for leaks now, while the module is still
 * loaded and its frames have names; 'o' writes behind an object, which must be noticed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Something to find for a look that would else find nothing. */
static void __attribute__((noinline)) leak_on_purpose(void)
{
	char *volatile lost = malloc(4321);

	memset(lost, 1, 4321);
	lost = NULL;
}

static void __attribute__((noinline)) overflow_on_purpose(volatile size_t at)
{
	volatile char *small = calloc(1, 16);

	small[at] = 1;
	free((void *)(uintptr_t)small);
}

static void *listen_to(void *fifo)
{
	char word;

	for (;;) {
		int fd = open(fifo, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return NULL;
		while (read(fd, &word, 1) == 1) {
			if (word == 'l') {
				leak_on_purpose();
				(void)__lsan_do_recoverable_leak_check();
			} else if (word == 'o') {
				overflow_on_purpose(16);
			}
		}
		close(fd);
	}
}

__attribute__((constructor)) static void begin(void)
{
	char *fifo = getenv("ASAN_FIFO");
	sigset_t all, before;
	pthread_t thread;

	if (!fifo)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, listen_to, fifo) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/*
 * With libasan preloaded, glibc 2.36's lock of the message catalogues comes out of the
 * start-up with one reader too few (seen in main() of ganesha.nfsd), and the first who
 * wants it for writing waits for ever: libkrb5, here. Nobody needs translations.
 */
char *bindtextdomain(const char *domain, const char *directory)
{
	(void)domain;
	return (char *)(uintptr_t)directory;
}

void *dlopen(const char *file, int mode)
{
	void *(*next)(const char *, int);

	*(void **)&next = dlsym(RTLD_NEXT, "dlopen");
	return next(file, mode & ~RTLD_DEEPBIND);
}
