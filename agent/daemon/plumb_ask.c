/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who else has an address. Before one of ours is added, everybody on the link is asked three times
 * within 0.6 seconds (RFC 5227 section 2.1.1 with shorter times: an operator waits); who answers
 * keeps it, and is asked again every half minute. After that we go on listening. Whoever says then
 * that he has it too is asked in the same way: a packet alone is no proof, as anybody on the link
 * can send one, but a host that answers is one that takes our connections.
 *
 * Once it is there, it is announced three times within a second, for hosts and switches that know
 * another owner of it.
 */
#include "daemon/plumb_parts.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <stdio.h>
#include <string.h>

enum { PROBES = 3, PROBE_USEC = 200000, RETRY_USEC = 30 * 1000000, HEARD_MAX = 256 };

static const uint64_t announcements[] = { 300000, 700000 };	/* after each, until the next */

static bool same_ears(const struct ear *a, const struct ear *b)
{
	return a->link == b->link && a->family[0] == b->family[0] &&
	       a->family[1] == b->family[1] &&
	       ip_equal(&a->range4.first, &b->range4.first) &&
	       ip_equal(&a->range4.last, &b->range4.last);
}

typedef struct { struct ear *at; size_t n, room; } ears_list;

/* Addresses come sorted, so the first of an interface is the lowest and the last the highest. */
static void add_to_ears(ears_list *ears, uint32_t link, const struct ip *ip)
{
	struct ear *ear = NULL;

	for (size_t i = 0; i < ears->n && !ear; i++)
		if (ears->at[i].link == link)
			ear = &ears->at[i];
	if (!ear) {
		PUSH(ears, (struct ear){ .link = link });
		ear = &ears->at[ears->n - 1];
	}
	if (ip->len == 4) {
		if (!ear->family[FAMILY_IPV4])
			ear->range4.first = *ip;
		ear->range4.last = *ip;
	}
	ear->family[ip_family(ip)] = true;
}

static void go_deaf(struct agent *agent, int r)
{
	if (!agent->plumb->deaf)
		log_event(EVENT_ADDRESS_UNHEARD,
			  "error=\"%s\" next=\"addresses are added without asking who has them, and "
			  "not announced\"",
			  strerror(-r));
	agent->plumb->deaf = true;
}

void plumb_listen(struct agent *agent)
{
	struct plumb *plumb = agent->plumb;
	ears_list ears = { 0 };
	bool same;

	for (size_t i = 0; i < plumb->addresses.n && !plumb->deaf; i++) {
		const struct plumb_address *address = plumb->addresses.at[i];
		const struct link *link = facts_link(&agent->facts, address->interface);

		if (link && link->asks && address->binding != NO_INDEX)
			add_to_ears(&ears, link->index, &address->ip);
	}
	same = ears.n == plumb->ears.n;
	for (size_t i = 0; same && i < ears.n; i++)
		same = same_ears(&ears.at[i], &plumb->ears.at[i]);
	if (!same) {
		int r = agent->kernel->listen(agent->kernel, ears.at, ears.n);

		if (r == -EPERM)
			go_deaf(agent, r);
		else if (r < 0)			/* an interface that went away meanwhile */
			ears.n = 0;
	}
	free(plumb->ears.at);
	plumb->ears.at = ears.at;
	plumb->ears.n = ears.n;
	plumb->ears.room = ears.room;
}

static bool is_ours(const struct agent *agent, const uint8_t mac[static 6])
{
	for (size_t i = 0; i < agent->facts.links.n; i++)
		if (memcmp(agent->facts.links.at[i].mac, mac, 6) == 0)
			return true;
	return false;
}

static void take_claim(struct agent *agent, struct plumb_address *address,
		       const struct heard *heard)
{
	struct plumb *plumb = agent->plumb;
	uint64_t now = agent_clock();
	char mac[sizeof address->by], text[IP_TEXT];

	snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", heard->mac[0], heard->mac[1],
		 heard->mac[2], heard->mac[3], heard->mac[4], heard->mac[5]);
	ip_print(&address->ip, text);
	if (address->phase == PLUMB_ASKING ||
	    (address->phase == PLUMB_CHECKING && !heard->wants)) {
		if (strcmp(address->by, mac) != 0)
			log_event(EVENT_ADDRESS_DUPLICATE,
				  "address=%s interface=%s binding=%s by=%s next=retry", text,
				  address->interface, plumb_name(agent, address), mac);
		memcpy(address->by, mac, sizeof mac);
		plumb->unpublished = true;
		plumb_activate(plumb, address, PLUMB_WAITING, now + RETRY_USEC);
	} else if (address->there && !heard->wants && !address->by[0] &&
		   address->phase != PLUMB_CHECKING) {
		log_event(EVENT_ADDRESS_CLAIMED,
			  "address=%s interface=%s binding=%s by=%s next=ask", text,
			  address->interface, plumb_name(agent, address), mac);
		plumb_activate(plumb, address, PLUMB_CHECKING, now);
	}
}

void plumb_hear(struct agent *agent)
{
	struct heard heard;

	for (int i = 0; i < HEARD_MAX && agent->kernel->hear(agent->kernel, &heard) == 0; i++) {
		struct plumb_address *address = plumb_find(agent->plumb, &heard.ip);
		const struct link *link =
			address ? facts_link(&agent->facts, address->interface) : NULL;

		if (link && link->index == heard.link && !is_ours(agent, heard.mac))
			take_claim(agent, address, &heard);
	}
}

/* Nobody answered. */
static void all_asked(struct agent *agent, struct plumb_address *address)
{
	uint64_t now = agent_clock();
	char text[IP_TEXT];

	if (address->by[0]) {
		log_event(EVENT_ADDRESS_FREE, "address=%s interface=%s binding=%s",
			  ip_print(&address->ip, text), address->interface,
			  plumb_name(agent, address));
		agent->plumb->unpublished = true;
	}
	address->by[0] = '\0';
	plumb_activate(agent->plumb, address,
		       address->phase == PLUMB_ASKING ? PLUMB_ADDING : PLUMB_ANNOUNCING, now);
}

static int send_one(struct agent *agent, struct plumb_address *address)
{
	const struct link *link = facts_link(&agent->facts, address->interface);

	if (!link)
		return -ENODEV;
	return (address->phase == PLUMB_ANNOUNCING
			? agent->kernel->announce_address
			: agent->kernel->ask_address)(agent->kernel, &address->ip, link);
}

void plumb_step(struct agent *agent, struct plumb_address *address)
{
	struct plumb *plumb = agent->plumb;
	bool announcing = address->phase == PLUMB_ANNOUNCING;
	int r;

	if (address->phase == PLUMB_WAITING) {
		plumb_activate(plumb, address,
			       address->there && address->by[0] ? PLUMB_CHECKING : PLUMB_IDLE,
			       agent_clock());
		if (address->phase == PLUMB_IDLE)
			plumb_look(agent, address);
		return;
	}
	if (!announcing && address->phase != PLUMB_ASKING && address->phase != PLUMB_CHECKING)
		return;
	if (!announcing && address->sent == PROBES) {
		all_asked(agent, address);
		return;
	}
	r = send_one(agent, address);
	if (r == -EPERM)
		go_deaf(agent, r);
	if (r < 0 && r != -ENOBUFS) {		/* the link is going: looked at again when it is back */
		plumb_activate(plumb, address, PLUMB_IDLE, 0);
		if (plumb->deaf)
			plumb_look(agent, address);
		return;
	}
	address->due += announcing && address->sent < ARRAY_LEN(announcements)
				? announcements[address->sent]
				: PROBE_USEC;
	address->sent++;
	if (announcing && address->sent > ARRAY_LEN(announcements))
		plumb_activate(plumb, address, PLUMB_IDLE, 0);
}
