/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion from the table of verbs, the words of the change language and, for names, from the
 * running agent. Errors are silent and the agent gets little time: somebody is waiting at a
 * prompt.
 */
#include "complete.h"

#include "agent.h"
#include "arguments.h"
#include "grammar.h"
#include "reply.h"
#include "top_model.h"
#include "verbs.h"

#include <string.h>

struct typed {					/* the word being completed */
	FILE *out;
	const char *prefix;
	const char *client;			/* kind of the clients to be offered */
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

static void offer_names(void *context, json_t *reply)
{
	const json_t *bindings = reply_member(reply, "bindings");

	for (size_t i = 0; i < json_array_size(bindings); i++)
		offer(context, "", reply_text(json_array_get(bindings, i), "name"));
}

/* A group has bindings, no groups and not `default`. */
static void offer_members(void *context, json_t *reply)
{
	const json_t *bindings = reply_member(reply, "bindings");

	for (size_t i = 0; i < json_array_size(bindings); i++) {
		const json_t *one = json_array_get(bindings, i);
		const char *name = reply_text(one, "name");

		if (!reply_member(one, "group") && strcmp(name, "default") != 0)
			offer(context, "", name);
	}
}

/* Clients of the policy, in order of their kind: rules of one client may not stand together. */
static void offer_clients(void *context, json_t *reply)
{
	const struct typed *typed = context;
	const json_t *rules = reply_member(reply, "rules");
	size_t len = strlen(typed->client);

	for (size_t i = 0; i < json_array_size(rules); i++) {
		const char *client = reply_text(json_array_get(rules, i), "client");
		const char *before =
			i > 0 ? reply_text(json_array_get(rules, i - 1), "client") : "";

		if (strncmp(client, typed->client, len) == 0 && client[len] == ' ' &&
		    strcmp(client, before) != 0)
			offer(typed, "", client + len + 1);
	}
}

static void ask(const struct ctl *ctl, struct typed *typed, const char *method, agent_reply *each)
{
	if (agent_call_quietly(ctl, method, NULL, each, typed) != CTL_DONE)
		return;				/* then there are no names to offer */
}

static void offer_policy(const struct ctl *ctl, struct typed *typed, const char *client)
{
	typed->client = client;
	ask(ctl, typed, "ListPolicy", offer_clients);
}

/* Each of @words, which are separated by blanks. */
static void offer_words(const struct typed *typed, const char *words)
{
	while (words && *words) {
		size_t len = strcspn(words, " ");
		char word[64];

		(void)snprintf(word, sizeof word, "%.*s", (int)len, words);
		offer(typed, "", word);
		words += len + (words[len] == ' ');
	}
}

static void offer_kind(const struct ctl *ctl, struct typed *typed, enum completion kind)
{
	switch (kind) {
	case COMPLETE_NONE:
	case COMPLETE_FILE:
		break;
	case COMPLETE_BINDING:
		ask(ctl, typed, "ListBindings", offer_names);
		break;
	case COMPLETE_MEMBER:
		ask(ctl, typed, "ListBindings", offer_members);
		break;
	case COMPLETE_UNIT:
		offer_policy(ctl, typed, "unit");
		break;
	case COMPLETE_CGROUP:
		offer_policy(ctl, typed, "cgroup");
		break;
	case COMPLETE_USER:
		offer_policy(ctl, typed, "user");
		break;
	case COMPLETE_GROUP:
		offer_policy(ctl, typed, "group");
		break;
	case COMPLETE_SOURCE:
		offer_policy(ctl, typed, "source");
		break;
	case COMPLETE_VERB:
		offer_verbs(typed, NULL);
		break;
	case COMPLETE_SUBJECT:
		ask(ctl, typed, "ListBindings", offer_names);
		offer_words(typed, "unit cgroup user source pid");
		break;
	case COMPLETE_COLUMN:
		for (size_t i = 0; i < TOP_COLUMNS; i++)
			offer(typed, "", top_columns[i]);
		break;
	case COMPLETE_COLOR:
		offer(typed, "", "auto");
		offer(typed, "", "always");
		offer(typed, "", "never");
		break;
	}
}

static void offer_starts(const struct typed *typed, const struct grammar *table)
{
	for (; table && table->word; table++)
		if (table->flags & GRAMMAR_STARTS)
			offer(typed, "", table->word);
}

/* What could come after the @n words of a statement. */
static void offer_grammar(const struct ctl *ctl, struct typed *typed, const struct grammar *table,
			  char **words, size_t n)
{
	struct grammar_walk walk = { .table = table };

	for (size_t i = 0; i < n; i++)
		(void)grammar_step(&walk, words[i]);
	if (walk.bare) {
		offer_starts(typed, walk.table);
		return;
	}
	if (walk.owed > 0) {
		offer_kind(ctl, typed, walk.last->complete);
		return;
	}
	if (walk.last && !walk.ended)
		offer_words(typed, walk.last->next);
	if (walk.last && !walk.ended && walk.last->flags & GRAMMAR_NEEDS)
		return;
	offer_starts(typed, walk.table);
	offer_starts(typed, walk.outer);
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
	} else if (line.verb->words && line.args.n_rest >= line.verb->words_from) {
		if (line.args.n_rest < line.verb->most)
			offer_grammar(ctl, &typed, line.verb->words,
				      line.args.rest + line.verb->words_from,
				      line.args.n_rest - line.verb->words_from);
	} else if (line.args.n_rest == 0) {
		offer_kind(ctl, &typed, line.verb->complete);
	} else if (line.args.n_rest == 1 && line.verb->complete == COMPLETE_SUBJECT) {
		offer_policy(ctl, &typed, line.args.rest[0]);
	}
	return CTL_DONE;
}
