/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adding addresses: written down first, in the facts at once; and what the facts say of those that are
 * being asked for or that somebody else has. */
#include "daemon/plumb_parts.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <stdio.h>
#include <string.h>

enum { RETRY_USEC = 30 * 1000000 };

/* Into the facts at once, so that who judges next finds it. */
static void take_into_facts(struct agent *agent, const struct plumb_address *address)
{
	struct local_address local = { .ip = address->ip, .protocol = PROTOCOL_OUTBIND };
	size_t at;

	snprintf(local.interface, sizeof local.interface, "%s", address->interface);
	PUSH(&agent->facts.addresses, local);
	for (at = agent->facts.addresses.n - 1;
	     at > 0 && ip_compare(&agent->facts.addresses.at[at - 1].ip, &local.ip) > 0; at--)
		agent->facts.addresses.at[at] = agent->facts.addresses.at[at - 1];
	agent->facts.addresses.at[at] = local;
}

static void add(struct agent *agent, struct plumb_address *address, bool restore)
{
	const struct link *link = facts_link(&agent->facts, address->interface);
	int r = link ? agent->kernel->add_address(agent->kernel, &address->ip, link->index)
		     : -ENODEV;
	char text[IP_TEXT];

	ip_print(&address->ip, text);
	if (r == 0) {
		log_event(restore ? EVENT_ADDRESS_RESTORED : EVENT_ADDRESS_ADDED,
			  "address=%s interface=%s binding=%s", text, address->interface,
			  plumb_name(agent, address));
		address->there = agent->plumb->changed = true;
		take_into_facts(agent, address);
		plumb_activate(agent->plumb, address,
			       link->asks && !agent->plumb->deaf ? PLUMB_ANNOUNCING : PLUMB_IDLE,
			       agent_clock());
		return;
	}
	if (!restore)				/* of -EEXIST: somebody was quicker */
		plumb_disown(agent->plumb, address);
	if (r != -EEXIST)
		log_event(EVENT_ADDRESS_REFUSED, "address=%s interface=%s error=\"%s\" next=retry",
			  text, address->interface, strerror(-r));
	plumb_activate(agent->plumb, address, PLUMB_WAITING, agent_clock() + RETRY_USEC);
}

void plumb_add_due(struct agent *agent)
{
	struct plumb *plumb = agent->plumb;
	size_t n = plumb->active.n, fresh = 0;
	bool *AUTO(mem_drop) restore = mem_zero(n, sizeof *restore);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		restore[i] = plumb->active.at[i]->owned;
		if (plumb->active.at[i]->phase != PLUMB_ADDING || restore[i])
			continue;
		plumb->active.at[i]->owned = true;
		fresh++;
	}
	if (fresh > 0)
		r = plumb_save(agent);		/* logs; not written down, it is not added */
	for (size_t i = 0; i < n; i++) {
		struct plumb_address *address = plumb->active.at[i];

		if (address->phase != PLUMB_ADDING)
			continue;
		if (r < 0 && !restore[i]) {
			address->owned = false;
			plumb_activate(plumb, address, PLUMB_WAITING, agent_clock() + RETRY_USEC);
		} else {
			add(agent, address, restore[i]);
		}
	}
}

void plumb_publish(struct agent *agent)
{
	struct plumb *plumb = agent->plumb;
	struct facts *facts = &agent->facts;

	if (!plumb->unpublished)
		return;
	facts->claiming.n = facts->conflicts.n = 0;
	for (size_t i = 0; i < plumb->addresses.n; i++) {
		const struct plumb_address *address = plumb->addresses.at[i];
		struct foreign_claim claim = { .ip = address->ip };

		memcpy(claim.by, address->by, sizeof claim.by);
		if (address->by[0])
			PUSH(&facts->conflicts, claim);
		else if (plumb_is_claim(address->phase))
			PUSH(&facts->claiming, address->ip);
	}
	plumb->unpublished = false;
	plumb->changed = true;
}
