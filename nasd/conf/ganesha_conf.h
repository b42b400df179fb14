/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ganesha configuration of a group, as text (nfs-ganesha 4.3). Pure.
 */
#ifndef NASD_CONF_GANESHA_CONF_H
#define NASD_CONF_GANESHA_CONF_H

#include <stddef.h>

struct conf_group;
struct conf_export;

/* Where a group's ganesha keeps its things; all paths absolute. */
struct ganesha_paths {
	const char *state_dir;   /* usually GANESHA_STATE_DIR: state_dir/<group>/v4recov */
	const char *plugins_dir; /* NULL: ganesha's own */
};

#define GANESHA_STATE_DIR "/var/lib/nasd"

/*
 * The warm standby's file: core parameters, NFSv4, recovery; no exports. The
 * same on both nodes but for nothing: node (0 or 1) is reserved for what may
 * have to differ. Returns the length, or -ENOSPC when buf is too small (buf is
 * then an empty string).
 */
int ganesha_conf_core(const struct conf_group *g, int node, const struct ganesha_paths *paths,
		      char *buf, size_t size);

/* The EXPORT block that D-Bus AddExport reads. Returns as above. */
int ganesha_conf_export(const struct conf_group *g, const struct conf_export *e, char *buf,
			size_t size);

#endif
