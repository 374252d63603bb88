/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy: a rule is gathered word by word and enters the model with its `;`. cgroups and
 * destinations are kept once, however many rules speak of them. A binding that is not defined yet
 * is looked up again when everything is read (conf_check.c).
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <string.h>

/* A rule that did not come to be may have left its use of a binding, which stays to be checked. */
static void disown_use(struct conf *conf)
{
	struct conf_use *last = conf->uses.n ? &conf->uses.at[conf->uses.n - 1] : NULL;

	if (last && last->kind == USE_RULE && last->owner == conf->model->rules.n)
		last->owner = NO_INDEX;
}

void conf_rule_repeated(struct conf *conf, struct where where, struct where before)
{
	diag_error(conf->diag, where,
		   "this rule has the same client and the same destination as the "
		   "rule at %s: expected one of them only",
		   PLACE(conf, before));
}

static struct client *rule_start(struct conf *conf, enum client_kind kind, struct where key)
{
	disown_use(conf);
	conf->rule.rule = (struct rule){ .client.kind = kind, .where = key, .binding = NO_INDEX };
	conf->rule.to = conf->rule.port = conf->rule.protocol = (struct where){ 0 };
	conf->rule.lists.prefixes.n = conf->rule.lists.ports.n = conf->rule.lists.protocols.n = 0;
	conf->rule.broken = false;
	return &conf->rule.rule.client;
}

uint32_t conf_rule_cgroup_index(struct conf *conf, const struct word *word, bool is_unit)
{
	struct model *model = conf->model;
	uint32_t hash = index_hash(word->at, word->len), item;
	struct cgroup_client cgroup = { .is_unit = is_unit };

	for (size_t step = 0; (item = index_next(&conf->cgroups, hash, &step)) != NO_INDEX;)
		if (conf_word_is(word, model->cgroups.at[item].name))
			return item;
	item = (uint32_t)model->cgroups.n;
	cgroup.name = conf_word_keep(conf, word);
	PUSH(&model->cgroups, cgroup);
	index_add(&conf->cgroups, hash, item);
	return item;
}

void conf_rule_unit(struct conf *conf, const struct word *word, struct where key,
		    struct where where)
{
	struct client *client = rule_start(conf, CLIENT_CGROUP, key);

	conf->rule.broken = !conf_form_unit(conf, word, where);
	if (!conf->rule.broken)
		client->cgroup = conf_rule_cgroup_index(conf, word, true);
}

void conf_rule_cgroup(struct conf *conf, const struct word *word, struct where key,
		      struct where where)
{
	struct client *client = rule_start(conf, CLIENT_CGROUP, key);

	conf->rule.broken = !conf_form_cgroup(conf, word, where);
	if (!conf->rule.broken)
		client->cgroup = conf_rule_cgroup_index(conf, word, false);
}

void conf_rule_ids(struct conf *conf, enum client_kind kind, const struct word *word,
		   struct where key, struct where where)
{
	struct client *client = rule_start(conf, kind, key);

	conf->rule.broken =
		!conf_form_ids(conf, kind == CLIENT_USER, word, where, &client->ids, &client->text);
}

void conf_rule_source(struct conf *conf, const struct word *word, struct where key,
		      struct where where)
{
	struct client *client = rule_start(conf, CLIENT_SOURCE, key);

	conf->rule.broken =
		!conf_form_prefix(conf, word, where, "one such as 10.88.7.0/24", &client->source);
}

void conf_rule_otherwise(struct conf *conf, struct where key)
{
	rule_start(conf, CLIENT_OTHERWISE, key);
}

void conf_rule_qualifier(struct conf *conf, const char *name, struct where key)
{
	struct where *seen = strcmp(name, "to") == 0	 ? &conf->rule.to
			     : strcmp(name, "port") == 0 ? &conf->rule.port
							 : &conf->rule.protocol;

	if (conf_given_twice(conf, name, key, seen))
		conf->rule.broken = true;
}

void conf_rule_to(struct conf *conf, const struct word *word, struct where where)
{
	struct prefix prefix = { 0 };

	if (conf_form_prefix(conf, word, where, "one such as 192.0.2.0/24", &prefix))
		PUSH(&conf->rule.lists.prefixes, prefix);
	else
		conf->rule.broken = true;
}

void conf_rule_port(struct conf *conf, const struct word *word, struct where where)
{
	uint64_t first = 1, last = 1;
	struct port_range range;
	int r = conf_word_range(word, UINT16_MAX, &first, &last);

	if (r == -EDOM && last > 0)
		diag_error(conf->diag, where, "port range %s is reversed: did you mean '%u-%u'?",
			   SHOW(word), (unsigned)last, (unsigned)first);
	else if (r == -EINVAL)
		diag_error(conf->diag, where,
			   "%s is not a port: expected a number from 1 to 65535, "
			   "or a range such as 8000-8999",
			   SHOW(word));
	else if (r < 0 || first == 0)
		diag_error(conf->diag, where, "port %s is out of range: expected 1 to 65535",
			   SHOW(word));
	if (r < 0 || first == 0) {
		conf->rule.broken = true;
		return;
	}
	range = (struct port_range){ (uint16_t)first, (uint16_t)last };
	PUSH(&conf->rule.lists.ports, range);
}

void conf_rule_protocol(struct conf *conf, const struct word *word, struct where where)
{
	uint8_t protocol;

	if (!conf_form_protocol(conf, word, where, &protocol)) {
		conf->rule.broken = true;
		return;
	}
	PUSH(&conf->rule.lists.protocols, protocol);
	if (conf_word_is(word, "icmp"))
		PUSH(&conf->rule.lists.protocols, PROTOCOL_ICMPV6);
}

void conf_rule_action(struct conf *conf, enum action action, const struct word *name,
		      struct where where)
{
	char text[NAME_MAX_BYTES + 1];

	conf->rule.rule.action = action;
	if (!name)
		return;
	if (conf_word_copy(name, text, sizeof text))
		conf->rule.rule.binding = model_find(conf->model, text);
	if (conf->rule.rule.binding == NO_INDEX)
		conf_use_name(conf, USE_RULE, name, where, (uint32_t)conf->model->rules.n);
}

static void check_ports(struct conf *conf)
{
	for (size_t i = 0; conf->rule.lists.ports.n && i < conf->rule.lists.protocols.n; i++) {
		uint8_t protocol = conf->rule.lists.protocols.at[i];
		const char *name = conf_protocol_names[protocol];

		if (destination_has_ports(protocol))
			continue;
		diag_error(conf->diag, conf->rule.port,
			   "'port' with protocol %u%s%s%s, which has no ports: "
			   "expected protocols of tcp, udp, sctp, dccp and udplite only",
			   protocol, name ? " (" : "", name ? name : "", name ? ")" : "");
		conf->rule.broken = true;
		return;
	}
}

/* The rule is read; false if it is broken. */
static bool finish(struct conf *conf)
{
	check_ports(conf);
	if (conf->rule.broken)
		return false;
	conf->rule.rule.to =
		destination_intern(&conf->destinations, &conf->model->arena, &conf->rule.lists);
	return true;
}

/* What is hidden uses nothing. */
static void drop_use(struct conf *conf)
{
	struct conf_use *last = conf->uses.n ? &conf->uses.at[conf->uses.n - 1] : NULL;

	if (last && last->kind == USE_RULE && last->owner == conf->model->rules.n)
		conf->uses.n--;
}

void conf_rule_close(struct conf *conf)
{
	enum conf_claim claim;

	if (!finish(conf)) {
		disown_use(conf);
		return;
	}
	conf_split_note_rule(conf, &conf->rule.rule, false);
	claim = conf_layer_rule(conf, &conf->rule.rule, false);
	if (claim == CLAIM_REPEATED)
		conf_rule_repeated(conf, conf->rule.rule.where, conf->layers.before);
	if (claim == CLAIM_COUNTS)
		PUSH(&conf->model->rules, conf->rule.rule);
	else
		drop_use(conf);
}

void conf_rule_remove(struct conf *conf)
{
	if (conf->ignored || !finish(conf))
		return;
	conf_split_note_rule(conf, &conf->rule.rule, true);
	(void)conf_layer_rule(conf, &conf->rule.rule, true);
}
