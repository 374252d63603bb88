/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl relay explain: which binding a message would leave from, and where it would go. The
 * relay answers from the rules that it has, and asks agent and DNS as it would for a message.
 */
#include "answer.h"
#include "relay.h"
#include "reply.h"
#include "verbs.h"

#include "base/types.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum about { ABOUT_SENDER, ABOUT_RCPT, ABOUT_AUTH, ABOUT_HELO, ABOUT_CLIENT, ABOUT_LISTENER,
	     ABOUT_DESTINATION, ABOUT_PORT, ABOUT_HEADER, ABOUT_PARAMETER, OPTION_SOCKET };

static const struct option options[] = {
	[ABOUT_SENDER] = { "sender", "ADDRESS", "MAIL FROM; '' is the null sender", COMPLETE_NONE },
	[ABOUT_RCPT] = { "rcpt", "ADDRESS", "the first recipient", COMPLETE_NONE },
	[ABOUT_AUTH] = { "auth", "USER", "who logged in", COMPLETE_NONE },
	[ABOUT_HELO] = { "helo", "NAME", "the name in EHLO", COMPLETE_NONE },
	[ABOUT_CLIENT] = { "client", "ADDR", "the client's address, or unix", COMPLETE_NONE },
	[ABOUT_LISTENER] = { "listener", "NAME", "where it comes in (the first one)",
			     COMPLETE_NONE },
	[ABOUT_DESTINATION] = { "destination", "ADDR",
				"where an intercepted one was going, or one by SOCKS5",
				COMPLETE_NONE },
	[ABOUT_PORT] = { "port", "N", "of that destination", COMPLETE_NONE },
	[ABOUT_HEADER] = { "header", "BINDING", "what X-Binding says", COMPLETE_BINDING },
	[ABOUT_PARAMETER] = { "parameter", "BINDING", "what XOUTBIND= says, or SOCKS or PROXY",
			      COMPLETE_BINDING },
	[OPTION_SOCKET] = RELAY_SOCKET_OPTION,
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

static bool is_address(enum about about, const char *text)
{
	struct ip ip;

	return ip_parse(text, &ip) == 0 || (about == ABOUT_CLIENT && strcmp(text, "unix") == 0);
}

static int add_port(struct ctl *ctl, json_t *parameters, const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || port == 0 || port > UINT16_MAX) {
		ctl_complain(ctl, "--port: expected a number from 1 to 65535, got '%s'", text);
		return CTL_USAGE;
	}
	json_object_set_new(parameters, "port", json_integer((json_int_t)port));
	return CTL_DONE;
}

static int add_options(struct ctl *ctl, json_t *parameters, const struct arguments *args)
{
	int r = CTL_DONE;

	for (size_t i = 0; r == CTL_DONE && i < OPTION_SOCKET; i++) {
		const char *text = args->value[i];

		if (!text)
			continue;
		if ((i == ABOUT_CLIENT || i == ABOUT_DESTINATION) &&
		    !is_address((enum about)i, text)) {
			ctl_complain(ctl, "--%s: expected an IPv4 or IPv6 address%s, got '%s'",
				     options[i].name, i == ABOUT_CLIENT ? ", or unix" : "", text);
			return CTL_USAGE;
		}
		r = i == ABOUT_PORT ? add_port(ctl, parameters, text)
				    : agent_add_text(ctl, parameters, options[i].name, text);
	}
	return r;
}

static void print_verdict(const struct ctl *ctl, const json_t *reply)
{
	const char *refused = reply_text(reply, "refused"), *ehlo = reply_text(reply, "ehlo");
	const char *member = reply_text(reply, "member"), *binding = reply_text(reply, "binding");
	AUTO(mem_drop) char *reason = table_harmless(refused);

	(void)fputs(ctl->color ? *refused ? "\033[31m" : "\033[32m" : "", ctl->out);
	if (*refused)
		(void)fprintf(ctl->out, "refused: %s", reason);
	else
		(void)fprintf(ctl->out, "leaves from binding %s%s%s", *member ? member : binding,
			      *ehlo ? " as " : "", ehlo);
	(void)fputs(ctl->color ? "\033[0m\n" : "\n", ctl->out);
}

/* One value a line, the label at the first. */
static void add_list(struct table *block, const char *label, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		answer_line(block, i == 0 ? label : "",
			    json_string_value(json_array_get(list, i)), TINT_PLAIN);
}

static void add_ehlo(struct table *block, const json_t *reply)
{
	const char *whose = reply_text(reply, "ehlo_of"), *name = reply_text(reply, "ehlo");
	bool passes = strcmp(whose, "client") == 0;

	if (strcmp(whose, "relay") == 0) {
		table_add(block, "  EHLO name", TINT_DIM);
		table_add_format(block, "%s, the relay's hostname, as the binding has none", name);
	} else {
		answer_line(block, "  EHLO name",
			    passes ? "the client's own: no mail is parsed there" : name,
			    TINT_PLAIN);
	}
}

static void explain_text(const struct ctl *ctl, const json_t *reply)
{
	struct table block = { .columns = answer_block, .n_columns = 2 };
	const char *member = reply_text(reply, "member"), *binding = reply_text(reply, "binding");

	print_verdict(ctl, reply);
	answer_line(&block, "  rule", reply_text(reply, "rule"), TINT_PLAIN);
	answer_line(&block, "  written at", reply_text(reply, "place"), TINT_PLAIN);
	if (*member && strcmp(member, binding) != 0)
		answer_line(&block, "  group", binding, TINT_PLAIN);
	answer_line(&block, "  binding", *member ? member : binding, TINT_PLAIN);
	add_ehlo(&block, reply);
	add_list(&block, "  addresses", reply_member(reply, "addresses"));
	add_list(&block, "  goes to", reply_member(reply, "destinations"));
	answer_line(&block, "  TLS", reply_text(reply, "tls"), TINT_PLAIN);
	answer_line(&block, "  decided at", reply_text(reply, "connect_point"), TINT_PLAIN);
	table_print(&block, ctl->out, 0, ctl->color);
	table_drop(&block);
}

static int explain_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *parameters = json_object();
	AUTO(json_drop) json_t *reply = NULL;
	int r = add_options(ctl, parameters, args);

	if (r == CTL_DONE)
		r = relay_ask(ctl, args->value[OPTION_SOCKET], "Explain", json_incref(parameters),
			      &reply);
	if (r != CTL_DONE)
		return r;
	answer_reply(ctl, reply, explain_text);
	return *reply_text(reply, "refused") ? CTL_NO : CTL_DONE;
}

const struct verb relay_explain_verb = {
	.name = "relay explain",
	.synopsis = "[OPTION...]",
	.summary = "which binding a message would leave from, and where it would go",
	.text = "Describe the message by what the relay would learn of it; what is not given is not known.\n"
		"Nothing is sent, but the agent is asked what it would leave from, and DNS where it goes.\n"
		"The exit status is 1 if it would be refused.\n\n"
		"  outbindctl relay explain --sender bill@acme.example --rcpt a@example.org\n",
	.options = options,
	.run = explain_run,
};
