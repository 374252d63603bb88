/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions of one nf_tables rule, followed register by register: which bits of a mark reach a
 * comparison, and which may differ in what is written back. What nft writes as `meta mark set mark and
 * 0xff00ffff or 0x10000` is a load, a bitwise with mask and xor, and a store.
 */
#include "kernel/ruleset.h"

#include "base/ascii.h"
#include "kernel/attributes.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <stdio.h>
#include <string.h>

enum shape { SHAPE_HEX, SHAPE_IP, SHAPE_TEXT, SHAPE_PORT, SHAPE_HOST32, SHAPE_PROTOCOL };
enum holds { HOLDS_OTHER, HOLDS_MARK, HOLDS_CT_MARK, HOLDS_CONSTANT };

struct held {
	enum holds what;
	uint32_t kept, flipped;			/* bits of the mark: (mark & kept) ^ flipped */
	enum shape shape;
	const char *name;			/* "ip saddr" */
	uint8_t value[16];			/* HOLDS_CONSTANT */
	size_t len;
};

enum { SLOTS = 16, NO_SLOT = SLOTS };		/* of 4 octets; four of them are a register of old */

struct walk {
	struct ruleset_rule *rule;
	struct held held[SLOTS + 1];		/* the last: of registers that are none */
	uint32_t (*find)(void *context, const char *name);
	void *context;
};

static struct held *slot(struct walk *walk, uint32_t number)
{
	if (number >= NFT_REG_1 && number <= NFT_REG_4)
		return &walk->held[(number - NFT_REG_1) * 4];
	if (number >= NFT_REG32_00 && number <= NFT_REG32_15)
		return &walk->held[number - NFT_REG32_00];
	walk->held[NO_SLOT] = (struct held){ 0 };
	return &walk->held[NO_SLOT];
}

static struct held *slot_of(struct walk *walk, struct attributes parts, uint16_t type)
{
	return slot(walk, attributes_be32(parts, type));
}

/* Octets of an NFTA_DATA_VALUE within attribute @type; their number, 0 if there are none. */
static size_t value_of(struct attributes parts, uint16_t type, uint8_t ret[static 16])
{
	const struct nlattr *attr = attributes_find(parts, type);
	const struct nlattr *value =
		attr ? attributes_find(attributes_nested(attr), NFTA_DATA_VALUE) : NULL;
	size_t len = value ? mnl_attr_get_payload_len(value) : 0;

	memset(ret, 0, 16);
	len = len > 16 ? 16 : len;
	if (len)
		memcpy(ret, mnl_attr_get_payload(value), len);
	return len;
}

static uint32_t host32(const uint8_t octets[static 4])
{
	uint32_t value;

	memcpy(&value, octets, sizeof value);
	return value;
}

static const char *print_value(enum shape shape, const uint8_t *value, size_t len, char out[64])
{
	size_t at = 0;

	if (shape == SHAPE_IP && (len == 4 || len == 16)) {
		struct ip ip = { .len = (uint8_t)len };

		memcpy(ip.octet, value, len);
		return ip_print(&ip, out);
	}
	if (shape == SHAPE_TEXT) {
		snprintf(out, 64, "\"%.*s\"", (int)strnlen((const char *)value, len), value);
		return ascii_show(out, strlen(out), out);
	}
	if (shape == SHAPE_PORT && len == 2)
		snprintf(out, 64, "%u", (unsigned)value[0] << 8 | value[1]);
	else if (shape == SHAPE_PROTOCOL && len == 1)
		snprintf(out, 64, "%u", value[0]);
	else if (shape == SHAPE_HOST32 && len == 4)
		snprintf(out, 64, "0x%x", host32(value));
	else
		for (out[0] = '\0'; at < len && at < 16; at++)
			snprintf(out + 2 * at, 64 - 2 * at, "%02x", value[at]);
	return out;
}

static const struct { enum foreign_kind read, set; const char *name; } marks[] = {
	[HOLDS_MARK] = { FOREIGN_MARK_READ, FOREIGN_MARK_SET, "meta mark" },
	[HOLDS_CT_MARK] = { FOREIGN_CT_MARK_READ, FOREIGN_CT_MARK_SET, "ct mark" },
};

static bool is_mark(const struct held *held)
{
	return held->what == HOLDS_MARK || held->what == HOLDS_CT_MARK;
}

/* The rule looks at what @held is. */
static void look(struct walk *walk, const struct held *held)
{
	static const char *const narrow[] = { "ip saddr", "ip6 saddr", "skuid", "skgid", "cgroup",
					      "iifname", "iif", "mark", "ct mark", "sport",
					      "socket" };

	if (is_mark(held))
		ruleset_act(walk->rule, marks[held->what].read, held->kept);
	for (size_t i = 0; held->name && i < ARRAY_LEN(narrow); i++)
		walk->rule->narrow |= strcmp(held->name, narrow[i]) == 0;
}

static const char *name_of(const struct held *held)
{
	return held->name ? held->name : "something";
}

/* A register goes into @mark: of its own bits those that were kept stay, and all of the other one's are new. */
static void store(struct walk *walk, enum holds mark, const struct held *from)
{
	ruleset_act(walk->rule, marks[mark].set,
		    from->what == mark ? ~from->kept | from->flipped : UINT32_MAX);
	if (is_mark(from) && from->what != mark)
		ruleset_act(walk->rule, marks[from->what].read, from->kept);
	if (from->what == HOLDS_CONSTANT)
		ruleset_say(walk->rule, "%s set 0x%x", marks[mark].name, host32(from->value));
	else
		ruleset_say(walk->rule, "%s set %s & 0x%x ^ 0x%x", marks[mark].name, name_of(from),
			    from->kept, from->flipped);
}

static void take_meta(struct walk *walk, struct attributes parts)
{
	static const struct {
		enum nft_meta_keys key;
		const char *name;
		enum shape shape;
	} keys[] = {
		{ NFT_META_MARK, "mark", SHAPE_HOST32 },
		{ NFT_META_IIF, "iif", SHAPE_HOST32 },
		{ NFT_META_OIF, "oif", SHAPE_HOST32 },
		{ NFT_META_IIFNAME, "iifname", SHAPE_TEXT },
		{ NFT_META_OIFNAME, "oifname", SHAPE_TEXT },
		{ NFT_META_SKUID, "skuid", SHAPE_HOST32 },
		{ NFT_META_SKGID, "skgid", SHAPE_HOST32 },
		{ NFT_META_L4PROTO, "l4proto", SHAPE_PROTOCOL },
		{ NFT_META_NFPROTO, "nfproto", SHAPE_PROTOCOL },
		{ NFT_META_CGROUP, "cgroup", SHAPE_HOST32 },
	};
	uint32_t key = attributes_be32(parts, NFTA_META_KEY);
	struct held held = { .name = "meta" };

	if (attributes_find(parts, NFTA_META_SREG)) {
		if (key == NFT_META_MARK)
			store(walk, HOLDS_MARK, slot_of(walk, parts, NFTA_META_SREG));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (key == keys[i].key)
			held = (struct held){ .name = keys[i].name, .shape = keys[i].shape };
	if (key == NFT_META_MARK) {
		held.what = HOLDS_MARK;
		held.kept = UINT32_MAX;
	}
	*slot_of(walk, parts, NFTA_META_DREG) = held;
}

static void take_ct(struct walk *walk, struct attributes parts)
{
	uint32_t key = attributes_be32(parts, NFTA_CT_KEY);
	struct held held = { .name = key == NFT_CT_STATE ? "ct state" : "ct" };

	if (attributes_find(parts, NFTA_CT_SREG)) {
		if (key == NFT_CT_MARK)
			store(walk, HOLDS_CT_MARK, slot_of(walk, parts, NFTA_CT_SREG));
		return;
	}
	if (key == NFT_CT_MARK)
		held = (struct held){ .name = "ct mark", .shape = SHAPE_HOST32,
				      .what = HOLDS_CT_MARK, .kept = UINT32_MAX };
	*slot_of(walk, parts, NFTA_CT_DREG) = held;
}

static bool crosses(uint32_t offset, uint32_t len, uint32_t first, uint32_t size)
{
	return offset < first + size && first < offset + len;
}

static void take_payload(struct walk *walk, struct attributes parts)
{
	static const struct {
		bool ip6;
		uint32_t base, offset, len;
		const char *name;
		enum shape shape;
	} fields[] = {
		{ false, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, "ip saddr", SHAPE_IP },
		{ false, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, "ip daddr", SHAPE_IP },
		{ true, NFT_PAYLOAD_NETWORK_HEADER, 8, 16, "ip6 saddr", SHAPE_IP },
		{ true, NFT_PAYLOAD_NETWORK_HEADER, 24, 16, "ip6 daddr", SHAPE_IP },
		{ false, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, "sport", SHAPE_PORT },
		{ false, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, "dport", SHAPE_PORT },
	};
	uint32_t base = attributes_be32(parts, NFTA_PAYLOAD_BASE);
	uint32_t offset = attributes_be32(parts, NFTA_PAYLOAD_OFFSET);
	uint32_t len = attributes_be32(parts, NFTA_PAYLOAD_LEN);
	struct held held = { .name = "a field of the packet" };

	if (attributes_find(parts, NFTA_PAYLOAD_SREG)) {
		if (base != NFT_PAYLOAD_NETWORK_HEADER ||
		    !((!walk->rule->ipv6_only && offset >= 12 && crosses(offset, len, 12, 4)) ||
		      (!walk->rule->ipv4_only && len > 4 && crosses(offset, len, 8, 16))))
			return;
		ruleset_act(walk->rule, FOREIGN_REWRITE, 0);
		ruleset_say(walk->rule, "%s saddr set", len > 4 ? "ip6" : "ip");
		return;
	}
	/* Fewer octets than the field: nft's way to compare a prefix that ends at an octet. */
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (base == fields[i].base && offset == fields[i].offset && len <= fields[i].len &&
		    !(fields[i].ip6 ? walk->rule->ipv4_only : walk->rule->ipv6_only)) {
			held.name = fields[i].name;
			held.shape = len == fields[i].len ? fields[i].shape : SHAPE_HEX;
			break;
		}
	*slot_of(walk, parts, NFTA_PAYLOAD_DREG) = held;
}

static void take_bitwise(struct walk *walk, struct attributes parts)
{
	struct held held = *slot_of(walk, parts, NFTA_BITWISE_SREG);
	uint8_t mask[16], flip[16];
	size_t len = value_of(parts, NFTA_BITWISE_MASK, mask);

	(void)value_of(parts, NFTA_BITWISE_XOR, flip);
	if (attributes_be32(parts, NFTA_BITWISE_OP) != NFT_BITWISE_BOOL || len == 0) {
		held.what = HOLDS_OTHER;	/* shifted, or with another register */
	} else if (is_mark(&held)) {
		held.kept &= host32(mask);
		held.flipped = (held.flipped & host32(mask)) ^ host32(flip);
	}
	*slot_of(walk, parts, NFTA_BITWISE_DREG) = held;
}

static void take_compare(struct walk *walk, struct attributes parts)
{
	static const char *const words[] = { "==", "!=", "<", "<=", ">", ">=" };
	const struct held *held = slot_of(walk, parts, NFTA_CMP_SREG);
	uint32_t op = attributes_be32(parts, NFTA_CMP_OP);
	uint8_t value[16];
	size_t len = value_of(parts, NFTA_CMP_DATA, value);
	char text[64], mask[32] = "";

	look(walk, held);
	if (is_mark(held) && held->kept != UINT32_MAX)
		snprintf(mask, sizeof mask, " & 0x%x", held->kept);
	ruleset_say(walk->rule, "%s%s %s %s", name_of(held), mask,
		    op < ARRAY_LEN(words) ? words[op] : "?",
		    print_value(held->shape, value, len, text));
}

static void take_lookup(struct walk *walk, struct attributes parts)
{
	const struct held *held = slot_of(walk, parts, NFTA_LOOKUP_SREG);

	look(walk, held);
	ruleset_say(walk->rule, "%s%s @%s", name_of(held),
		    attributes_be32(parts, NFTA_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV ? " !=" : "",
		    attributes_text(parts, NFTA_LOOKUP_SET));
	if (attributes_find(parts, NFTA_LOOKUP_DREG))
		*slot_of(walk, parts, NFTA_LOOKUP_DREG) = (struct held){ .name = "a map's" };
}

static void take_verdict(struct walk *walk, struct attributes parts)
{
	const struct nlattr *body = attributes_find(parts, NFTA_IMMEDIATE_DATA);
	const struct nlattr *verdict =
		body ? attributes_find(attributes_nested(body), NFTA_DATA_VERDICT) : NULL;
	const char *name;
	uint32_t to;

	if (!verdict)
		return;
	name = attributes_text(attributes_nested(verdict), NFTA_VERDICT_CHAIN);
	if (!*name)
		return;
	ruleset_say(walk->rule, "jump %s", name);
	to = walk->find(walk->context, name);
	if (to != UINT32_MAX)
		ruleset_jump(walk->rule, to);
}

static void take_immediate(struct walk *walk, struct attributes parts)
{
	struct held held = { .what = HOLDS_CONSTANT, .name = "a constant" };

	if (attributes_be32(parts, NFTA_IMMEDIATE_DREG) == NFT_REG_VERDICT) {
		take_verdict(walk, parts);
		return;
	}
	held.len = value_of(parts, NFTA_IMMEDIATE_DATA, held.value);
	*slot_of(walk, parts, NFTA_IMMEDIATE_DREG) = held;
}

static void take_nat(struct walk *walk, struct attributes parts)
{
	const struct held *held = slot_of(walk, parts, NFTA_NAT_REG_ADDR_MIN);
	char text[64] = "what a map gives";

	if (attributes_be32(parts, NFTA_NAT_TYPE) != NFT_NAT_SNAT)
		return;
	if (held->what == HOLDS_CONSTANT)
		print_value(SHAPE_IP, held->value, held->len, text);
	ruleset_act(walk->rule, FOREIGN_SNAT, 0);
	ruleset_say(walk->rule, "snat to %s", text);
}

static void take_masquerade(struct walk *walk, struct attributes parts)
{
	(void)parts;
	ruleset_act(walk->rule, FOREIGN_MASQUERADE, 0);
	ruleset_say(walk->rule, "masquerade");
}

static void take_notrack(struct walk *walk, struct attributes parts)
{
	(void)parts;
	ruleset_act(walk->rule, FOREIGN_NOTRACK, 0);
	ruleset_say(walk->rule, "notrack");
}

static void take_counter(struct walk *walk, struct attributes parts)
{
	const struct nlattr *packets = attributes_find(parts, NFTA_COUNTER_PACKETS);

	if (packets && mnl_attr_get_payload_len(packets) == sizeof(uint64_t))
		ruleset_say(walk->rule, "counter packets %llu",
			    (unsigned long long)be64toh(mnl_attr_get_u64(packets)));
}

static void take_byteorder(struct walk *walk, struct attributes parts)
{
	struct held held = *slot_of(walk, parts, NFTA_BYTEORDER_SREG);

	held.shape = SHAPE_HEX;
	*slot_of(walk, parts, NFTA_BYTEORDER_DREG) = held;
}

static void take_socket(struct walk *walk, struct attributes parts)
{
	*slot_of(walk, parts, NFTA_SOCKET_DREG) = (struct held){ .name = "socket" };
}

static void take_range(struct walk *walk, struct attributes parts)
{
	const struct held *held = slot_of(walk, parts, NFTA_RANGE_SREG);

	look(walk, held);
	ruleset_say(walk->rule, "%s in a range", name_of(held));
}

static void take_target(struct walk *walk, struct attributes parts)
{
	const struct nlattr *body = attributes_find(parts, NFTA_TARGET_INFO);

	ruleset_target(walk->rule, attributes_text(parts, NFTA_TARGET_NAME),
		       attributes_be32(parts, NFTA_TARGET_REV),
		       body ? mnl_attr_get_payload(body) : NULL,
		       body ? mnl_attr_get_payload_len(body) : 0);
}

static void take_match(struct walk *walk, struct attributes parts)
{
	const struct nlattr *body = attributes_find(parts, NFTA_MATCH_INFO);

	ruleset_match(walk->rule, attributes_text(parts, NFTA_MATCH_NAME),
		      attributes_be32(parts, NFTA_MATCH_REV),
		      body ? mnl_attr_get_payload(body) : NULL,
		      body ? mnl_attr_get_payload_len(body) : 0);
}

static void take_expression(struct walk *walk, const char *name, struct attributes parts)
{
	static const struct {
		const char *name;
		void (*take)(struct walk *, struct attributes);
	} all[] = {
		{ "meta", take_meta },		 { "ct", take_ct },
		{ "payload", take_payload },	 { "bitwise", take_bitwise },
		{ "cmp", take_compare },	 { "lookup", take_lookup },
		{ "immediate", take_immediate }, { "nat", take_nat },
		{ "masq", take_masquerade },	 { "notrack", take_notrack },
		{ "counter", take_counter },	 { "byteorder", take_byteorder },
		{ "socket", take_socket },	 { "range", take_range },
		{ "target", take_target },	 { "match", take_match },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(name, all[i].name) == 0) {
			all[i].take(walk, parts);
			return;
		}
	ruleset_say(walk->rule, "[%.20s]", name);
}

void ruleset_expressions(struct ruleset_rule *rule, const struct nlattr *list,
			 uint32_t (*find)(void *context, const char *name), void *context)
{
	struct walk walk = { .rule = rule, .find = find, .context = context };
	struct attributes expressions = attributes_nested(list);
	const struct nlattr *expression;

	while ((expression = attributes_next(&expressions))) {
		struct attributes parts = attributes_nested(expression);
		const struct nlattr *body = attributes_find(parts, NFTA_EXPR_DATA);
		struct attributes none = { 0 };

		take_expression(&walk, attributes_text(parts, NFTA_EXPR_NAME),
				body ? attributes_nested(body) : none);
	}
}
