/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See fake_kernel.h. */
#include "fake_kernel.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define FAKE_TEMPLATE "0123456789abcdef0123456789abcdef"

static struct fake_kernel *of(struct kernel *k)
{
	return (struct fake_kernel *)k;
}

static void set_text(char out[static DIGEST_TEXT], const char *text)
{
	snprintf(out, DIGEST_TEXT, "%s", text);
}

static void forget_rows(struct fake_kernel *fake)
{
	for (size_t i = 0; i < SETS; i++) {
		free(fake->sets[i].at);
		fake->sets[i] = (struct rows){ 0 };
	}
}

static void take_rows(struct fake_kernel *fake, const struct plan *plan)
{
	forget_rows(fake);
	for (size_t i = 0; i < SETS; i++) {
		size_t bytes = plan->sets[i].n * plan_shapes[i].row_len;

		fake->sets[i].at = mem_zero(bytes, 1);
		fake->sets[i].n = fake->sets[i].room = plan->sets[i].n;
		if (bytes)
			memcpy(fake->sets[i].at, plan->sets[i].at, bytes);
	}
}

/* The failure that @knob holds, once enough calls have succeeded. */
static int due(struct fake_kernel *fake, int *knob)
{
	int r = *knob;

	if (r == 0)
		return 0;
	if (fake->fail_after > 0) {
		fake->fail_after--;
		return 0;
	}
	*knob = 0;
	return r;
}

static int refuse(int r, struct kernel_error *reterr)
{
	snprintf(reterr->text, sizeof reterr->text, "the fake kernel says: %s", strerror(-r));
	return r;
}

static int fake_read_generation(struct kernel *k, uint32_t *ret)
{
	*ret = of(k)->generation;
	return 0;
}

static int fake_read_table(struct kernel *k, struct table_about *ret)
{
	struct fake_kernel *fake = of(k);
	int r = due(fake, &fake->fail_read);

	if (r < 0)
		return r;
	*ret = (struct table_about){ .state = fake->state, .owner = fake->owner,
				     .generation = fake->generation, .damaged = fake->damaged };
	set_text(ret->template_digest, fake->template_digest);
	set_text(ret->plan_digest, fake->plan_digest);
	return 0;
}

static int fake_replace_table(struct kernel *k, const struct plan *plan,
			      struct kernel_error *reterr)
{
	struct fake_kernel *fake = of(k);
	int r = due(fake, &fake->fail_replace);

	*reterr = (struct kernel_error){ 0 };
	if (r < 0)
		return refuse(r, reterr);
	take_rows(fake, plan);
	plan_digest(plan, fake->plan_digest);
	set_text(fake->template_digest, k->template_digest);
	fake->state = TABLE_OURS;
	fake->damaged = false;
	fake->generation++;
	fake->n_replaces++;
	return 0;
}

static int fake_adopt_table(struct kernel *k, struct kernel_error *reterr)
{
	struct fake_kernel *fake = of(k);
	int r = due(fake, &fake->fail_adopt);

	*reterr = (struct kernel_error){ 0 };
	if (r < 0)
		return refuse(r, reterr);
	fake->n_adopts++;
	return 0;
}

static int fake_remove_table(struct kernel *k)
{
	fake_kernel_lose_table(of(k));
	of(k)->n_removes++;
	return 0;
}

static size_t find_row(const struct fake_kernel *fake, enum set_id set, const uint8_t *key)
{
	const struct set_shape *shape = &plan_shapes[set];
	size_t i = 0;

	while (i < fake->sets[set].n &&
	       memcmp(fake->sets[set].at + i * shape->row_len, key, shape->key_len) != 0)
		i++;
	return i;
}

static int apply_one(struct fake_kernel *fake, const struct op *op)
{
	const struct set_shape *shape = &plan_shapes[op->set];
	struct rows *rows = &fake->sets[op->set];
	size_t i = find_row(fake, op->set, op->row), len = shape->row_len;

	if (op->verb == OP_DELETE && i == rows->n)
		return -ENOENT;
	if (op->verb == OP_ADD && i < rows->n)
		return -EEXIST;
	if (op->verb == OP_DELETE) {
		rows->n--;
		memmove(rows->at + i * len, rows->at + (i + 1) * len, (rows->n - i) * len);
		return 0;
	}
	rows->at = mem_grow(rows->at, &rows->room, rows->n + 1, len);
	for (i = 0; i < rows->n && memcmp(rows->at + i * len, op->row, shape->key_len) < 0; i++)
		;
	memmove(rows->at + (i + 1) * len, rows->at + i * len, (rows->n - i) * len);
	memcpy(rows->at + i * len, op->row, len);
	rows->n++;
	return 0;
}

static void blame(const struct fake_kernel *fake, const struct ops *ops,
		  struct kernel_error *reterr)
{
	for (size_t i = 0; fake->blame && i < ops->n; i++) {
		if (ops->at[i].set != fake->blame_set)
			continue;
		reterr->row = ops->at[i].row;
		reterr->set = ops->at[i].set;
		return;
	}
}

static int fake_commit(struct kernel *k, const struct ops *ops, const struct plan *desired,
		       uint32_t generation, struct kernel_error *reterr)
{
	struct fake_kernel *fake = of(k);
	int r = due(fake, &fake->fail_commit);

	*reterr = (struct kernel_error){ 0 };
	if (r < 0) {
		blame(fake, ops, reterr);
		return refuse(r, reterr);
	}
	if (fake->races > 0) {
		fake->races--;
		fake->generation++;
	}
	if (generation != 0 && generation != fake->generation)
		return refuse(-ERESTART, reterr);
	if (fake->state != TABLE_OURS)
		return refuse(-ENOENT, reterr);
	for (size_t i = 0; i < ops->n; i++) {
		r = apply_one(fake, &ops->at[i]);
		if (r < 0)
			abort();	/* a diff that the real kernel would refuse is a bug */
	}
	plan_digest(desired, fake->plan_digest);
	fake->generation++;
	fake->n_commits++;
	fake->n_ops += (unsigned)ops->n;
	return 0;
}

static int fake_read_element(struct kernel *k, enum set_id set, const uint8_t *key, bool *ret_found,
			     uint8_t ret_value[static DATA_MAX])
{
	const struct fake_kernel *fake = of(k);
	struct plan plan = { 0 };
	const uint8_t *row;

	plan.sets[set] = fake->sets[set];
	row = plan_find(&plan, set, key);
	*ret_found = row != NULL;
	if (row)
		memcpy(ret_value, row_value(&plan_shapes[set], row), plan_shapes[set].data_len);
	return 0;
}

static int fake_read_packets(struct kernel *k, enum set_id set, const uint8_t *key, bool *ret_found,
			     uint64_t *ret_packets)
{
	uint8_t value[DATA_MAX];
	int r = fake_read_element(k, set, key, ret_found, value);

	*ret_packets = of(k)->packets;
	return r;
}

static int fake_read_counters(struct kernel *k, struct kernel_counters *ret)
{
	*ret = (struct kernel_counters){ .refused_rule = 1,
					 .refused_unusable = 2,
					 .refused_reused = 5,
					 .refused_limit = 6,
					 .dropped_stray = 3,
					 .dropped_guard = 4 + of(k)->dropped_guard,
					 .dropped_uplink = 6 };
	return 0;
}

/* A host on which nothing is known. */
static void fake_read_host(struct kernel *k, struct host *ret)
{
	(void)k;
	*ret = (struct host){ .readers = (gid_t)-1 };
	for (int i = 0; i < HOST_SETTINGS; i++)
		ret->settings[i] = -1;
}

static int fake_read_facts(struct kernel *k, struct facts *ret)
{
	struct fake_kernel *fake = of(k);
	int r = due(fake, &fake->fail_facts);

	if (r < 0)
		return r;
	ret->addresses.n = 0;
	ret->fwmark_rules.n = 0;
	for (size_t i = 0; i < fake->facts.addresses.n; i++)
		PUSH(&ret->addresses, fake->facts.addresses.at[i]);
	for (size_t i = 0; i < fake->facts.fwmark_rules.n; i++)
		PUSH(&ret->fwmark_rules, fake->facts.fwmark_rules.at[i]);
	ret->links.n = 0;
	for (size_t i = 0; i < fake->facts.links.n; i++)
		PUSH(&ret->links, fake->facts.links.at[i]);
	ret->connected.n = 0;
	for (size_t i = 0; i < fake->facts.connected.n; i++)
		PUSH(&ret->connected, fake->facts.connected.at[i]);
	memcpy(ret->no_way_out, fake->facts.no_way_out, sizeof ret->no_way_out);
	memcpy(ret->main_link, fake->facts.main_link, sizeof ret->main_link);
	return 0;
}

static int fake_count(struct kernel *k, struct fwmark mask, const struct fwmark *marks, size_t n,
		      uint64_t *ret_counts)
{
	struct fake_kernel *fake = of(k);
	int r = due(fake, &fake->fail_flows);

	for (size_t i = 0; i < n && r == 0; i++) {
		ret_counts[i] = 0;
		for (size_t f = 0; f < fake->flows.n; f++)
			ret_counts[i] += (fake->flows.at[f].mark.host & mask.host) == marks[i].host;
	}
	return r;
}

static int fake_sources(struct kernel *k, struct fwmark mask, const struct ip *ips, size_t n,
			uint64_t *ret_counts)
{
	struct fake_kernel *fake = of(k);
	int r = due(fake, &fake->fail_flows);

	for (size_t i = 0; i < n && r == 0; i++) {
		ret_counts[i] = 0;
		for (size_t f = 0; f < fake->flows.n; f++)
			ret_counts[i] += (fake->flows.at[f].mark.host & mask.host) &&
					 ip_equal(&fake->flows.at[f].source, &ips[i]);
	}
	return r;
}

static int fake_list(struct kernel *k, struct fwmark mask, struct fwmark mark, size_t max,
		     struct connections *ret)
{
	struct fake_kernel *fake = of(k);
	int r = due(fake, &fake->fail_flows);

	if (r < 0)
		return r;
	*ret = (struct connections){ 0 };
	for (size_t i = 0; i < fake->flows.n; i++) {
		if ((fake->flows.at[i].mark.host & mask.host) != mark.host)
			continue;
		if (ret->n_all++ < max)
			PUSH(ret, fake->flows.at[i]);
	}
	return 0;
}

static int fake_kill(struct kernel *k, struct fwmark mask, struct fwmark mark,
		     struct killed *ret)
{
	struct fake_kernel *fake = of(k);
	size_t n = 0;

	*ret = (struct killed){ 0 };
	for (size_t i = 0; i < fake->flows.n; i++) {
		bool ours = (fake->flows.at[i].mark.host & mask.host) == mark.host;

		if (ours && ret->n_left >= fake->immortal) {
			ret->n_ended++;
			continue;
		}
		ret->n_left += ours;
		fake->flows.at[n++] = fake->flows.at[i];
	}
	fake->flows.n = n;
	return 0;
}

struct fake_reader {
	struct flow_reader reader;		/* first */
	struct fake_kernel *fake;
	struct fwmark mask, mark;
	bool all;
	size_t at;
};

static int fake_read_flows(struct flow_reader *reader, unsigned pieces, flow_visit *visit,
			   void *context)
{
	struct fake_reader *dump = (struct fake_reader *)reader;

	for (; pieces > 0 && dump->at < dump->fake->flows.n; pieces--, dump->at++) {
		const struct connection *c = &dump->fake->flows.at[dump->at];

		if (dump->all || (c->mark.host & dump->mask.host) == dump->mark.host)
			visit(context, FLOW_IS, c);
	}
	return dump->at < dump->fake->flows.n;
}

static void fake_close_flows(struct flow_reader *reader)
{
	free(reader);
}

static int open_reader(const struct fake_reader *like, struct flow_reader **ret)
{
	struct fake_reader *reader = mem_zero(1, sizeof *reader);

	*reader = *like;
	reader->reader.close = fake_close_flows;
	*ret = &reader->reader;
	return 0;
}

static int fake_dump_flows(struct kernel *k, struct fwmark mask, const struct fwmark *mark,
			   struct flow_reader **ret)
{
	struct fake_reader like = { .fake = of(k), .mask = mask, .all = !mark,
				    .reader = { .fd = -1, .read = fake_read_flows } };
	int r = due(of(k), &of(k)->fail_flows);

	if (mark)
		like.mark = *mark;
	return r < 0 ? r : open_reader(&like, ret);
}

static int fake_read_news(struct flow_reader *reader, unsigned pieces, flow_visit *visit,
			  void *context)
{
	struct fake_kernel *fake = ((struct fake_reader *)reader)->fake;

	(void)pieces, (void)visit, (void)context;
	return due(fake, &fake->fail_news);	/* there are none */
}

static int fake_follow_flows(struct kernel *k, struct fwmark mask, struct flow_reader **ret)
{
	struct fake_reader like = { .fake = of(k), .mask = mask,
				    .reader = { .fd = of(k)->follow_fd, .read = fake_read_news } };
	int r = of(k)->follow_fd == 0 ? -EOPNOTSUPP : due(of(k), &of(k)->fail_follow);

	return r < 0 ? r : open_reader(&like, ret);
}

static int fake_find_owner(struct kernel *k, const struct connection *connection, bool *ret_found,
			   struct socket_owner *ret)
{
	(void)k;
	(void)connection;
	(void)ret;
	*ret_found = false;
	return 0;
}

static int fake_count_entries(struct kernel *k, uint32_t *ret)
{
	*ret = (uint32_t)of(k)->flows.n;
	return 0;
}

static int fake_count_sockets(struct kernel *k, const struct ip *from, const struct ip *to,
			      uint16_t port, uint32_t *ret)
{
	(void)from;
	(void)to;
	(void)port;
	*ret = of(k)->sockets;
	return 0;
}

static int fake_read_settings(struct kernel *k, struct net_settings *ret)
{
	(void)k;
	*ret = (struct net_settings){ .ports = { 32768, 60999 }, .n_ports = 28232 };
	return 0;
}

static int fake_read_strays(struct kernel *k, struct strays *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < of(k)->strays.n; i++)
		PUSH(ret, of(k)->strays.at[i]);
	return 0;
}

static int fake_carried(struct kernel *k, struct fwmark mask, const struct fwmark *marks, size_t n,
			bool *ret_carried)
{
	struct fake_kernel *fake = of(k);
	int r = due(fake, &fake->fail_flows);

	for (size_t i = 0; i < n && r == 0; i++) {
		ret_carried[i] = false;
		for (size_t f = 0; f < fake->flows.n; f++)
			if ((fake->flows.at[f].mark.host & mask.host) == marks[i].host)
				ret_carried[i] = true;
		for (size_t t = 0; t < fake->tagged.n; t++)
			if ((fake->tagged.at[t] & mask.host) == marks[i].host)
				ret_carried[i] = true;
	}
	return r;
}

void fake_kernel_connection(struct fake_kernel *fake, uint32_t mark, uint16_t port)
{
	struct connection connection = { .mark = { mark }, .alive = true,
					 .from_port = port, .source_port = port,
					 .to_port = 25, .protocol = PROTOCOL_TCP,
					 .state = "ESTABLISHED" };

	if (ip_parse("127.0.0.1", &connection.from) < 0 ||
	    ip_parse("203.0.113.1", &connection.to) < 0 ||
	    ip_parse("198.51.100.11", &connection.source) < 0)
		abort();
	PUSH(&fake->flows, connection);
}

void fake_kernel_end(struct fake_kernel *fake, uint32_t mark)
{
	size_t n = 0;

	for (size_t i = 0; i < fake->flows.n; i++)
		if (fake->flows.at[i].mark.host != mark)
			fake->flows.at[n++] = fake->flows.at[i];
	fake->flows.n = n;
}

static void fake_close(struct kernel *k)
{
	(void)k;
}

void fake_kernel_init(struct fake_kernel *fake)
{
	*fake = (struct fake_kernel){
		.kernel = {
			.read_table = fake_read_table,
			.read_generation = fake_read_generation,
			.replace_table = fake_replace_table,
			.adopt_table = fake_adopt_table, .remove_table = fake_remove_table,
			.commit = fake_commit, .read_element = fake_read_element,
			.read_counters = fake_read_counters, .read_packets = fake_read_packets,
			 .read_facts = fake_read_facts,
			 .read_host = fake_read_host,
			.count_connections = fake_count, .count_sources = fake_sources,
			.list_connections = fake_list,
			.kill_connections = fake_kill, .carried = fake_carried,
			.dump_flows = fake_dump_flows, .follow_flows = fake_follow_flows,
			.find_owner = fake_find_owner, .count_entries = fake_count_entries,
			.count_sockets = fake_count_sockets, .read_settings = fake_read_settings,
			.read_strays = fake_read_strays,
			.close = fake_close,
			.features = { .owner = true, .persist = true, .destroy = true },
		},
		.state = TABLE_ABSENT, .generation = 1,
	};
	set_text(fake->kernel.template_digest, FAKE_TEMPLATE);
	fake_plumbing_init(fake);
}

void fake_kernel_drop(struct fake_kernel *fake)
{
	fake_plumbing_drop(fake);
	forget_rows(fake);
	facts_drop(&fake->facts);
	connections_drop(&fake->flows);
	free(fake->strays.at);
	free(fake->tagged.at);
}

static int by_ip(const void *left, const void *right)
{
	return ip_compare(&((const struct local_address *)left)->ip,
			  &((const struct local_address *)right)->ip);
}

void fake_kernel_address(struct fake_kernel *fake, const char *address)
{
	struct local_address local = { .interface = "lo" };

	if (ip_parse(address, &local.ip) < 0)
		abort();
	PUSH(&fake->facts.addresses, local);
	qsort(fake->facts.addresses.at, fake->facts.addresses.n, sizeof local, by_ip);
}

void fake_kernel_no_addresses(struct fake_kernel *fake)
{
	fake->facts.addresses.n = 0;
}

void fake_kernel_rule(struct fake_kernel *fake, uint32_t mark, uint32_t mask, uint32_t priority)
{
	struct fwmark_rule rule = { .mark = { mark }, .mask = { mask }, .priority = priority,
				    .table = 100, .family = FAMILY_IPV4 };

	PUSH(&fake->facts.fwmark_rules, rule);
}

void fake_kernel_lose_table(struct fake_kernel *fake)
{
	forget_rows(fake);
	fake->state = TABLE_ABSENT;
	fake->plan_digest[0] = fake->template_digest[0] = '\0';
	fake->generation++;
}

bool fake_kernel_holds(const struct fake_kernel *fake, const struct plan *plan)
{
	for (size_t i = 0; i < SETS; i++) {
		const struct set_shape *shape = &plan_shapes[i];
		size_t len = shape->key_len * (shape->interval ? 2u : 1u) + shape->data_len;

		if (fake->sets[i].n != plan->sets[i].n)
			return false;
		for (size_t row = 0; row < plan->sets[i].n; row++)
			if (memcmp(fake->sets[i].at + row * shape->row_len,
				   plan->sets[i].at + row * shape->row_len, len) != 0)
				return false;
	}
	return true;
}

int fake_render(const struct kernel_options *options, const struct plan *plan,
		const char *(*cgroup_path)(void *context, uint64_t id), void *context,
		char **ret_text, struct kernel_error *reterr)
{
	size_t len = 0;
	FILE *out = open_memstream(ret_text, &len);

	(void)cgroup_path;
	(void)context;
	(void)reterr;
	if (!out)
		abort();
	fprintf(out, "table inet %s\n", options->table);
	for (size_t i = 0; i < plan->sets[SET_SNAT4].n * 100; i++)
		fprintf(out, "line %zu of a ruleset\n", i);
	return fclose(out) == 0 ? 0 : -errno;
}
