/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See settings.h. Statements are told apart as the scanner does it: words, quotes with backslashes,
 * comments, blocks. What is no statement at all is left as it is, for the reader to complain about.
 */
#include "daemon/settings.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { KEYWORD_ROOM = 64, WORDS_MAX = 4 };

struct statement {
	const char *start, *end;		/* with its `;` or `}` */
	char keyword[KEYWORD_ROOM];
	bool remove;
};

struct statements { struct statement *at; size_t n, room; };

/* Behind blanks and comments. */
static const char *skip_blanks(const char *at)
{
	for (;;) {
		at += strspn(at, " \t\r\n");
		if (*at != '#')
			return at;
		at += strcspn(at, "\n");
	}
}

/* Behind one word, quoted or bare, or one character of punctuation. */
static const char *skip_word(const char *at)
{
	size_t bare = strcspn(at, " \t\r\n{};,\"#");

	if (bare > 0 || !*at)
		return at + bare;
	if (*at != '"')
		return at + 1;
	for (at++; *at && *at != '"'; at++)
		at += at[0] == '\\' && at[1];
	return at + (*at == '"');
}

/* Put @word behind the keyword, if there is room. */
static void extend(char *keyword, const char *word, size_t len)
{
	size_t n = strlen(keyword);

	if (n + len + 2 <= KEYWORD_ROOM)
		snprintf(keyword + n, KEYWORD_ROOM - n, "%s%.*s", n ? " " : "", (int)len, word);
}

static bool is_word(const char *at, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(at, word, len) == 0;
}

/* The first words of a statement as what it is about. */
static void name(struct statement *statement, const char *const *words, const size_t *lens,
		 size_t n)
{
	size_t first = 0, more = 1;

	statement->remove = n > 1 && is_word(words[0], lens[0], "remove");
	first = statement->remove;
	if (n > first && (is_word(words[first], lens[first], "limit") ||
			  is_word(words[first], lens[first], "allow")))
		more = 2;
	for (size_t i = first; i < n && i < first + more; i++)
		extend(statement->keyword, words[i], lens[i]);
	/* "ehlo NAME for ipv6", "remove ehlo for ipv6" */
	if (n == 4 && strcmp(statement->keyword, "ehlo") == 0 &&
	    is_word(words[2], lens[2], "for")) {
		extend(statement->keyword, words[2], lens[2]);
		extend(statement->keyword, words[3], lens[3]);
	}
}

/* One statement from @at on, or false at the end of the text or of the stanza. */
static bool next(const char **at, struct statement *ret)
{
	const char *words[WORDS_MAX], *word = skip_blanks(*at), *behind;
	bool to_destination = false, limit;
	size_t lens[WORDS_MAX], n = 0, depth = 0;

	*ret = (struct statement){ .start = word };
	if (!*word || *word == '}')
		return false;
	for (; *word; word = skip_blanks(behind)) {
		behind = skip_word(word);
		depth += *word == '{';
		if (*word == '}' && depth > 0)
			depth--;
		else if (n < WORDS_MAX && !strchr("{};,", *word)) {
			words[n] = word;
			lens[n++] = (size_t)(behind - word);
		}
		to_destination |= is_word(word, (size_t)(behind - word), "destination");
		*at = ret->end = behind;
		if (depth == 0 && (*word == ';' || *word == '}'))
			break;
	}
	name(ret, words, lens, n);
	limit = strncmp(ret->keyword, "limit ", 6) == 0;
	if (limit && to_destination)
		extend(ret->keyword, "per destination", 15);
	return true;
}

static void read_all(const char *text, struct statements *ret)
{
	struct statement one;

	while (next(&text, &one))
		PUSH(ret, one);
}

/* Does @statement say something about @keyword? `remove limit` does about all limits. */
static bool is_about(const struct statement *statement, const char *keyword)
{
	size_t len = strlen(statement->keyword);

	if (strcmp(statement->keyword, keyword) == 0)
		return true;
	return statement->remove && len > 0 && strncmp(statement->keyword, keyword, len) == 0 &&
	       keyword[len] == ' ' && !strchr(statement->keyword, ' ');
}

static bool has(const struct statements *statements, const char *keyword)
{
	for (size_t i = 0; i < statements->n; i++)
		if (is_about(&statements->at[i], keyword))
			return true;
	return false;
}

/* Can a setting be about this? `limit` and `allow` alone are all of theirs. */
static bool is_keyword(const char *keyword)
{
	static const char *const keywords[] = {
		"address", "ehlo", "ehlo for ipv4", "ehlo for ipv6", "interface", "uplink",
		"unusable", "overflow", "warmup", "probe", "sender-domain", "require",
		"member", "pick", "limit", "limit connections", "limit connections per destination",
		"limit new", "limit new per destination", "allow", "allow user", "allow group",
		"allow cgroup",
	};

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
		if (strcmp(keywords[i], keyword) == 0)
			return true;
	return false;
}

/*
 * @settings, but blanks where something is to be removed. Of what no setting can be about only the
 * word `remove` is blanked, so that the reader finds the misspelt keyword in its place.
 */
static void print_new(const char *settings, const struct statements *fresh, FILE *out)
{
	const char *at = settings, *end;

	for (size_t i = 0; i < fresh->n; i++) {
		const struct statement *statement = &fresh->at[i];

		if (!statement->remove)
			continue;
		fprintf(out, "%.*s", (int)(statement->start - at), at);
		end = is_keyword(statement->keyword) ? statement->end
						     : statement->start + strlen("remove");
		for (at = statement->start; at < end; at++)
			fputc(*at == '\n' ? '\n' : ' ', out);
	}
	fprintf(out, "%s\n", at);
}

char *settings_merge(const char *stanza, const char *settings)
{
	struct statements old = { 0 }, fresh = { 0 };
	const char *body = strstr(stanza, " {\n");
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out || !body)
		abort();
	body += 3;
	read_all(body, &old);
	read_all(settings, &fresh);
	fprintf(out, "%.*s ", (int)(body - stanza) - 1, stanza);
	print_new(settings, &fresh, out);
	for (size_t i = 0; i < old.n; i++)
		if (!has(&fresh, old.at[i].keyword))
			fprintf(out, "    %.*s\n", (int)(old.at[i].end - old.at[i].start),
				old.at[i].start);
	fputs("}\n", out);
	if (fclose(out) != 0)
		abort();
	free(old.at);
	free(fresh.at);
	return text;
}
