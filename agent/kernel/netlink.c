/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct kernel on the real kernel: writing our table. What is not about the table is handed on.
 *
 * A table that packets may be meeting is replaced by deleting and making it in one transaction.
 * One that is not there yet is filled first and hooked last, in several transactions, so that a
 * cold start with a million bindings neither needs the memory nor holds the nf_tables mutex for
 * all of them at once. Until its hooks exist it has no `about`, or one without digests, and an
 * agent that finds such a table makes it anew.
 */
#include "kernel/kernel.h"

#include "base/mem.h"
#include "kernel/addresses.h"
#include "kernel/announce.h"
#include "kernel/batch.h"
#include "kernel/capture.h"
#include "kernel/diag.h"
#include "kernel/facts.h"
#include "kernel/flow_reader.h"
#include "kernel/host_read.h"
#include "kernel/flows.h"
#include "kernel/net_settings.h"
#include "kernel/routes.h"
#include "kernel/skeleton.h"
#include "kernel/table.h"
#include "kernel/template.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER	0x2		/* include/uapi/linux/netfilter/nf_tables.h, 5.12 */
#endif
#define TABLE_F_PERSIST		0x4		/* the same, 6.9: newer than Debian 12's headers */
#define MSG_DESTROYTABLE	26		/* the same, 6.3 */

enum { COLD_ROWS = 50000 };			/* per transaction while nothing is hooked */

struct netlink_kernel {
	struct kernel kernel;			/* first: a struct kernel * is one of these */
	struct channel channel, route;
	struct channel diag;			/* opened when first needed */
	struct announcer announcer;
	char *table, *template_text;
	bool claim;				/* own the table, kept when we die */
	struct table_size size;			/* of the table as last made or found */
};

static struct netlink_kernel *of(struct kernel *k)
{
	return (struct netlink_kernel *)k;
}

static int netlink_read_table(struct kernel *k, struct table_about *ret)
{
	return table_read_about(&of(k)->channel, of(k)->table, ret, &of(k)->size);
}

static int netlink_read_generation(struct kernel *k, uint32_t *ret)
{
	return table_read_generation(&of(k)->channel, ret);
}

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
	table_print_about(comment, n->kernel.template_digest, digest, n->size);
	batch_about(batch, comment, had_one);
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
	table_print_about(comment, "0", "0", (struct table_size){ 0 });
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

static int netlink_replace_table(struct kernel *k, const struct plan *plan,
				 struct kernel_error *reterr)
{
	struct netlink_kernel *n = of(k);
	struct skeleton AUTO(skeleton_drop) skeleton = { 0 };
	char *AUTO(mem_drop) text = NULL;
	char scratch[64];
	struct table_size before = n->size;
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
	r = head.exists ? replace_at_once(n, &skeleton, plan, reterr)
			: make_cold(n, &skeleton, plan, reterr);
	if (r < 0)
		n->size = before;
	return r;
}

static int netlink_adopt_table(struct kernel *k, struct kernel_error *reterr)
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

static int netlink_remove_table(struct kernel *k)
{
	struct kernel_error ignored;

	return remove_table(of(k), &ignored);
}

static int netlink_commit(struct kernel *k, const struct ops *ops, const struct plan *desired,
			  uint32_t generation, struct kernel_error *reterr)
{
	struct batch AUTO(batch_drop) batch;

	batch_begin(&batch, &of(k)->channel, of(k)->table, generation);
	batch_ops(&batch, ops->at, ops->n);
	put_about(of(k), &batch, desired, true);
	return batch_commit(&batch, reterr);
}

static int netlink_read_element(struct kernel *k, enum set_id set, const uint8_t *key,
				bool *ret_found, uint8_t ret_value[static DATA_MAX])
{
	return table_read_element(&of(k)->channel, of(k)->table, set, key, ret_found, ret_value);
}

static int netlink_read_packets(struct kernel *k, enum set_id set, const uint8_t *key,
				bool *ret_found, uint64_t *ret_packets)
{
	return table_read_packets(&of(k)->channel, of(k)->table, set, key, ret_found, ret_packets);
}

static int netlink_read_counters(struct kernel *k, struct kernel_counters *ret)
{
	return table_read_counters(&of(k)->channel, of(k)->table, ret);
}

static int netlink_read_facts(struct kernel *k, struct facts *ret)
{
	(void)k;
	return facts_read(ret);
}

static int netlink_count(struct kernel *k, struct fwmark mask, const struct fwmark *marks, size_t n,
			 uint64_t *ret_counts)
{
	(void)k;
	return flows_count(mask, marks, n, ret_counts);
}

static int netlink_sources(struct kernel *k, struct fwmark mask, const struct ip *ips, size_t n,
			   uint64_t *ret_counts)
{
	(void)k;
	return flows_sources(mask, ips, n, ret_counts);
}

static int netlink_list(struct kernel *k, struct fwmark mask, struct fwmark mark, size_t max,
			struct connections *ret)
{
	(void)k;
	return flows_list(mask, mark, max, ret);
}

static int netlink_kill(struct kernel *k, struct fwmark mask, struct fwmark mark,
			struct killed *ret)
{
	(void)k;
	return flows_kill(mask, mark, ret);
}

static int netlink_carried(struct kernel *k, struct fwmark mask, const struct fwmark *marks,
			   size_t n, bool *ret_carried)
{
	(void)k;
	return flows_carried(mask, marks, n, ret_carried);
}

static int netlink_dump_flows(struct kernel *k, struct fwmark mask, const struct fwmark *mark,
			      struct flow_reader **ret)
{
	(void)k;
	return flow_reader_dump(mask, mark, ret);
}

static int netlink_follow_flows(struct kernel *k, struct fwmark mask, struct flow_reader **ret)
{
	(void)k;
	return flow_reader_follow(mask, ret);
}

static int netlink_find_owner(struct kernel *k, const struct connection *connection,
			      bool *ret_found, struct socket_owner *ret)
{
	struct channel *diag = &of(k)->diag;
	int r = diag->socket ? 0 : channel_open_bus(NETLINK_SOCK_DIAG, diag);

	return r < 0 ? r : diag_owner(diag, connection, ret_found, ret);
}

static int netlink_count_entries(struct kernel *k, uint32_t *ret)
{
	(void)k;
	return flows_entries(ret);
}

static int netlink_count_sockets(struct kernel *k, const struct ip *from, const struct ip *to,
				 uint16_t port, uint32_t *ret)
{
	(void)k;
	return diag_count(from, to, port, ret);
}

static int netlink_read_settings(struct kernel *k, struct net_settings *ret)
{
	(void)k;
	return net_settings_read(ret);
}

static int netlink_read_strays(struct kernel *k, struct strays *ret)
{
	return table_read_strays(&of(k)->channel, of(k)->table, ret);
}

static int netlink_add_address(struct kernel *k, const struct ip *ip, uint32_t link)
{
	return addresses_add(&of(k)->route, ip, link);
}

static int netlink_remove_address(struct kernel *k, const struct ip *ip, uint32_t link)
{
	return addresses_remove(&of(k)->route, ip, link);
}

static int netlink_ask_address(struct kernel *k, const struct ip *ip, const struct link *link)
{
	return announce_ask(&of(k)->announcer, ip, link);
}

static int netlink_announce_address(struct kernel *k, const struct ip *ip, const struct link *link)
{
	return announce_have(&of(k)->announcer, ip, link);
}

static int netlink_listen(struct kernel *k, const struct ear *ears, size_t n)
{
	return announce_listen(&of(k)->announcer, ears, n);
}

static int netlink_hear(struct kernel *k, struct heard *ret)
{
	return announce_hear(&of(k)->announcer, ret);
}

static void netlink_read_host(struct kernel *k, struct host *ret)
{
	host_read(of(k)->table, ret);
}

void kernel_read_host(const char *table, struct host *ret)
{
	host_read(table, ret);
}

enum host_clock kernel_read_clock(void)
{
	return host_read_clock();
}

void kernel_look(struct host *host, enum host_file_kind kind, const char *path)
{
	host_read_file(host, kind, path);
}

int kernel_read_facts(struct facts *ret)
{
	return facts_read(ret);
}

static int netlink_read_routes(struct kernel *k, uint32_t table, struct routes *ret)
{
	return routes_read(&of(k)->route, table, ret);
}

static int netlink_add_route(struct kernel *k, const struct route *route)
{
	return routes_add(&of(k)->route, route);
}

static int netlink_remove_route(struct kernel *k, const struct route *route)
{
	return routes_remove(&of(k)->route, route);
}

static int netlink_add_rule(struct kernel *k, const struct fwmark_rule *rule)
{
	return routes_add_rule(&of(k)->route, rule);
}

static int netlink_remove_rule(struct kernel *k, const struct fwmark_rule *rule)
{
	return routes_remove_rule(&of(k)->route, rule);
}

static int netlink_read_neighbour(struct kernel *k, const struct ip *ip, uint32_t link, bool ask,
				  enum neighbour *ret)
{
	return routes_read_neighbour(&of(k)->route, ip, link, ask, ret);
}

static int netlink_start_capture(struct kernel *k, const struct capture_wanted *wanted,
				 struct capture **ret, struct kernel_error *reterr)
{
	return capture_start(&of(k)->channel, of(k)->table, wanted, ret, reterr);
}

static void netlink_end_capture(struct kernel *k, struct capture *capture)
{
	(void)k;
	capture_end(capture);
}

static void netlink_close(struct kernel *k)
{
	channel_drop(&of(k)->channel);
	channel_drop(&of(k)->route);
	channel_drop(&of(k)->diag);
	announce_drop(&of(k)->announcer);
	free(of(k)->table);
	free(of(k)->template_text);
	free(k);
}

/* Would the kernel take such a transaction? Made and deleted at once, so nothing is left of it. */
static bool probe(struct netlink_kernel *n, uint32_t flags)
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

static bool probe_destroy(struct netlink_kernel *n)
{
	struct batch AUTO(batch_drop) batch;
	struct kernel_error ignored;
	char name[64];

	snprintf(name, sizeof name, "%s.probe", n->table);
	batch_begin(&batch, &n->channel, name, 0);
	put_table(&batch, MSG_DESTROYTABLE, 0);
	return batch_commit(&batch, &ignored) == 0;
}

static const struct kernel netlink_functions = {
	.read_table = netlink_read_table,
	.read_generation = netlink_read_generation,
	.replace_table = netlink_replace_table,
	.adopt_table = netlink_adopt_table,
	.remove_table = netlink_remove_table,
	.commit = netlink_commit,
	.read_element = netlink_read_element,
	.read_packets = netlink_read_packets,
	.read_counters = netlink_read_counters,
	.read_facts = netlink_read_facts,
	.read_host = netlink_read_host,
	.count_connections = netlink_count,
	.count_sources = netlink_sources,
	.list_connections = netlink_list,
	.kill_connections = netlink_kill,
	.carried = netlink_carried,
	.dump_flows = netlink_dump_flows,
	.follow_flows = netlink_follow_flows,
	.find_owner = netlink_find_owner,
	.count_entries = netlink_count_entries,
	.count_sockets = netlink_count_sockets,
	.read_settings = netlink_read_settings,
	.read_strays = netlink_read_strays,
	.add_address = netlink_add_address,
	.remove_address = netlink_remove_address,
	.ask_address = netlink_ask_address,
	.announce_address = netlink_announce_address,
	.listen = netlink_listen,
	.hear = netlink_hear,
	.read_routes = netlink_read_routes,
	.add_route = netlink_add_route,
	.remove_route = netlink_remove_route,
	.add_rule = netlink_add_rule,
	.remove_rule = netlink_remove_rule,
	.read_neighbour = netlink_read_neighbour,
	.start_capture = netlink_start_capture,
	.end_capture = netlink_end_capture,
	.close = netlink_close,
};

static int open_channel(struct netlink_kernel *n, int kept)
{
	if (kept && channel_take(kept, &n->channel) == 0)
		return 0;
	return channel_open(&n->channel);
}

int kernel_open(const struct kernel_options *options, struct kernel **ret,
		struct kernel_error *reterr)
{
	struct netlink_kernel *n = mem_zero(1, sizeof *n);
	int r;

	n->kernel = netlink_functions;
	n->announcer = (struct announcer){ .out = FD_NONE, .poll = FD_NONE };
	n->table = mem_text(options->table, strlen(options->table));
	*reterr = (struct kernel_error){ 0 };
	r = template_load(options->template_path, &n->template_text);
	if (r < 0)
		snprintf(reterr->text, sizeof reterr->text, "template %s: %s",
			 options->template_path, strerror(-r));
	if (r == 0)
		r = open_channel(n, options->socket);
	if (r == 0)
		r = channel_open_route(&n->route);
	if (r == 0)
		r = announce_open(&n->announcer);
	if (r == 0 && !probe(n, 0)) {
		snprintf(reterr->text, sizeof reterr->text,
			 "nf_tables refuses a table: CAP_NET_ADMIN is needed, and kernel 5.13 or newer");
		r = -EPERM;
	}
	if (r < 0) {
		netlink_close(&n->kernel);
		return r;
	}
	n->kernel.port = n->channel.port;
	n->kernel.table_fd = mnl_socket_get_fd(n->channel.socket);
	n->kernel.ears_fd = n->announcer.poll.n;
	template_digest(n->template_text, n->kernel.template_digest);
	n->kernel.features.owner = probe(n, NFT_TABLE_F_OWNER);
	n->kernel.features.persist = probe(n, NFT_TABLE_F_OWNER | TABLE_F_PERSIST);
	n->kernel.features.destroy = probe_destroy(n);
	n->claim = n->kernel.features.persist && !options->no_owner;
	*ret = &n->kernel;
	return 0;
}
