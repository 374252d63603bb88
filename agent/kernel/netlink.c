/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct kernel on the real kernel: each of its functions handed on to the file that does it, and
 * opening what they need. Writing our table, which needs several of these, is netlink_table.c.
 */
#include "kernel/kernel.h"

#include "base/mem.h"
#include "kernel/addresses.h"
#include "kernel/capture.h"
#include "kernel/diag.h"
#include "kernel/facts.h"
#include "kernel/flow_reader.h"
#include "kernel/flows.h"
#include "kernel/host_read.h"
#include "kernel/net_settings.h"
#include "kernel/netlink_parts.h"
#include "kernel/routes.h"
#include "kernel/template.h"

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

static int netlink_read_table(struct kernel *k, struct table_about *ret)
{
	return table_read_about(&of(k)->channel, of(k)->table, ret, &of(k)->size,
				&of(k)->epoch);
}

static int netlink_read_generation(struct kernel *k, uint32_t *ret)
{
	return table_read_generation(&of(k)->channel, ret);
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
	n->table = mem_copy(options->table);
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
	if (r == 0 && !netlink_probe(n)) {
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
	n->claim = n->kernel.features.persist && !options->no_owner;
	*ret = &n->kernel;
	return 0;
}
