/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shares as text: see share.h. Strict, so that a file that was cut off or edited is noticed. */
#include "plan/share.h"

#include "base/mem.h"
#include "plan/text_lines.h"

#include <stdlib.h>
#include <string.h>

#define VERSION_LINE	"outbind-groups 1\n"

enum { NOBODY = 255 };

static void write_member(const struct share *share, size_t member, FILE *out)
{
	fprintf(out, "%s %s", share->name, share->members[member]);
	for (size_t s = 0, end; s < SHARE_SLOTS; s = end) {
		end = s + 1;
		if (share->slots[s] != member)
			continue;
		while (end < SHARE_SLOTS && share->slots[end] == member)
			end++;
		if (end - s > 1)
			fprintf(out, " %zu-%zu", s, end - 1);
		else
			fprintf(out, " %zu", s);
	}
	fputc('\n', out);
}

void shares_write(const struct shares *shares, FILE *out)
{
	fputs(VERSION_LINE, out);
	for (size_t i = 0; i < shares->n; i++)
		for (size_t m = 0; m < shares->at[i].n_members; m++)
			write_member(&shares->at[i], m, out);
}

static bool is_name(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == ':' || text[i] == 0x7f)
			return false;
	return len > 0 && len <= NAME_MAX_BYTES;
}

/* A slot at *@at, and past it. */
static bool read_slot(const char **at, unsigned long *ret)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	*ret = strtoul(*at, &end, 10);
	*at = end;
	return *ret < SHARE_SLOTS;
}

/* "3" or "7-12", nobody else's until now. */
static bool read_slots(const char *text, struct share *share, size_t member)
{
	unsigned long first, last;

	if (!read_slot(&text, &first))
		return false;
	last = first;
	if (*text == '-') {
		text++;
		if (!read_slot(&text, &last))
			return false;
	}
	if (*text || last < first)
		return false;
	for (unsigned long s = first; s <= last; s++) {
		if (share->slots[s] != NOBODY)
			return false;
		share->slots[s] = (uint8_t)member;
	}
	return true;
}

static bool is_whole(const struct share *share)
{
	return memchr(share->slots, NOBODY, sizeof share->slots) == NULL;
}

/* The group of a line: the one before, or a new one after it in the order. */
static struct share *open_share(struct shares *shares, const char *name)
{
	struct share *last = shares->n ? &shares->at[shares->n - 1] : NULL;
	int order = last ? strcmp(last->name, name) : -1;
	struct share fresh = { 0 };

	if (order == 0)
		return last;
	if (order > 0 || (last && !is_whole(last)))
		return NULL;
	fresh.name = mem_copy(name);
	memset(fresh.slots, NOBODY, sizeof fresh.slots);
	PUSH(shares, fresh);
	return &shares->at[shares->n - 1];
}

static bool read_line(void *context, char *line)
{
	struct shares *shares = context;
	const char *name = strsep(&line, " "), *member = strsep(&line, " ");
	struct share *share;
	size_t n;

	if (!is_name(name) || !is_name(member))
		return false;
	share = open_share(shares, name);
	if (!share || share->n_members == MEMBERS_MAX)
		return false;
	n = share->n_members;
	for (size_t i = 0; i < n; i++)
		if (strcmp(share->members[i], member) == 0)
			return false;
	share->members = realloc(share->members, (n + 1) * sizeof *share->members);
	if (!share->members)
		abort();
	share->members[share->n_members++] = mem_copy(member);
	for (const char *word; (word = strsep(&line, " "));)
		if (!read_slots(word, share, n))
			return false;
	return true;
}

int shares_read(const char *text, size_t len, struct shares *ret, uint32_t *ret_line)
{
	AUTO(shares_drop) struct shares shares = { 0 };
	int r = text_lines_read(text, len, VERSION_LINE, read_line, &shares, ret_line);

	if (r < 0)
		return r;
	if (shares.n && !is_whole(&shares.at[shares.n - 1]))
		return -EINVAL;
	*ret = shares;
	shares = (struct shares){ 0 };
	return 0;
}
