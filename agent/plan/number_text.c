/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of the numbers. Reading is strict: a number that two names share would send one customer's
 * connections from another's address.
 */
#include "plan/number.h"

#include "base/mem.h"

#include <string.h>

#define VERSION_LINE	"outbind-numbers 1\n"
#define APPENDED	'+'			/* begins a line that was appended */

static bool read_digits(const char **at, char end, uint64_t max, uint64_t *ret)
{
	const char *digit = *at;
	uint64_t value = 0;

	if (digit[0] == '0' && digit[1] != end)
		return false;
	for (; *digit >= '0' && *digit <= '9'; digit++) {
		if (value > (max - (uint64_t)(*digit - '0')) / 10)
			return false;
		value = value * 10 + (uint64_t)(*digit - '0');
	}
	if (digit == *at || *digit != end)
		return false;
	*at = digit + 1;
	*ret = value;
	return true;
}

/* A name that the configuration could have: no space, no colon, nothing that does not print. */
static bool is_name(const char *name, size_t len)
{
	size_t before = strlen(NUMBERS_UPLINK);

	if (len > before && memcmp(name, NUMBERS_UPLINK, before) == 0) {
		name += before;
		len -= before;
	}
	if (len == 0 || len > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == ':' || name[i] == 0x7f)
			return false;
	return true;
}

/* One line without its newline at @end; false if it cannot be trusted. */
static bool read_line(struct numbers *numbers, const char *line, const char *end)
{
	uint64_t number, retired;
	size_t len;

	if (!read_digits(&line, ' ', UINT32_MAX, &number) || number == 0 ||
	    !read_digits(&line, ' ', UINT64_MAX - 1, &retired))
		return false;
	len = (size_t)(end - line);
	return line <= end && is_name(line, len) &&
	       numbers_enter(numbers, line, len, (uint32_t)number, retired);
}

static int by_number(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* First line, from the version line as 1, whose number an earlier line has; 0 if none. */
static uint32_t find_shared(const struct numbers *numbers)
{
	uint64_t *AUTO(mem_drop) all = mem_zero(numbers->n, sizeof *all);
	uint32_t line = 0;

	for (size_t i = 0; i < numbers->n; i++)
		all[i] = (uint64_t)numbers->at[i].number << 32 | (uint32_t)(i + 2);
	if (numbers->n > 0)
		qsort(all, numbers->n, sizeof *all, by_number);
	for (size_t i = 1; i < numbers->n; i++)
		if (all[i] >> 32 == all[i - 1] >> 32 && (line == 0 || (uint32_t)all[i] < line))
			line = (uint32_t)all[i];
	return line;
}

int numbers_read(const char *text, size_t len, struct numbers *ret_numbers, uint32_t *reterr_line)
{
	AUTO(numbers_drop) struct numbers numbers = { 0 };
	const char *end = text + len, *at = text;
	uint32_t line = 1;

	if (len > 0 && (len < strlen(VERSION_LINE) ||
			memcmp(text, VERSION_LINE, strlen(VERSION_LINE)) != 0)) {
		*reterr_line = line;
		return -EINVAL;
	}
	for (at += len > 0 ? strlen(VERSION_LINE) : 0; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		line++;				/* a line without end is a file that was cut off */
		if (*at == APPENDED && !newline) {
			numbers.torn = true;	/* ... or an appended one that was not needed yet */
			break;
		}
		at += *at == APPENDED;
		if (!newline || !read_line(&numbers, at, newline)) {
			*reterr_line = line;
			return -EINVAL;
		}
		at = newline + 1;
	}
	line = find_shared(&numbers);
	if (line != 0) {
		*reterr_line = line;
		return -EINVAL;
	}
	*ret_numbers = numbers;
	numbers = (struct numbers){ 0 };
	return 0;
}

void numbers_write(const struct numbers *numbers, FILE *out)
{
	fputs(VERSION_LINE, out);
	for (size_t i = 0; i < numbers->n; i++)
		fprintf(out, "%u %llu %s\n", numbers->at[i].number,
			(unsigned long long)numbers->at[i].retired, numbers->at[i].name);
}

void numbers_write_one(const char *name, uint32_t number, FILE *out)
{
	fprintf(out, "%c%u 0 %s\n", APPENDED, number, name);
}
