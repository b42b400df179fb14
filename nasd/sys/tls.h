/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.3 (RFC 8446) over a non-blocking socket, both sides authenticated:
 *
 * - with a pre-shared key: SHA-256 of the secret file's text (surrounding white
 *   space removed), the client's identity is "CLUSTER/NODE", ephemeral
 *   Diffie-Hellman on top (psk_dhe_ke), so that a stolen key opens no
 *   recorded traffic;
 * - or with X.509 certificates, each carrying its node's name as a DNS name,
 *   signed by the configured CA.
 *
 * The cluster's name is the ALPN protocol in both: another cluster is refused.
 * No session tickets, no resumption, no early data.
 */
#ifndef NASD_SYS_TLS_H
#define NASD_SYS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "conf.h"
#include "err.h"

struct tls_creds;
struct tls_session;

/* Reads the key material of node `self`. ERR_REFUSED with a remedy when it is
 * missing or unusable. Blocks on the disk: for the start. */
int tls_creds_new(const struct conf *conf, int self, struct tls_creds **out, struct err *err);
void tls_creds_free(struct tls_creds *c);

/* A session on fd, which the caller keeps and closes; creds must outlive it. */
int tls_session_new(struct tls_creds *c, int fd, bool server, struct tls_session **out);

/* Says goodbye if there is room for it, and frees; s may be NULL. */
void tls_session_free(struct tls_session *s);

/* 0 when done, -EAGAIN to be called again, -EPROTO with the reason in why. */
int tls_session_handshake(struct tls_session *s, char *why, size_t size);

/* After -EAGAIN: wait for writing instead of reading? */
bool tls_session_wants_write(const struct tls_session *s);

/*
 * Bytes read or taken; 0 from recv: the peer said goodbye; -EAGAIN; -EPROTO
 * with the reason in why. After -EAGAIN from send its bytes count as pending:
 * the next call must begin with the same bytes.
 */
ssize_t tls_session_recv(struct tls_session *s, void *buf, size_t size, char *why, size_t why_size);
ssize_t tls_session_send(struct tls_session *s, const void *buf, size_t len, char *why,
			 size_t why_size);

#endif
