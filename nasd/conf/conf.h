/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: one file, the same on both nodes.
 *
 * Loading is all or nothing: either a complete struct conf in which every
 * check of this room holds, or one error that names file:line and a remedy.
 * Values are decoded: durations are microseconds (fields *_us), sizes bytes,
 * addresses binary and canonical text. All text is terminated and fits its
 * field. Only conf_load_file and conf_check_host touch the file system.
 */
#ifndef NASD_CONF_CONF_H
#define NASD_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum {
	CONF_NODES = 2,
	CONF_WITNESSES_MAX = 4,
	CONF_NODE_ADDRESSES_MAX = 4, /* link addresses of one node */
	CONF_GROUPS_MAX = 16,
	CONF_EXPORTS_MAX = 16,   /* of one group */
	CONF_ADDRESSES_MAX = 8,  /* floating addresses of one group */
	CONF_CLIENTS_MAX = 32,   /* client networks of one export */
	CONF_FENCES_MAX = 16,
	CONF_HYPERVISORS_MAX = 16,
	CONF_FENCES_NODE_MAX = 8, /* for one node; as FENCE_DEVICES_MAX */

	CONF_NAME_MAX = 32, /* cluster, groups, exports, DRBD resources; with the NUL, as all below */
	CONF_HOST_MAX = 32,
	CONF_PATH_MAX = 256,
	CONF_OPTIONS_MAX = 256, /* mount options */
	CONF_IFNAME_MAX = 16,
	CONF_IP_MAX = 46,       /* an address as text */
	CONF_NET_MAX = 50,      /* an address with its prefix length */
	CONF_UUID_MAX = 37,
	CONF_HASH_MAX = 65,
	CONF_URI_MAX = 256,
	CONF_FILE_MAX = 1 << 20, /* bytes in a configuration file */

	/* as fence/agent_call.h has them */
	CONF_FENCE_OPTIONS_MAX = 16,
	CONF_FENCE_KEY_MAX = 32,
	CONF_FENCE_VALUE_MAX = 128,
	CONF_FENCE_PATH_MAX = 128,
};

/* With trigger = pacemaker both nodes have this one device: it asks Pacemaker. */
#define CONF_PACEMAKER_AGENT "/usr/sbin/fence_nasd_pacemaker"

enum conf_trigger {
	CONF_TRIGGER_MANUAL,
	CONF_TRIGGER_PACEMAKER,  /* it fences too: no node has a fence device */
	CONF_TRIGGER_KEEPALIVED, /* with this one and the next each node has a fence device */
	CONF_TRIGGER_HEARTBEAT,
};

enum conf_access {
	CONF_ACCESS_RO,
	CONF_ACCESS_RW,
};

/* Off: the clients always reclaim. */
enum conf_migrate { CONF_MIGRATE_AUTO, CONF_MIGRATE_OFF };

/* What becomes of a server that fails again and again, or cannot be started again
 * in place: it is tried further, or the group goes to the other node. */
enum conf_failure { CONF_FAILURE_RESTART, CONF_FAILURE_SWITCHOVER };

enum conf_squash {
	CONF_SQUASH_NO_ROOT, /* nobody is mapped: a client's root is root */
	CONF_SQUASH_ROOT,    /* root becomes nobody */
	CONF_SQUASH_ALL,     /* everyone becomes nobody */
};

/* An IP address. */
struct conf_ip {
	int family;             /* AF_INET or AF_INET6; 0: none */
	uint8_t bytes[16];      /* network order; the first 4 for AF_INET */
	char text[CONF_IP_MAX]; /* canonical (inet_ntop) */
};

/* A network, or an address inside one. */
struct conf_net {
	struct conf_ip ip;
	uint8_t prefix;          /* bits */
	char text[CONF_NET_MAX]; /* canonical "address/prefix" */
};

struct conf_node {
	char name[CONF_HOST_MAX]; /* the host name, as gethostname(2) gives it */
	struct conf_ip addresses[CONF_NODE_ADDRESSES_MAX]; /* in order of preference */
	size_t n_addresses;
};

struct conf_cluster {
	char name[CONF_NAME_MAX];
	char secret_file[CONF_PATH_MAX]; /* pre-shared key; empty: certificates */
	char tls_cert[CONF_PATH_MAX];
	char tls_key[CONF_PATH_MAX];
	char tls_ca[CONF_PATH_MAX];
	enum conf_trigger trigger;
	uint64_t heartbeat_interval_us;
	uint64_t dead_after_us;
	/* Before a standby fences: the delay, and 0 up to the random one more. */
	uint64_t takeover_delay_us, takeover_delay_random_us;
	uint64_t hold_down_us;
	/* Who should answer a node that is not cut off, besides the clients: routers. */
	struct conf_ip witness[CONF_WITNESSES_MAX];
	size_t n_witness;
	uint64_t fence_retry_us; /* from a failed run to the next */
	uint16_t peer_port; /* host order, as all ports here */
};

/* What a fence agent is told besides the action and the node. */
struct conf_fence_option {
	char key[CONF_FENCE_KEY_MAX], value[CONF_FENCE_VALUE_MAX];
};

/* A device that switches a node off. */
struct conf_fence {
	char name[CONF_NAME_MAX];
	char node_name[CONF_HOST_MAX];
	int node;           /* its index: whom the device switches off */
	char agent[CONF_FENCE_PATH_MAX]; /* the program, absolute */
	struct conf_fence_option options[CONF_FENCE_OPTIONS_MAX];
	size_t n_options;
	uint16_t level;     /* 1 and up; all devices of a level must succeed */
	uint16_t retries;   /* further tries after a failed one */
	uint64_t timeout_us; /* of one call */
	uint64_t retry_wait_us;
	bool verify;        /* ask for the status until it says off */
	uint64_t verify_limit_us, verify_every_us;
};

/* A hypervisor whose guests have their disks on our exports. */
struct conf_hypervisor {
	char name[CONF_HOST_MAX];
	char uri[CONF_URI_MAX];         /* libvirt's, of its qemu driver */
	char migrate_uri[CONF_URI_MAX]; /* where guests are sent to; empty: libvirt chooses */
	struct conf_fence_option mounts[CONF_EXPORTS_MAX]; /* an export's name, where it is mounted there */
	size_t n_mounts;
};

struct conf_drbd {
	char resource[CONF_NAME_MAX];
	char device[CONF_PATH_MAX]; /* "/dev/drbdN" */
	uint32_t minor;             /* that N */
};

struct conf_filesystem {
	char mount[CONF_PATH_MAX];
	char type[CONF_NAME_MAX]; /* "ext4" or "xfs" */
	char options[CONF_OPTIONS_MAX]; /* as mount -o takes them; may be empty */
	char uuid[CONF_UUID_MAX]; /* lower case */
};

struct conf_export {
	char name[CONF_NAME_MAX];
	uint16_t id;
	char path[CONF_PATH_MAX];
	char pseudo[CONF_PATH_MAX];
	struct conf_net clients[CONF_CLIENTS_MAX];
	size_t n_clients;
	enum conf_access access;
	enum conf_squash squash;
};

/* A floating address. */
struct conf_address {
	struct conf_net net;
	char interface[CONF_IFNAME_MAX];
};

struct conf_nfs {
	uint16_t port;
	uint64_t lease_us; /* whole seconds, as grace_us */
	uint64_t grace_us;
	struct conf_ip bind; /* family 0: all addresses */
	uint64_t reclaim_wait_us; /* whole seconds; 0: as long as grace */
	uint64_t record_wait_us;  /* 0: no answer waits for a record */
	enum conf_migrate migrate; /* whether the clients' state moves with a switchover */
	uint64_t hung_after_us; /* a server that answers nothing for so long is replaced; 0: never */
};

/* Deadlines and thresholds of a move. */
struct conf_limits {
	uint64_t switchover_us; /* a planned move, from the request to the report */
	uint64_t precopy_us;    /* getting the dirty data down before the freeze */
	uint64_t freeze_us;     /* from the closed gate to the commitment; then roll back */
	uint64_t step_us;       /* any other single step */
	uint64_t dirty_bytes;   /* the freeze begins when no more than this is dirty */
};

struct conf_group {
	char name[CONF_NAME_MAX];
	uint16_t id;
	enum conf_failure on_failure;
	struct conf_drbd drbd;
	struct conf_filesystem fs;
	struct conf_export exports[CONF_EXPORTS_MAX]; /* in the file's order */
	size_t n_exports;
	struct conf_address addresses[CONF_ADDRESSES_MAX];
	size_t n_addresses;
	struct conf_nfs nfs;
	struct conf_limits limits;
};

struct conf {
	struct conf_cluster cluster;
	struct conf_node nodes[CONF_NODES]; /* in the file's order: index 0 and 1 */
	struct conf_group groups[CONF_GROUPS_MAX];
	size_t n_groups;
	struct conf_fence fences[CONF_FENCES_MAX]; /* in the file's order */
	size_t n_fences;
	struct conf_hypervisor hypervisors[CONF_HYPERVISORS_MAX]; /* in the file's order */
	size_t n_hypervisors;
	char hash[CONF_HASH_MAX]; /* SHA-256 of the canonical dump, lower-case hex */
};

/*
 * Reads and checks the file. On success *out is to be freed with conf_free.
 * Errors: ERR_SYSTEM when the file cannot be read, else as conf_load_text.
 */
int conf_load_file(const char *path, struct conf **out, struct err *err);

/*
 * The same from memory; name stands for the file in errors. text need not be
 * terminated. Errors: ERR_INPUT with where = "name:line". Not to be called from
 * two threads at once (libconfuse's scanner has static state).
 */
int conf_load_text(const char *name, const char *text, size_t len, struct conf **out,
		   struct err *err);

/* c may be NULL. */
void conf_free(struct conf *c);

/*
 * The canonical text: every option, defaults included, in a fixed order and
 * form. Loading it gives an equal struct conf. The caller frees it; NULL when
 * memory is out.
 */
char *conf_dump(const struct conf *c);

/*
 * The same for showing: "***" in place of what fence agents are told in secret
 * (conf_fence_is_secret), with a comment that says so.
 */
char *conf_dump_shown(const struct conf *c);

/* Does the option's name say that its value is a password or the like? A script
 * that prints one is none. */
bool conf_fence_is_secret(const char *key);
bool conf_has_secrets(const struct conf *c);

/* 0 or 1; -1 when no node has that name. */
int conf_node_index(const struct conf *c, const char *hostname);

/* NULL when there is none. */
const struct conf_hypervisor *conf_hypervisor_find(const struct conf *c, const char *name);
const struct conf_group *conf_group_find(const struct conf *c, const char *name);
const struct conf_group *conf_group_find_id(const struct conf *c, uint16_t id);

const char *conf_trigger_name(enum conf_trigger t);
const char *conf_access_name(enum conf_access a);
const char *conf_squash_name(enum conf_squash s);
const char *conf_migrate_name(enum conf_migrate m);
const char *conf_failure_name(enum conf_failure f);

/*
 * What only this host can tell, for nodes[node]: the secret (or key) is there,
 * a regular file of root's or ours, not readable by others; the interfaces of
 * the floating addresses exist; the mount points are directories; the agents
 * that fence the other node are programs that only root can change; file, where
 * c was read (NULL: nowhere), is not readable by others when it holds secrets.
 * Stops at the first failure. Errors: ERR_REFUSED with a remedy.
 */
int conf_check_host(const struct conf *c, int node, const char *file, struct err *err);

#endif
