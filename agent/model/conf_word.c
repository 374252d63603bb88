/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words as they come from the text: slices without a NUL. What a message shows of them is quoted,
 * cut to a length that fits a line, and free of control characters, since it goes to a terminal.
 */
#include "model/conf_build.h"

#include <stdio.h>
#include <string.h>

bool conf_word_is(const struct word *word, const char *text)
{
	return strlen(text) == word->len && memcmp(word->at, text, word->len) == 0;
}

bool conf_word_copy(const struct word *word, char *out, size_t room)
{
	if (word->len >= room)
		return false;
	memcpy(out, word->at, word->len);
	out[word->len] = '\0';
	return true;
}

bool conf_is_control(const char *at, size_t left)
{
	unsigned char c = (unsigned char)at[0];

	/* C1 controls, U+0080 to U+009F, are the two octets c2 80 to c2 9f */
	return c < 0x20 || c == 0x7f || (c == 0xc2 && left > 1 && (unsigned char)at[1] < 0xa0);
}

const char *conf_word_show(const struct word *word, char out[static WORD_SHOWN])
{
	enum { TEXT_SHOWN = 60 };
	size_t len = word->len, n = 0;
	bool cut = len > TEXT_SHOWN;

	if (cut)
		for (len = TEXT_SHOWN; len && ((unsigned char)word->at[len] & 0xc0) == 0x80;)
			len--;
	out[n++] = '\'';
	for (size_t i = 0; i < len; i++) {
		bool control = conf_is_control(&word->at[i], len - i);

		out[n++] = control ? '?' : word->at[i];
		i += control && word->at[i] == '\xc2';
	}
	snprintf(out + n, WORD_SHOWN - n, "%s'", cut ? "..." : "");
	return out;
}

const char *conf_text_show(const char *text, char out[static WORD_SHOWN])
{
	return conf_word_show(&(struct word){ .at = text, .len = strlen(text) }, out);
}

const char *conf_word_keep(struct conf *conf, const struct word *word)
{
	return arena_text(&conf->model->arena, word->at, word->len);
}

int conf_word_number(const struct word *word, uint64_t max, uint64_t *ret)
{
	uint64_t number = 0;
	bool over = false;

	if (word->len == 0)
		return -EINVAL;
	for (size_t i = 0; i < word->len; i++) {
		if (word->at[i] < '0' || word->at[i] > '9')
			return -EINVAL;
		number = number * 10 + (uint64_t)(word->at[i] - '0');
		over = over || number > max;
		if (over)
			number = 0;
	}
	if (over)
		return -ERANGE;
	*ret = number;
	return 0;
}

int conf_word_range(const struct word *word, uint64_t max, uint64_t *ret_first, uint64_t *ret_last)
{
	const char *dash = word->len ? memchr(word->at, '-', word->len) : NULL;
	struct word one = *word, two;
	uint64_t first, last;
	int r, s;

	if (dash)
		one.len = (size_t)(dash - word->at);
	r = conf_word_number(&one, max, &first);
	if (dash) {
		two = (struct word){ .at = dash + 1, .len = word->len - one.len - 1 };
		s = conf_word_number(&two, max, &last);
		if (r == 0 || s == -EINVAL)
			r = s;
	} else if (r == 0) {
		last = first;
	}
	if (r < 0)
		return r;
	*ret_first = first;
	*ret_last = last;
	return first > last ? -EDOM : 0;
}

size_t conf_utf8_len(const char *at, size_t len)
{
	const unsigned char *c = (const unsigned char *)at;
	size_t n;

	if (c[0] < 0x80)
		return 1;
	n = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
	if (c[0] < 0xc2 || c[0] > 0xf4 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	/* longer than needed, a surrogate, or above U+10FFFF */
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return n;
}
