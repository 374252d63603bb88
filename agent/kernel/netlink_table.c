/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct kernel on the real kernel: writing our table. What writes nothing of it is in netlink.c.
 *
 * A table that packets may be meeting is replaced by deleting and making it in one transaction.
 * One that is not there yet is filled first and hooked last, in several transactions, so that a
 * cold start with a million bindings neither needs the memory nor holds the nf_tables mutex for
 * all of them at once. Until its hooks exist it has no `about`, or one without digests, and an
 * agent that finds such a table makes it anew.
 */
#include "kernel/netlink_parts.h"

#include "base/mem.h"
#include "kernel/batch.h"
#include "kernel/epoch.h"
#include "kernel/skeleton.h"
#include "kernel/template.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdio.h>

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER	0x2		/* include/uapi/linux/netfilter/nf_tables.h, 5.12 */
#endif
#define TABLE_F_PERSIST		0x4		/* the same, 6.9: newer than Debian 12's headers */
#define MSG_DESTROYTABLE	26		/* the same, 6.3 */

enum { COLD_ROWS = 50000 };			/* per transaction while nothing is hooked */

static void put_table(struct batch *batch, uint16_t type, uint32_t flags)
{
	batch_message(batch, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);
	batch_put_text(batch, NFTA_TABLE_NAME, batch->table);
	if (flags)
		batch_put_be32(batch, NFTA_TABLE_FLAGS, flags);
}

static uint32_t claim_flags(const struct netlink_kernel *n)
{
	return n->claim ? NFT_TABLE_F_OWNER | TABLE_F_PERSIST : 0;
}

static void put_about(const struct netlink_kernel *n, struct batch *batch, const struct plan *plan,
		      bool had_one)
{
	char comment[TABLE_COMMENT], digest[DIGEST_TEXT];

	plan_digest(plan, digest);
	table_print_about(comment, n->kernel.template_digest, digest, n->size, n->epoch);
	batch_about(batch, comment, had_one);
}

/* @from: the epoch that the table has, 0 for none. */
static void put_epoch(struct batch *batch, unsigned from, unsigned to)
{
	struct epoch_row old[EPOCH_ROWS], new[EPOCH_ROWS];

	if (from)
		epoch_rows(from, old);
	epoch_rows(to, new);
	for (size_t i = 0; i < EPOCH_ROWS; i++) {
		if (from)
			batch_row(batch, OP_DELETE, old[i].shape, old[i].row);
		batch_row(batch, OP_ADD, new[i].shape, new[i].row);
	}
}

/* Delete and make in one transaction: nobody sees a moment between. */
static int replace_at_once(struct netlink_kernel *n, const struct skeleton *skeleton,
			   const struct plan *plan, struct kernel_error *reterr)
{
	struct batch AUTO(batch_drop) batch;

	batch_begin(&batch, &n->channel, n->table, 0);
	put_table(&batch, NFT_MSG_DELTABLE, 0);
	put_table(&batch, NFT_MSG_NEWTABLE, claim_flags(n));
	skeleton_sets(skeleton, &batch);
	for (size_t set = 0; set < SETS; set++)
		batch_rows(&batch, (enum set_id)set, plan->sets[set].at, plan->sets[set].n);
	put_epoch(&batch, 0, n->epoch);
	skeleton_chains(skeleton, &batch);
	put_about(n, &batch, plan, false);
	return batch_commit(&batch, reterr);
}

static int cold_head(struct netlink_kernel *n, const struct skeleton *skeleton,
		     struct kernel_error *reterr)
{
	struct batch AUTO(batch_drop) batch;
	char comment[TABLE_COMMENT];

	batch_begin(&batch, &n->channel, n->table, 0);
	put_table(&batch, NFT_MSG_NEWTABLE, claim_flags(n));
	skeleton_sets(skeleton, &batch);
	put_epoch(&batch, 0, n->epoch);
	table_print_about(comment, "0", "0", (struct table_size){ 0 }, n->epoch);
	batch_about(&batch, comment, false);
	return batch_commit(&batch, reterr);
}

/* The elements, in steps; a set of intervals goes whole, as its commit rebuilds it whole. */
static int cold_rows(struct netlink_kernel *n, const struct plan *plan, struct kernel_error *reterr)
{
	int r = 0;

	for (size_t set = 0; set < SETS && r == 0; set++) {
		const struct rows *rows = &plan->sets[set];
		size_t step = plan_shapes[set].interval ? rows->n : COLD_ROWS;

		for (size_t i = 0; i < rows->n && r == 0; i += step) {
			struct batch AUTO(batch_drop) batch;

			batch_begin(&batch, &n->channel, n->table, 0);
			batch_rows(&batch, (enum set_id)set,
				   rows->at + i * plan_shapes[set].row_len,
				   rows->n - i < step ? rows->n - i : step);
			r = batch_commit(&batch, reterr);
		}
	}
	return r;
}

static int cold_hooks(struct netlink_kernel *n, const struct skeleton *skeleton,
		      const struct plan *plan, struct kernel_error *reterr)
{
	struct batch AUTO(batch_drop) batch;

	batch_begin(&batch, &n->channel, n->table, 0);
	skeleton_chains(skeleton, &batch);
	put_about(n, &batch, plan, true);
	return batch_commit(&batch, reterr);
}

static int remove_table(struct netlink_kernel *n, struct kernel_error *reterr)
{
	struct batch AUTO(batch_drop) batch;
	int r;

	batch_begin(&batch, &n->channel, n->table, 0);
	put_table(&batch, NFT_MSG_DELTABLE, 0);
	r = batch_commit(&batch, reterr);
	return r == -ENOENT ? 0 : r;
}

static int make_cold(struct netlink_kernel *n, const struct skeleton *skeleton,
		     const struct plan *plan, struct kernel_error *reterr)
{
	struct kernel_error ignored;
	int r = cold_head(n, skeleton, reterr);

	if (r < 0)
		return r;
	r = cold_rows(n, plan, reterr);
	if (r == 0)
		r = cold_hooks(n, skeleton, plan, reterr);
	if (r < 0)				/* not hooked: no packet will miss it */
		(void)!remove_table(n, &ignored);
	return r;
}

int netlink_replace_table(struct kernel *k, const struct plan *plan,
			  struct kernel_error *reterr)
{
	struct netlink_kernel *n = of(k);
	struct skeleton AUTO(skeleton_drop) skeleton = { 0 };
	char *AUTO(mem_drop) text = NULL;
	char scratch[64];
	struct table_size before = n->size;
	unsigned epoch = n->epoch;
	struct table_head head;
	int r;

	*reterr = (struct kernel_error){ 0 };
	snprintf(scratch, sizeof scratch, "%s.template", n->table);
	r = template_expand(n->template_text, scratch, "flags dormant;", plan, &text, reterr);
	if (r == 0)
		r = skeleton_compile(text, scratch, &n->channel, &skeleton, reterr);
	if (r == 0)
		r = table_read_head(&n->channel, n->table, &head);
	if (r < 0)
		return r;
	n->size = (struct table_size){ skeleton.chains.n, skeleton.rules.n };
	n->epoch = 1;
	r = head.exists ? replace_at_once(n, &skeleton, plan, reterr)
			: make_cold(n, &skeleton, plan, reterr);
	if (r < 0) {
		n->size = before;
		n->epoch = epoch;
	}
	return r;
}

int netlink_adopt_table(struct kernel *k, struct kernel_error *reterr)
{
	struct netlink_kernel *n = of(k);
	struct batch AUTO(batch_drop) batch = { 0 };
	struct table_head head;
	int r = table_read_head(&n->channel, n->table, &head);

	*reterr = (struct kernel_error){ 0 };
	if (r < 0)
		return r;
	if (!head.exists)
		return -ENOENT;
	if (head.owner == n->channel.port)
		return 0;
	if (head.owner)
		return -EPERM;
	if (!n->claim)
		return head.flags & TABLE_F_PERSIST ? -EOPNOTSUPP : 0;
	batch_begin(&batch, &n->channel, n->table, 0);
	put_table(&batch, NFT_MSG_NEWTABLE, claim_flags(n));
	return batch_commit(&batch, reterr);
}

int netlink_remove_table(struct kernel *k)
{
	struct kernel_error ignored;

	return remove_table(of(k), &ignored);
}

int netlink_commit(struct kernel *k, const struct ops *ops, const struct plan *desired,
		   uint32_t generation, struct kernel_error *reterr)
{
	struct netlink_kernel *n = of(k);
	struct batch AUTO(batch_drop) batch;
	unsigned before = n->epoch;
	int r;

	if (diff_needs_epoch(ops->at, ops->n))
		n->epoch = epoch_next(n->epoch);
	batch_begin(&batch, &n->channel, n->table, generation);
	batch_ops(&batch, ops->at, ops->n);
	if (n->epoch != before)
		put_epoch(&batch, before, n->epoch);
	put_about(n, &batch, desired, true);
	r = batch_commit(&batch, reterr);
	if (r < 0)
		n->epoch = before;
	return r;
}

/* Would the kernel take such a transaction? Made and deleted at once, so nothing is left of it. */
static bool takes_table(struct netlink_kernel *n, uint32_t flags)
{
	struct batch AUTO(batch_drop) batch;
	struct kernel_error ignored;
	char name[64];

	snprintf(name, sizeof name, "%s.probe", n->table);
	batch_begin(&batch, &n->channel, name, 0);
	put_table(&batch, NFT_MSG_NEWTABLE, flags);
	put_table(&batch, NFT_MSG_DELTABLE, 0);
	if (batch_commit(&batch, &ignored) < 0)
		return false;
	n->kernel.probes++;			/* an empty one, as below, does not count */
	return true;
}

static bool takes_destroy(struct netlink_kernel *n)
{
	struct batch AUTO(batch_drop) batch;
	struct kernel_error ignored;
	char name[64];

	snprintf(name, sizeof name, "%s.probe", n->table);
	batch_begin(&batch, &n->channel, name, 0);
	put_table(&batch, MSG_DESTROYTABLE, 0);
	return batch_commit(&batch, &ignored) == 0;
}

bool netlink_probe(struct netlink_kernel *n)
{
	struct kernel_features *features = &n->kernel.features;

	if (!takes_table(n, 0))
		return false;
	features->owner = takes_table(n, NFT_TABLE_F_OWNER);
	features->persist = takes_table(n, NFT_TABLE_F_OWNER | TABLE_F_PERSIST);
	features->destroy = takes_destroy(n);
	return true;
}
