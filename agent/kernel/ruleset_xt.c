/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets and matches of x_tables, as iptables-nft puts them into nf_tables (nft_compat) and
 * iptables-legacy into its own tables. What follows the head is the kernel's own structure of that
 * revision; one that is not known is taken for the worst it may do.
 */
#include "kernel/ruleset.h"

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_TPROXY.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_mark.h>
#include <stdbool.h>
#include <string.h>

/* SNAT: its first address, if there is one to be read. */
static void say_snat(struct ruleset_rule *rule, unsigned revision, const void *body, size_t len)
{
	struct ip ip = { .len = rule->ipv6_only ? 16 : 4 };
	char text[IP_TEXT] = "an address";

	if (revision == 0 && !rule->ipv6_only &&
	    len >= sizeof(struct nf_nat_ipv4_multi_range_compat)) {
		struct nf_nat_ipv4_multi_range_compat range;

		memcpy(&range, body, sizeof range);
		memcpy(ip.octet, &range.range[0].min_ip, 4);
		ip_print(&ip, text);
	} else if (revision > 0 && len >= sizeof(struct nf_nat_range)) {
		struct nf_nat_range range;

		memcpy(&range, body, sizeof range);
		memcpy(ip.octet, &range.min_addr, ip.len);
		ip_print(&ip, text);
	}
	ruleset_act(rule, FOREIGN_SNAT, 0);
	ruleset_say(rule, "SNAT --to-source %s", text);
}

/* MARK revision 2: mark = (mark & ~mask) ^ value. */
static void take_mark(struct ruleset_rule *rule, unsigned revision, const void *body, size_t len)
{
	struct xt_mark_tginfo2 mark = { .mask = UINT32_MAX };

	if (revision == 2 && len >= sizeof mark)
		memcpy(&mark, body, sizeof mark);
	ruleset_act(rule, FOREIGN_MARK_SET, mark.mask | mark.mark);
	ruleset_say(rule, "MARK --set-xmark 0x%x/0x%x", mark.mark, mark.mask);
}

static void take_connmark(struct ruleset_rule *rule, unsigned revision, const void *body,
			  size_t len)
{
	struct xt_connmark_tginfo1 mark = { .ctmask = UINT32_MAX, .nfmask = UINT32_MAX,
					    .mode = XT_CONNMARK_SET };
	static const char *const words[] = { "set", "save", "restore" };
	struct xt_connmark_tginfo2 with_shift;

	if (revision == 1 && len >= sizeof mark) {
		memcpy(&mark, body, sizeof mark);
	} else if (revision == 2 && len >= sizeof with_shift) {
		memcpy(&with_shift, body, sizeof with_shift);
		mark = (struct xt_connmark_tginfo1){ with_shift.ctmark, with_shift.ctmask,
						     with_shift.nfmask, with_shift.mode };
	}
	ruleset_say(rule, "CONNMARK --%s-mark ctmask 0x%x nfmask 0x%x",
		    mark.mode < 3 ? words[mark.mode] : "set", mark.ctmask, mark.nfmask);
	if (mark.mode == XT_CONNMARK_RESTORE) {
		ruleset_act(rule, FOREIGN_CT_MARK_READ, mark.ctmask);
		ruleset_act(rule, FOREIGN_MARK_SET, mark.nfmask | mark.ctmask);
		return;
	}
	if (mark.mode == XT_CONNMARK_SAVE)
		ruleset_act(rule, FOREIGN_MARK_READ, mark.nfmask);
	ruleset_act(rule, FOREIGN_CT_MARK_SET,
		    mark.ctmask | (mark.mode == XT_CONNMARK_SAVE ? mark.nfmask : mark.ctmark));
}

static void take_tproxy(struct ruleset_rule *rule, const void *body, size_t len)
{
	struct xt_tproxy_target_info proxy = { .mark_mask = 0 };

	if (len >= sizeof proxy)
		memcpy(&proxy, body, sizeof proxy);
	ruleset_say(rule, "TPROXY --tproxy-mark 0x%x/0x%x", proxy.mark_value, proxy.mark_mask);
	if (proxy.mark_mask | proxy.mark_value)
		ruleset_act(rule, FOREIGN_MARK_SET, proxy.mark_mask | proxy.mark_value);
}

void ruleset_target(struct ruleset_rule *rule, const char *name, unsigned revision,
		    const void *body, size_t len)
{
	uint16_t flags = 0;

	if (strcmp(name, "SNAT") == 0) {
		say_snat(rule, revision, body, len);
	} else if (strcmp(name, "MASQUERADE") == 0) {
		ruleset_act(rule, FOREIGN_MASQUERADE, 0);
		ruleset_say(rule, "MASQUERADE");
	} else if (strcmp(name, "NETMAP") == 0) {
		ruleset_act(rule, FOREIGN_SNAT, 0);
		ruleset_say(rule, "NETMAP");
	} else if (strcmp(name, "SNPT") == 0) {
		ruleset_act(rule, FOREIGN_REWRITE, 0);
		ruleset_say(rule, "SNPT");
	} else if (strcmp(name, "MARK") == 0) {
		take_mark(rule, revision, body, len);
	} else if (strcmp(name, "HMARK") == 0) {
		ruleset_act(rule, FOREIGN_MARK_SET, UINT32_MAX);
		ruleset_say(rule, "HMARK");
	} else if (strcmp(name, "CONNMARK") == 0) {
		take_connmark(rule, revision, body, len);
	} else if (strcmp(name, "TPROXY") == 0) {
		take_tproxy(rule, body, len);
	} else if (strcmp(name, "NOTRACK") == 0 || strcmp(name, "CT") == 0) {
		if (len >= sizeof flags && *name == 'C')
			memcpy(&flags, body, sizeof flags);
		ruleset_say(rule, "%s", name);
		if (*name == 'N' || flags & XT_CT_NOTRACK)
			ruleset_act(rule, FOREIGN_NOTRACK, 0);
	} else {
		ruleset_say(rule, "%.30s", name);
	}
}

void ruleset_match(struct ruleset_rule *rule, const char *name, unsigned revision,
		   const void *body, size_t len)
{
	static const char *const narrow[] = { "owner", "cgroup",  "mark", "connmark",
					      "mac",   "iprange", "set",  "physdev" };
	struct xt_mark_mtinfo1 mark = { .mask = UINT32_MAX };
	bool is_mark = strcmp(name, "mark") == 0, is_ct = strcmp(name, "connmark") == 0;

	for (size_t i = 0; i < sizeof narrow / sizeof narrow[0]; i++)
		rule->narrow |= strcmp(name, narrow[i]) == 0;
	if (!is_mark && !is_ct) {
		ruleset_say(rule, "-m %.30s", name);
		return;
	}
	/* The two are the same structure by another name. */
	if (revision == 1 && len >= sizeof mark)
		memcpy(&mark, body, sizeof mark);
	ruleset_act(rule, is_mark ? FOREIGN_MARK_READ : FOREIGN_CT_MARK_READ, mark.mask);
	ruleset_say(rule, "-m %s %s--mark 0x%x/0x%x", name, mark.invert ? "! " : "", mark.mark,
		    mark.mask);
}
