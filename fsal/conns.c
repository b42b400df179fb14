/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "conns.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* A bit per descriptor; 0 and up to what was seen. Bits are cheap to keep: a
 * socket's number is used again by the next one. */
static struct {
	pthread_mutex_t lock;
	unsigned char *bits;
	size_t n_bytes, count;
} conns = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool make_room(size_t n_bytes)
{
	unsigned char *bits;

	if (n_bytes <= conns.n_bytes)
		return true;
	n_bytes = (n_bytes + 511) / 512 * 512;
	bits = realloc(conns.bits, n_bytes);
	if (!bits)
		return false;
	memset(bits + conns.n_bytes, 0, n_bytes - conns.n_bytes);
	conns.bits = bits;
	conns.n_bytes = n_bytes;
	return true;
}

void conns_add(int fd)
{
	size_t i = (size_t)fd / 8;
	unsigned char bit = (unsigned char)(1U << (fd % 8));

	if (fd < 0)
		return;
	pthread_mutex_lock(&conns.lock);
	/* without memory ganesha itself ends; unsent bytes would go unnoticed */
	if (!make_room(i + 1))
		abort();
	if (!(conns.bits[i] & bit))
		conns.count++;
	conns.bits[i] |= bit;
	pthread_mutex_unlock(&conns.lock);
}

size_t conns_count(void)
{
	size_t n;

	pthread_mutex_lock(&conns.lock);
	n = conns.count;
	pthread_mutex_unlock(&conns.lock);
	return n;
}

/* The unacknowledged bytes of a TCP connection; -1: it is none. */
static int unsent(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);
	int bytes;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || info.tcpi_state == TCP_LISTEN ||
	    info.tcpi_state == TCP_CLOSE || ioctl(fd, SIOCOUTQ, &bytes) < 0)
		return -1;
	return bytes;
}

void conns_unsent(size_t *connections, uint64_t *bytes)
{
	*connections = 0;
	*bytes = 0;
	pthread_mutex_lock(&conns.lock);
	for (size_t i = 0; i < conns.n_bytes; i++)
		for (int b = 0; conns.bits[i] && b < 8; b++) {
			int n = conns.bits[i] & 1U << b ? unsent((int)i * 8 + b) : 0;

			if (n < 0) {
				conns.bits[i] &= (unsigned char)~(1U << b);
				conns.count--;
			} else if (n > 0) {
				++*connections;
				*bytes += (uint64_t)n;
			}
		}
	pthread_mutex_unlock(&conns.lock);
}

void conns_each(void (*fn)(const struct sockaddr_storage *peer, void *data), void *data)
{
	pthread_mutex_lock(&conns.lock);
	for (size_t i = 0; i < conns.n_bytes * 8; i++) {
		struct sockaddr_storage peer;
		socklen_t size = sizeof(peer);

		if (conns.bits[i / 8] & 1U << (i % 8) && getpeername((int)i, (struct sockaddr *)&peer, &size) == 0)
			fn(&peer, data);
	}
	pthread_mutex_unlock(&conns.lock);
}
