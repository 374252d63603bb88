/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel as the agent sees it. kernel_open() talks to it; tests/unit/fake_kernel.c remembers,
 * and fails on demand. No header of a netlink library is needed to use this one.
 *
 * One table, one writer: where the kernel has table flags owner and persist (6.9), the table is
 * claimed by our socket, so that nobody else can change or flush it while we live, and it stays
 * when we die. Elsewhere it is unowned, and the caller watches it (notices.h).
 */
#pragma once

#include "kernel/connections.h"
#include "plan/diff.h"
#include "plan/host.h"

enum { DIGEST_TEXT = 33 };

struct kernel_error {				/* what the kernel refused */
	const uint8_t *row;			/* the row, borrowed from the plan; NULL if not one row */
	enum set_id set;			/* of @row */
	char text[256];				/* one line with errno text and the kernel's own words */
};

enum table_state {
	TABLE_ABSENT,
	TABLE_OURS,				/* written by outbind, and not owned by another process */
	TABLE_OWNED,				/* claimed by another socket: a second agent */
	TABLE_STRANGE,				/* of our name, but not written by outbind */
	TABLE_NEWER,				/* written by a version whose tables are others */
};

/*
 * What the numbers in marks mean to a table's rules. It becomes 2 when an agent of today could not replace
 * the table without connections leaving from other addresses.
 */
enum { TABLE_FORMAT = 1 };

struct table_about {
	enum table_state state;
	unsigned format;			/* TABLE_OURS, TABLE_NEWER: TABLE_FORMAT of its writer */
	uint32_t owner;				/* TABLE_OWNED: netlink port, as a rule its process id */
	uint32_t generation;			/* of the whole ruleset when this was read */
	char template_digest[DIGEST_TEXT];	/* TABLE_OURS: as stored with the table; "" if none */
	char plan_digest[DIGEST_TEXT];
	bool damaged;				/* TABLE_OURS: has not the chains and rules it was made with */
};

struct kernel_counters {			/* packets, since the table was made */
	uint64_t refused_rule, refused_unusable, refused_reused, refused_limit;
	uint64_t overflowed, delayed_limit, delayed_change;
	uint64_t dropped_stray, dropped_guard;
	uint64_t dropped_uplink;
};

struct counted { uint64_t packets, octets; };	/* by a counter, since it was made */

/* A route of a table that is ours to fill. */
struct route {
	struct prefix to;			/* bits 0: the default route */
	struct ip gateway;			/* len 0: none, on-link */
	uint32_t table, link, metric;		/* @link: interface index; not looked at if unreachable */
	bool unreachable;
	uint8_t protocol;			/* rtm_protocol, of a route that was read */
};

struct routes { struct route *at; size_t n, room; };

enum neighbour {
	NEIGHBOUR_UNKNOWN,			/* nobody has asked for it yet */
	NEIGHBOUR_ASKED,			/* is being asked: nothing is known yet */
	NEIGHBOUR_THERE,			/* answers, or did when it was last used */
	NEIGHBOUR_SILENT,			/* was asked and did not answer */
};

/* What to listen for on one interface: what others say of addresses of ours. */
struct ear {
	uint32_t link;				/* interface index */
	bool family[FAMILIES];
	struct ip_range range4;			/* ARP about other addresses does not wake us */
};

struct heard {					/* somebody spoke of an address */
	struct ip ip;
	uint32_t link;
	uint8_t mac[6];
	bool wants;				/* asks whether it is free, else says that he has it */
};

struct kernel_features { bool owner, persist, destroy; };

struct killed {
	size_t n_ended;
	size_t n_left;				/* that could not be ended, or not yet */
	int error;				/* why: the first -errno, 0 if none */
};

enum { CAPTURE_MARKS_MAX = 256 };

/*
 * Whose packets to log: of numbers, or, if a client is said, of that client, whatever its numbers are.
 * A local client is a cgroup, a user, or a user in a cgroup; a forwarded one is a source prefix.
 */
struct capture_wanted {
	uint16_t group;				/* netlink group that somebody reads, from 1 */
	struct fwmark mask, pass;		/* of the plan */
	const struct fwmark *marks;		/* told apart in the log; at most CAPTURE_MARKS_MAX */
	size_t n_marks;
	uint64_t cgroup;			/* id; 0: none */
	bool has_user;
	uint32_t user;
	struct prefix source;			/* ip.len 0: none */
};

struct capture;

struct kernel {
	/* Look at our table. Cheap whatever its size: no elements are dumped. */
	int (*read_table)(struct kernel *k, struct table_about *ret);
	/* The generation of the whole ruleset alone: one message, whatever the rules. */
	int (*read_generation)(struct kernel *k, uint32_t *ret);
	/*
	 * Make the table anew from the template with all elements of @plan: old one deleted and new
	 * one created in one transaction, so that there is no moment without translation; live
	 * connections keep theirs. The table is claimed where the kernel can.
	 */
	int (*replace_table)(struct kernel *k, const struct plan *plan,
			     struct kernel_error *reterr);
	/*
	 * Claim a TABLE_OURS table for this socket without touching what is in it; nothing to do where
	 * the kernel cannot or the options say no. -EPERM: another socket owns it. -EOPNOTSUPP: it was
	 * made without an owner and cannot get one now: replace it.
	 */
	int (*adopt_table)(struct kernel *k, struct kernel_error *reterr);
	int (*remove_table)(struct kernel *k);
	/*
	 * Apply every operation or none, in one transaction, and store @desired's digest.
	 * -ERESTART: the ruleset has moved past @generation (0: do not check; NFNL_BATCH_GENID,
	 * net/netfilter/nfnetlink.c). -ENFILE: a set is full, replace the table. -EEXIST, -ENOENT:
	 * the table is not what we thought. Nothing was applied in any of these.
	 */
	int (*commit)(struct kernel *k, const struct ops *ops, const struct plan *desired,
		      uint32_t generation, struct kernel_error *reterr);
	/* One element by its key, from the kernel. *ret_found false if it has none. */
	int (*read_element)(struct kernel *k, enum set_id set, const uint8_t *key, bool *ret_found,
			    uint8_t ret_value[static DATA_MAX]);
	/* What the counter of an element of SET_WARMUP has counted. *ret_found false if there is none. */
	int (*read_packets)(struct kernel *k, enum set_id set, const uint8_t *key, bool *ret_found,
			    uint64_t *ret_packets);
	int (*read_counters)(struct kernel *k, struct kernel_counters *ret);
	/* All that facts.h reads; replaces *ret's, and leaves what others set as it is. */
	int (*read_facts)(struct kernel *k, struct facts *ret);
	/* What doctor looks at beyond facts: kernel_read_host() of our table. May be called by another
	 * thread: it touches nothing of @k that changes. */
	void (*read_host)(struct kernel *k, struct host *ret);
	/*
	 * Live connections of each of @n marks within @mask, by one dump of conntrack; of a single
	 * mark it is filtered in the kernel. Alive is TCP from SYN to the last ACK, before
	 * TIME_WAIT; of other protocols what was answered, for as long as conntrack keeps it (30
	 * seconds to some minutes after the last datagram). -EINTR: conntrack never held still.
	 */
	int (*count_connections)(struct kernel *k, struct fwmark mask, const struct fwmark *marks,
				 size_t n, uint64_t *ret_counts);
	/* Live connections, of all marks within @mask but 0, by what the far end sees: @n addresses, sorted. */
	int (*count_sources)(struct kernel *k, struct fwmark mask, const struct ip *ips, size_t n,
			     uint64_t *ret_counts);
	/* At most @max of the live ones of a mark. Frees with connections_drop(). */
	int (*list_connections)(struct kernel *k, struct fwmark mask, struct fwmark mark,
				size_t max, struct connections *ret);
	/*
	 * End live connections of a mark, some thousands at a time: call again while it ended some.
	 * Sockets are aborted first, so that the far end gets a reset from the translated address
	 * and the application ECONNABORTED; then the entries go, and none whose socket lives.
	 * Forwarded TCP has no socket here, and without its entry it would go on from whatever
	 * address its client gets now: it is left.
	 */
	int (*kill_connections)(struct kernel *k, struct fwmark mask, struct fwmark mark,
				struct killed *ret);
	/*
	 * Which of @n marks some socket (SO_MARK) or some conntrack entry, dead ones too, still
	 * carries. A socket that was given a mark and neither bound nor connected is in no list
	 * that the kernel has; nor are raw sockets without CONFIG_INET_RAW_DIAG.
	 */
	int (*carried)(struct kernel *k, struct fwmark mask, const struct fwmark *marks, size_t n,
		       bool *ret_carried);
	/*
	 * All connections that conntrack has, dead ones too, as a dump; with @mark, only those that have
	 * it within @mask, and the kernel leaves out the others. Addresses, states and marks are those
	 * of the moment at which an entry is read. *@ret is closed by the caller.
	 */
	int (*dump_flows)(struct kernel *k, struct fwmark mask, const struct fwmark *mark,
			  struct flow_reader **ret);
	/*
	 * Subscribe to connections with any bit of @mask that begin or end; others are left out in the
	 * kernel. With net.netfilter.nf_conntrack_events=2 (its default) the end is told only of those
	 * that began while somebody was subscribed.
	 */
	int (*follow_flows)(struct kernel *k, struct fwmark mask, struct flow_reader **ret);
	/*
	 * The socket of this host that a connection belongs to. One that is not connected (datagrams)
	 * is taken for the owner of what leaves from its port. *ret_found false: there is none, it is
	 * closed, or another one was found in its place.
	 */
	int (*find_owner)(struct kernel *k, const struct connection *connection, bool *ret_found,
			  struct socket_owner *ret);
	/* Entries of conntrack in this namespace: one message. */
	int (*count_entries)(struct kernel *k, uint32_t *ret);
	/* TCP sockets from @from to @to port @port, in whatever state, TIME_WAIT too: one dump that the
	 * kernel filters by destination. */
	int (*count_sockets)(struct kernel *k, const struct ip *from, const struct ip *to,
			     uint16_t port, uint32_t *ret);
	int (*read_settings)(struct kernel *k, struct net_settings *ret);
	/* What the guard refused lately. Replaces *ret's. */
	int (*read_strays)(struct kernel *k, struct strays *ret);
	/*
	 * Addresses, each by the index of its interface. An added one is a host address, of protocol
	 * PROTOCOL_OUTBIND, and never a source that the kernel chooses by itself: IPv4 with scope host,
	 * IPv6 deprecated. -EEXIST: the interface has it. Removing one that is not there: -EADDRNOTAVAIL.
	 */
	int (*add_address)(struct kernel *k, const struct ip *ip, uint32_t link);
	int (*remove_address)(struct kernel *k, const struct ip *ip, uint32_t link);
	/*
	 * Ask everybody on @link whether he has @ip, or tell them that we have: one packet each, ARP
	 * (RFC 5227) or neighbour discovery (RFC 4861, 4862). What is answered comes by hear().
	 * -EPERM without CAP_NET_RAW, -ENETDOWN.
	 */
	int (*ask_address)(struct kernel *k, const struct ip *ip, const struct link *link);
	int (*announce_address)(struct kernel *k, const struct ip *ip, const struct link *link);
	/* Listen with these ears, and no others. hear() reads one thing said; -EAGAIN: nothing more.
	 * @ears_fd is readable when there is something. */
	int (*listen)(struct kernel *k, const struct ear *ears, size_t n);
	int (*hear)(struct kernel *k, struct heard *ret);
	/* Routes of one table, both families, whoever made them; replaces *ret's. */
	int (*read_routes)(struct kernel *k, uint32_t table, struct routes *ret);
	/* Add a route of protocol PROTOCOL_OUTBIND (-EEXIST: there is one like it), remove one that has
	 * this protocol (-ESRCH: there is none). The same for routing rules by mark (-ENOENT). */
	int (*add_route)(struct kernel *k, const struct route *route);
	int (*remove_route)(struct kernel *k, const struct route *route);
	int (*add_rule)(struct kernel *k, const struct fwmark_rule *rule);
	int (*remove_rule)(struct kernel *k, const struct fwmark_rule *rule);
	/* Does @ip answer on @link: what the neighbour table says. @ask: have the kernel ask now,
	 * unless the entry is a fixed one. */
	int (*read_neighbour)(struct kernel *k, const struct ip *ip, uint32_t link, bool ask,
			      enum neighbour *ret);
	/*
	 * Log packets from now until end_capture(), by a table of its own, which also goes when the
	 * process ends. Words of a prefix: "before" or "after" translation, or "missed" (a flow of the
	 * client that there was no room for); then the number, "none" or "other".
	 * -EEXIST: this group is in use.
	 */
	int (*start_capture)(struct kernel *k, const struct capture_wanted *wanted,
			     struct capture **ret, struct kernel_error *reterr);
	void (*end_capture)(struct kernel *k, struct capture *capture);
	void (*close)(struct kernel *k);	/* frees @k; the table stays as it is */

	struct kernel_features features;	/* found by trying, at open */
	uint32_t probes;			/* transactions of its own that opening took */
	int ears_fd;				/* see listen() */
	uint32_t port;				/* netlink port of our changes, for notices_read() */
	int table_fd;				/* the socket that owns the table, borrowed; -1: a fake */
	char template_digest[DIGEST_TEXT];	/* of the template this agent would load */
};

struct kernel_options {
	const char *table;			/* name of the inet table, at most 31 bytes */
	const char *template_path;		/* NULL: the one inside the program */
	int socket;				/* that an earlier agent owned the table by, taken; 0: none */
	bool no_owner;				/* leave the table unowned also where we could own it */
};

/*
 * kernel_open - connect to the network namespace of the calling process
 * @ret: to be closed with (*ret)->close(*ret)
 *
 * Returns 0, -EPERM without CAP_NET_ADMIN, -ENOENT or -EINVAL for the template (said in
 * @reterr->text), or the errno of the sockets.
 */
MUST_CHECK int kernel_open(const struct kernel_options *options, struct kernel **ret,
			   struct kernel_error *reterr);

/*
 * kernel_read_host - what doctor looks at, without an agent and without claiming anything
 * @table: ours, which is left out of others' rules
 * @ret:   always written, but for features and files, which are the caller's; host_drop()
 *
 * Reads some small files, the rules of other tables (plan/foreign.h) and two counters of each
 * processor. What cannot be read is marked so: rules need CAP_NET_ADMIN.
 */
void kernel_read_host(const char *table, struct host *ret);

/* Is the clock synchronised, as adjtimex(2) has it: for everybody to ask, but a sandbox may forbid it. */
enum host_clock kernel_read_clock(void);

/* Append a file's rights to host->files. */
void kernel_look(struct host *host, enum host_file_kind kind, const char *path);

/* struct kernel's read_facts(), which takes no privilege. */
MUST_CHECK int kernel_read_facts(struct facts *ret);

/*
 * kernel_render - the whole ruleset as text that `nft -f` accepts
 * Pure but for the template's file; cgroup elements are written by path (@cgroup_path maps an id
 * to a path below the cgroup2 mount, or NULL: the element is then written as a comment), since nft
 * takes no other form. Returns a malloc'd text in *@ret_text.
 */
MUST_CHECK int kernel_render(const struct kernel_options *options, const struct plan *plan,
			     const char *(*cgroup_path)(void *context, uint64_t id), void *context,
			     char **ret_text, struct kernel_error *reterr);
