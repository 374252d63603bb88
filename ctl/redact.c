/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See redact.h. Rather too much than too little: what is left of a text may read worse, but a bug report
 * is sent to strangers.
 */
#include "redact.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define REMOVED "[removed]"

enum { SECRET_LEAST = 4 };			/* shorter values would be found everywhere */

void redact_drop(struct redact *redact)
{
	for (size_t i = 0; i < redact->secrets.n; i++)
		free(redact->secrets.at[i]);
	free(redact->secrets.at);
	*redact = (struct redact){ 0 };
}

static void remember(struct redact *redact, const char *value, size_t len)
{
	if (len >= 2 && value[0] == '"') {
		value++;
		len -= value[len - 2] == '"' ? 2 : 1;
	}
	redact->n_removed++;
	for (size_t i = 0; i < redact->secrets.n; i++)
		if (strlen(redact->secrets.at[i]) == len &&
		    memcmp(redact->secrets.at[i], value, len) == 0)
			return;
	if (len >= SECRET_LEAST)
		PUSH(&redact->secrets, mem_text(value, len));
}

/* Bytes of the word at @text: a quoted string, bare characters, or one of punctuation. */
static size_t word_len(const char *text)
{
	size_t len = strcspn(text, " \t\r\n{};,\"#");

	if (len > 0 || !*text)
		return len;
	if (*text != '"')
		return 1;
	for (len = 1; text[len] && text[len] != '"'; len++)
		len += text[len] == '\\' && text[len + 1];
	return len + (text[len] == '"');
}

/* @word, of @len bytes, in any case, has @part within. */
static bool mentions(const char *word, size_t len, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(word + i, part, n) == 0)
			return true;
	return false;
}

static bool is_secret_word(const char *word, size_t len)
{
	static const char *const parts[] = { "password", "passwd", "passphrase", "secret", "token",
					     "credential", "api-key", "apikey", "api_key" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (mentions(word, len, parts[i]))
			return true;
	return false;
}

static bool is_word(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(word, name, len) == 0;
}

/* A keyword whose values, to the end of its statement, are not for others. */
static bool is_keyword(const char *word, size_t len)
{
	static const char *const names[] = { "key", "certificate", "auth", "tls-ca" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (is_word(word, len, names[i]))
			return true;
	return word[0] != '"' && is_secret_word(word, len);
}

/* Words of `auth` that are no values. */
static bool is_harmless(const char *word, size_t len)
{
	static const char *const names[] = { "file", "socket", "required", "plain-text" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (is_word(word, len, names[i]))
			return true;
	return false;
}

void redact_configuration(struct redact *redact, const char *text, FILE *out)
{
	bool first = true, hidden = false;	/* of a statement; its values go */
	bool suspect = false;			/* the word before speaks of a secret */

	while (*text) {
		size_t len = strspn(text, " \t\r\n");

		(void)fwrite(text, 1, len, out);
		text += len;
		if (*text == '#') {
			text += strcspn(text, "\n");
			continue;
		}
		len = word_len(text);
		if (len == 0)
			break;
		if (strchr(";{}", *text)) {
			first = true;
			hidden = suspect = false;
		} else if ((hidden || suspect) && *text != ',' && !is_harmless(text, len)) {
			if (hidden)
				remember(redact, text, len);
			redact->n_removed += !hidden;
			suspect = false;
			(void)fputs("\"" REMOVED "\"", out);
			text += len;
			continue;
		} else {
			hidden = hidden || (first && is_keyword(text, len));
			suspect = *text != '"' && is_secret_word(text, len);
			first = false;
		}
		(void)fwrite(text, 1, len, out);
		text += len;
	}
}

/* Length of a known secret that stands at @text; 0: none. The longest counts. */
static size_t known(const struct redact *redact, const char *text)
{
	size_t best = 0;

	for (size_t i = 0; i < redact->secrets.n; i++) {
		size_t len = strlen(redact->secrets.at[i]);

		if (len > best && strncmp(text, redact->secrets.at[i], len) == 0)
			best = len;
	}
	return best;
}

/* "//user:password@": bytes from behind the slashes to the @, or 0. */
static size_t user_of_url(const char *text)
{
	size_t len = strcspn(text, "/ \t\r\n\"'<>@");

	return text[len] == '@' && memchr(text, ':', len) ? len : 0;
}

/* Behind "AUTH PLAIN " and the like: what the client sent. */
static size_t auth_len(const char *text)
{
	static const char *const mechanisms[] = { "AUTH PLAIN ", "AUTH LOGIN ", "AUTH XOAUTH2 ",
						  "AUTH OAUTHBEARER " };

	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (strncasecmp(text, mechanisms[i], strlen(mechanisms[i])) == 0)
			return strlen(mechanisms[i]);
	return 0;
}

/* "password=", "secret: ", "\"token\": \"": bytes up to the value, or 0. */
static size_t assignment_len(const char *text)
{
	size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"), at;

	if (word == 0 || !is_secret_word(text, word))
		return 0;
	at = word + strspn(text + word, "\"' \t");
	if (text[at] != '=' && text[at] != ':')
		return 0;
	at++;
	return at + strspn(text + at, "\"' \t");
}

static size_t value_len(const char *text)
{
	return strcspn(text, " \t\r\n\"',;&})]");
}

/* A private key: all to its end line, or to the end of the text. */
static size_t key_len(const char *text)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----END ";
	const char *found;

	if (strncmp(text, begin, strlen(begin)) != 0 ||
	    !mentions(text, strcspn(text, "\r\n"), "PRIVATE KEY"))
		return 0;
	found = strstr(text, end);
	return found ? (size_t)(found - text) + strcspn(found, "\r\n") : strlen(text);
}

static const char *removed(struct redact *redact, const char *text, size_t len, FILE *out)
{
	if (len > 0) {
		(void)fputs(REMOVED, out);
		redact->n_removed++;
	}
	return text + len;
}

void redact_text(struct redact *redact, const char *text, FILE *out)
{
	bool inside = false;			/* a word has begun before @text */

	while (*text) {
		size_t len = known(redact, text), keep = 0, value = 0;

		if (len == 0)
			len = key_len(text);
		if (len == 0 && strncmp(text, "//", 2) == 0 && user_of_url(text + 2) > 0) {
			keep = 2;
			value = user_of_url(text + 2);
		} else if (len == 0 && !inside && (keep = auth_len(text)) > 0) {
			value = value_len(text + keep);
		} else if (len == 0 && !inside && (keep = assignment_len(text)) > 0) {
			value = value_len(text + keep);
		}
		if (len > 0) {
			text = removed(redact, text, len, out);
			inside = true;
		} else if (keep > 0) {
			(void)fwrite(text, 1, keep, out);
			text = removed(redact, text + keep, value, out);
			inside = false;
		} else {
			inside = isalnum((unsigned char)*text) || *text == '_' || *text == '-';
			(void)fputc(*text++, out);
		}
	}
}
