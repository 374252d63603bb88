/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values that stand for numbers: addresses, prefixes, protocols, users and groups. An address must
 * be one that packets can leave from; why one is not is said in the message.
 */
#include "model/conf_build.h"

#include <stdio.h>
#include <string.h>

/* Why packets cannot leave from some address of @prefix, or NULL; which one is in @ret_first. */
static const char *prefix_fault(const struct prefix *prefix, struct ip *ret_first)
{
	/* IANA special-purpose registries; RFC 4291 */
	static const struct {
		struct prefix prefix;
		const char *fault;
	} faults[] = {
		{ { { { 0 }, 4 }, 8 }, "is the unspecified address" },
		{ { { { 127 }, 4 }, 8 }, "is a loopback address" },
		{ { { { 224 }, 4 }, 4 }, "is a multicast address" },
		{ { { { 255, 255, 255, 255 }, 4 }, 32 }, "is the broadcast address" },
		{ { { { 0 }, 16 }, 128 }, "is the unspecified address" },
		{ { { { [15] = 1 }, 16 }, 128 }, "is a loopback address" },
		{ { { { 0xfe, 0x80 }, 16 }, 10 },
		  "is a link-local address, which means nothing beyond its link" },
		{ { { { 0xff }, 16 }, 8 }, "is a multicast address" },
	};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		bool within = prefix_covers(&faults[i].prefix, prefix);

		if (!within && !prefix_covers(prefix, &faults[i].prefix))
			continue;
		*ret_first = within ? prefix->ip : faults[i].prefix.ip;
		return faults[i].fault;
	}
	return NULL;
}

bool conf_form_ip(struct conf *conf, const struct word *word, struct where where,
		      struct ip *ret)
{
	char text[IP_TEXT + 1] = "";
	const char *fault = NULL;
	struct ip ip;
	int r = conf_word_copy(word, text, sizeof text) ? ip_parse(text, &ip) : -EINVAL;

	if (r == -EAFNOSUPPORT)
		fault = "is an IPv4 address in IPv6 form: expected it as IPv4";
	else if (r < 0 && memchr(word->at, '/', word->len))
		fault = "is not an address: expected one without a prefix length";
	else if (r < 0)
		fault = "is not an address: expected IPv4 or IPv6, such as 192.0.2.1 or "
			"2001:db8::1";
	if (fault) {
		diag_error(conf->diag, where, "%s %s", SHOW(word), fault);
		return false;
	}
	*ret = ip;
	return true;
}

bool conf_form_address(struct conf *conf, const struct word *word, struct where where,
		       const char *wanted, struct ip *ret)
{
	const char *fault;
	struct ip ip, first;

	if (!conf_form_ip(conf, word, where, &ip))
		return false;
	fault = prefix_fault(&(struct prefix){ ip, ip.len * 8 }, &first);
	if (fault) {
		diag_error(conf->diag, where, "%s %s: expected %s", SHOW(word), fault, wanted);
		return false;
	}
	*ret = ip;
	return true;
}

bool conf_form_prefix(struct conf *conf, const struct word *word, struct where where,
		      const char *wanted, struct prefix *ret)
{
	char text[PREFIX_TEXT + 1];
	int r = conf_word_copy(word, text, sizeof text) ? prefix_parse(text, ret) : -EINVAL;

	if (r == -EDOM)
		diag_error(conf->diag, where, "%s has bits set after its prefix length: did you "
			   "mean '%s'?", SHOW(word), prefix_print(ret, text));
	else if (r == -EAFNOSUPPORT)
		diag_error(conf->diag, where, "%s is an IPv4 prefix in IPv6 form: expected it as "
			   "IPv4", SHOW(word));
	else if (r < 0)
		diag_error(conf->diag, where, "%s is not a prefix: expected %s", SHOW(word),
			   wanted);
	return r == 0;
}

bool conf_form_routed(struct conf *conf, const struct word *word, struct where where,
		      struct prefix *ret)
{
	const char *fault;
	struct ip first;
	char text[IP_TEXT];

	if (!conf_form_prefix(conf, word, where, "one that is routed to this host, such as "
			      "2001:db8:7::/64", ret))
		return false;
	fault = prefix_fault(ret, &first);
	if (fault)
		diag_error(conf->diag, where, "%s holds %s, which %s: expected unicast addresses "
			   "of this host", SHOW(word), ip_print(&first, text), fault);
	return !fault;
}

bool conf_form_count(struct conf *conf, const char *what, const struct word *word,
		     struct where where, uint64_t min, uint64_t max, uint32_t *ret)
{
	uint64_t number = 0;
	int r = conf_word_number(word, max, &number);

	if (r < 0 || number < min) {
		diag_error(conf->diag, where, "%s %s is not a number from %llu to %llu", what,
			   SHOW(word), (unsigned long long)min, (unsigned long long)max);
		return false;
	}
	*ret = (uint32_t)number;
	return true;
}

/* IANA protocol numbers; no getprotobyname(3), since a file must mean the same everywhere. */
const char *const conf_protocol_names[256] = {
	[PROTOCOL_ICMP] = "icmp", [2] = "igmp", [4] = "ipencap", [PROTOCOL_TCP] = "tcp",
	[8] = "egp", [PROTOCOL_UDP] = "udp", [PROTOCOL_DCCP] = "dccp", [41] = "ipv6", [46] = "rsvp",
	[47] = "gre", [50] = "esp", [51] = "ah", [PROTOCOL_ICMPV6] = "icmpv6", [88] = "eigrp",
	[89] = "ospf", [103] = "pim", [112] = "vrrp", [115] = "l2tp",
	[PROTOCOL_SCTP] = "sctp", [PROTOCOL_UDPLITE] = "udplite",
};

static int find_protocol(const struct word *word, uint8_t *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(conf_protocol_names); i++) {
		if (!conf_protocol_names[i] || !conf_word_is(word, conf_protocol_names[i]))
			continue;
		*ret = (uint8_t)i;
		return 0;
	}
	return -ENOENT;
}

int conf_protocol_number(const char *name, uint8_t *ret)
{
	const struct word word = { .at = name, .len = strlen(name) };

	return find_protocol(&word, ret);
}

bool conf_form_protocol(struct conf *conf, const struct word *word, struct where where,
			uint8_t *ret)
{
	const char *known[256], *near;
	uint64_t number;
	size_t n = 0;

	if (find_protocol(word, ret) == 0)
		return true;
	if (conf_word_number(word, 255, &number) == 0) {
		*ret = (uint8_t)number;
		return true;
	}
	for (unsigned i = 0; i < ARRAY_LEN(conf_protocol_names); i++)
		if (conf_protocol_names[i])
			known[n++] = conf_protocol_names[i];
	near = conf_near(word, known, n);
	diag_error(conf->diag, where, "%s is not a protocol: expected a name such as tcp, udp or "
		   "icmp, or a number from 0 to 255%s%s%s", SHOW(word), near ? "; did you mean '" : "",
		   near ? near : "", near ? "'?" : "");
	return false;
}

static bool ids_by_name(struct conf *conf, bool is_user, const struct word *word,
			struct where where, struct id_range *ret)
{
	const struct conf_world *world = conf->world;
	const char *what = is_user ? "user" : "group";
	char name[256];
	uint32_t id = 0;
	int r = -ESRCH;

	if (word->len && conf_word_copy(word, name, sizeof name))
		r = is_user ? world->user_id(world->context, name, &id) :
			      world->group_id(world->context, name, &id);
	if (r == -ESRCH)
		diag_error(conf->diag, where, "unknown %s %s: expected one that exists here, or a "
			   "number", what, SHOW(word));
	else if (r < 0)
		diag_error(conf->diag, where, "%s %s cannot be looked up: %s", what, SHOW(word),
			   strerrordesc_np(-r) ? strerrordesc_np(-r) : "unknown error");
	*ret = (struct id_range){ id, id };
	return r == 0;
}

bool conf_form_ids(struct conf *conf, bool is_user, const struct word *word, struct where where,
		   struct id_range *ret, const char **ret_text)
{
	const char *what = is_user ? "user" : "group";
	uint64_t first, last;
	/* the highest number is (uid_t)-1, which setreuid(2) takes for "no change" */
	int r = conf_word_range(word, UINT32_MAX - 1, &first, &last);

	if (r == -EINVAL) {
		if (!ids_by_name(conf, is_user, word, where, ret))
			return false;
		*ret_text = conf_word_keep(conf, word);
		return true;
	}
	if (r == -ERANGE)
		diag_error(conf->diag, where, "%s %s is out of range: expected at most %u", what,
			   SHOW(word), UINT32_MAX - 1);
	else if (r == -EDOM)
		diag_error(conf->diag, where, "range %s is reversed: did you mean '%llu-%llu'?",
			   SHOW(word), (unsigned long long)last, (unsigned long long)first);
	if (r < 0)
		return false;
	*ret = (struct id_range){ (uint32_t)first, (uint32_t)last };
	*ret_text = NULL;
	return true;
}
