/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See capture.h; the rules are nft-templates/capture.nft. */
#include "kernel/capture.h"

#include "base/mem.h"
#include "kernel/batch.h"
#include "kernel/skeleton.h"
#include "kernel/template.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER	0x2		/* include/uapi/linux/netfilter/nf_tables.h, 5.12 */
#endif

enum { CLAUSE = 160, NAME = 64 };

struct capture { struct channel channel; };

/* Texts of a template's names; each as long as it can be. */
struct clauses {
	char mask[16], pass[16], group[8];
	char marks[CAPTURE_MARKS_MAX * 12], user[CLAUSE], source[CLAUSE];
	char out[CLAUSE], in[CLAUSE];
};

static void print_marks(const struct capture_wanted *wanted, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < wanted->n_marks; i++)
		n += (size_t)snprintf(out + n, room - n, "%s%u", i > 0 ? ", " : "",
				      wanted->marks[i].host);
}

static void print_clauses(const struct capture_wanted *wanted, struct clauses *ret)
{
	bool local = wanted->cgroup || wanted->has_user, forwarded = wanted->source.ip.len > 0;
	const char *flows = local || forwarded ? "ct id @flows" : "";
	char source[PREFIX_TEXT];

	*ret = (struct clauses){ 0 };
	(void)snprintf(ret->mask, sizeof ret->mask, "%#x", wanted->mask.host);
	(void)snprintf(ret->pass, sizeof ret->pass, "%#x", wanted->pass.host);
	(void)snprintf(ret->group, sizeof ret->group, "%u", wanted->group);
	print_marks(wanted, ret->marks, sizeof ret->marks);
	if (wanted->has_user)
		(void)snprintf(ret->user, CLAUSE, "meta skuid %u", wanted->user);
	if (forwarded)
		(void)snprintf(ret->source, CLAUSE, "%s saddr %s",
			       wanted->source.ip.len == 4 ? "ip" : "ip6",
			       prefix_print(&wanted->source, source));
	/* of a local client both directions, as it may also be one that answers */
	(void)snprintf(ret->out, CLAUSE, "%s %s", local ? "" : "ct direction original", flows);
	(void)snprintf(ret->in, CLAUSE, "%s %s", local ? "" : "ct direction reply", flows);
}

static int fill(const struct capture_wanted *wanted, const struct clauses *clauses,
		const char *scratch, char **ret_text, struct kernel_error *reterr)
{
	bool local = wanted->cgroup || wanted->has_user, forwarded = wanted->source.ip.len > 0;
	const struct template_name names[] = {
		{ "table", scratch }, { "flags", "flags dormant;" }, { "mask", clauses->mask },
		{ "pass", clauses->pass }, { "group", clauses->group },
		{ "marks", clauses->marks }, { "unnamed", local || forwarded ? "yes" : "" },
		{ "local", local ? "yes" : "" }, { "forwarded", forwarded ? "yes" : "" },
		{ "levels", wanted->cgroup ? "8, 7, 6, 5, 4, 3, 2, 1" : "" },
		{ "user", wanted->cgroup ? "" : wanted->has_user ? "yes" : "" },
		{ "is_user", clauses->user }, { "is_source", clauses->source },
		{ "is_out", clauses->out }, { "is_in", clauses->in },
	};

	return template_fill(template_capture_text, names, ARRAY_LEN(names), ret_text, reterr);
}

/* All of it in one transaction, on the socket that then owns it. */
static int make(struct channel *channel, const char *table, const struct skeleton *skeleton,
		const struct capture_wanted *wanted, struct kernel_error *reterr)
{
	struct batch AUTO(batch_drop) batch;

	batch_begin(&batch, channel, table, 0);
	batch_message(&batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	batch_put_text(&batch, NFTA_TABLE_NAME, table);
	batch_put_be32(&batch, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	skeleton_sets(skeleton, &batch);
	if (wanted->cgroup)
		batch_element(&batch, "who", &wanted->cgroup, sizeof wanted->cgroup);
	skeleton_chains(skeleton, &batch);
	return batch_commit(&batch, reterr);
}

int capture_start(struct channel *channel, const char *table, const struct capture_wanted *wanted,
		  struct capture **ret, struct kernel_error *reterr)
{
	struct capture *capture = mem_zero(1, sizeof *capture);
	struct skeleton AUTO(skeleton_drop) skeleton = { 0 };
	char *AUTO(mem_drop) text = NULL;
	char name[NAME], scratch[NAME];
	struct clauses clauses;
	int r;

	*reterr = (struct kernel_error){ 0 };
	(void)snprintf(name, sizeof name, "%s.capture%u", table, wanted->group);
	(void)snprintf(scratch, sizeof scratch, "%s.capture", table);
	print_clauses(wanted, &clauses);
	r = fill(wanted, &clauses, scratch, &text, reterr);
	if (r == 0)
		r = skeleton_compile(text, scratch, channel, &skeleton, reterr);
	if (r == 0)
		r = channel_open(&capture->channel);
	if (r == 0)
		r = make(&capture->channel, name, &skeleton, wanted, reterr);
	if (r < 0) {
		capture_end(capture);
		return r;
	}
	*ret = capture;
	return 0;
}

void capture_end(struct capture *capture)
{
	if (!capture)
		return;
	channel_drop(&capture->channel);
	free(capture);
}
