/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The sizes that structures have in Debian's build of nfs-ganesha 4.3-2. They
 * follow from the options in ganesha_config.h; a wrong option stops the build
 * here instead of a server at run time.
 */
#include "ganesha_api.h"

_Static_assert(sizeof(struct nfs41_session) == 2480, "nfs41_session");
_Static_assert(sizeof(struct nfs_client_id_t) == 1216, "nfs_client_id_t");
_Static_assert(sizeof(struct state_t) == 216, "state_t");
_Static_assert(sizeof(nfs_param) == 512, "nfs_param: what nm -S says of the library's");
_Static_assert(FSAL_MAJOR_VERSION == 11 && FSAL_MINOR_VERSION == 0, "another FSAL interface");
