/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a command line. Not getopt_long(3): a verb's options are known only when its one or two
 * words are, options may stand on both sides of them, an abbreviated option must not work today
 * and be ambiguous tomorrow, and a mistake is answered with what was probably meant.
 */
#include "arguments.h"

#include "nearest.h"
#include "verbs.h"

#include <stdarg.h>
#include <string.h>

const struct option arguments_globals[] = {
	[GLOBAL_JSON] = { "json", NULL, "answer in JSON", COMPLETE_NONE },
	[GLOBAL_RUNTIME_DIR] = { "runtime-dir", "DIR",
				 "where the agent's sockets are (" CTL_RUNTIME_DIR ")",
				 COMPLETE_FILE },
	[GLOBAL_COLOR] = { "color", "WHEN", "auto, always or never", COMPLETE_COLOR },
	[GLOBAL_HELP] = { "help", NULL, "explain the program or the verb", COMPLETE_NONE },
	[GLOBAL_VERSION] = { "version", NULL, "print the version", COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

struct reader {					/* where arguments_parse() is */
	char **words;
	size_t n, next;
	bool literal;				/* what follows is no option */
	char name[64];				/* words of the verb so far */
	struct command_line *line;
};

PRINTF(2, 3) static int problem(struct command_line *line, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(line->problem, sizeof line->problem, format, list);
	va_end(list);
	return -EINVAL;
}

/* Index of the option @name of @len bytes in @options, or -1. */
static int find_option(const struct option *options, const char *name, size_t len)
{
	for (int i = 0; options && options[i].name; i++)
		if (strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
			return i;
	return -1;
}

static int unknown_option(struct command_line *line, const char *word, size_t len)
{
	char name[64];
	struct nearest nearest = { .word = name };

	(void)snprintf(name, sizeof name, "%.*s", (int)len, word + 2);
	for (size_t i = 0; i < GLOBALS; i++)
		nearest_try(&nearest, arguments_globals[i].name);
	for (size_t i = 0; line->verb && line->verb->options && line->verb->options[i].name; i++)
		nearest_try(&nearest, line->verb->options[i].name);
	return problem(line, "unknown option --%s%s%s%s%s%s", name,
		       line->verb ? " of " : "", line->verb ? line->verb->name : "",
		       nearest.best ? "; did you mean --" : "", nearest.best ? nearest.best : "",
		       nearest.best ? "?" : "");
}

static int read_option(struct reader *reader, char *word)
{
	struct command_line *line = reader->line;
	char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
	const struct option *option = arguments_globals;
	const char **slot = line->global;
	int i = find_option(option, word + 2, len);

	if (i < 0 && line->verb) {
		option = line->verb->options;
		slot = line->args.value;
		i = find_option(option, word + 2, len);
	}
	if (i < 0)
		return unknown_option(line, word, len);
	if (slot[i])
		return problem(line, "--%s is given twice", option[i].name);
	if (!option[i].value && equals)
		return problem(line, "--%s takes no value", option[i].name);
	if (!option[i].value)
		slot[i] = "";
	else if (equals)
		slot[i] = equals + 1;
	else if (reader->next < reader->n)
		slot[i] = reader->words[reader->next++];
	else
		return problem(line, "--%s needs a value: %s", option[i].name, option[i].value);
	return 0;
}

/* One more word of the verb's name. */
static int read_verb(struct reader *reader, const char *word)
{
	struct command_line *line = reader->line;
	size_t len = strlen(reader->name);
	const char *nearest;

	(void)snprintf(reader->name + len, sizeof reader->name - len, "%s%s", len > 0 ? " " : "",
		       word);
	line->verb = verbs_find(reader->name);
	if (line->verb || (!line->group && verbs_is_group(word))) {
		line->group = line->verb ? NULL : word;
		return 0;
	}
	line->wrong_verb = true;
	nearest = verbs_nearest(reader->name);
	return problem(line, "unknown verb '%s'%s%s%s", reader->name,
		       nearest ? "; did you mean '" : "", nearest ? nearest : "",
		       nearest ? "'?" : "; `outbindctl help` lists them");
}

static int read_word(struct reader *reader)
{
	struct command_line *line = reader->line;
	char *word = reader->words[reader->next++];
	static char help[] = "--help", write[] = "--write", output[] = "--output";

	if (!reader->literal && strcmp(word, "--") == 0) {
		reader->literal = true;
		return 0;
	}
	if (!reader->literal && strcmp(word, "-h") == 0)
		return read_option(reader, help);
	if (!reader->literal && strcmp(word, "-w") == 0)
		return read_option(reader, write);	/* as capturing programs have it */
	if (!reader->literal && strcmp(word, "-o") == 0)
		return read_option(reader, output);
	if (!reader->literal && strncmp(word, "--", 2) == 0)
		return read_option(reader, word);
	if (!reader->literal && word[0] == '-' && word[1])
		return problem(line, "unknown option %s; options are written --name", word);
	if (!line->verb)
		return read_verb(reader, word);

	/* rest never overtakes next, so the words can be moved within the array */
	line->args.rest[line->args.n_rest++] = word;
	if (line->verb->command && line->args.n_rest == 1) {
		reader->literal = true;
		if (reader->next < reader->n && strcmp(reader->words[reader->next], "--") == 0)
			reader->next++;
	}
	return 0;
}

static int count_arguments(struct command_line *line)
{
	const struct verb *verb = line->verb;

	if (!verb || line->global[GLOBAL_HELP])
		return 0;
	if (line->args.n_rest < verb->least)
		return problem(line, "%s needs more arguments: outbindctl %s %s", verb->name,
			       verb->name, verb->synopsis);
	if (line->args.n_rest > verb->most)
		return problem(line, "%s: '%s' is one argument too many", verb->name,
			       line->args.rest[verb->most]);
	return 0;
}

int arguments_parse(char **words, size_t n, struct command_line *ret)
{
	struct reader reader = { .words = words, .n = n, .line = ret };

	*ret = (struct command_line){ .args.rest = words };
	while (reader.next < reader.n) {
		int r = read_word(&reader);

		if (r < 0)
			return r;
	}
	return count_arguments(ret);
}
