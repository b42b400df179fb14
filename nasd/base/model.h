/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of nasd: what the decision core, the codecs and the adapters talk
 * about. Plain values only; nothing here allocates or does anything.
 *
 * Group: what moves as one. Epoch: a number that grows with each change of
 * owner of a group. Owner: the node that the newest epoch gives the group to;
 * only the owner can give it away (or lose it by a takeover with proof).
 */
#ifndef NASD_BASE_MODEL_H
#define NASD_BASE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum {
	NAME_MAX_LEN = 32,   /* node, group, resource and interface names */
	GROUP_ADDRS_MAX = 8, /* floating addresses of one group */
	ADDR_TEXT_MAX = 52,  /* "fd77:1::100/64" and longer */
	STEP_REPORTS_MAX = 64,
	FINDINGS_MAX = 32,
};

enum { NODE_NONE = -1 }; /* otherwise 0 or 1: the index in the configuration */

/* What came of an effect. Unknown (a timed-out command may have worked)
 * forbids retry and undo until the world has been looked at. */
enum outcome { OUTCOME_DONE = 0, OUTCOME_FAILED, OUTCOME_UNKNOWN };
const char *outcome_name(enum outcome o);

/* ---- steps: the rows of the table in core/steps.c, in the order they run */
enum step_id {
	STEP_NONE = 0,
	STEP_CHECK,          /* both: facts collected and judged */
	STEP_WARM,           /* target: ganesha warm, link up, mount point free */
	STEP_RESERVE,        /* both: epoch and intent journalled */
	STEP_PRESYNC,        /* source: syncfs until little is dirty */
	STEP_HOLD,           /* source: only where the requester wants to say when the freeze begins */
	STEP_CLIENTS,        /* source: the target holds every client record */
	STEP_GATE,           /* source: the freeze begins; requests held, their clients' state handed over */
	STEP_ADDRESS_DEL,    /* source */
	STEP_SERVER_STOP,    /* source: ganesha's tenure ends */
	STEP_UNMOUNT,        /* source */
	STEP_DRBD_SECONDARY, /* source */
	STEP_COMMIT,         /* both: from here it goes forward */
	STEP_DRBD_PRIMARY,   /* target */
	STEP_MOUNT,          /* target */
	STEP_EXPORT,         /* target: exports, and the clients' state or their records and grace */
	STEP_ADDRESS_ADD,    /* target */
	STEP_ANNOUNCE,       /* target: ARP/NA and tickles; the freeze ends */
	STEP_CONFIRM,        /* target: first client reply seen */
	STEP_REWARM,         /* source: ganesha started warm, as the standby's */
	STEP_DETECT,         /* before a takeover: from the dead node's last sign of life */
	STEP_FENCE,          /* before a takeover: until it was proven not to write */
	STEP_COUNT
};

/* "address-del" etc.: the names in the step table, journal and JSON. STEP_NONE
 * and anything outside the enum is "none"; an unknown name is STEP_NONE. */
const char *step_name(enum step_id id);
enum step_id step_by_name(const char *name);

/* What is done with a step. VERIFY asks the world whether the step's effect is
 * in place and changes nothing. */
enum step_op { OP_RUN, OP_VERIFY };

/* ---- facts: what one node sees of one group, collected by sys/facts.c */
enum server_state { SERVER_DOWN, SERVER_STARTING, SERVER_WARM, SERVER_SERVING };
const char *server_state_name(enum server_state s);

struct facts_address {
	char text[ADDR_TEXT_MAX]; /* as configured */
	char ifname[NAME_MAX_LEN];
	bool present;             /* on this node's interface */
	bool link_up;             /* interface exists, up, carrier */
	bool answered;            /* somebody else answers for it */
	char answered_mac[18];    /* who */
};

struct facts {
	bool valid;               /* false: not collected yet */
	int64_t collected_us;     /* begun then; monotonic, of the node that collected */
	char group[NAME_MAX_LEN];
	/* DRBD, with the kernel's own words ("Primary", "Connected", "UpToDate") */
	bool drbd_known;
	char drbd_error[160];     /* why not known */
	char drbd_role[NAME_MAX_LEN], drbd_peer_role[NAME_MAX_LEN];
	char drbd_cstate[NAME_MAX_LEN];
	char drbd_disk[NAME_MAX_LEN], drbd_peer_disk[NAME_MAX_LEN];
	uint64_t drbd_out_of_sync; /* bytes */
	bool drbd_suspended;
	char drbd_fencing[NAME_MAX_LEN]; /* "resource-and-stonith" etc.; empty: not known */
	bool drbd_changed_alone;   /* written to since it lost the peer (its bitmap has a UUID) */
	int64_t drbd_alone_wall_us; /* seen without its peer since then, wall clock; 0: connected */
	/* filesystem */
	bool mount_dir_exists;
	bool mounted;             /* our device on our mount point */
	bool mount_dir_busy;      /* something else is mounted there */
	bool device_mounted_elsewhere;
	char fs_uuid[40];         /* read from the disk; empty when unreadable */
	bool fs_readonly;
	uint64_t fs_size_bytes, fs_free_bytes; /* while mounted; free: for those who are not root */
	uint64_t dirty_bytes;     /* system-wide, /proc/meminfo Dirty+Writeback */
	/* server */
	enum server_state server;
	int server_pid;           /* 0 when none */
	char server_error[160];
	bool server_answers;      /* an NFS NULL call at the floating address; only while serving */
	int64_t server_unanswered_ms; /* ... not since; 0: it does, or was not asked */
	int64_t server_silent_ms; /* ... nor D-Bus or the module */
	unsigned exports_present; /* of the group's exports, how many it serves */
	unsigned exports_wanted;
	bool in_grace;
	bool state_moves;         /* this node's server can give and take its clients' state */
	char state_reason[160];   /* why not */
	/* clients */
	unsigned clients;         /* client records held (active) or replicated (standby) */
	unsigned connections;     /* established on the floating addresses */
	/* addresses */
	unsigned n_addresses;
	struct facts_address addresses[GROUP_ADDRS_MAX];
	/* own storage */
	bool journal_ok;
	char journal_error[160];
};

/* Little room is left in the mounted filesystem: below 1%, or 64 MiB where that is less. */
bool facts_fs_full(const struct facts *f);

/* DRBD replicates and no resync runs: "Connected" in 8.4, "Established" in 9. */
bool facts_drbd_connected(const struct facts *f);

/* One line of the preflight: a precondition, whether it holds, and the remedy. */
struct finding {
	char check[40];           /* stable name: "drbd-uptodate" */
	int node;                 /* where, index; NODE_NONE: the pair */
	bool ok;
	char message[200];
	char remedy[200];         /* empty when ok */
};

/* ---- a run of a step, for the timeline */
struct step_report {
	enum step_id step;
	int node;
	enum outcome outcome;
	int64_t start_us;         /* monotonic, of the reporting node */
	int64_t duration_us;
	bool skipped;             /* its effect was in place already */
	char message[200];        /* the error, or a word of detail */
};

/* ---- the messages between the two nasd (wire/peer_msg.h encodes them) */
enum msg_type {
	MSG_HELLO = 1,   /* for each group, after INTRO and after each change of state */
	MSG_HEARTBEAT,
	MSG_FACTS_REQ,
	MSG_FACTS,
	MSG_PREPARE,     /* source -> target: reserve under this epoch */
	MSG_PREPARED,
	MSG_REFUSED,     /* answer to PREPARE or CLAIM, with the error */
	MSG_COMMIT,      /* source -> target: the group is yours */
	MSG_ABORT,       /* source -> target: it stays with me */
	MSG_DONE,        /* target -> source: serving */
	MSG_STEP,        /* either: a step's report, for the other's timeline */
	MSG_CLAIM,       /* takeover by agreement: I want the group under this epoch */
	MSG_CLAIMED,
	MSG_REQUEST,     /* standby -> owner: an operator asks for a switchover */
	MSG_REPLY,       /* the answer to REQUEST */
	MSG_CLIENTS,     /* active -> standby: client records (full, add or delete) */
	MSG_CLIENTS_ACK,
	MSG_INTRO,       /* first on every connection: who speaks */
	MSG_STATE,       /* source -> target: the clients' state, in pieces */
	MSG_STATE_ACK,   /* the target has all of it, or has refused it */
	MSG_OUTDATE,     /* owner -> standby: replication is cut; mark your copy outdated */
	MSG_OUTDATED,    /* it is, or why not */
};
const char *msg_type_name(enum msg_type t);

enum {
	CONFIG_HASH_LEN = 65, /* hex digits and the NUL */
	PULSE_KEY_LEN = 65,   /* the same: 32 bytes */
	BOOT_ID_LEN = 40,
};

/* Who speaks, and with which configuration. */
struct peer_intro {
	char node[NAME_MAX_LEN];
	char version[NAME_MAX_LEN];        /* nasd's, "0.1.0" */
	unsigned protocol;                 /* FRAME_VERSION of wire/frame.h */
	char config_hash[CONFIG_HASH_LEN]; /* lower-case hex */
	char boot_id[BOOT_ID_LEN];         /* which boot of the node */
	/* What its pulses (wire/pulse_msg.h) are known by, new with each start of nasd. */
	char pulse_key[PULSE_KEY_LEN];     /* lower-case hex; a secret: never logged or shown */
	uint64_t pulse_session;            /* up to INT64_MAX */
};

/* Where a group stands, in HELLO. */
enum txn_phase { TXN_NONE = 0, TXN_SOURCE, TXN_PREPARED, TXN_COMMITTED };
const char *txn_phase_name(enum txn_phase p);

struct msg_hello {
	uint64_t epoch;           /* of the current owner; 0: never owned */
	uint64_t max_epoch;       /* the highest ever seen or used */
	int owner;
	enum txn_phase phase;
	uint64_t txn_epoch;
	bool serving;             /* any part of the service is in place here */
	bool active;              /* serving in full */
};

enum { CLIENT_ENTRY_MAX = 1200, CLIENTS_TEXT_MAX = 8192 };
enum clients_op { CLIENTS_FULL_BEGIN, CLIENTS_ADD, CLIENTS_DEL, CLIENTS_FULL_END };
const char *clients_op_name(enum clients_op op);

/*
 * What the standby must know of the clients to take their place over: a RECORD
 * is the name under which ganesha's recovery database keeps a client (it may
 * reclaim), a CONNECTION is "client-ip client-port floating-ip port" (it gets a
 * tickle). FULL_BEGIN ... FULL_END replaces all entries of both kinds.
 */
enum client_kind { CLIENT_RECORD, CLIENT_CONNECTION };
const char *client_kind_name(enum client_kind k);

struct client_entry {
	enum client_kind kind;
	char text[CLIENT_ENTRY_MAX];
};

struct msg_clients {
	enum clients_op op;
	uint64_t seq;             /* acknowledged by MSG_CLIENTS_ACK with the same */
	char text[CLIENTS_TEXT_MAX]; /* ADD and DEL: entries (wire/clients_text.h) */
};

/*
 * A piece of the text in which ganesha's module keeps its clients' state (the
 * pieces come in order; the last one ends at total). Belongs to the transaction
 * of the message's epoch.
 */
enum { STATE_PIECE_MAX = 8192, STATE_TEXT_MAX = 32 << 20 };

struct msg_state {
	uint64_t offset, total;   /* bytes */
	char text[STATE_PIECE_MAX];
};

struct peer_msg {
	enum msg_type type;
	char group[NAME_MAX_LEN]; /* empty for HEARTBEAT and INTRO */
	uint64_t epoch;           /* the transaction's, 0 where none */
	union {
		struct peer_intro intro;
		struct msg_hello hello;
		struct {
			int64_t sent_us, echo_us, echo_held_us; /* NTP-style clock offset */
		} heartbeat;
		struct facts facts;
		struct step_report step;
		struct msg_clients clients;
		struct msg_state state;
		struct {
			bool ok;
			struct err err;
			int target;       /* REQUEST: node that shall become active */
			uint64_t request; /* matches REPLY to REQUEST */
		} answer;             /* REFUSED, REPLY, REQUEST, ABORT (reason), DONE, STATE_ACK, OUTDATED */
	} u;
};

#endif
