/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "verifier.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

/* ganesha's callback carries no pointer of ours, so this is global. */
static _Atomic uint64_t verifier;
_Static_assert(sizeof(verifier) == NFS4_VERIFIER_SIZE, "a verifier is one word");

int verifier_init(struct fault *fault)
{
	uint64_t random;

	if (atomic_load(&verifier))
		return 0;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return fault_set(fault, EIO, "no random numbers");
	atomic_store(&verifier, random);
	return 0;
}

static void answer(struct fsal_export *export, struct gsh_buffdesc *out)
{
	uint64_t v = atomic_load(&verifier);

	(void)export;
	memcpy(out->addr, &v, out->len < sizeof(v) ? out->len : sizeof(v));
}

void verifier_install(struct fsal_export *export)
{
	export->exp_ops.get_write_verifier = answer;
}

void verifier_get(unsigned char out[NFS4_VERIFIER_SIZE])
{
	uint64_t v = atomic_load(&verifier);

	memcpy(out, &v, sizeof(v));
}

void verifier_set(const unsigned char from[NFS4_VERIFIER_SIZE])
{
	uint64_t v;

	memcpy(&v, from, sizeof(v));
	atomic_store(&verifier, v);
}
