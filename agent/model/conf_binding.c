/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bindings and groups. Either enters the model with its `{`, so that what follows can refer to it,
 * and gets its settings with its `}`. One whose name is wrong is read to the end all the same, for
 * the sake of its other problems. Limits and warm-up are in conf_limit.c, probes in conf_uplink.c.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <string.h>

static const char *what_is(bool is_group)
{
	return is_group ? "group" : "binding";
}

void conf_binding_repeated(struct conf *conf, const char *what, const struct word *name,
			   struct where where, struct where before)
{
	diag_error(conf->diag, where,
		   "%s %s is defined twice: expected a name other than that at %s", what,
		   SHOW(name), PLACE(conf, before));
}

static void report_taken(struct conf *conf, const struct word *name, struct where where,
			 bool is_group)
{
	uint32_t index = model_find(conf->model, conf->open.binding.name);
	const struct binding *other = &conf->model->bindings.at[index];

	if (is_group == !!other->group)
		conf_binding_repeated(conf, what_is(is_group), name, where, other->where);
	else
		diag_error(conf->diag, where,
			   "%s %s has the name of the %s at %s: expected another name, since rules "
			   "use both by name", what_is(is_group), SHOW(name), what_is(!is_group),
			   PLACE(conf, other->where));
}

static void open_block(struct conf *conf, const struct word *name, struct where where,
		       bool is_group)
{
	static const struct binding_group no_members = { 0 };
	bool good = conf_form_name(conf, what_is(is_group), name, where);
	__auto_type allows = conf->open.allows;
	__auto_type members = conf->open.members;
	__auto_type days = conf->open.days;
	__auto_type domains = conf->open.domains;

	allows.n = members.n = days.n = domains.n = 0;
	memset(&conf->open, 0, sizeof conf->open);
	conf->open.allows = allows;
	conf->open.members = members;
	conf->open.days = days;
	conf->open.domains = domains;
	conf->open.is_group = is_group;
	conf->open.first_use = conf->uses.n;
	conf->open.index = NO_INDEX;
	conf->open.binding = (struct binding){
		.name = conf_word_keep(conf, name),
		.where = where,
		.first_address = (uint32_t)conf->model->addresses.n,
		.unusable_use = NO_INDEX,
		.uplink = NO_INDEX,
		.overflow = NO_INDEX,
		.group = is_group ? &no_members : NULL,
	};
	if (name->len == 0)
		return;
	if (good) {
		enum conf_claim claim = conf_layer_name(conf, CONF_TAG_NAME, name, where, false);

		conf->open.hidden = claim != CLAIM_COUNTS;
		if (claim == CLAIM_REPEATED)
			conf_binding_repeated(conf, what_is(is_group), name, where,
					      conf->layers.before);
	}
	/* a name of bad form enters too: rules that use it shall not be called wrong as well */
	if (!conf->open.hidden)
		conf->open.index = model_add_binding(conf->model, &conf->open.binding);
	if (conf->open.index == NO_INDEX && good && !conf->open.hidden)
		report_taken(conf, name, where, is_group);
}

void conf_binding_open(struct conf *conf, const struct word *name, struct where where)
{
	open_block(conf, name, where, false);
}

void conf_group_open(struct conf *conf, const struct word *name, struct where where)
{
	open_block(conf, name, where, true);
	if (conf_word_is(name, DEFAULT_BINDING))
		diag_error(conf->diag, where,
			   "group 'default' has the name of what leaves from the "
			   "host's own addresses: expected another name");
}

static void add_address(struct conf *conf, const struct prefix *prefix, bool routed,
			struct where where)
{
	static const char *const families[] = { [FAMILY_IPV4] = "IPv4", [FAMILY_IPV6] = "IPv6" };
	struct address address = { .ip = prefix->ip, .bits = prefix->bits, .routed = routed,
				   .binding = conf->open.index, .where = where };
	enum family family = ip_family(&prefix->ip);

	if (++conf->open.n_by_family[family] == ADDRESSES_MAX + 1)
		diag_error(conf->diag, where,
			   "binding %s has more than %d %s addresses: expected at most %d",
			   SHOW_TEXT(conf->open.binding.name), ADDRESSES_MAX, families[family],
			   ADDRESSES_MAX);
	if (conf->open.index != NO_INDEX)
		PUSH(&conf->model->addresses, address);
}

void conf_binding_address(struct conf *conf, const struct word *word, struct where where)
{
	struct prefix prefix;

	if (memchr(word->at, '/', word->len)) {
		diag_error(conf->diag, where, "%s is not an address: expected one without a prefix "
			   "length, or 'routed' after a prefix that is routed to this host",
			   SHOW(word));
		return;
	}
	if (!conf_form_address(conf, word, where, "a unicast address of this host", &prefix.ip))
		return;
	prefix.bits = prefix.ip.len * 8;
	add_address(conf, &prefix, false, where);
}

void conf_binding_routed(struct conf *conf, const struct word *word, struct where where)
{
	struct where *before;
	struct prefix prefix;

	if (!conf_form_routed(conf, word, where, &prefix))
		return;
	before = &conf->open.routed_of[ip_family(&prefix.ip)];
	if (before->line)
		diag_error(conf->diag, where,
			   "second routed prefix of a family in one binding (the first: %s): expected "
			   "a binding for each, and a group of these bindings",
			   PLACE(conf, *before));
	*before = where;
	if (!conf->open.routed.line)
		conf->open.routed = where;
	add_address(conf, &prefix, true, where);
}

void conf_binding_ehlo(struct conf *conf, const struct word *word, const struct word *family,
		       struct where key, struct where where, struct where where_family)
{
	static const char *const families[] = { "ipv4", "ipv6" }, *const keys[] = {
		"ehlo ... for ipv4", "ehlo ... for ipv6", "ehlo" };
	unsigned which = FAMILIES;

	if (family && !conf_form_choice(conf, "a family", family, where_family, families,
					ARRAY_LEN(families), &which))
		return;
	if (!conf_given_twice(conf, keys[which], key, &conf->open.ehlo[which]) &&
	    conf_form_ehlo(conf, word, where))
		conf->open.ehlo_names[which] = conf_word_keep(conf, word);
}

/* A name for one family only serves the other as well. */
static void close_ehlo(struct conf *conf)
{
	const char *const *names = conf->open.ehlo_names, *both = names[FAMILIES];
	const char *ipv4 = names[FAMILY_IPV4], *ipv6 = names[FAMILY_IPV6];

	both = both ? both : ipv4 ? ipv4 : ipv6;
	ipv4 = ipv4 ? ipv4 : both;
	ipv6 = ipv6 ? ipv6 : both;
	conf->open.binding.ehlo = ipv4;
	conf->open.binding.ehlo6 = ipv6 && strcmp(ipv4, ipv6) != 0 ? ipv6 : NULL;
}

void conf_binding_interface(struct conf *conf, const struct word *word, struct where key,
			    struct where where)
{
	if (!conf_given_twice(conf, "interface", key, &conf->open.interface) &&
	    conf_form_interface(conf, word, where))
		conf->open.binding.interface = conf_word_keep(conf, word);
}

void conf_binding_uplink(struct conf *conf, const struct word *word, struct where key,
			 struct where where)
{
	if (!conf_given_twice(conf, "uplink", key, &conf->open.uplink))
		conf_use_name(conf, USE_UPLINK, word, where, conf->open.index);
}

void conf_binding_unusable(struct conf *conf, const struct word *other, struct where key,
			   struct where where)
{
	if (conf_given_twice(conf, "unusable", key, &conf->open.binding.where_unusable) || !other)
		return;
	conf->open.binding.unusable = UNUSABLE_USE;
	conf_use_name(conf, USE_UNUSABLE, other, where, conf->open.index);
}

void conf_binding_probe(struct conf *conf, struct where key)
{
	if (!conf_given_twice(conf, "probe", key, &conf->open.probe))
		conf->open.binding.probe = conf_probe_take(conf, key);
}

void conf_binding_allow(struct conf *conf, enum peer_kind kind, const struct word *word,
			struct where where)
{
	struct allow allow = { .kind = kind };

	if (kind == PEER_CGROUP) {
		if (!conf_form_cgroup(conf, word, where))
			return;
		allow.path = conf_word_keep(conf, word);
	} else if (!conf_form_ids(conf, kind == PEER_USER, word, where, &allow.ids, &allow.text)) {
		return;
	}
	PUSH(&conf->open.allows, allow);
}

void conf_group_member(struct conf *conf, const struct word *name, struct where where,
		       const struct word *weight, struct where where_weight)
{
	struct member member = { .binding = NO_INDEX, .weight = 1, .where = where };

	if (weight && !conf_form_count(conf, "weight", weight, where_weight, 1, MEMBER_WEIGHT_MAX,
				       &member.weight))
		member.weight = 1;
	conf_use_name(conf, USE_MEMBER, name, where, (uint32_t)conf->open.members.n);
	if (conf->open.members.n == MEMBERS_MAX)
		diag_error(conf->diag, where, "group %s has more than %d members: expected at most "
			   "%d", SHOW_TEXT(conf->open.binding.name), MEMBERS_MAX, MEMBERS_MAX);
	PUSH(&conf->open.members, member);
}

void conf_group_pick(struct conf *conf, enum pick pick, struct where key)
{
	if (!conf_given_twice(conf, "pick", key, &conf->open.where_pick))
		conf->open.pick = pick;
}

/* Copy of @len bytes at @at in the arena, or NULL if there are none. */
static void *keep(struct conf *conf, const void *at, size_t len)
{
	return len ? memcpy(arena_alloc(&conf->model->arena, len), at, len) : NULL;
}

/* The members move into the arena: from now on their names can be resolved in place. */
static void close_group(struct conf *conf)
{
	struct binding_group *group = arena_alloc(&conf->model->arena, sizeof *group);
	size_t n = conf->open.members.n;
	struct member *members = keep(conf, conf->open.members.at, n * sizeof *members);

	*group = (struct binding_group){ members, (uint32_t)n, conf->open.pick };
	conf->open.binding.group = group;
	for (size_t i = conf->open.first_use; i < conf->uses.n; i++) {
		struct conf_use *use = &conf->uses.at[i];

		if (use->kind == USE_MEMBER && use->owner < n) {
			use->slot = &members[use->owner].binding;
			use->owner = conf->open.index;
		}
	}
	if (n == 0)
		diag_error(conf->diag, conf->open.binding.where,
			   "group %s has no member: expected 'member NAME;'",
			   SHOW_TEXT(conf->open.binding.name));
}

static void check_routed(struct conf *conf)
{
	if (conf->open.routed.line && conf->open.interface.line)
		diag_error(conf->diag, conf->open.routed,
			   "routed prefix in a binding with 'interface' (%s): expected a binding of "
			   "its own, since a routed prefix is on no interface",
			   PLACE(conf, conf->open.interface));
}

void conf_binding_close(struct conf *conf)
{
	struct binding *binding = &conf->open.binding;

	if (conf->open.is_group)
		close_group(conf);
	close_ehlo(conf);
	check_routed(conf);
	binding->sender = conf_sender_take(conf);
	conf_split_note(conf, conf->open.is_group ? ITEM_GROUP : ITEM_BINDING, false,
			&(struct word){ .at = binding->name, .len = strlen(binding->name) },
			binding->where);
	if (conf->open.index == NO_INDEX)
		return;
	if (conf->open.limits.where.line)
		binding->limits = keep(conf, &conf->open.limits, sizeof conf->open.limits);
	binding->n_addresses = (uint32_t)conf->model->addresses.n - binding->first_address;
	binding->allows = keep(conf, conf->open.allows.at,
			       conf->open.allows.n * sizeof *conf->open.allows.at);
	binding->n_allows = (uint32_t)conf->open.allows.n;
	conf->model->bindings.at[conf->open.index] = *binding;
}
