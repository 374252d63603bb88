/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the shell has taken apart, put together again. Nothing is judged here, so that there is one
 * parser with one set of messages; a wrong word ends up where the parser's complaint points at it.
 */
#include "compose.h"

#include "base/mem.h"

#include <string.h>

void compose_drop(struct statements *statements)
{
	for (size_t i = 0; i < statements->n; i++)
		free(statements->at[i]);
	free(statements->at);
	*statements = (struct statements){ 0 };
}

struct composer {
	struct statements *to;
	FILE *out;				/* of the statement that is begun, or NULL */
	char *text;
	size_t len;
	bool block;				/* it has a block of its own ... */
	bool inner;				/* ... in which a statement is begun */
	bool blank;				/* a blank belongs before the next word */
};

static FILE *memory(char **text, size_t *len)
{
	FILE *out = open_memstream(text, len);

	if (!out)
		abort();
	return out;
}

static void put_word(FILE *out, const char *word, size_t len)
{
	bool bare = len > 0;

	for (size_t i = 0; i < len && bare; i++)
		bare = (unsigned char)word[i] > ' ' && word[i] != 0x7f &&
		       !strchr("{};,\"#", word[i]);
	if (bare) {
		(void)fwrite(word, 1, len, out);
		return;
	}
	(void)fputc('"', out);
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '"' || word[i] == '\\')
			(void)fputc('\\', out);
		(void)fputc(word[i], out);
	}
	(void)fputc('"', out);
}

static void add_word(struct composer *composer, const char *word, size_t len)
{
	if (composer->blank)
		(void)fputc(' ', composer->out);
	put_word(composer->out, word, len);
	composer->blank = true;
}

static void add_list(struct composer *composer, const char *word)
{
	for (;;) {
		size_t len = strcspn(word, ",");

		if (len > 0)
			add_word(composer, word, len);
		if (!word[len])
			return;
		(void)fputc(',', composer->out);
		word += len + 1;
	}
}

static void finish(struct composer *composer)
{
	if (!composer->out)
		return;
	if (composer->block)
		(void)fputs(composer->inner ? "; }" : " }", composer->out);
	else
		(void)fputc(';', composer->out);
	if (fclose(composer->out) != 0)
		abort();
	PUSH(composer->to, composer->text);
	*composer = (struct composer){ .to = composer->to };
}

static void begin(struct composer *composer)
{
	finish(composer);
	composer->out = memory(&composer->text, &composer->len);
}

static void add(struct composer *composer, struct grammar_walk *walk, const char *word)
{
	bool was_inside = walk->outer;
	enum grammar_role role = grammar_step(walk, word);
	bool is_inside = walk->outer;

	if (role == ROLE_END && !is_inside) {
		finish(composer);
		return;
	}
	if (role == ROLE_STARTS && !(was_inside && is_inside)) {
		begin(composer);
	} else if ((role == ROLE_STARTS || role == ROLE_END) && composer->inner) {
		(void)fputc(';', composer->out);
		composer->inner = false;
	}
	if (role == ROLE_LIST)
		add_list(composer, word);
	else if (role != ROLE_END)
		add_word(composer, word, strlen(word));
	composer->inner = is_inside && was_inside && (composer->inner || role == ROLE_STARTS);
	if (is_inside && !was_inside) {
		(void)fputs(" {", composer->out);
		composer->block = true;
	} else if (was_inside && !is_inside && role != ROLE_STARTS) {
		composer->inner = true;
		finish(composer);
	}
}

static int check_words(const struct ctl *ctl, char **words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strchr(words[i], '\n'))
			continue;
		ctl_complain(ctl, "a word has a line break in it: expected one line");
		return CTL_USAGE;
	}
	return CTL_DONE;
}

int compose_statements(const struct ctl *ctl, const struct grammar *grammar, char **words, size_t n,
		       struct statements *ret)
{
	struct composer composer = { .to = ret };
	struct grammar_walk walk = { .table = grammar };

	if (check_words(ctl, words, n) != CTL_DONE)
		return CTL_USAGE;
	for (size_t i = 0; i < n; i++)
		add(&composer, &walk, words[i]);
	finish(&composer);
	return CTL_DONE;
}

int compose_elements(const struct ctl *ctl, char **words, size_t n, struct statements *ret)
{
	struct composer composer = { .to = ret };

	if (check_words(ctl, words, n) != CTL_DONE)
		return CTL_USAGE;
	for (size_t i = 0; i < n; i++) {
		const char *at = words[i];

		while (*(at += strspn(at, ",;"))) {
			size_t len = strcspn(at, ",;");

			begin(&composer);
			add_word(&composer, at, len);
			at += len;
		}
	}
	finish(&composer);
	return CTL_DONE;
}

char *compose_block(const char *head, const char *name, const struct statements *statements)
{
	char *text = NULL;
	size_t len;
	FILE *out = memory(&text, &len);

	(void)fputs(head, out);
	if (name) {
		(void)fputc(' ', out);
		put_word(out, name, strlen(name));
	}
	(void)fputs(" {", out);
	for (size_t i = 0; i < statements->n; i++)
		(void)fprintf(out, "%s%s", statements->n > 1 ? "\n    " : " ", statements->at[i]);
	(void)fputs(statements->n > 1 ? "\n}\n" : " }\n", out);
	if (fclose(out) != 0)
		abort();
	return text;
}

char *compose_text(const struct statements *statements)
{
	char *text = NULL;
	size_t len;
	FILE *out = memory(&text, &len);

	for (size_t i = 0; i < statements->n; i++)
		(void)fprintf(out, "%s\n", statements->at[i]);
	if (fclose(out) != 0)
		abort();
	return text;
}

char *compose_removal(const char *head, const char *name)
{
	char *text = NULL;
	size_t len;
	FILE *out = memory(&text, &len);

	(void)fprintf(out, "%s ", head);
	put_word(out, name, strlen(name));
	(void)fputs(";\n", out);
	if (fclose(out) != 0)
		abort();
	return text;
}
