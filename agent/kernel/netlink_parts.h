/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside struct kernel on the real kernel: what it is, and what writes our table (netlink_table.c). */
#pragma once

#include "kernel/announce.h"
#include "kernel/channel.h"
#include "kernel/kernel.h"
#include "kernel/table.h"

struct netlink_kernel {
	struct kernel kernel;			/* first: a struct kernel * is one of these */
	struct channel channel, route;
	struct channel diag;			/* opened when first needed */
	struct announcer announcer;
	char *table, *template_text;
	bool claim;				/* own the table, kept when we die */
	struct table_size size;			/* of the table as last made or found */
	unsigned epoch;				/* the same: epoch.h */
};

static inline struct netlink_kernel *of(struct kernel *k)
{
	return (struct netlink_kernel *)k;
}

/* See struct kernel. */
MUST_CHECK int netlink_replace_table(struct kernel *k, const struct plan *plan,
				     struct kernel_error *reterr);
MUST_CHECK int netlink_adopt_table(struct kernel *k, struct kernel_error *reterr);
MUST_CHECK int netlink_remove_table(struct kernel *k);
MUST_CHECK int netlink_commit(struct kernel *k, const struct ops *ops, const struct plan *desired,
			      uint32_t generation, struct kernel_error *reterr);

/* Find by trying what tables the kernel takes: features and probes of @n->kernel. False: none at all. */
MUST_CHECK bool netlink_probe(struct netlink_kernel *n);
