/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of ours that nobody wants any more stay while connections live that leave from them:
 * without, answers would find no host. Whether they live is asked of conntrack, by one dump for all
 * such addresses, every few seconds, and less often where that takes long, so that it costs at most
 * a twentieth of the agent's time.
 */
#include "daemon/plumb_parts.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <inttypes.h>

#define LINGER_USEC	(UINT64_C(3) * 1000000)

enum { COST_SHARE = 20 };

/* Of @n addresses, sorted: log what begins to linger, and set what does. */
static bool judge(struct agent *agent, struct plumb_address *const *at, size_t n)
{
	struct ip *AUTO(mem_drop) ips = mem_zero(n, sizeof *ips);
	uint64_t *AUTO(mem_drop) counts = mem_zero(n, sizeof *counts);
	char text[IP_TEXT];
	bool any = false;
	int r;

	for (size_t i = 0; i < n; i++)
		ips[i] = at[i]->ip;
	r = agent->kernel->count_sources(agent->kernel, agent->now->model.mask, ips, n, counts);
	for (size_t i = 0; i < n; i++) {
		bool lives = r < 0 || counts[i] > 0;

		if (r == 0 && lives && !at[i]->lingering)
			log_event(EVENT_ADDRESS_LINGERING,
				  "address=%s interface=%s connections=%" PRIu64,
				  ip_print(&at[i]->ip, text), at[i]->interface, counts[i]);
		at[i]->lingering = lives;
		any = any || lives;
	}
	return any;
}

void plumb_linger(struct agent *agent)
{
	struct { struct plumb_address **at; size_t n, room; } asked = { 0 };
	struct plumb *plumb = agent->plumb;
	uint64_t begun = agent_clock(), cost;
	bool due = begun >= plumb->linger_due, any = false;

	for (size_t i = 0; i < plumb->addresses.n; i++) {
		struct plumb_address *address = plumb->addresses.at[i];

		address->lingering = address->lingering && address->binding == NO_INDEX;
		if (address->binding == NO_INDEX && address->owned && (due || !address->lingering))
			PUSH(&asked, address);
		else
			any = any || address->lingering;
	}
	if (asked.n > 0)
		any = judge(agent, asked.at, asked.n) || any;
	cost = (agent_clock() - begun) * COST_SHARE;
	if (!any)
		plumb->linger_due = UINT64_MAX;
	else if (due || plumb->linger_due == UINT64_MAX)
		plumb->linger_due = begun + (cost > LINGER_USEC ? cost : LINGER_USEC);
	free(asked.at);
}
