/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates instead of a shared secret: a CA and two nodes, made here.
 */
#include "tls.h"
#include "scratch.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

struct authority {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
};

static char root[64];

static void write_pem(const char *name, const gnutls_datum_t *pem)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(pem->data, 1, pem->size, f), pem->size);
	fclose(f);
}

static gnutls_x509_privkey_t make_key(void)
{
	gnutls_x509_privkey_t key;

	ck_assert_int_eq(gnutls_x509_privkey_init(&key), 0);
	ck_assert_int_eq(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
						      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
						      0), 0);
	return key;
}

static gnutls_x509_crt_t make_crt(gnutls_x509_privkey_t key, const char *name, unsigned char serial)
{
	gnutls_x509_crt_t crt;

	ck_assert_int_eq(gnutls_x509_crt_init(&crt), 0);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, &serial, 1);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
				      (unsigned)strlen(name));
	gnutls_x509_crt_set_key(crt, key);
	return crt;
}

static void make_authority(struct authority *a, const char *file)
{
	gnutls_datum_t pem;

	a->key = make_key();
	a->crt = make_crt(a->key, "test CA", 1);
	gnutls_x509_crt_set_basic_constraints(a->crt, 1, -1);
	gnutls_x509_crt_set_key_usage(a->crt, GNUTLS_KEY_KEY_CERT_SIGN);
	ck_assert_int_eq(gnutls_x509_crt_sign2(a->crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0), 0);
	ck_assert_int_eq(gnutls_x509_crt_export2(a->crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_pem(file, &pem);
	gnutls_free(pem.data);
}

static void free_authority(struct authority *a)
{
	gnutls_x509_crt_deinit(a->crt);
	gnutls_x509_privkey_deinit(a->key);
}

/* FILE.crt and FILE.key of a node with this name. */
static void make_node(const struct authority *a, const char *name, const char *file)
{
	gnutls_x509_privkey_t key = make_key();
	gnutls_x509_crt_t crt = make_crt(key, name, 2);
	gnutls_datum_t pem;
	char path[64];

	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
					     GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	ck_assert_int_eq(gnutls_x509_crt_sign2(crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0), 0);
	ck_assert_int_eq(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	snprintf(path, sizeof(path), "%s.crt", file);
	write_pem(path, &pem);
	gnutls_free(pem.data);
	ck_assert_int_eq(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
	snprintf(path, sizeof(path), "%s.key", file);
	write_pem(path, &pem);
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static void setup(void)
{
	struct authority ca, other;

	strcpy(root, "/tmp/nasd-tls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	make_authority(&ca, "ca.crt");
	make_authority(&other, "other.crt");
	make_node(&ca, "nas1", "nas1");
	make_node(&ca, "nas2", "nas2");
	make_node(&ca, "nas3", "nas3");
	make_node(&other, "nas2", "forged");
	free_authority(&ca);
	free_authority(&other);
}

static void teardown(void)
{
	ck_assert_int_eq(scratch_remove(root), 0);
}

static struct tls_creds *creds(int self, const char *file, const char *ca, const char *cluster)
{
	static struct conf conf;
	struct tls_creds *c = NULL;
	struct err e = { 0 };

	memset(&conf, 0, sizeof(conf));
	strcpy(conf.cluster.name, cluster);
	strcpy(conf.nodes[0].name, "nas1");
	strcpy(conf.nodes[1].name, "nas2");
	snprintf(conf.cluster.tls_cert, CONF_PATH_MAX, "%s/%s.crt", root, file);
	snprintf(conf.cluster.tls_key, CONF_PATH_MAX, "%s/%s.key", root, file);
	snprintf(conf.cluster.tls_ca, CONF_PATH_MAX, "%s/%s", root, ca);
	ck_assert_msg(tls_creds_new(&conf, self, &c, &e) == 0, "%s: %s", e.where, e.msg);
	return c;
}

/* Runs both handshakes and one message each way; the reason of the first side
 * that refuses in why. TLS 1.3's client is done before the server has judged
 * it, so the message counts, not the handshake alone. */
static int talk(struct tls_creds *server, struct tls_creds *client, char *why, size_t size)
{
	struct tls_session *s[2] = { NULL, NULL };
	int fd[2], done[2] = { 0, 0 }, heard[2] = { 0, 0 }, ret = 0, i, turn;
	char buf[16];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	ck_assert_int_eq(tls_session_new(server, fd[0], true, &s[0]), 0);
	ck_assert_int_eq(tls_session_new(client, fd[1], false, &s[1]), 0);
	for (turn = 0; turn < 100 && ret == 0 && !(heard[0] && heard[1]); turn++) {
		for (i = 0; i < 2 && ret == 0; i++) {
			ssize_t n;

			if (!done[i]) {
				ret = tls_session_handshake(s[i], why, size);
				done[i] = ret == 0;
				if (done[i])
					ck_assert_int_eq(tls_session_send(s[i], "hi", 2, why, size), 2);
			} else if (!heard[i]) {
				n = tls_session_recv(s[i], buf, sizeof(buf), why, size);
				heard[i] = n == 2;
				ret = n < 0 ? (int)n : 0;
			}
			if (ret == -EAGAIN)
				ret = 0;
		}
	}
	if (ret == 0)
		ret = heard[0] && heard[1] ? 0 : -ETIMEDOUT;
	for (i = 0; i < 2; i++) {
		tls_session_free(s[i]);
		close(fd[i]);
	}
	tls_creds_free(server);
	tls_creds_free(client);
	return ret;
}

START_TEST(certificates)
{
	char why[256] = "";

	ck_assert_msg(talk(creds(0, "nas1", "ca.crt", "c"), creds(1, "nas2", "ca.crt", "c"), why,
			   sizeof(why)) == 0, "%s", why);
	/* Right CA, another node's name: as client and as server. */
	ck_assert_int_eq(talk(creds(0, "nas1", "ca.crt", "c"), creds(1, "nas3", "ca.crt", "c"), why,
			      sizeof(why)), -EPROTO);
	ck_assert_msg(strstr(why, "certificate") != NULL, "%s", why);
	ck_assert_int_eq(talk(creds(0, "nas3", "ca.crt", "c"), creds(1, "nas2", "ca.crt", "c"), why,
			      sizeof(why)), -EPROTO);
	ck_assert_msg(strstr(why, "certificate") != NULL, "%s", why);
	/* Right name, another CA. */
	ck_assert_int_eq(talk(creds(0, "nas1", "ca.crt", "c"), creds(1, "forged", "ca.crt", "c"), why,
			      sizeof(why)), -EPROTO);
	ck_assert_msg(strstr(why, "CA") != NULL, "%s", why);
	/* Another cluster under the same CA. */
	ck_assert_int_eq(talk(creds(0, "nas1", "ca.crt", "c"), creds(1, "nas2", "ca.crt", "d"), why,
			      sizeof(why)), -EPROTO);
	ck_assert_msg(strstr(why, "another cluster") != NULL, "%s", why);
}
END_TEST

START_TEST(bad_files)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct tls_creds *c = NULL;
	struct err e = { 0 };

	strcpy(conf->cluster.name, "c");
	snprintf(conf->cluster.tls_ca, CONF_PATH_MAX, "%s/nas1.key", root);
	ck_assert_int_lt(tls_creds_new(conf, 0, &c, &e), 0);
	ck_assert_int_eq(e.cls, ERR_REFUSED);
	/* A key that belongs to another certificate. */
	snprintf(conf->cluster.tls_ca, CONF_PATH_MAX, "%s/ca.crt", root);
	snprintf(conf->cluster.tls_cert, CONF_PATH_MAX, "%s/nas1.crt", root);
	snprintf(conf->cluster.tls_key, CONF_PATH_MAX, "%s/nas2.key", root);
	ck_assert_int_lt(tls_creds_new(conf, 0, &c, &e), 0);
	ck_assert_ptr_null(c);
	free(conf);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/tls");
	TCase *t = tcase_create("tls");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, certificates);
	tcase_add_test(t, bad_files);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
