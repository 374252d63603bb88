/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Change and SetBinding of the agent; see the header. */
#include "change.h"

#include "answer.h"
#include "refusal.h"
#include "reply.h"

#include <string.h>

enum { CHANGES_SHOWN = 40 };			/* of what was done; a dry run shows all it can */

const struct option change_options[] = {
	[CHANGE_DRY_RUN] = CHANGE_OPTION_DRY_RUN,
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

/* Canonical text of one side, which may be a stanza of several lines. */
static void print_lines(const struct ctl *ctl, char sign, const char *text)
{
	while (*text) {
		int len = (int)strcspn(text, "\n");

		if (len > 0)
			(void)fprintf(ctl->out, "    %c %.*s\n", sign, len, text);
		text += len;
		text += *text == '\n';
	}
}

void change_print(const struct ctl *ctl, const json_t *change, bool details, const char *note)
{
	static const struct {
		const char *what, *sign, *color;
	} signs[] = {
		{ "added", "+", "\033[32m" },
		{ "removed", "-", "\033[31m" },
		{ "changed", "~", "\033[33m" },
	};
	const char *what = reply_text(change, "what"), *name = reply_text(change, "name");
	const char *kind = reply_text(change, "kind");
	const char *sign = "?", *color = "";

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (strcmp(signs[i].what, what) == 0) {
			sign = signs[i].sign;
			color = signs[i].color;
		}
	}
	if (strcmp(name, kind) == 0)		/* default-binding, mark-mask: there is only one */
		name = "";
	(void)fprintf(ctl->out, "%s%s %s%s%s%s%s\n", ctl->color ? color : "", sign, kind,
		      *name ? " " : "", name, ctl->color ? "\033[0m" : "", note);
	if (!details)
		return;
	print_lines(ctl, '-', reply_text(change, "running"));
	print_lines(ctl, '+', reply_text(change, "files"));
}

size_t change_count(const json_t *changes, size_t *ret_left_out)
{
	size_t n = json_array_size(changes);
	const json_t *last = n > 0 ? json_array_get(changes, n - 1) : NULL;

	*ret_left_out = 0;
	if (strcmp(reply_text(last, "kind"), "left out") != 0)
		return n;
	*ret_left_out = strtoul(reply_text(last, "name"), NULL, 10);
	return n - 1;
}

static void print_affected(const struct ctl *ctl, const json_t *reply)
{
	const json_t *affected = reply_member(reply, "affected");

	for (size_t i = 0; i < json_array_size(affected); i++) {
		const json_t *one = json_array_get(affected, i);
		long long n = reply_number(one, "connections");

		if (n > 0)
			(void)fprintf(ctl->out,
				      "%s: %lld live connection%s, whose address would be another if "
				      "%s began now; %s\n",
				      reply_text(one, "binding"), n, n == 1 ? "" : "s",
				      n == 1 ? "it" : "they",
				      n == 1 ? "it keeps what it has" : "they keep what they have");
	}
}

static void print_done(const struct ctl *ctl, const json_t *reply, bool dry_run)
{
	const json_t *changes = reply_member(reply, "changes");
	long long operations = reply_number(reply, "operations");
	long long took = reply_number(reply, "microseconds");
	size_t left_out, n = change_count(changes, &left_out), shown;

	refusal_print_problems(ctl, reply_member(reply, "warnings"));
	shown = dry_run || n <= CHANGES_SHOWN ? n : CHANGES_SHOWN;
	for (size_t i = 0; i < shown; i++)
		change_print(ctl, json_array_get(changes, i), dry_run, "");
	n += left_out;
	if (shown < n)
		(void)fprintf(ctl->out, "and %zu more\n", n - shown);
	print_affected(ctl, reply);
	if (n == 0 && operations == 0) {
		(void)fputs("nothing to change: it is so already\n", ctl->out);
		return;
	}
	(void)fprintf(ctl->out, "%s%zu change%s, %s%lld operation%s", dry_run ? "dry run: " : "", n,
		      n == 1 ? "" : "s", reply_true(reply, "replaced") ? "table replaced, " : "",
		      operations, operations == 1 ? "" : "s");
	if (dry_run)
		(void)fputs("; nothing was changed\n", ctl->out);
	else
		(void)fprintf(ctl->out, " in %lld.%03lld ms\n", took / 1000, took % 1000);
}

static void done_text(const struct ctl *ctl, const json_t *reply)
{
	print_done(ctl, reply, false);
}

static void dry_run_text(const struct ctl *ctl, const json_t *reply)
{
	print_done(ctl, reply, true);
}

/* Takes @parameters. */
static int ask(struct ctl *ctl, const char *method, json_t *parameters,
	       const struct excerpt *excerpt, bool dry_run)
{
	AUTO(json_drop) json_t *reply = NULL;
	int r;

	if (dry_run)
		(void)json_object_set_new(parameters, "dry_run", json_true());
	ctl->excerpt = excerpt;
	r = agent_ask(ctl, method, parameters, &reply);
	if (r == CTL_DONE)
		answer_reply(ctl, reply, dry_run ? dry_run_text : done_text);
	ctl->excerpt = NULL;
	return r;
}

int change_apply(struct ctl *ctl, const struct excerpt *excerpt, bool whole, bool dry_run)
{
	json_t *parameters = json_object();
	int r = agent_add_text(ctl, parameters, "text", excerpt->text);

	if (r == CTL_DONE)
		r = agent_add_text(ctl, parameters, "name", excerpt->name);
	if (r != CTL_DONE) {
		json_decref(parameters);
		return r;
	}
	if (whole)
		(void)json_object_set_new(parameters, "whole", json_true());
	return ask(ctl, "Change", parameters, excerpt, dry_run);
}

int change_typed(struct ctl *ctl, char *text, bool dry_run)
{
	char *AUTO(mem_drop) owned = text;
	const struct excerpt excerpt = { .name = EXCERPT_COMMAND_LINE,
					 .text = owned,
					 .typed = true };

	return change_apply(ctl, &excerpt, false, dry_run);
}

/* Places in settings are those of a stanza that begins with them, on its first line. */
static char *stanza(const char *kind, const char *name, const char *settings)
{
	struct statements none = { 0 };
	char *AUTO(mem_drop) empty = compose_block(kind, name, &none);
	char *text = NULL;

	if (asprintf(&text, "%.*s%s", (int)(strrchr(empty, '}') - empty), empty, settings) < 0)
		abort();
	return text;
}

int change_settings(struct ctl *ctl, const char *kind, const char *name,
		    const struct statements *settings, bool dry_run)
{
	char *AUTO(mem_drop) text = compose_text(settings);
	char *AUTO(mem_drop) shown = stanza(kind, name, text);
	const struct excerpt excerpt = { .name = "settings", .text = shown, .typed = true };
	json_t *parameters = json_object();
	int r = change_check_kind(ctl, kind, name, "set");

	if (r == CTL_DONE)
		r = agent_add_text(ctl, parameters, "name", name);
	if (r == CTL_DONE)
		r = agent_add_text(ctl, parameters, "settings", text);
	if (r != CTL_DONE) {
		json_decref(parameters);
		return r;
	}
	return ask(ctl, "SetBinding", parameters, &excerpt, dry_run);
}

int change_look(struct ctl *ctl, const char *method, json_t *parameters, const char *fate)
{
	AUTO(json_drop) json_t *reply = NULL;
	long long n;
	int r;

	(void)json_object_set_new(parameters, "dry_run", json_true());
	r = agent_ask(ctl, method, parameters, &reply);
	if (r != CTL_DONE)
		return r;
	n = reply_number(reply, "connections");
	if (n > 0 && fate && !ctl->json)
		(void)fprintf(ctl->out, "%lld live connection%s %s\n", n, n == 1 ? "" : "s", fate);
	answer_reply(ctl, reply, dry_run_text);
	return CTL_DONE;
}

/* What the agent says of binding or group @name; NULL if it says nothing. */
static json_t *shown(struct ctl *ctl, const char *name)
{
	json_t *parameters = json_object(), *reply = NULL;

	if (json_object_set_new(parameters, "name", json_string(name)) < 0) {
		json_decref(parameters);
		return NULL;
	}
	return agent_ask_quietly(ctl, "ShowBinding", parameters, &reply) == CTL_DONE ? reply : NULL;
}

bool change_is_taken(struct ctl *ctl, const char *name)
{
	AUTO(json_drop) json_t *reply = shown(ctl, name);

	/* `default` can be shown without being defined; it is then written nowhere */
	return *reply_text(reply_member(reply, "binding"), "place");
}

int change_check_kind(struct ctl *ctl, const char *kind, const char *name, const char *verb)
{
	AUTO(json_drop) json_t *reply = shown(ctl, name);
	const json_t *binding = reply_member(reply, "binding");
	const char *is = reply_member(binding, "group") ? "group" : "binding";

	if (!binding || strcmp(is, kind) == 0)
		return CTL_DONE;
	ctl_complain(ctl, "'%s' is a %s: `outbindctl %s %s` is for it; nothing was changed", name,
		     is, is, verb);
	return CTL_REFUSED;
}
