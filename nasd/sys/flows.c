/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

enum { FLOW_TEXT_MAX = 120, FLOWS_FILE_MAX = 1 << 20 };

static size_t ip_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

bool flow_parse(const char *text, struct net_flow *out)
{
	char client[INET6_ADDRSTRLEN], floating[INET6_ADDRSTRLEN];
	unsigned client_port, port;
	int end = 0;

	memset(out, 0, sizeof(*out));
	if (sscanf(text, "%45s %5u %45s %5u%n", client, &client_port, floating, &port, &end) != 4 ||
	    text[end] || !client_port || client_port > 65535 || !port || port > 65535)
		return false;
	out->family = strchr(client, ':') ? AF_INET6 : AF_INET;
	out->remote_port = (uint16_t)client_port;
	out->local_port = (uint16_t)port;
	return inet_pton(out->family, client, out->remote) == 1 &&
	       inet_pton(out->family, floating, out->local) == 1;
}

char *flow_format(const struct net_flow *flow, char *buf, size_t size)
{
	char client[INET6_ADDRSTRLEN] = "?", floating[INET6_ADDRSTRLEN] = "?";

	inet_ntop(flow->family, flow->remote, client, sizeof(client));
	inet_ntop(flow->family, flow->local, floating, sizeof(floating));
	snprintf(buf, size, "%s %u %s %u", client, flow->remote_port, floating, flow->local_port);
	return buf;
}

int flow_compare(const void *one, const void *other)
{
	const struct net_flow *a = one, *b = other;
	int by = a->family - b->family;

	if (!by)
		by = memcmp(a->remote, b->remote, ip_len(a->family));
	if (!by)
		by = memcmp(a->local, b->local, ip_len(a->family));
	if (!by)
		by = a->remote_port - b->remote_port;
	return by ? by : a->local_port - b->local_port;
}

int flows_save(const char *path, const struct net_flow *flows, size_t n, struct err *e)
{
	AUTO_FREE char *text = malloc(n * FLOW_TEXT_MAX + 1);
	AUTO_CLOSE int fd = -1;
	size_t len = 0;

	if (!text)
		return err_set(e, ERR_SYSTEM, ENOMEM, path, "out of memory");
	for (size_t i = 0; i < n; i++) {
		flow_format(&flows[i], text + len, FLOW_TEXT_MAX);
		len += strlen(text + len);
		text[len++] = '\n';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0 || (len > 0 && write(fd, text, len) != (ssize_t)len))
		return err_set(e, ERR_SYSTEM, errno ? errno : EIO, path, "cannot be written");
	return 0;
}

/* Reads at most FLOWS_FILE_MAX bytes; NULL when that fails. */
static char *read_text(int fd)
{
	char *text = malloc(FLOWS_FILE_MAX + 1);
	size_t len = 0;
	ssize_t got = 0;

	while (text && len < FLOWS_FILE_MAX &&
	       (got = read(fd, text + len, FLOWS_FILE_MAX - len)) > 0)
		len += (size_t)got;
	if (!text || got < 0) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

int flows_load(const char *path, struct net_flow **out, size_t *n, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *text = NULL;
	size_t lines = 0;
	char *save = NULL;

	*out = NULL;
	*n = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(e, ERR_SYSTEM, errno, path, "cannot be read");
	text = read_text(fd);
	if (!text)
		return err_set(e, ERR_SYSTEM, EIO, path, "cannot be read");
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	*out = calloc(lines + 1, sizeof(**out));
	if (!*out)
		return err_set(e, ERR_SYSTEM, ENOMEM, path, "out of memory");
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (flow_parse(line, &(*out)[*n]))
			(*n)++;
	return 0;
}
