/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "cleanup.h"

enum {
	SECRET_MIN = 16,
	SECRET_MAX = 4096,
	KEY_SIZE = 32,
	IDENTITY_SIZE = CONF_NAME_MAX + CONF_HOST_MAX,
	RECORD_MAX = 16384,
};

#define PRIORITY_COMMON "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1"
#define PRIORITY_PSK PRIORITY_COMMON ":-KX-ALL:+ECDHE-PSK"
#define PRIORITY_CERT PRIORITY_COMMON

struct tls_creds {
	bool psk;
	char cluster[CONF_NAME_MAX];
	char peer_name[CONF_HOST_MAX];
	char peer_identity[IDENTITY_SIZE];
	unsigned char key[KEY_SIZE];
	gnutls_priority_t priority;
	gnutls_psk_client_credentials_t psk_client;
	gnutls_psk_server_credentials_t psk_server;
	gnutls_certificate_credentials_t cert;
};

struct tls_session {
	struct tls_creds *creds;
	gnutls_session_t session;
	bool open;
	size_t pending;           /* bytes that gnutls holds of an unfinished send */
	char note[160];           /* what a callback found wrong */
};

static int lib_err(struct err *err, const char *where, int ret, const char *what)
{
	return err_set(err, ERR_REFUSED, EINVAL, where, "%s: %s", what, gnutls_strerror(ret));
}

/* ---- the pre-shared key */

static int read_secret(const char *path, char *buf, size_t *len, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot open the secret file");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, EINVAL, path, "the secret file is not a regular file");
	n = read(fd, buf, SECRET_MAX);
	if (n < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot read the secret file");
	*len = (size_t)n;
	return 0;
}

static int load_key(struct tls_creds *c, const char *path, struct err *err)
{
	char text[SECRET_MAX];
	size_t start = 0, len = 0;
	int ret = read_secret(path, text, &len, err);

	if (ret < 0)
		return ret;
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	while (start < len && isspace((unsigned char)text[start]))
		start++;
	if (len - start < SECRET_MIN || len == SECRET_MAX) {
		ret = err_set(err, ERR_REFUSED, EINVAL, path,
			      "the secret must have %d to %d characters", (int)SECRET_MIN,
			      (int)SECRET_MAX - 1);
		err_remedy(err, "make one with: openssl rand -hex 32");
	} else {
		ret = gnutls_hash_fast(GNUTLS_DIG_SHA256, text + start, len - start, c->key);
		if (ret < 0)
			ret = lib_err(err, path, ret, "cannot derive the key");
	}
	gnutls_memset(text, 0, sizeof(text));
	return ret;
}

static int give_key(gnutls_session_t session, const gnutls_datum_t *name, gnutls_datum_t *key)
{
	struct tls_session *s = gnutls_session_get_ptr(session);
	const struct tls_creds *c = s->creds;
	char shown[64];
	size_t i, n;

	if (name->size == strlen(c->peer_identity) &&
	    !memcmp(name->data, c->peer_identity, name->size)) {
		key->data = gnutls_malloc(KEY_SIZE);
		if (!key->data)
			return GNUTLS_E_MEMORY_ERROR;
		memcpy(key->data, c->key, KEY_SIZE);
		key->size = KEY_SIZE;
		return 0;
	}
	n = name->size < sizeof(shown) - 1 ? name->size : sizeof(shown) - 1;
	for (i = 0; i < n; i++)
		shown[i] = isprint(name->data[i]) ? (char)name->data[i] : '?';
	shown[n] = '\0';
	snprintf(s->note, sizeof(s->note), "it says it is \"%s\", expected \"%s\"", shown,
		 c->peer_identity);
	return GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
}

static int init_psk(struct tls_creds *c, const struct conf *conf, int self, struct err *err)
{
	const char *path = conf->cluster.secret_file;
	char identity[IDENTITY_SIZE];
	gnutls_datum_t key = { c->key, KEY_SIZE };
	gnutls_datum_t name = { (unsigned char *)identity, 0 };
	int ret = load_key(c, path, err);

	if (ret < 0)
		return ret;
	snprintf(identity, sizeof(identity), "%s/%s", conf->cluster.name, conf->nodes[self].name);
	name.size = (unsigned)strlen(identity);
	snprintf(c->peer_identity, sizeof(c->peer_identity), "%s/%s", conf->cluster.name,
		 c->peer_name);
	ret = gnutls_psk_allocate_client_credentials(&c->psk_client);
	if (ret >= 0)
		ret = gnutls_psk_set_client_credentials2(c->psk_client, &name, &key,
							 GNUTLS_PSK_KEY_RAW);
	if (ret >= 0)
		ret = gnutls_psk_allocate_server_credentials(&c->psk_server);
	if (ret < 0)
		return lib_err(err, path, ret, "cannot use the key");
	gnutls_psk_set_server_credentials_function2(c->psk_server, give_key);
	return 0;
}

/* ---- certificates */

static int init_cert(struct tls_creds *c, const struct conf_cluster *cl, struct err *err)
{
	int ret = gnutls_certificate_allocate_credentials(&c->cert);

	if (ret < 0)
		return lib_err(err, cl->tls_cert, ret, "cannot use certificates");
	ret = gnutls_certificate_set_x509_trust_file(c->cert, cl->tls_ca, GNUTLS_X509_FMT_PEM);
	if (ret <= 0)
		return lib_err(err, cl->tls_ca, ret ? ret : GNUTLS_E_NO_CERTIFICATE_FOUND,
			       "cannot use the CA certificate");
	ret = gnutls_certificate_set_x509_key_file(c->cert, cl->tls_cert, cl->tls_key,
						   GNUTLS_X509_FMT_PEM);
	if (ret < 0)
		return lib_err(err, cl->tls_cert, ret, "cannot use the certificate and its key");
	return 0;
}

int tls_creds_new(const struct conf *conf, int self, struct tls_creds **out, struct err *err)
{
	struct tls_creds *c = calloc(1, sizeof(*c));
	const char *bad;
	int ret;

	if (!c)
		return err_set(err, ERR_SYSTEM, ENOMEM, "tls", "cannot read the keys");
	c->psk = conf->cluster.secret_file[0] != '\0';
	strcpy(c->cluster, conf->cluster.name);
	strcpy(c->peer_name, conf->nodes[!self].name);
	ret = gnutls_priority_init(&c->priority, c->psk ? PRIORITY_PSK : PRIORITY_CERT, &bad);
	if (ret < 0)
		ret = lib_err(err, "tls", ret, "the library lacks TLS 1.3");
	else if (c->psk)
		ret = init_psk(c, conf, self, err);
	else
		ret = init_cert(c, &conf->cluster, err);
	if (ret < 0) {
		tls_creds_free(c);
		return ret;
	}
	*out = c;
	return 0;
}

void tls_creds_free(struct tls_creds *c)
{
	if (!c)
		return;
	if (c->psk_client)
		gnutls_psk_free_client_credentials(c->psk_client);
	if (c->psk_server)
		gnutls_psk_free_server_credentials(c->psk_server);
	if (c->cert)
		gnutls_certificate_free_credentials(c->cert);
	if (c->priority)
		gnutls_priority_deinit(c->priority);
	gnutls_memset(c->key, 0, sizeof(c->key));
	free(c);
}

/* ---- sessions */

static int set_creds(struct tls_session *s, bool server)
{
	struct tls_creds *c = s->creds;

	if (c->psk)
		return gnutls_credentials_set(s->session, GNUTLS_CRD_PSK,
					      server ? (void *)c->psk_server : (void *)c->psk_client);
	if (server)
		gnutls_certificate_server_set_request(s->session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert(s->session, c->peer_name, 0);
	return gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, c->cert);
}

int tls_session_new(struct tls_creds *c, int fd, bool server, struct tls_session **out)
{
	struct tls_session *s = calloc(1, sizeof(*s));
	gnutls_datum_t alpn = { (unsigned char *)c->cluster, (unsigned)strlen(c->cluster) };
	unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;
	int ret;

	if (!s)
		return -ENOMEM;
	s->creds = c;
	ret = gnutls_init(&s->session, flags | (server ? GNUTLS_SERVER : GNUTLS_CLIENT));
	if (ret >= 0) {
		gnutls_session_set_ptr(s->session, s);
		gnutls_transport_set_int(s->session, fd);
		/* The connection has a deadline of its own. */
		gnutls_handshake_set_timeout(s->session, GNUTLS_INDEFINITE_TIMEOUT);
		ret = gnutls_priority_set(s->session, c->priority);
	}
	if (ret >= 0)
		ret = gnutls_alpn_set_protocols(s->session, &alpn, 1, GNUTLS_ALPN_MANDATORY);
	if (ret >= 0)
		ret = set_creds(s, server);
	if (ret < 0) {
		tls_session_free(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void tls_session_free(struct tls_session *s)
{
	if (!s)
		return;
	if (s->session) {
		/* In the middle of a record a goodbye would only be garbage. */
		if (s->open && !s->pending)
			gnutls_bye(s->session, GNUTLS_SHUT_WR);
		gnutls_deinit(s->session);
	}
	free(s);
}

/* The library's error in words that lead somewhere. */
static int explain(struct tls_session *s, int ret, char *why, size_t size)
{
	const char *alert = "", *hint = "";

	if (ret == GNUTLS_E_FATAL_ALERT_RECEIVED || ret == GNUTLS_E_WARNING_ALERT_RECEIVED)
		alert = gnutls_alert_get_name(gnutls_alert_get(s->session));
	if (s->note[0])
		hint = s->note;
	else if (ret == GNUTLS_E_NO_APPLICATION_PROTOCOL || strstr(alert, "application protocol"))
		hint = "it belongs to another cluster";
	else if (ret == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		hint = "its certificate is not signed by our CA or not its own";
	else if (s->creds->psk && !s->open && (ret == GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER ||
					       ret == GNUTLS_E_DECRYPTION_FAILED || *alert))
		hint = "is the secret file the same on both nodes?";
	snprintf(why, size, "%s: %s%s%s%s%s", s->open ? "TLS" : "TLS handshake failed",
		 gnutls_strerror(ret), *alert ? " " : "", alert, *hint ? "; " : "", hint);
	if (!s->open)
		gnutls_alert_send_appropriate(s->session, ret);
	s->open = false;
	return -EPROTO;
}

static bool again(int ret)
{
	return ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED;
}

int tls_session_handshake(struct tls_session *s, char *why, size_t size)
{
	int ret = gnutls_handshake(s->session);

	if (again(ret))
		return -EAGAIN;
	/* Not fatal, an alert of level warning: the next record decides. */
	if (ret < 0 && !gnutls_error_is_fatal(ret))
		return -EAGAIN;
	if (ret < 0)
		return explain(s, ret, why, size);
	s->open = true;
	return 0;
}

bool tls_session_wants_write(const struct tls_session *s)
{
	return gnutls_record_get_direction(s->session) == 1;
}

ssize_t tls_session_recv(struct tls_session *s, void *buf, size_t size, char *why, size_t why_size)
{
	ssize_t n = gnutls_record_recv(s->session, buf, size);

	if (n >= 0)
		return n;
	if (again((int)n))
		return -EAGAIN;
	return explain(s, (int)n, why, why_size);
}

ssize_t tls_session_send(struct tls_session *s, const void *buf, size_t len, char *why,
			 size_t why_size)
{
	size_t chunk = len < RECORD_MAX ? len : RECORD_MAX;
	ssize_t n;

	if (s->pending)
		n = gnutls_record_send(s->session, NULL, 0);
	else
		n = gnutls_record_send(s->session, buf, chunk);
	if (again((int)n)) {
		if (!s->pending)
			s->pending = chunk;
		return -EAGAIN;
	}
	s->pending = 0;
	return n >= 0 ? n : explain(s, (int)n, why, why_size);
}
