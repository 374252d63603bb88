/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statements outside policy: mark-mask, bypass, binding. A binding enters the model with its `{`,
 * so that what follows can refer to it, and gets its settings with its `}`. One whose name is wrong
 * is read to the end all the same, for the sake of its other problems.
 */
#include "model/conf_build.h"

#include "base/mem.h"

#include <string.h>

bool conf_given_twice(struct conf *conf, const char *key, struct where where, struct where *seen)
{
	if (seen->line) {
		diag_error(conf->diag, where, "'%s' is given twice: expected once, as at %s", key,
			   PLACE(conf, *seen));
		return true;
	}
	*seen = where;
	return false;
}

/* "0x1fff" or "8191". */
static int parse_mask(const struct word *word, uint64_t *ret)
{
	uint64_t mask = 0;

	if (word->len < 3 || word->at[0] != '0' || (word->at[1] | 0x20) != 'x')
		return conf_word_number(word, UINT32_MAX, ret);
	for (size_t i = 2; i < word->len; i++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = memchr(digits, word->at[i], 32);

		if (!digit)
			return -EINVAL;
		mask = mask > UINT32_MAX ? mask : mask << 4 | (uint64_t)(digit - digits) % 16;
	}
	if (mask > UINT32_MAX)
		return -ERANGE;
	*ret = mask;
	return 0;
}

void conf_set_mask(struct conf *conf, const struct word *word, struct where key,
		   struct where where)
{
	uint64_t mask = 0, run;
	int r = parse_mask(word, &mask);

	if (conf_given_twice(conf, "mark-mask", key, &conf->model->where_mask))
		return;
	run = mask ? mask >> __builtin_ctzll(mask) : 0;
	if (r == -EINVAL)
		diag_error(conf->diag, where, "%s is not a mask: expected a number such as 0x1fff",
			   SHOW(word));
	else if (r == -ERANGE)
		diag_error(conf->diag, where,
			   "mask %s has over 32 bits: expected at most 0xffffffff", SHOW(word));
	else if (mask == 0)
		diag_error(conf->diag, where, "mask %s has no bits: expected 2 to 32", SHOW(word));
	else if (run & (run + 1))
		diag_error(conf->diag, where,
			   "mask %s has holes: expected one run of bits, such as "
			   "0x1fff",
			   SHOW(word));
	else if (run == 1)
		diag_error(conf->diag, where,
			   "mask %s has 1 bit: expected 2 to 32, since number 0 "
			   "means untagged and two stand for pass and reject",
			   SHOW(word));
	else
		conf->model->mask.host = (uint32_t)mask;
}

void conf_add_bypass(struct conf *conf, const struct word *word, struct where where)
{
	static const char *const names[] = { "connected", "private" };
	struct bypass bypass = { .where = where };
	const char *near;

	if (conf_word_is(word, "connected")) {
		conf->model->bypass_connected = true;
	} else if (conf_word_is(word, "private")) {
		conf->model->bypass_private = true;
	} else if ((near = conf_near(word, names, ARRAY_LEN(names)))) {
		diag_error(conf->diag, where, "%s is not a prefix: did you mean '%s'?", SHOW(word),
			   near);
	} else if (conf_form_prefix(conf, word, where,
				    "a prefix such as 10.0.0.0/8, 'connected' or "
				    "'private'",
				    &bypass.prefix)) {
		PUSH(&conf->model->bypasses, bypass);
	}
}

void conf_binding_open(struct conf *conf, const struct word *name, struct where where)
{
	bool good = conf_form_binding(conf, name, where);
	uint32_t other;

	conf->open.binding = (struct binding){ .where = where,
						 .unusable_use = NO_INDEX,
						 .uplink = NO_INDEX,
						 .overflow = NO_INDEX };
	conf->open.index = NO_INDEX;
	conf->open.ehlo = conf->open.interface = (struct where){ 0 };
	conf->open.allows.n = 0;
	memset(conf->open.n_by_family, 0, sizeof conf->open.n_by_family);
	conf->open.binding.first_address = (uint32_t)conf->model->addresses.n;
	conf->open.binding.name = conf_word_keep(conf, name);
	if (name->len == 0)
		return;
	/* a name of bad form enters too: rules that use it shall not be called wrong as well */
	conf->open.index = model_add_binding(conf->model, &conf->open.binding);
	if (conf->open.index != NO_INDEX || !good)
		return;
	other = model_find(conf->model, conf->open.binding.name);
	diag_error(conf->diag, where,
		   "binding %s is defined twice: expected a name other than that "
		   "at %s",
		   SHOW(name), PLACE(conf, conf->model->bindings.at[other].where));
}

void conf_binding_address(struct conf *conf, const struct word *word, struct where where)
{
	static const char *const families[] = { [FAMILY_IPV4] = "IPv4", [FAMILY_IPV6] = "IPv6" };
	struct address address = { .binding = conf->open.index, .where = where };
	uint32_t *count;

	if (!conf_form_address(conf, word, where, &address.ip))
		return;
	address.bits = address.ip.len * 8;
	count = &conf->open.n_by_family[ip_family(&address.ip)];
	if (++*count == ADDRESSES_MAX + 1)
		diag_error(conf->diag, where,
			   "binding %s has more than %d %s addresses: expected at "
			   "most %d",
			   SHOW_TEXT(conf->open.binding.name), ADDRESSES_MAX,
			   families[ip_family(&address.ip)], ADDRESSES_MAX);
	if (conf->open.index != NO_INDEX)
		PUSH(&conf->model->addresses, address);
}

void conf_binding_ehlo(struct conf *conf, const struct word *word, struct where key,
		       struct where where)
{
	if (!conf_given_twice(conf, "ehlo", key, &conf->open.ehlo) &&
	    conf_form_ehlo(conf, word, where))
		conf->open.binding.ehlo = conf_word_keep(conf, word);
}

void conf_binding_interface(struct conf *conf, const struct word *word, struct where key,
			    struct where where)
{
	if (!conf_given_twice(conf, "interface", key, &conf->open.interface) &&
	    conf_form_interface(conf, word, where))
		conf->open.binding.interface = conf_word_keep(conf, word);
}

void conf_binding_unusable(struct conf *conf, const struct word *other, struct where key,
			   struct where where)
{
	struct conf_use use = { .where = where, .rule = NO_INDEX, .binding = conf->open.index };

	if (conf_given_twice(conf, "unusable", key, &conf->open.binding.where_unusable) || !other)
		return;
	conf->open.binding.unusable = UNUSABLE_USE;
	use.name = arena_text(&conf->scratch, other->at, other->len);
	PUSH(&conf->uses, use);
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

void conf_binding_close(struct conf *conf)
{
	struct binding *binding = &conf->open.binding;
	size_t len = conf->open.allows.n * sizeof *conf->open.allows.at;

	if (conf->open.index == NO_INDEX)
		return;
	binding->n_addresses = (uint32_t)conf->model->addresses.n - binding->first_address;
	if (len)
		binding->allows =
			memcpy(arena_alloc(&conf->model->arena, len), conf->open.allows.at, len);
	binding->n_allows = (uint32_t)conf->open.allows.n;
	conf->model->bindings.at[conf->open.index] = *binding;
}
