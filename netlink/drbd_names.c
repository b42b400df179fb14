/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drbd.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { DRBD_MAJOR = 147 }; /* Documentation/admin-guide/devices.txt */

const char *drbd_role_name(enum drbd_role role)
{
	switch (role) {
	case DRBD_ROLE_UNKNOWN: return "Unknown";
	case DRBD_PRIMARY: return "Primary";
	case DRBD_SECONDARY: return "Secondary";
	}
	return "?";
}

const char *drbd_conn_name(enum drbd_conn conn)
{
	static const char *const names[] = {
		"StandAlone", "Disconnecting", "Unconnected", "Timeout", "BrokenPipe",
		"NetworkFailure", "ProtocolError", "TearDown", "WFConnection", "WFReportParams",
		"Connected", "StartingSyncS", "StartingSyncT", "WFBitMapS", "WFBitMapT",
		"WFSyncUUID", "SyncSource", "SyncTarget", "VerifyS", "VerifyT",
		"PausedSyncS", "PausedSyncT", "Ahead", "Behind",
	};

	return (unsigned)conn < sizeof(names) / sizeof(names[0]) ? names[conn] : "?";
}

const char *drbd_disk_name(enum drbd_disk disk)
{
	static const char *const names[] = {
		"Diskless", "Attaching", "Failed", "Negotiating", "Inconsistent",
		"Outdated", "DUnknown", "Consistent", "UpToDate",
	};

	return (unsigned)disk < sizeof(names) / sizeof(names[0]) ? names[disk] : "?";
}

const char *drbd_fencing_name(enum drbd_fencing fencing)
{
	switch (fencing) {
	case DRBD_FENCING_UNKNOWN: break;
	case DRBD_FENCING_DONT_CARE: return "dont-care";
	case DRBD_FENCING_RESOURCE: return "resource-only";
	case DRBD_FENCING_STONITH: return "resource-and-stonith";
	}
	return "";
}

int drbd_minor_of(const char *device, unsigned *minor_out, struct err *e)
{
	struct stat st;

	if (stat(device, &st) < 0) {
		int ret = err_set(e, ERR_SYSTEM, errno, device, "cannot find the DRBD device");

		err_remedy(e, "bring the resource up (drbdadm up), or correct the device's path");
		return ret;
	}
	if (!S_ISBLK(st.st_mode) || major(st.st_rdev) != DRBD_MAJOR) {
		err_set(e, ERR_INPUT, EINVAL, device, "this is not a DRBD device");
		err_remedy(e, "give the path of the DRBD device, such as /dev/drbd0");
		return -EINVAL;
	}
	*minor_out = minor(st.st_rdev);
	return 0;
}
