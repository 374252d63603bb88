/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which binding a message leaves from, and by which next hop: the rules of the relay stanza, as an index
 * that answers in constant time however many rules there are (but for prefixes, whose lengths are
 * tried longest first). Pure.
 */
#pragma once

#include "model/model.h"
#include "model/relay.h"
#include "smtp/session.h"

struct policy;

/* What one decision looks at; NULL or len 0: not known, or not so. Texts as the client said them. */
struct policy_facts {
	const struct relay_listener *listener;
	struct ip client;			/* len 0: a Unix socket */
	struct ip destination;			/* intercepted or proxied; else len 0 */
	bool has_peer;				/* Unix socket: */
	uint32_t peer_uid;
	const char *peer_cgroup;
	const char *helo, *user, *sender, *rcpt, *parameter, *header;
	const char *map;			/* what policy-map answered: a binding's name; NULL: nothing */
};

struct policy_verdict {
	const char *binding;			/* NULL: refused; lives as long as facts and policy */
	const char *reason;			/* of a refusal: for the client, after "4.7.1 " */
	const struct relay_rule *rule;		/* that decided, or NULL */
	enum relay_key key;			/* by which it was decided */
	bool permanent;				/* a refusal by `reject`: 550 5.7.1; else 451, try again */
	struct relay_host hop;			/* host NULL: by MX, or where the client was going */
	uint32_t hash;				/* to choose by: the same whenever the message is tried again */
	unsigned lookups;			/* how often the index was asked */
};

struct policy *policy_new(const struct model *model);	/* borrows the model */
void policy_free(struct policy *policy);
size_t policy_memory(const struct policy *policy);	/* octets, beside the model */

/*
 * policy_point - when can a session on @listener be decided: as early as what may apply there allows
 *
 * A key that a rule looks at must be known, and so must the destination: without a smarthost an
 * SMTP or LMTP front has it from the first RCPT. A group wants the sender, for its hash; LMTP is never
 * earlier than RCPT, since each recipient may go elsewhere. What names a binding itself (parameter, map,
 * header) may name a group. AUTH counts as MAIL: whether a client logs in is known only then.
 */
enum point policy_point(const struct policy *policy, const struct relay_listener *listener);
const char *policy_point_name(enum point point);

/* Is policy-map to be asked first, with policy_map_key()? Not if the client names a binding itself. */
bool policy_asks_map(const struct policy *policy, const struct policy_facts *facts);
/* The key of that question, with its NUL: outbind.conf(5), policy-map. */
void policy_map_key(const struct policy_facts *facts, struct buffer *out);

void policy_decide(const struct policy *policy, const struct policy_facts *facts,
		   struct policy_verdict *ret);
/* TLS that mail to @domain (or to smarthost @domain) asks for: the longest rule, else the relay's. */
enum relay_tls policy_tls(const struct policy *policy, const char *domain);
