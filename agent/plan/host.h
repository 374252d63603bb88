/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What doctor looks at beside the facts that a plan depends on: read anew each time that it is asked for. */
#pragma once

#include "plan/foreign.h"

#include <sys/types.h>

enum host_setting {
	HOST_IP_FORWARD, HOST_IP6_FORWARD,	/* net.ipv4.ip_forward, net.ipv6.conf.all.forwarding */
	HOST_PORT_FIRST, HOST_PORT_LAST,	/* net.ipv4.ip_local_port_range */
	HOST_PORTS,				/* of it without ip_local_reserved_ports */
	HOST_CONNTRACK_COUNT, HOST_CONNTRACK_MAX, HOST_CONNTRACK_BUCKETS,
	HOST_TCP_LOOSE,				/* net.netfilter.nf_conntrack_tcp_loose */
	HOST_TCP_ESTABLISHED,			/* ..._tcp_timeout_established, seconds */
	HOST_UDP_STREAM,			/* ..._udp_timeout_stream, seconds */
	HOST_SETTINGS
};

enum host_clock { HOST_CLOCK_UNKNOWN, HOST_CLOCK_GOOD, HOST_CLOCK_UNSYNCHRONISED };

enum host_file_kind {
	HOST_FILE_CONFIGURATION,		/* a file that is read, or the folder it is in */
	HOST_FILE_STATE,			/* the state directory */
	HOST_FILE_RUNTIME,			/* the directory of sockets */
	HOST_FILE_CONTROL, HOST_FILE_TAG,	/* sockets */
};

struct host_file {
	enum host_file_kind kind;
	char *path;
	int error;				/* -errno of looking at it; 0: the rest is set */
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

struct host_drops {				/* of conntrack, since the network namespace was made */
	uint64_t insert_failed, drop, early_drop;
	bool known;
};

struct host_features {				/* what the agent found by trying */
	bool known;				/* there is an agent */
	bool owner, persist, destroy;		/* flags of tables; messages */
	bool owned;				/* the table is claimed */
};

struct host {
	struct foreign foreign;
	struct host_features features;		/* set by the agent */
	int64_t settings[HOST_SETTINGS];	/* -1: not there, or cannot be read */
	struct host_drops drops;
	enum host_clock clock;
	char release[65];			/* of the kernel, uname(2) */
	uid_t uid;				/* of who looked: the owner that files should have */
	gid_t readers;				/* group outbind, or (gid_t)-1 */
	struct { struct host_file *at; size_t n, room; } files;
};

void host_drop(struct host *host);

/* File of a setting below /proc/sys; its sysctl name has dots for the slashes. NULL for those about
 * ports, which two files say together. */
const char *host_setting_path(enum host_setting setting);
