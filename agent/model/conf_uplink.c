/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Uplinks, and the probes that bindings and uplinks may have. An uplink enters the model with its
 * `}`; there are few of them, but every binding may name one, so their names have an index.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { PROBE_EVERY_MIN = 100, PROBE_EVERY_MAX = 3600 * 1000, THRESHOLD_MAX = 100 };

uint32_t conf_uplink_find(const struct conf *conf, const char *name)
{
	uint32_t hash = index_hash(name, strlen(name)), item;

	for (size_t step = 0; (item = index_next(&conf->uplinks, hash, &step)) != NO_INDEX;)
		if (strcmp(conf->model->uplinks.at[item].name, name) == 0)
			return item;
	return NO_INDEX;
}

void conf_uplink_open(struct conf *conf, const struct word *name, struct where where)
{
	enum conf_claim claim;
	uint32_t other;

	memset(&conf->uplink, 0, sizeof conf->uplink);
	conf->uplink.uplink.where = where;
	conf->uplink.uplink.name = conf_word_keep(conf, name);
	conf->uplink.broken = !conf_form_name(conf, "uplink", name, where);
	if (conf->uplink.broken)
		return;
	claim = conf_layer_name(conf, CONF_TAG_UPLINK, name, where, false);
	other = conf_uplink_find(conf, conf->uplink.uplink.name);
	conf->uplink.broken = claim != CLAIM_COUNTS || other != NO_INDEX;
	if (claim == CLAIM_REPEATED)
		conf_binding_repeated(conf, "uplink", name, where, conf->layers.before);
	else if (claim == CLAIM_COUNTS && other != NO_INDEX)
		conf_binding_repeated(conf, "uplink", name, where,
				      conf->model->uplinks.at[other].where);
}

void conf_uplink_interface(struct conf *conf, const struct word *word, struct where key,
			   struct where where)
{
	if (!conf_given_twice(conf, "interface", key, &conf->uplink.interface) &&
	    conf_form_interface(conf, word, where))
		conf->uplink.uplink.interface = conf_word_keep(conf, word);
}

void conf_uplink_gateway(struct conf *conf, const struct word *word, struct where where)
{
	static const char *const families[] = { "IPv4 gateway", "IPv6 gateway" };
	static const struct prefix link_local = { { { 0xfe, 0x80 }, 16 }, 10 };
	struct ip ip;

	/* a router may be known by its link-local address only, RFC 4861 section 6.1.2 */
	if (!conf_form_ip(conf, word, where, &ip) ||
	    (!prefix_contains(&link_local, &ip) &&
	     !conf_form_address(conf, word, where, "a unicast address", &ip)) ||
	    conf_given_twice(conf, families[ip_family(&ip)], where,
			     &conf->uplink.gateways[ip_family(&ip)]))
		return;
	conf->uplink.uplink.gateways[ip_family(&ip)] = ip;
}

void conf_uplink_table(struct conf *conf, const struct word *word, struct where key,
		       struct where where)
{
	uint64_t table = 0;
	int r = conf_word_number(word, UINT32_MAX, &table);

	if (conf_given_twice(conf, "table", key, &conf->uplink.table))
		return;
	if (r < 0 || table == 0)
		diag_error(conf->diag, where,
			   "%s is not a routing table: expected a number from 1 to "
			   "%u",
			   SHOW(word), UINT32_MAX);
	else if (table >= 253 && table <= 255) /* RT_TABLE_DEFAULT, _MAIN, _LOCAL: rtnetlink(7) */
		diag_error(conf->diag, where,
			   "routing table %u is the host's own (%s): expected one "
			   "that nobody else uses",
			   (unsigned)table,
			   table == 253	  ? "default"
			   : table == 254 ? "main"
					  : "local");
	else
		conf->uplink.uplink.table = (uint32_t)table;
}

void conf_uplink_probe(struct conf *conf, struct where key)
{
	if (!conf_given_twice(conf, "probe", key, &conf->uplink.probe))
		conf->uplink.uplink.probe = conf_probe_take(conf, key);
}

void conf_uplink_close(struct conf *conf)
{
	const struct uplink *uplink = &conf->uplink.uplink;
	uint32_t index = (uint32_t)conf->model->uplinks.n;

	if (!conf->uplink.interface.line)
		diag_error(conf->diag, uplink->where,
			   "uplink %s has no interface: expected 'interface NAME;'",
			   SHOW_TEXT(uplink->name));
	conf_split_note(conf, ITEM_UPLINK, false,
			&(struct word){ .at = uplink->name, .len = strlen(uplink->name) },
			uplink->where);
	if (conf->uplink.broken)
		return;
	if (index == UPLINKS_MAX)
		diag_error(conf->diag, uplink->where, "more than %d uplinks: expected at most %d",
			   UPLINKS_MAX, UPLINKS_MAX);
	PUSH(&conf->model->uplinks, *uplink);
	index_add(&conf->uplinks, index_hash(uplink->name, strlen(uplink->name)), index);
}

/* "192.0.2.1:25" or "[2001:db8::1]:25" */
static bool parse_endpoint(struct conf *conf, const struct word *word, struct where where,
			   struct probe *probe)
{
	const char *colon = word->len ? memrchr(word->at, ':', word->len) : NULL;
	size_t len = colon ? (size_t)(colon - word->at) : 0;
	struct word address = { .at = word->at, .len = len };
	bool bracketed = len > 2 && address.at[0] == '[' && address.at[len - 1] == ']';
	uint64_t port = 0;
	bool is_plain;

	if (bracketed)
		address = (struct word){ .at = word->at + 1, .len = len - 2 };
	is_plain = len && !memchr(address.at, ':', address.len);
	if (bracketed == is_plain || !colon) {
		diag_error(conf->diag, where,
			   "%s is not an address with a port: expected one such as "
			   "198.51.100.25:25 or [2001:db8::25]:25",
			   SHOW(word));
		return false;
	}
	if (conf_word_number(&(struct word){ .at = colon + 1, .len = word->len - len - 1 },
			     UINT16_MAX, &port) < 0 || port == 0) {
		diag_error(conf->diag, where, "%s has no port from 1 to 65535 after its last colon",
			   SHOW(word));
		return false;
	}
	probe->port = (uint16_t)port;
	return conf_form_address(conf, &address, where, "a unicast address", &probe->to);
}

void conf_probe_open(struct conf *conf, enum probe_kind kind, const struct word *word,
		     struct where where)
{
	struct probe *probe = &conf->probe.probe;

	memset(&conf->probe, 0, sizeof conf->probe);
	*probe = (struct probe){ .kind = kind, .down = PROBE_DOWN, .up = PROBE_UP };
	if (kind == PROBE_TCP)
		conf->probe.broken = !parse_endpoint(conf, word, where, probe);
	else
		conf->probe.broken =
			!conf_form_address(conf, word, where, "a unicast address", &probe->to);
}

/* "5s" or "500ms" */
void conf_probe_every(struct conf *conf, const struct word *word, struct where where)
{
	bool in_ms = word->len > 2 && memcmp(word->at + word->len - 2, "ms", 2) == 0;
	bool in_s = !in_ms && word->len > 1 && word->at[word->len - 1] == 's';
	struct word number = { .at = word->at, .len = word->len - (in_ms ? 2 : in_s) };
	uint64_t every = 0;

	if ((in_ms || in_s) && conf_word_number(&number, PROBE_EVERY_MAX, &every) == 0 && in_s)
		every *= 1000;
	if (every < PROBE_EVERY_MIN || every > PROBE_EVERY_MAX) {
		conf->probe.broken = true;
		diag_error(conf->diag, where, "%s is not a time between probes: expected one from "
			   "100ms to 3600s", SHOW(word));
	}
	conf->probe.probe.every_ms = (uint32_t)every;
}

static void threshold(struct conf *conf, const char *what, const struct word *word,
		      struct where key, struct where where, struct where *seen, uint32_t *ret)
{
	if (conf_given_twice(conf, what, key, seen) ||
	    !conf_form_count(conf, what, word, where, 1, THRESHOLD_MAX, ret))
		conf->probe.broken = true;
}

void conf_probe_down(struct conf *conf, const struct word *word, struct where key,
		     struct where where)
{
	threshold(conf, "down", word, key, where, &conf->probe.down, &conf->probe.probe.down);
}

void conf_probe_up(struct conf *conf, const struct word *word, struct where key,
		   struct where where)
{
	threshold(conf, "up", word, key, where, &conf->probe.up, &conf->probe.probe.up);
}

const struct probe *conf_probe_take(struct conf *conf, struct where key)
{
	struct probe *kept;

	if (conf->probe.broken)
		return NULL;
	kept = arena_alloc(&conf->model->arena, sizeof *kept);
	*kept = conf->probe.probe;
	kept->where = key;
	return kept;
}
