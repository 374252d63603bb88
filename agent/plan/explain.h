/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the data path would do with a first packet, answered from a plan's sets as the chains of
 * nft-templates/ read them, in the same order. Pure. */
#pragma once

#include "plan/plan.h"

struct packet {					/* a first packet; what is not known is left out */
	struct fwmark mark;			/* SO_MARK of the socket; 0 = none */
	uint64_t cgroups[16];			/* ids from the deepest level up; 0 ends */
	bool has_uid, has_gid;
	uint32_t uid, gid;
	struct ip source;			/* len 0: a local sender; else forwarded */
	struct ip to;				/* required */
	uint8_t protocol;			/* required */
	uint16_t port;				/* 0 for protocols without ports */
	bool to_local;				/* explain_to_local() of @to */
};

enum verdict {
	VERDICT_BINDING,			/* leaves from @source */
	VERDICT_LOCAL,				/* destination is this host: no chain looks at it */
	VERDICT_BYPASS,				/* destination is in the bypass list */
	VERDICT_PASS, VERDICT_UNASSIGNED,	/* leaves from the host's own address */
	VERDICT_REJECT,				/* by a rule */
	VERDICT_UNUSABLE,			/* binding cannot carry this family: refused */
	VERDICT_MEMBER,				/* leaves from some member of a group: not known which */
	VERDICT_UNKNOWN_MARK,			/* a number that stands for nothing: refused */
	VERDICT_INTERCEPTED,			/* turned to the relay, which decides */
};

struct lookup {					/* one element that the data path would look up */
	enum set_id set;
	uint8_t key[KEY_MAX];
	const uint8_t *row;			/* what the plan has there, or NULL */
};

struct explanation {
	enum verdict verdict;
	uint32_t rule;				/* index of the rule that decided, or NO_INDEX */
	bool by_default;			/* `default-binding` decided */
	uint32_t binding;			/* that it leaves by, or NO_INDEX */
	bool limited;				/* it has limits, which may be reached */
	uint32_t group;				/* that chose it, or NO_INDEX */
	struct fwmark mark;
	struct ip source;			/* VERDICT_BINDING: on the wire, unless the next is said */
	struct prefix within;			/* the kernel picks one of these; ip.len 0: not so */
	uint32_t bypass;			/* index of the entry, or an origin of plan_cover.h */
	uint32_t intercept;			/* index of the relay's listener, or NO_INDEX */
	struct lookup lookups[64];		/* in order, hits and misses: compare with the kernel */
	size_t n_lookups;
};

/* Is @to loopback or, by @facts, an address of this host that is in use? */
bool explain_to_local(const struct facts *facts, const struct ip *to);

void explain_packet(const struct model *model, const struct plan *plan, const struct packet *packet,
		    struct explanation *ret);

/* "leaves from the binding's address", ...: for people and for JSON ("binding", "bypass", ...). */
const char *explain_verdict_text(enum verdict verdict);
const char *explain_verdict_name(enum verdict verdict);
