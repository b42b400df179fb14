/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The config.h that Debian's build of nfs-ganesha 4.3-2 used, as far as headers
 * depend on it. fsal/headers.sh copies it to where ganesha's headers find it.
 *
 * Each line decides the layout of structures that the library and the module
 * share; a wrong one is not noticed by the compiler. What was measured (by the
 * sizes of 21 structures and nfs_param, and by FSAL_NULL built so, which
 * disassembles like Debian's):
 *
 *   _HAVE_GSSAPI           nfs41_session 2480, without 2448; nfs_client_id 1216, 1184
 *   _USE_NLM, _USE_9P      the values of enum state_owner_type
 *   _USE_NFS3, _USE_NLM,
 *   _USE_RQUOTA, USE_NFSACL3    nfs_param, 512
 *   _USE_NFS_RDMA (not set)     nfs_param, 520
 *   DEBUG_SAL (not set)         state_t 216, with it 232
 *
 * fsal/layout.c has the sizes as assertions.
 */
#ifndef CONFIG_H
#define CONFIG_H

#define GANESHA_VERSION_MAJOR 4
#define NFS_GANESHA 1
#define LINUX 1
#define LITTLEEND 1
#define HAVE_STRING_H 1
#define HAVE_STRNLEN 1
#define HAVE_URCU_REF_GET_UNLESS_ZERO 1
#define GSH_CAN_HOST_LOCAL_FS 1
#define USE_DBUS 1
#define USE_CAPS 1
#define USE_BLKID 1
#define USE_NFSIDMAP 1
#define USE_NFSACL3 1
#define USE_RADOS_RECOV 1
#define RADOS_URLS 1
#define HAVE_KRB5 1
#define _HAVE_GSSAPI 1
#define _MSPAC_SUPPORT 1
#define _USE_9P 1
#define _USE_NFS3 1
#define _USE_NLM 1
#define _USE_RQUOTA 1
#define NFS_V4_RECOV_ROOT "/var/lib/nfs/ganesha"
#define _LGPL_SOURCE 1

#endif
