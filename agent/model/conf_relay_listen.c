/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listeners of the relay: `listen`, and what `intercept` has in common with it. A block enters the
 * model with its end, and what its settings demand of each other is looked at then.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static bool seen(struct conf *conf, enum listen_setting which, struct where key)
{
	static const char *const names[LISTEN_SETTINGS] = {
		[LISTEN_NAME] = "name", [LISTEN_PROTOCOL] = "protocol", [LISTEN_MODE] = "mode",
		[LISTEN_TLS] = "tls", [LISTEN_CERTIFICATE] = "certificate", [LISTEN_KEY] = "key",
		[LISTEN_AUTH_FILE] = "auth file", [LISTEN_AUTH_SOCKET] = "auth socket",
		[LISTEN_AUTH_REQUIRED] = "auth required",
		[LISTEN_AUTH_PLAIN_TEXT] = "auth plain-text",
		[LISTEN_TRUST_PARAMETER] = "trust parameter",
		[LISTEN_TRUST_HEADER] = "trust header", [LISTEN_NEWLINE] = "bare-newline",
		[LISTEN_RECEIVED] = "received", [LISTEN_SMARTHOST] = "smarthost",
		[LISTEN_PORTS] = "port", [LISTEN_AT] = "listen",
	};

	return conf_given_twice(conf, names[which], key, &conf->relay.listen_seen[which]);
}

const char *conf_relay_endpoint(const struct relay_endpoint *at, char *out, size_t room)
{
	char text[IP_PORT_TEXT];

	if (at->path)
		snprintf(out, room, "%s", at->path);
	else if (at->ip.len == 0)
		snprintf(out, room, "*:%u", at->port);
	else
		snprintf(out, room, "%s", ip_print_port(&at->ip, at->port, text));
	return out;
}

void conf_relay_listener_start(struct conf *conf, struct where where)
{
	memset(conf->relay.listen_seen, 0, sizeof conf->relay.listen_seen);
	conf->relay.clients.n = 0;
	conf->relay.listener = (struct relay_listener){ .where = where };
	conf->relay.listener_broken = conf->relay.has_client = false;
}

void conf_listen_open(struct conf *conf, const struct word *word, struct where key,
		      struct where where)
{
	(void)key;
	conf_relay_listener_start(conf, where);
	conf->relay.listener.received = true;
	conf->relay.listener_broken = !conf_form_endpoint(conf, ENDPOINT_LISTEN, word, where,
							  &conf->relay.listener.at);
}

void conf_listen_name(struct conf *conf, const struct word *word, struct where key,
		      struct where where)
{
	if (!seen(conf, LISTEN_NAME, key) && conf_form_name(conf, "listener", word, where))
		conf->relay.listener.name = conf_word_keep(conf, word);
}

void conf_listen_protocol(struct conf *conf, const struct word *word, struct where key,
			  struct where where)
{
	static const char *const names[] = { "smtp", "lmtp", "socks5", "proxy" };
	unsigned which = 0;

	if (!seen(conf, LISTEN_PROTOCOL, key) &&
	    conf_form_choice(conf, "a protocol of listeners", word, where, names, ARRAY_LEN(names),
			     &which))
		conf->relay.listener.protocol = (enum relay_protocol)which;
}

void conf_listen_mode(struct conf *conf, const struct word *word, struct where key,
		      struct where where)
{
	uint32_t mode = 0;
	bool good = word->len >= 3 && word->len <= 4 && (word->len == 3 || word->at[0] == '0');

	if (seen(conf, LISTEN_MODE, key))
		return;
	for (size_t i = 0; i < word->len && good; i++) {
		good = word->at[i] >= '0' && word->at[i] <= '7';
		mode = mode << 3 | (uint32_t)(word->at[i] - '0');
	}
	if (good && mode)
		conf->relay.listener.mode = mode;
	else
		diag_error(conf->diag, where, "%s is not the mode of a socket: expected one from "
			   "0001 to 0777 such as 0660", SHOW(word));
}

void conf_listen_tls(struct conf *conf, const struct word *word, struct where key,
		     struct where where)
{
	static const char *const names[] = { "none", "offered", "required", "implicit" };
	unsigned which = 0;

	if (!seen(conf, LISTEN_TLS, key) &&
	    conf_form_choice(conf, "how a listener does TLS", word, where, names, ARRAY_LEN(names),
			     &which))
		conf->relay.listener.tls = (enum relay_front_tls)which;
}

void conf_listen_received(struct conf *conf, const struct word *word, struct where key,
			  struct where where)
{
	static const char *const names[] = { "off", "on" };
	unsigned which = 0;

	if (!seen(conf, LISTEN_RECEIVED, key) &&
	    conf_form_choice(conf, "a switch", word, where, names, ARRAY_LEN(names), &which))
		conf->relay.listener.received = which == 1;
}

void conf_listen_newline(struct conf *conf, const struct word *word, struct where key,
			 struct where where)
{
	static const char *const names[] = { "reject", "normalise" };
	unsigned which = 0;

	if (!seen(conf, LISTEN_NEWLINE, key) &&
	    conf_form_choice(conf, "what to do with bare newlines", word, where, names,
			     ARRAY_LEN(names), &which))
		conf->relay.listener.normalise = which == 1;
}

void conf_listen_smarthost(struct conf *conf, struct where key)
{
	if (!seen(conf, LISTEN_SMARTHOST, key))
		conf->relay.listener.smarthost = conf->relay.hop;
}

void conf_listen_flag(struct conf *conf, enum listen_setting which, struct where key)
{
	struct relay_listener *listener = &conf->relay.listener;

	if (seen(conf, which, key))
		return;
	if (which == LISTEN_TRUST_PARAMETER)
		listener->trust_parameter = true;
	else if (which == LISTEN_TRUST_HEADER)
		listener->trust_header = true;
	else if (which == LISTEN_AUTH_REQUIRED)
		listener->auth_required = true;
	else
		listener->auth_plain_text = true;
}

void conf_listen_file(struct conf *conf, enum listen_setting which, const struct word *word,
		      struct where key, struct where where)
{
	struct relay_listener *listener = &conf->relay.listener;
	const char **to = which == LISTEN_CERTIFICATE	? &listener->certificate
			  : which == LISTEN_KEY		? &listener->key
			  : which == LISTEN_AUTH_FILE	? &listener->auth_file
							: &listener->auth_socket;
	const char *what = which == LISTEN_CERTIFICATE ? "certificate"
			   : which == LISTEN_KEY       ? "key"
						       : "auth";

	if (!seen(conf, which, key))
		(void)conf_form_file(conf, what, word, which == LISTEN_AUTH_SOCKET, where, to);
}

/* Settings that a protocol has no use for, at their places. */
static void check_fitting(struct conf *conf)
{
	static const enum listen_setting mail_only[] = {
		LISTEN_TLS, LISTEN_AUTH_FILE, LISTEN_AUTH_SOCKET, LISTEN_AUTH_REQUIRED,
		LISTEN_AUTH_PLAIN_TEXT, LISTEN_TRUST_PARAMETER, LISTEN_TRUST_HEADER,
		LISTEN_NEWLINE, LISTEN_RECEIVED, LISTEN_SMARTHOST,
	};
	const struct relay_listener *listener = &conf->relay.listener;
	const struct where *at = conf->relay.listen_seen;

	if (at[LISTEN_MODE].line && !listener->at.path)
		diag_error(conf->diag, at[LISTEN_MODE],
			   "'mode' of a listener that is no Unix socket: expected it with a path");
	if (listener->protocol != RELAY_SOCKS5 && listener->protocol != RELAY_PROXY)
		return;
	for (size_t i = 0; i < ARRAY_LEN(mail_only); i++)
		if (at[mail_only[i]].line)
			diag_error(conf->diag, at[mail_only[i]],
				   "a listener of protocol %s passes bytes on and takes no mail: "
				   "expected this setting with smtp or lmtp only",
				   listener->protocol == RELAY_SOCKS5 ? "socks5" : "proxy");
}

static void check_tls(struct conf *conf)
{
	const struct relay_listener *listener = &conf->relay.listener;
	const struct where *at = conf->relay.listen_seen;
	bool terminates = listener->intercept.tls == RELAY_TERMINATE;
	bool needs = terminates || listener->tls != RELAY_TLS_NONE;
	struct where given = at[LISTEN_CERTIFICATE].line ? at[LISTEN_CERTIFICATE] : at[LISTEN_KEY];

	if (needs && !at[LISTEN_CERTIFICATE].line)
		diag_error(conf->diag, at[LISTEN_TLS],
			   "TLS without a certificate: expected 'certificate \"FILE\";'");
	if (needs && !at[LISTEN_KEY].line)
		diag_error(conf->diag, at[LISTEN_TLS],
			   "TLS without the key of the certificate: expected 'key \"FILE\";'");
	if (!needs && given.line)
		diag_error(conf->diag, given,
			   "certificate or key of a listener that does no TLS: expected 'tls %s;' "
			   "with it", listener->protocol == RELAY_INTERCEPT ? "terminate"
									    : "offered");
}

static void check_auth(struct conf *conf)
{
	const struct relay_listener *listener = &conf->relay.listener;
	const struct where *at = conf->relay.listen_seen;
	bool file = at[LISTEN_AUTH_FILE].line, sasl = at[LISTEN_AUTH_SOCKET].line;
	struct where other = at[LISTEN_AUTH_REQUIRED].line ? at[LISTEN_AUTH_REQUIRED]
							   : at[LISTEN_AUTH_PLAIN_TEXT];

	if (file && sasl)
		diag_error(conf->diag, at[LISTEN_AUTH_SOCKET],
			   "both 'auth file' and 'auth socket': expected one of them, since one must "
			   "say who may log in");
	if (!file && !sasl && other.line)
		diag_error(conf->diag, other,
			   "nobody could log in: expected 'auth file \"FILE\";' or 'auth socket "
			   "\"PATH\";' with this");
	if ((file || sasl) && listener->tls == RELAY_TLS_NONE && !listener->auth_plain_text)
		diag_error(conf->diag, at[file ? LISTEN_AUTH_FILE : LISTEN_AUTH_SOCKET],
			   "'auth' is offered over TLS only, and this listener has none: expected "
			   "'tls required;', or 'auth plain-text;' if passwords may pass in clear");
}

void conf_listen_close(struct conf *conf)
{
	struct relay_listener *listener = &conf->relay.listener;
	char text[ENDPOINT_TEXT];

	if (!listener->name) {
		conf_relay_endpoint(&listener->at, text, sizeof text);
		listener->name = arena_text(&conf->model->arena, text, strlen(text));
	}
	if (listener->protocol == RELAY_INTERCEPT)
		conf_intercept_close(conf);
	check_fitting(conf);
	check_tls(conf);
	if (listener->protocol == RELAY_SMTP || listener->protocol == RELAY_LMTP)
		check_auth(conf);
	if (!conf->relay.listener_broken)
		PUSH(&conf->model->relay.listeners, *listener);
}
