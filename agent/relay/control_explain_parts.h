/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside Explain: control_explain.c finds out, control_explain_answer.c says it. */
#pragma once

#include "relay/control_parts.h"
#include "relay/resolve.h"
#include "relay/socketmap.h"
#include "relay/tagging.h"
#include "smtp/address.h"

struct explain {
	struct control_peer *peer;
	struct generation *generation;		/* counted */
	json_t *in;				/* the call, whose texts are borrowed */
	const struct front_kind *front;
	struct policy_verdict verdict;
	struct socketmap_query *map;
	char *mapped;				/* what policy-map answered, or NULL */
	char domain[DOMAIN_MAX_BYTES + 1];
	struct ip destination;
	uint16_t port;				/* 0: not given */
	struct tagging_query *tag;
	struct resolve_query *query;
	char *member, *ehlo[FAMILIES];
	enum family family;			/* of the first destination, or the first that is usable */
	json_t *addresses, *destinations;
	char refused[512];
};

/* A front that parses no mail: its client says where to, and its own EHLO. */
bool control_explain_passes(const struct explain *explain);
/* Domain or host that it goes to; "" if that is not known, or an address. */
const char *control_explain_hop(const struct explain *explain);
bool control_explain_to_address(const struct explain *explain);
/* A new object. */
json_t *control_explain_answer(const struct explain *explain);
