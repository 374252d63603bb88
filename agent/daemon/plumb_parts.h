/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plumb*.c only. */
#pragma once

#include "daemon/plumb.h"

enum plumb_phase {
	PLUMB_IDLE,				/* as it should be, or waiting for its interface */
	PLUMB_QUEUED,				/* to be asked for when fewer others are */
	PLUMB_ASKING,				/* nobody may have it before it is added */
	PLUMB_ADDING,				/* to be added now */
	PLUMB_ANNOUNCING,			/* it is there: tell the others */
	PLUMB_CHECKING,				/* it is there, and somebody else said he has it */
	PLUMB_WAITING,				/* somebody has it, or the kernel refused: later again */
};

struct plumb_address {
	struct ip ip;
	char interface[16];
	uint32_t binding;			/* index in the model in force; NO_INDEX: to be removed */
	enum plumb_phase phase;
	bool owned;				/* added by us under this boot: ours to remove */
	bool loaded;				/* from the state file, not looked at yet */
	bool there;				/* the facts have it on its interface */
	bool link_up;				/* when it was last looked at */
	bool active;				/* in plumb->active */
	bool lingering;				/* unwanted, but connections leave from it */
	unsigned sent;				/* packets of this phase */
	uint64_t due;				/* when the next step is */
	char by[18];				/* MAC of who else has it, or "" */
};

enum plumb_finding {
	FINDING_NO_LINK = 1 << 0, FINDING_DOWN = 1 << 1, FINDING_OFF_LINK = 1 << 2,
	FINDING_STRICT = 1 << 3, FINDING_MTU = 1 << 4, FINDING_SILENT = 1 << 5,
};

enum { FINDINGS = 6 };

struct plumb_uplink {
	char *name;
	size_t index;				/* in the model that was last made */
	uint32_t slot, table;			/* priority of its rules: PLUMB_FIRST + slot */
	bool wanted, complete;			/* @complete: nothing was missing when last looked at */
	bool silent[FAMILIES], no_route[FAMILIES];	/* as in struct uplink_state */
	bool off_link[FAMILIES];		/* the kernel refused the way by this gateway */
	uint64_t asked;				/* when the gateways were last made to be asked */
	unsigned findings;			/* that were logged */
	uint64_t restored;			/* routes and rules that others had deleted */
};

enum { PLUMB_FIRST = 7100, PLUMB_SLOTS = 4096 };	/* tables we choose, and priorities */

struct plumb {
	struct { struct plumb_address **at; size_t n, room; } addresses;	/* sorted by ip */
	size_t n_sorted;			/* of them: new ones are sorted in when all are there */
	struct { struct plumb_address **at; size_t n, room; } active;	/* with something due */
	struct { struct plumb_uplink *at; size_t n, room; } uplinks;
	struct { struct ear *at; size_t n, room; } ears;
	uint64_t linger_due;			/* when to look again; UINT64_MAX: nothing lingers */
	size_t n_asking;
	bool queued;				/* somebody is PLUMB_QUEUED */
	bool changed;				/* facts are others than what was judged */
	bool unpublished;			/* claims or conflicts are others than in the facts */
	bool unsaved;				/* the state file is behind */
	bool deaf;				/* no packet sockets: nothing is asked or announced */
	bool knows_protocol;			/* the kernel tells who added an address */
};

/* plumb.c */
void plumb_look(struct agent *agent, struct plumb_address *address);	/* what is to be done? */

/* plumb_list.c */
struct plumb_address *plumb_find(const struct plumb *plumb, const struct ip *ip);
struct plumb_address *plumb_new(struct plumb *plumb, const struct ip *ip, const char *interface);
void plumb_sort(struct plumb *plumb);
const char *plumb_name(const struct agent *agent, const struct plumb_address *address);
bool plumb_is_claim(enum plumb_phase phase);	/* being asked for, or about to be */
void plumb_activate(struct plumb *plumb, struct plumb_address *address, enum plumb_phase phase,
		    uint64_t due);
void plumb_disown(struct plumb *plumb, struct plumb_address *address);
/* Free it; the caller takes it out of plumb->addresses. */
void plumb_forget(struct plumb *plumb, struct plumb_address *address);

/* plumb_add.c */
void plumb_add_due(struct agent *agent);	/* all that are PLUMB_ADDING */
void plumb_publish(struct agent *agent);	/* claims and conflicts, into the facts */

/* plumb_linger.c */
void plumb_linger(struct agent *agent);		/* which unwanted ones are to stay for now? */

/* plumb_state.c */
void plumb_load(struct agent *agent);
MUST_CHECK int plumb_save(struct agent *agent);

/* plumb_ask.c */
void plumb_listen(struct agent *agent);
void plumb_hear(struct agent *agent);
void plumb_step(struct agent *agent, struct plumb_address *address);

/* plumb_uplinks.c */
void plumb_uplinks(struct agent *agent, const struct generation *of, bool in_force);
void plumb_uplinks_expect(struct agent *agent, const struct model *model);
uint64_t plumb_uplinks_due(const struct agent *agent);
void plumb_uplinks_run(struct agent *agent);
void plumb_uplinks_remove(struct agent *agent);
void plumb_uplinks_drop(struct plumb *plumb);

/* plumb_routes.c */
struct plumb_making {
	unsigned made, missing;			/* routes and rules */
	int refused[FAMILIES];			/* why the default route is not there, or 0 */
	bool no_route[FAMILIES];
};

bool plumb_is_our_rule(const struct fwmark_rule *rule);
struct fwmark plumb_uplink_mark(const struct generation *of, size_t uplink);
bool plumb_leads_out(const struct uplink *uplink, int family);
void plumb_make_routes(struct agent *agent, const struct uplink *uplink, uint32_t table,
		       struct plumb_making *making);
void plumb_make_rules(struct agent *agent, const struct generation *of, size_t index,
		      const struct plumb_uplink *uplink, struct plumb_making *making);
/* Rules of uplinks that are no more, or have another mark or table now; and what they led to. */
void plumb_remove_rules(struct agent *agent, const struct generation *of);
void plumb_give_up_table(struct agent *agent, uint32_t table);	/* but for what others put there */

/* plumb_warn.c */
void plumb_find_faults(struct agent *agent, const struct uplink *uplink,
		       struct plumb_uplink *plumbed, unsigned found);
