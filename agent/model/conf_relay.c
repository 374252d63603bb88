/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay stanza and its settings that are no blocks and no rules. There is one stanza, in files
 * only: the relay is a program of its own, which reads files and not what outbindd was told at run
 * time. Settings go to the model as they come; what needs the whole of it is in conf_relay_check.c.
 */
#include "model/conf_actions.h"

#include <string.h>

enum { WORKERS_MAX = 1024, SESSIONS_MAX = 1000 * 1000, MESSAGES_MAX = 1000 * 1000 };

static bool seen(struct conf *conf, enum relay_setting which, const char *name, struct where key)
{
	return conf_given_twice(conf, name, key, &conf->relay.seen[which]);
}

void conf_relay_open(struct conf *conf, struct where key)
{
	struct relay *relay = &conf->model->relay;

	if (conf_may_set(conf, "relay", ", since the relay is configured in files", key,
			 &relay->where))
		relay->given = true;
}

void conf_relay_close(struct conf *conf)
{
	memset(conf->relay.seen, 0, sizeof conf->relay.seen);
}

void conf_relay_workers(struct conf *conf, const struct word *word, struct where key,
			struct where where)
{
	if (!seen(conf, SET_WORKERS, "workers", key))
		(void)conf_form_count(conf, "workers", word, where, 1, WORKERS_MAX,
				      &conf->model->relay.workers);
}

void conf_relay_hostname(struct conf *conf, const struct word *word, struct where key,
			 struct where where)
{
	if (seen(conf, SET_HOSTNAME, "hostname", key))
		return;
	if (conf_form_host_name(word))
		conf->model->relay.hostname = conf_word_keep(conf, word);
	else
		diag_error(conf->diag, where,
			   "%s is not a host name: expected one such as mx.example.net", SHOW(word));
}

void conf_relay_size(struct conf *conf, const struct word *word, struct where key,
		     struct where where)
{
	if (!seen(conf, SET_SIZE, "size", key))
		(void)conf_form_size(conf, word, where, &conf->model->relay.size_max);
}

void conf_relay_sessions(struct conf *conf, const struct word *word, struct where key,
			 struct where where)
{
	if (!seen(conf, SET_SESSIONS, "sessions", key))
		(void)conf_form_count(conf, "sessions", word, where, 1, SESSIONS_MAX,
				      &conf->model->relay.sessions_max);
}

void conf_relay_client_sessions(struct conf *conf, const struct word *word, struct where key,
				struct where where)
{
	if (!seen(conf, SET_CLIENT_SESSIONS, "client-sessions", key))
		(void)conf_form_count(conf, "client-sessions", word, where, 0, SESSIONS_MAX,
				      &conf->model->relay.client_max);
}

void conf_relay_family(struct conf *conf, const struct word *word, struct where key,
		       struct where where)
{
	static const char *const names[] = { "ipv4-first", "ipv6-first" };
	unsigned which;

	if (!seen(conf, SET_FAMILY, "family", key) &&
	    conf_form_choice(conf, "an order of families", word, where, names, ARRAY_LEN(names),
			     &which))
		conf->model->relay.prefer_ipv6 = which == 1;
}

void conf_relay_8bit(struct conf *conf, const struct word *word, struct where key,
		     struct where where)
{
	static const char *const names[] = { "refuse", "ignore" };
	unsigned which;

	if (!seen(conf, SET_8BIT, "8bit", key) &&
	    conf_form_choice(conf, "what to do with 8-bit text", word, where, names,
			     ARRAY_LEN(names), &which))
		conf->model->relay.ignore_8bit = which == 1;
}

void conf_relay_resolver(struct conf *conf, const struct word *word, struct where key,
			 struct where where)
{
	if (!seen(conf, SET_RESOLVER, "resolver", key))
		(void)conf_form_endpoint(conf, ENDPOINT_RESOLVER, word, where,
					 &conf->model->relay.resolver);
}

void conf_relay_access_log(struct conf *conf, const struct word *word, struct where key,
			   struct where where)
{
	if (!seen(conf, SET_ACCESS_LOG, "access-log", key))
		(void)conf_form_file(conf, "access-log", word, false, where,
				     &conf->model->relay.access_log);
}

void conf_relay_tls_ca(struct conf *conf, const struct word *word, struct where key,
		       struct where where)
{
	if (!seen(conf, SET_TLS_CA, "tls-ca", key))
		(void)conf_form_file(conf, "tls-ca", word, false, where,
				     &conf->model->relay.tls_ca);
}

void conf_relay_map(struct conf *conf, const char *which, const struct word *word, struct where key,
		    struct where where)
{
	bool policy = strcmp(which, "policy-map") == 0;
	struct relay *relay = &conf->model->relay;

	if (!seen(conf, policy ? SET_POLICY_MAP : SET_STS_MAP, which, key))
		(void)conf_form_map(conf, word, where,
				    policy ? &relay->policy_map : &relay->sts_map);
}

void conf_relay_reuse(struct conf *conf, struct where key)
{
	static const enum relay_setting parts[] = { SET_REUSE_MESSAGES, SET_REUSE_AGE,
						    SET_REUSE_IDLE };

	if (!seen(conf, SET_REUSE, "reuse", key))
		return;
	/* of the second one, already reported, nothing counts and nothing is said again */
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		conf->relay.seen[parts[i]] = (struct where){ 0 };
}

void conf_relay_reuse_off(struct conf *conf)
{
	conf->model->relay.reuse_messages = 0;
}

void conf_relay_reuse_messages(struct conf *conf, const struct word *word, struct where key,
			       struct where where)
{
	if (!seen(conf, SET_REUSE_MESSAGES, "messages", key))
		(void)conf_form_count(conf, "messages", word, where, 1, MESSAGES_MAX,
				      &conf->model->relay.reuse_messages);
}

void conf_relay_reuse_age(struct conf *conf, const struct word *word, struct where key,
			  struct where where)
{
	if (!seen(conf, SET_REUSE_AGE, "age", key))
		(void)conf_form_seconds(conf, "age", word, where, &conf->model->relay.reuse_age_s);
}

void conf_relay_reuse_idle(struct conf *conf, const struct word *word, struct where key,
			   struct where where)
{
	if (!seen(conf, SET_REUSE_IDLE, "idle", key))
		(void)conf_form_seconds(conf, "idle", word, where,
					&conf->model->relay.reuse_idle_s);
}
