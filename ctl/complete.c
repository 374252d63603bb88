/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion from the table of verbs and, for binding names, from the running agent. Errors are
 * silent and the agent gets little time: somebody is waiting at a prompt.
 */
#include "complete.h"

#include "agent.h"
#include "arguments.h"
#include "reply.h"
#include "verbs.h"

#include <string.h>

enum { COMPLETE_PATIENCE_MS = 1000 };

struct typed {					/* the word being completed */
	FILE *out;
	const char *prefix;
};

static void offer(const struct typed *typed, const char *before, const char *candidate)
{
	char text[256];

	(void)snprintf(text, sizeof text, "%s%s", before, candidate);
	if (strncmp(text, typed->prefix, strlen(typed->prefix)) == 0)
		(void)fprintf(typed->out, "%s\n", text);
}

/* Verbs by their first word, or by their second after @group. */
static void offer_verbs(const struct typed *typed, const char *group)
{
	const char *last = "";
	size_t last_len = 0, group_len = group ? strlen(group) : 0;

	for (size_t i = 0; verbs[i]; i++) {
		const char *name = verbs[i]->name;
		size_t len = strcspn(name, " ");
		char first[64];

		if (group && strncmp(name, group, group_len) == 0 && name[group_len] == ' ')
			offer(typed, "", name + group_len + 1);
		if (group || (len == last_len && strncmp(name, last, len) == 0))
			continue;
		(void)snprintf(first, sizeof first, "%.*s", (int)len, name);
		offer(typed, "", first);
		last = name;
		last_len = len;
	}
}

static void offer_options(const struct typed *typed, const struct option *options)
{
	for (size_t i = 0; options && options[i].name; i++)
		offer(typed, "--", options[i].name);
}

static void offer_names(void *context, const json_t *reply)
{
	const json_t *bindings = reply_member(reply, "bindings");

	for (size_t i = 0; i < json_array_size(bindings); i++)
		offer(context, "", reply_text(json_array_get(bindings, i), "name"));
}

static void offer_bindings(const struct ctl *ctl, struct typed *typed)
{
	FILE *nowhere = fopen("/dev/null", "we");
	struct ctl quiet = *ctl;

	if (!nowhere)
		return;
	quiet.out = quiet.err = nowhere;
	quiet.json = false;
	quiet.patience_ms =
		ctl->patience_ms < COMPLETE_PATIENCE_MS ? ctl->patience_ms : COMPLETE_PATIENCE_MS;
	if (agent_call(&quiet, "ListBindings", NULL, offer_names, typed) != CTL_DONE)
		(void)0;			/* then there are no names to offer */
	(void)fclose(nowhere);
}

static void offer_kind(const struct ctl *ctl, struct typed *typed, enum completion kind)
{
	switch (kind) {
	case COMPLETE_NONE:
	case COMPLETE_FILE:
		break;
	case COMPLETE_BINDING:
		offer_bindings(ctl, typed);
		break;
	case COMPLETE_VERB:
		offer_verbs(typed, NULL);
		break;
	case COMPLETE_COLOR:
		offer(typed, "", "auto");
		offer(typed, "", "always");
		offer(typed, "", "never");
		break;
	}
}

/* The option whose value @word would be, given what stands before it; NULL if it is none. */
static const struct option *pending(const struct verb *verb, const char *before)
{
	const struct option *tables[] = { arguments_globals, verb ? verb->options : NULL };

	if (strncmp(before, "--", 2) != 0)
		return NULL;
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (size_t i = 0; tables[t] && tables[t][i].name; i++)
			if (tables[t][i].value && strcmp(tables[t][i].name, before + 2) == 0)
				return &tables[t][i];
	return NULL;
}

/* Read what stands before the last word. It need not be complete: a value or arguments may be
 * missing yet. False if there is a verb that does not exist, so that nothing can follow. */
static bool read_before(struct ctl *ctl, char **words, size_t n, struct command_line *ret)
{
	int r = arguments_parse(words, n, ret);

	if (ret->global[GLOBAL_RUNTIME_DIR])
		ctl->runtime_dir = ret->global[GLOBAL_RUNTIME_DIR];
	return r == 0 || !ret->wrong_verb;
}

int complete_words(struct ctl *ctl, char **words, size_t n)
{
	struct typed typed = { .out = ctl->out, .prefix = n > 0 ? words[n - 1] : "" };
	char *last = n > 1 ? words[n - 2] : NULL;	/* parsing permutes the words */
	const struct option *option;
	struct command_line line;

	if (!read_before(ctl, words, n > 0 ? n - 1 : 0, &line))
		return CTL_DONE;
	option = last ? pending(line.verb, last) : NULL;
	if (option) {
		offer_kind(ctl, &typed, option->complete);
	} else if (line.verb && line.verb->command && line.args.n_rest > 0) {
		return CTL_DONE;
	} else if (typed.prefix[0] == '-') {
		offer_options(&typed, arguments_globals);
		offer_options(&typed, line.verb ? line.verb->options : NULL);
	} else if (!line.verb) {
		offer_verbs(&typed, line.group);
	} else if (line.verb->complete == COMPLETE_VERB) {
		offer_verbs(&typed, line.args.n_rest > 0 ? line.args.rest[0] : NULL);
	} else if (line.args.n_rest == 0) {
		offer_kind(ctl, &typed, line.verb->complete);
	}
	return CTL_DONE;
}
