/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ganesha configuration of a group, as text (nfs-ganesha 4.3). Pure.
 */
#ifndef NASD_CONF_GANESHA_CONF_H
#define NASD_CONF_GANESHA_CONF_H

#include <stdbool.h>
#include <stddef.h>

struct conf_group;
struct conf_export;

/* Where a group's ganesha keeps its things; all paths absolute. */
struct ganesha_paths {
	const char *state_dir;   /* NULL: GANESHA_STATE_DIR. Records are in state_dir/<group>/v4recov/node<I> */
	const char *plugins_dir; /* NULL: ganesha's own */
	const char *module_socket; /* of nasd's module, which is in plugins_dir; NULL: without it */
	const char *dbus_prefix; /* NULL: none. Two ganeshas on one bus need different ones; the name
				  * is then <prefix>.org.ganesha.nfsd, which the bus refuses unless
				  * its policy allows it (Debian's allows only org.ganesha.nfsd) */
};

#define GANESHA_STATE_DIR "/var/lib/nasd"
#define GANESHA_RECOV_DIR "v4recov"

/*
 * The warm standby's file: core parameters, NFSv4, recovery; no exports. The
 * text is the same for both nodes (handles, owner and scope must be); node (0
 * or 1) only stands in its comment. Start ganesha with `-I <node>` to have its
 * client records in node<node>, so that the peer's can be put beside them and
 * loaded with the grace event TAKE_NODEID. Returns the length, or -ENOSPC when
 * buf is too small (buf is then an empty string).
 */
int ganesha_conf_core(const struct conf_group *g, int node, const struct ganesha_paths *paths,
		      char *buf, size_t size);

/*
 * Exports that nobody gets anything of. The first makes ganesha load the module
 * where there is no export yet, and the module refuses it (ganesha loads what an
 * export names). The second, of the directory path, is added to a warm server and
 * taken away again, so that the first real one finds everything loaded. Their
 * ids are beyond those of the configuration. Return as above.
 */
enum { GANESHA_NO_EXPORT_ID = 65535, GANESHA_REHEARSAL_ID = 65534 };
int ganesha_conf_no_export(char *buf, size_t size);
int ganesha_conf_rehearsal(const char *path, char *buf, size_t size);

/* The EXPORT block that D-Bus AddExport reads ("EXPORT(Export_Id=N)"), over the
 * module or without. Returns as above. */
int ganesha_conf_export(const struct conf_group *g, const struct conf_export *e, bool module, char *buf,
			size_t size);

#endif
