/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places are counted in bytes, terminals in columns; what is not for terminals is made harmless. */
#include "excerpt.h"

#include "base/mem.h"
#include "table.h"

#include <string.h>

/* Bytes of a line that are shown; a longer one loses its beginning, so that the place is seen. */
enum { LINE_SHOWN = 160, BEFORE_SHOWN = 100 };

/* The number after the last colon of the @*len bytes at @place, which are then cut before it. */
static bool take_number(const char *place, size_t *len, unsigned long *ret)
{
	size_t start = *len;
	unsigned long n = 0;

	while (start > 0 && place[start - 1] >= '0' && place[start - 1] <= '9')
		start--;
	if (start == *len || start == 0 || place[start - 1] != ':' || *len - start > 9)
		return false;
	for (size_t i = start; i < *len; i++)
		n = n * 10 + (unsigned long)(place[i] - '0');
	*len = start - 1;
	*ret = n;
	return true;
}

/* Where the line of @place begins in the excerpt, or NULL if it is none of its places. */
static const char *find_line(const struct excerpt *excerpt, const char *place,
			     unsigned long *ret_column)
{
	size_t len = strlen(place);
	unsigned long line;
	const char *at = excerpt ? excerpt->text : NULL;

	if (!at || !take_number(place, &len, ret_column) || !take_number(place, &len, &line) ||
	    len != strlen(excerpt->name) || memcmp(place, excerpt->name, len) != 0)
		return NULL;
	for (; line > 1 && at; line--) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return line == 1 && at && *ret_column > 0 && *ret_column <= strcspn(at, "\n") + 1 ? at
											  : NULL;
}

static char *harmless(const char *text, size_t len)
{
	char *copy = mem_text(text, len);
	char *clean;

	for (size_t i = 0; i < len; i++)
		if (copy[i] == '\t')
			copy[i] = ' ';
	clean = table_harmless(copy);
	free(copy);
	return clean;
}

static void print_caret(const struct ctl *ctl, const char *line, size_t column)
{
	size_t start = column > BEFORE_SHOWN ? column - BEFORE_SHOWN : 0, len;
	char *AUTO(mem_drop) before = NULL, *AUTO(mem_drop) shown = NULL;

	while (start > 0 && ((unsigned char)line[start] & 0xc0) == 0x80)
		start--;
	len = strcspn(line + start, "\r\n");
	len = len > LINE_SHOWN ? LINE_SHOWN : len;
	while (len > column - start && ((unsigned char)line[start + len] & 0xc0) == 0x80)
		len--;
	before = harmless(line + start, column - start);
	shown = harmless(line + start, len);
	(void)fprintf(ctl->err, "    %s\n    %*s^\n", shown, (int)table_text_width(before), "");
}

void excerpt_print(const struct ctl *ctl, const char *place, const char *text)
{
	unsigned long column;
	const char *line = find_line(ctl->excerpt, place, &column);

	if (line && ctl->excerpt->typed)
		ctl_complain(ctl, "%s", text);
	else
		(void)fprintf(ctl->err, "%s: %s\n", place, text);
	if (line)
		print_caret(ctl, line, column - 1);
}
