/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framing of varlink messages (https://varlink.org/Wire-Protocol): JSON objects, each ended by one
 * NUL. Depth is counted before a parser sees the text, so that nesting never becomes recursion;
 * jansson refuses invalid UTF-8, an escaped NUL, and text after the object.
 */
#include "proto/varlink.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

void varlink_reader_drop(struct varlink_reader *reader)
{
	free(reader->at);
	*reader = (struct varlink_reader){ 0 };
}

/* Where the first message ends, or -1; remembers how far it looked. */
static ssize_t find_end(struct varlink_reader *reader)
{
	const char *end;

	if (reader->scanned == reader->n)
		return -1;
	end = memchr(reader->at + reader->scanned, '\0', reader->n - reader->scanned);
	if (!end) {
		reader->scanned = reader->n;
		return -1;
	}
	reader->scanned = (size_t)(end - reader->at);
	return end - reader->at;
}

int varlink_feed(struct varlink_reader *reader, const char *bytes, size_t n)
{
	size_t limit = reader->limit ? reader->limit : VARLINK_MESSAGE_MAX;

	if (n == 0)
		return 0;
	reader->at = mem_grow(reader->at, &reader->room, reader->n + n, 1);
	memcpy(reader->at + reader->n, bytes, n);
	reader->n += n;
	return find_end(reader) < 0 && reader->n > limit ? -EMSGSIZE : 0;
}

/* True if no part of the text nests deeper than allowed. Strings are skipped, escapes in them too. */
static bool is_shallow(const char *text, size_t len)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!quoted && (text[i] == '}' || text[i] == ']'))
			depth--;
		if (depth > VARLINK_DEPTH_MAX)
			return false;
	}
	return true;
}

int varlink_next(struct varlink_reader *reader, json_t **ret)
{
	size_t limit = reader->limit ? reader->limit : VARLINK_MESSAGE_MAX;
	ssize_t end = find_end(reader);
	json_t *message = NULL;

	if (end < 0)
		return 0;
	if ((size_t)end <= limit && is_shallow(reader->at, (size_t)end))
		message = json_loadb(reader->at, (size_t)end, JSON_REJECT_DUPLICATES, NULL);
	reader->n -= (size_t)end + 1;
	memmove(reader->at, reader->at + end + 1, reader->n);
	reader->scanned = 0;
	if (!json_is_object(message)) {
		json_decref(message);
		return -EBADMSG;
	}
	*ret = message;
	return 1;
}

size_t varlink_encode(const json_t *message, char **ret)
{
	char *text = json_dumps(message, JSON_COMPACT);

	if (!text)
		abort();		/* no memory: every other cause is a bug of the caller */
	*ret = text;
	return strlen(text) + 1;
}
