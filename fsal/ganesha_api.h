/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * nfs-ganesha's headers, in the order that they need. Only the glue includes
 * this; what is pure never does.
 */
#ifndef FSAL_GANESHA_API_H
#define FSAL_GANESHA_API_H

#include "config.h"

#include "fsal.h"
#include "nfs_core.h"
#include "sal_data.h"
#include "sal_functions.h"
#include "nfs_proto_data.h"
#include "nfs_proto_functions.h"
#include "nfs_init.h"

#endif
