/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "frame.h"

static const char boot_id_path[] = "/proc/sys/kernel/random/boot_id";

int identity_boot_id(char out[BOOT_ID_LEN], struct err *err)
{
	FILE *f = fopen(boot_id_path, "re");
	bool ok = f && fgets(out, BOOT_ID_LEN, f);

	if (f)
		fclose(f);
	if (!ok)
		return err_set(err, ERR_SYSTEM, errno, boot_id_path, "cannot be read");
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

static int make_secrets(struct peer_intro *out, struct err *err)
{
	unsigned char key[(PULSE_KEY_LEN - 1) / 2];
	int ret = gnutls_rnd(GNUTLS_RND_KEY, key, sizeof(key));

	if (ret >= 0)
		ret = gnutls_rnd(GNUTLS_RND_NONCE, &out->pulse_session, sizeof(out->pulse_session));
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, EIO, "pulse key", "no random bytes: %s", gnutls_strerror(ret));
	for (size_t i = 0; i < sizeof(key); i++)
		snprintf(out->pulse_key + 2 * i, 3, "%02x", key[i]);
	gnutls_memset(key, 0, sizeof(key));
	out->pulse_session &= INT64_MAX; /* what a message can carry */
	return 0;
}

int identity_make(const struct conf *conf, int self, struct peer_intro *out, struct err *err)
{
	int ret;

	memset(out, 0, sizeof(*out));
	snprintf(out->node, sizeof(out->node), "%s", conf->nodes[self].name);
	snprintf(out->version, sizeof(out->version), "%s", NASD_VERSION);
	out->protocol = FRAME_VERSION;
	memcpy(out->config_hash, conf->hash, sizeof(out->config_hash));
	ret = identity_boot_id(out->boot_id, err);
	return ret < 0 ? ret : make_secrets(out, err);
}
