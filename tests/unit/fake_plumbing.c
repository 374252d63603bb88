/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake kernel's addresses, routes, rules and neighbours. */
#include "fake_kernel.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static struct fake_kernel *of(struct kernel *k)
{
	return (struct fake_kernel *)k;
}

static int due(int *knob)
{
	int r = *knob;

	*knob = 0;
	return r;
}

static const char *name_of(const struct fake_kernel *fake, uint32_t link)
{
	for (size_t i = 0; i < fake->facts.links.n; i++)
		if (fake->facts.links.at[i].index == link)
			return fake->facts.links.at[i].name;
	return NULL;
}

static size_t find_address(const struct fake_kernel *fake, const struct ip *ip, const char *name)
{
	size_t i = 0;

	while (i < fake->facts.addresses.n &&
	       (!ip_equal(&fake->facts.addresses.at[i].ip, ip) ||
		(name && strcmp(fake->facts.addresses.at[i].interface, name) != 0)))
		i++;
	return i;
}

static int by_ip(const void *left, const void *right)
{
	return ip_compare(&((const struct local_address *)left)->ip,
			  &((const struct local_address *)right)->ip);
}

static int fake_add_address(struct kernel *k, const struct ip *ip, uint32_t link)
{
	struct fake_kernel *fake = of(k);
	struct local_address address = { .ip = *ip, .protocol = PROTOCOL_OUTBIND };
	const char *name = name_of(fake, link);
	int r = due(&fake->fail_address);

	if (r < 0)
		return r;
	if (!name)
		return -ENODEV;
	if (find_address(fake, ip, name) < fake->facts.addresses.n)
		return -EEXIST;
	snprintf(address.interface, sizeof address.interface, "%s", name);
	PUSH(&fake->facts.addresses, address);
	qsort(fake->facts.addresses.at, fake->facts.addresses.n, sizeof address, by_ip);
	return 0;
}

static void forget_address(struct fake_kernel *fake, size_t i)
{
	struct local_address *at = fake->facts.addresses.at;

	fake->facts.addresses.n--;
	memmove(at + i, at + i + 1, (fake->facts.addresses.n - i) * sizeof *at);
}

static int fake_remove_address(struct kernel *k, const struct ip *ip, uint32_t link)
{
	struct fake_kernel *fake = of(k);
	const char *name = name_of(fake, link);
	size_t i = name ? find_address(fake, ip, name) : fake->facts.addresses.n;

	if (i == fake->facts.addresses.n)
		return -EADDRNOTAVAIL;
	forget_address(fake, i);
	return 0;
}

static int fake_ask_address(struct kernel *k, const struct ip *ip, const struct link *link)
{
	struct fake_kernel *fake = of(k);

	fake->n_asked++;
	for (size_t i = 0; i < fake->neighbours.n; i++)
		if (ip_equal(&fake->neighbours.at[i].ip, ip) &&
		    fake->neighbours.at[i].link == link->index)
			PUSH(&fake->heard, fake->neighbours.at[i]);
	return 0;
}

static int fake_announce_address(struct kernel *k, const struct ip *ip, const struct link *link)
{
	(void)ip;
	(void)link;
	of(k)->n_announced++;
	return 0;
}

static int fake_listen(struct kernel *k, const struct ear *ears, size_t n)
{
	(void)ears;
	of(k)->n_ears = (unsigned)n;
	return 0;
}

static int fake_hear(struct kernel *k, struct heard *ret)
{
	struct fake_kernel *fake = of(k);

	if (fake->heard.n == 0)
		return -EAGAIN;
	*ret = fake->heard.at[0];
	fake->heard.n--;
	memmove(fake->heard.at, fake->heard.at + 1, fake->heard.n * sizeof *ret);
	return 0;
}

static int fake_read_routes(struct kernel *k, uint32_t table, struct routes *ret)
{
	const struct fake_kernel *fake = of(k);

	ret->n = 0;
	for (size_t i = 0; i < fake->routes.n; i++)
		if (fake->routes.at[i].table == table)
			PUSH(ret, fake->routes.at[i]);
	return 0;
}

static size_t find_route(const struct fake_kernel *fake, const struct route *route)
{
	size_t i = 0;

	while (i < fake->routes.n &&
	       (fake->routes.at[i].table != route->table ||
		fake->routes.at[i].metric != route->metric ||
		fake->routes.at[i].to.bits != route->to.bits ||
		!ip_equal(&fake->routes.at[i].to.ip, &route->to.ip)))
		i++;
	return i;
}

static int fake_add_route(struct kernel *k, const struct route *route)
{
	struct fake_kernel *fake = of(k);
	int r = due(&fake->fail_route);

	if (r < 0)
		return r;
	if (fake->off_link && route->gateway.len)
		return -ENETUNREACH;
	if (find_route(fake, route) < fake->routes.n)
		return -EEXIST;
	PUSH(&fake->routes, *route);
	fake->routes.at[fake->routes.n - 1].protocol = PROTOCOL_OUTBIND;
	return 0;
}

static int fake_remove_route(struct kernel *k, const struct route *route)
{
	struct fake_kernel *fake = of(k);
	size_t i = find_route(fake, route);

	if (i == fake->routes.n || fake->routes.at[i].protocol != PROTOCOL_OUTBIND)
		return -ESRCH;
	fake->routes.at[i] = fake->routes.at[--fake->routes.n];
	return 0;
}

static size_t find_rule(const struct fake_kernel *fake, const struct fwmark_rule *rule)
{
	size_t i = 0;

	while (i < fake->facts.fwmark_rules.n &&
	       memcmp(&fake->facts.fwmark_rules.at[i], rule, sizeof *rule) != 0)
		i++;
	return i;
}

static int fake_add_rule(struct kernel *k, const struct fwmark_rule *rule)
{
	struct fake_kernel *fake = of(k);
	struct fwmark_rule ours = *rule;
	int r = due(&fake->fail_rule);

	if (r < 0)
		return r;
	ours.protocol = PROTOCOL_OUTBIND;
	if (find_rule(fake, &ours) < fake->facts.fwmark_rules.n)
		return -EEXIST;
	PUSH(&fake->facts.fwmark_rules, ours);
	return 0;
}

static int fake_remove_rule(struct kernel *k, const struct fwmark_rule *rule)
{
	struct fake_kernel *fake = of(k);
	struct fwmark_rule ours = *rule;
	size_t i;

	ours.protocol = PROTOCOL_OUTBIND;
	i = find_rule(fake, &ours);
	if (i == fake->facts.fwmark_rules.n)
		return -ENOENT;
	fake->facts.fwmark_rules.at[i] = fake->facts.fwmark_rules.at[--fake->facts.fwmark_rules.n];
	return 0;
}

static int fake_read_neighbour(struct kernel *k, const struct ip *ip, uint32_t link, bool ask,
			       enum neighbour *ret)
{
	(void)ip;
	(void)link;
	(void)ask;
	*ret = of(k)->gateways;
	return 0;
}

static int fake_start_capture(struct kernel *k, const struct capture_wanted *wanted,
			      struct capture **ret, struct kernel_error *reterr)
{
	(void)reterr;
	of(k)->captured = *wanted;
	of(k)->captured.marks = NULL;
	of(k)->captures++;
	*ret = NULL;
	return 0;
}

static void fake_end_capture(struct kernel *k, struct capture *capture)
{
	(void)capture;
	of(k)->captures--;
}

void fake_plumbing_init(struct fake_kernel *fake)
{
	fake->kernel.add_address = fake_add_address;
	fake->kernel.remove_address = fake_remove_address;
	fake->kernel.ask_address = fake_ask_address;
	fake->kernel.announce_address = fake_announce_address;
	fake->kernel.listen = fake_listen;
	fake->kernel.hear = fake_hear;
	fake->kernel.read_routes = fake_read_routes;
	fake->kernel.add_route = fake_add_route;
	fake->kernel.remove_route = fake_remove_route;
	fake->kernel.add_rule = fake_add_rule;
	fake->kernel.remove_rule = fake_remove_rule;
	fake->kernel.read_neighbour = fake_read_neighbour;
	fake->kernel.start_capture = fake_start_capture;
	fake->kernel.end_capture = fake_end_capture;
	fake->kernel.ears_fd = -1;
	fake->gateways = NEIGHBOUR_THERE;
}

void fake_plumbing_drop(struct fake_kernel *fake)
{
	free(fake->routes.at);
	free(fake->heard.at);
	free(fake->neighbours.at);
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct link *)left)->name, ((const struct link *)right)->name);
}

uint32_t fake_kernel_link(struct fake_kernel *fake, const char *name, bool asks)
{
	struct link link = { .index = (uint32_t)fake->facts.links.n + 1, .mtu = 1500, .up = true,
			     .asks = asks, .mac = { 2, 0, 0, 0, 0, 1 } };

	snprintf(link.name, sizeof link.name, "%s", name);
	PUSH(&fake->facts.links, link);
	qsort(fake->facts.links.at, fake->facts.links.n, sizeof link, by_name);
	return link.index;
}

void fake_kernel_neighbour(struct fake_kernel *fake, const char *address, uint32_t link)
{
	struct heard heard = { .link = link, .mac = { 2, 0, 0, 0, 0, 0x77 } };

	if (ip_parse(address, &heard.ip) < 0)
		abort();
	PUSH(&fake->neighbours, heard);
}

void fake_kernel_refuse_gateway(struct fake_kernel *fake)
{
	fake->off_link = true;
}

const struct local_address *fake_kernel_has(const struct fake_kernel *fake, const char *address)
{
	struct ip ip;
	size_t i;

	if (ip_parse(address, &ip) < 0)
		abort();
	i = find_address(fake, &ip, NULL);
	return i < fake->facts.addresses.n ? &fake->facts.addresses.at[i] : NULL;
}

void fake_kernel_lose_address(struct fake_kernel *fake, const char *address)
{
	const struct local_address *found = fake_kernel_has(fake, address);

	if (!found)
		abort();
	forget_address(fake, (size_t)(found - fake->facts.addresses.at));
}
