/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a probe of `outbindctl verify` comes to: evidence in, a word and a sentence out. Pure. */
#include "verify_parts.h"

#include "host_port.h"
#include "number.h"
#include "say.h"

#include <string.h>

enum { PORT_DEFAULT = 443 };

const char *verify_outcome_name(enum outcome outcome)
{
	static const char *const names[] = { [OUTCOME_FAIL] = "fail", [OUTCOME_PASS] = "pass",
					     [OUTCOME_REFUSED] = "refused" };

	return names[outcome];
}

const char *verify_reply_name(enum reply reply)
{
	static const char *const names[] = { [REPLY_NONE] = "none", [REPLY_SYN_ACK] = "syn-ack",
					     [REPLY_RST] = "rst", [REPLY_ICMP] = "icmp" };

	return names[reply];
}

const struct seen *verify_seen(const struct evidence *evidence)
{
	const struct seen *last = NULL;

	for (size_t i = 0; i < evidence->n_seen; i++)
		if (!last || evidence->seen[i].when_us >= last->when_us)
			last = &evidence->seen[i];
	return last;
}

static bool is_among(const struct prefixes *prefixes, const struct ip *ip)
{
	for (size_t i = 0; i < prefixes->n; i++)
		if (prefix_contains(&prefixes->at[i], ip))
			return true;
	return false;
}

/* "192.0.2.11, 192.0.2.12 and 3 more" of one family. */
static void say_expected(struct says *says, const struct prefixes *expected, enum family family)
{
	char text[PREFIX_TEXT];
	size_t said = 0, more = 0;

	for (size_t i = 0; i < expected->n; i++) {
		const struct prefix *prefix = &expected->at[i];

		if (ip_family(&prefix->ip) != family)
			continue;
		if (said == 2) {
			more++;
			continue;
		}
		say(says, "%s%s", said++ ? ", " : "",
		    prefix->bits == prefix->ip.len * 8 ? ip_print(&prefix->ip, text)
						       : prefix_print(prefix, text));
	}
	if (more > 0)
		say(says, " and %zu more", more);
	if (said == 0)
		say(says, "none");
}

/* "by eth0, 02:.. to next hop 02:.." */
static void say_link(struct says *says, const struct evidence *evidence, const struct seen *seen)
{
	char from[WIRE_MAC_TEXT], to[WIRE_MAC_TEXT];

	say(says, "by %s", seen->link);
	for (size_t i = 0; i < evidence->n_seen; i++)
		if (&evidence->seen[i] != seen)
			say(says, " (through %s)", evidence->seen[i].link);
	if (seen->packet.has_macs)
		say(says, ", %s to next hop %s", wire_mac(seen->packet.from_mac, from),
		    wire_mac(seen->packet.to_mac, to));
}

static void say_reply(struct says *says, const struct evidence *evidence)
{
	static const char *const words[] = { [REPLY_SYN_ACK] = "SYN-ACK", [REPLY_RST] = "RST",
					     [REPLY_ICMP] = "ICMP" };
	char from[IP_TEXT];

	if (evidence->reply == REPLY_NONE)
		return;
	say(says, "; %s after %llu.%llu ms", words[evidence->reply],
	    (unsigned long long)evidence->reply_us / 1000,
	    (unsigned long long)evidence->reply_us % 1000 / 100);
	if (evidence->reply == REPLY_ICMP)
		say(says, " from %s: %s", ip_print(&evidence->answer.from, from),
		    wire_error_text(ip_family(&evidence->answer.from), evidence->answer.type,
				    evidence->answer.code));
}

/* Nothing was seen on any link: why? */
static enum outcome judge_unseen(const struct evidence *evidence,
				 const struct circumstances *around, struct says *says)
{
	if (evidence->error == 0 || around->lost > 0) {
		say(says, "the capture lost it (%llu packets had no room): say it again%s",
		    around->lost, evidence->error == 0 ? "; it was connected" : "");
		return OUTCOME_FAIL;
	}
	if (evidence->error == EHOSTUNREACH) {
		say(says, "nothing left: no route, or the next hop does not answer");
		return OUTCOME_FAIL;
	}
	if (evidence->error != ETIMEDOUT) {
		say(says, "refused on this host, nothing left by any link: %s",
		    around->limit > 0 ? "a limit is reached"
		    : around->unusable > 0 ? "the binding cannot carry this family now"
					   : strerror(evidence->error));
		return OUTCOME_REFUSED;
	}
	say(says, "nothing left by any link in %d s: dropped on this host", evidence->timeout_s);
	if (around->guard > 0)
		say(says, ", by outbind's guard: it had not the binding's address, so somebody "
			  "else rewrites the source (an SNAT, masquerade or mangling rule: "
			  "`nft list ruleset`)");
	else if (around->uplink > 0)
		say(says, ", by outbind's guard: it would have left by another way than its "
			  "uplink");
	else
		say(says, ", not by outbind's guard: by a rule of somebody else (`nft list "
			  "ruleset`) or a queue (`tc -s qdisc`)");
	return OUTCOME_FAIL;
}

enum outcome verify_judge(const struct evidence *evidence, const struct circumstances *around,
			  char text[static VERIFY_TEXT])
{
	const struct seen *seen = verify_seen(evidence);
	struct says says = { text, 0, VERIFY_TEXT };
	char from[IP_TEXT];

	text[0] = '\0';
	if (evidence->refusal[0]) {
		say(&says, "refused by the agent: %s", evidence->refusal);
		return OUTCOME_REFUSED;
	}
	if (!seen)
		return judge_unseen(evidence, around, &says);
	(void)ip_print(&seen->packet.from, from);
	if (!is_among(&evidence->expected, &seen->packet.from)) {
		say(&says, "left from %s, which is not an address of the binding (", from);
		say_expected(&says, &evidence->expected, ip_family(&seen->packet.from));
		say(&says, "), ");
		say_link(&says, evidence, seen);
		say(&says, ": somebody else rewrites the source after outbind (`nft list ruleset`, "
			   "`tc filter show dev %s egress`)", seen->link);
		say_reply(&says, evidence);
		return OUTCOME_FAIL;
	}
	say(&says, "left from %s ", from);
	say_link(&says, evidence, seen);
	if (evidence->uplink_link && is_among(&evidence->own, &seen->packet.from) &&
	    strcmp(evidence->uplink_link, seen->link) != 0) {
		say(&says, ", but its uplink %s is %s", evidence->uplink, evidence->uplink_link);
		say_reply(&says, evidence);
		return OUTCOME_FAIL;
	}
	say_reply(&says, evidence);
	if (evidence->reply != REPLY_NONE)
		return OUTCOME_PASS;
	say(&says, "; nothing came back in %d s: is the address routed to this host, and is the "
		   "port open?", evidence->timeout_s);
	return OUTCOME_FAIL;
}

bool verify_read_to(const char *text, char host[static 256], uint16_t *ret_port)
{
	struct host_port to;
	long long port = PORT_DEFAULT;

	if (!host_port_split(text, &to) || to.len == 0 || to.len > 255 ||
	    (to.port && (strlen(to.port) > 5 || !number_read(to.port, 1, UINT16_MAX, &port))))
		return false;
	memcpy(host, to.host, to.len);
	host[to.len] = '\0';
	*ret_port = (uint16_t)port;
	return true;
}
