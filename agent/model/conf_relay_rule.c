/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules of the relay, next hops, and TLS by destination. A rule is gathered part by part and enters
 * the model with its `;`. There may be 100,000 of them: names of bindings that are defined already
 * are not copied, and what a rule names is looked up only when everything is read.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { LOGIN_MAX = 255, REJECT_MAX = 400 };

const char *conf_relay_key_name(enum relay_key key)
{
	static const char *const names[RELAY_KEYS] = {
		[RELAY_KEY_PARAMETER] = "parameter",
		[RELAY_KEY_HEADER] = "header",
		[RELAY_KEY_MAP] = "policy-map",
		[RELAY_KEY_SENDER] = "sender",
		[RELAY_KEY_RECIPIENT] = "recipient",
		[RELAY_KEY_USER] = "auth",
		[RELAY_KEY_HELO] = "ehlo",
		[RELAY_KEY_PEER_CGROUP] = "peer cgroup",
		[RELAY_KEY_PEER_USER] = "peer user",
		[RELAY_KEY_CLIENT] = "client",
		[RELAY_KEY_DESTINATION] = "destination",
		[RELAY_KEY_LISTENER] = "listener",
		[RELAY_KEY_OTHERWISE] = "otherwise",
	};

	return names[key];
}

void conf_relay_hop(struct conf *conf, const struct word *word, bool mx, struct where where)
{
	conf->relay.hop = (struct relay_host){ 0 };
	conf->relay.hop_broken = !conf_form_next_hop(conf, word, mx, where, &conf->relay.hop);
}

void conf_relay_smarthost(struct conf *conf, struct where key)
{
	if (!conf_given_twice(conf, "smarthost", key, &conf->relay.seen[SET_SMARTHOST]))
		conf->model->relay.smarthost = conf->relay.hop;
}

/* The name of a binding, kept once if it is defined above. */
static const char *keep_binding(struct conf *conf, const struct word *word)
{
	char text[NAME_MAX_BYTES + 1];
	uint32_t found = NO_INDEX;

	if (conf_word_copy(word, text, sizeof text))
		found = model_find(conf->model, text);
	return found == NO_INDEX ? conf_word_keep(conf, word)
				 : conf->model->bindings.at[found].name;
}

void conf_relay_smarthost_for(struct conf *conf, const struct word *binding, struct where key,
			      struct where where)
{
	struct relay_binding_hop hop = { .host = conf->relay.hop, .where = key };

	if (!conf_form_name(conf, "binding", binding, where) || conf->relay.hop_broken)
		return;
	hop.binding = keep_binding(conf, binding);
	PUSH(&conf->model->relay.hops, hop);
}

void conf_relay_tls(struct conf *conf, const struct word *level, struct where key,
		    struct where where, const struct word *domain, struct where where_domain)
{
	static const char *const names[] = { "none", "may", "encrypt", "verify", "dane" };
	struct relay_tls_rule rule = { .where = key };
	bool good, twice = !domain && conf_given_twice(conf, "tls", key,
						       &conf->relay.seen[SET_TLS]);
	unsigned which = 0;

	good = conf_form_choice(conf, "a level of TLS", level, where, names, ARRAY_LEN(names),
				&which);
	rule.level = RELAY_UPSTREAM_NONE + which;
	if (domain)
		good = conf_form_domain(conf, domain, where_domain, &rule.domain) && good;
	if (!good || twice)
		return;
	if (domain)
		PUSH(&conf->model->relay.tls_rules, rule);
	else
		conf->model->relay.tls = rule.level;
}

/* A word of one line without spaces around it, as a login or a name may be. */
static bool keep_line(struct conf *conf, const char *what, const struct word *word, size_t max,
		      struct where where, const char **ret)
{
	const char *fault = word->len == 0 ? "is empty" : word->len > max ? "is too long" : NULL;

	for (size_t i = 0; !fault && i < word->len; i++)
		if (conf_is_control(&word->at[i], word->len - i))
			fault = "has a control character";
	if (fault) {
		diag_error(conf->diag, where, "%s %s %s: expected 1 to %zu bytes of text", what,
			   SHOW(word), fault, max);
		return false;
	}
	*ret = conf_word_keep(conf, word);
	return true;
}

static bool read_prefix(struct conf *conf, const struct word *word, struct where where,
			struct relay_rule *rule)
{
	char text[PREFIX_TEXT];

	if (!conf_form_prefix(conf, word, where, "one such as 192.0.2.0/24", &rule->prefix))
		return false;
	prefix_print(&rule->prefix, text);
	rule->text = arena_text(&conf->model->arena, text, strlen(text));
	return true;
}

static bool read_peer(struct conf *conf, const struct word *word, struct where where,
		      struct relay_rule *rule)
{
	struct id_range ids;

	rule->text = NULL;
	if (!conf_form_ids(conf, true, word, where, &ids, &rule->text))
		return false;
	rule->ids = ids;
	if (!rule->text) {
		char text[24];

		snprintf(text, sizeof text, ids.first == ids.last ? "%u" : "%u-%u", ids.first,
			 ids.last);
		rule->text = arena_text(&conf->model->arena, text, strlen(text));
	}
	return true;
}

static bool read_value(struct conf *conf, const struct word *word, struct where where,
		       struct relay_rule *rule)
{
	switch (rule->key) {
	case RELAY_KEY_SENDER:
		return conf_form_sender(conf, word, where, &rule->text);
	case RELAY_KEY_RECIPIENT:
	case RELAY_KEY_HELO:
		return conf_form_domain(conf, word, where, &rule->text);
	case RELAY_KEY_USER:
		return keep_line(conf, "user", word, LOGIN_MAX, where, &rule->text);
	case RELAY_KEY_LISTENER:
		return keep_line(conf, "listener", word, LOGIN_MAX, where, &rule->text);
	case RELAY_KEY_PEER_CGROUP:
		rule->text = conf_word_keep(conf, word);
		return conf_form_cgroup(conf, word, where);
	case RELAY_KEY_PEER_USER:
		return read_peer(conf, word, where, rule);
	case RELAY_KEY_CLIENT:
	case RELAY_KEY_DESTINATION:
		return read_prefix(conf, word, where, rule);
	case RELAY_KEY_PARAMETER:
	case RELAY_KEY_HEADER:
	case RELAY_KEY_MAP:
	case RELAY_KEY_OTHERWISE:
	case RELAY_KEYS:
		break;
	}
	return true;
}

void conf_relay_rule(struct conf *conf, enum relay_key kind, const struct word *word,
		     struct where key, struct where where)
{
	conf->relay.rule = (struct relay_rule){ .key = kind, .text = "", .where = key };
	conf->relay.rule_broken = !read_value(conf, word, where, &conf->relay.rule);
}

void conf_relay_rule_on(struct conf *conf, const struct word *listener)
{
	conf->relay.rule.listener = conf_word_keep(conf, listener);
}

void conf_relay_rule_use(struct conf *conf, const struct word *binding, struct where where)
{
	if (conf_form_name(conf, "binding", binding, where))
		conf->relay.rule.binding = keep_binding(conf, binding);
	else
		conf->relay.rule_broken = true;
}

void conf_relay_rule_hop(struct conf *conf)
{
	conf->relay.rule.smarthost = conf->relay.hop;
}

/* The text goes into a reply of one line: RFC 5321 section 4.5.3.1.5. */
void conf_relay_rule_reject(struct conf *conf, const struct word *text, struct where where)
{
	if (text && !keep_line(conf, "text of a reply", text, REJECT_MAX, where,
			       &conf->relay.rule.reject))
		conf->relay.rule_broken = true;
}

void conf_relay_rule_close(struct conf *conf)
{
	if (!conf->relay.rule_broken)
		PUSH(&conf->model->relay.rules, conf->relay.rule);
}
