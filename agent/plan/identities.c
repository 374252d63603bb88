/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See identities.h. */
#include "plan/identities.h"

#include "base/ascii.h"
#include "base/mem.h"
#include "plan/text_lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_LINE	"outbind-identities 1\n"

void identity_drop(struct identity *identity)
{
	free(identity->binding);
	for (int i = 0; i < IDENTITY_CHECKS; i++)
		free(identity->words[i]);
	*identity = (struct identity){ 0 };
}

void identities_drop(struct identities *identities)
{
	for (size_t i = 0; i < identities->n; i++)
		identity_drop(&identities->at[i]);
	free(identities->at);
	*identities = (struct identities){ 0 };
}

/* Index of the first one that is not below @ip. */
static size_t place_of(const struct identities *identities, const struct ip *ip)
{
	size_t low = 0, high = identities->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ip_compare(&identities->at[middle].ip, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct identity *identities_find(const struct identities *identities, const struct ip *ip)
{
	size_t i = place_of(identities, ip);

	return i < identities->n && ip_equal(&identities->at[i].ip, ip) ? &identities->at[i]
									 : NULL;
}

/* What comes from outside is one line of a file, and may be shown on a terminal. */
static void make_harmless(char *words)
{
	if (!words)
		return;
	if (strlen(words) >= IDENTITY_WORDS)
		words[IDENTITY_WORDS - 1] = '\0';
	ascii_show(words, strlen(words), words);
}

static struct identity *make(struct identities *identities, const struct ip *ip)
{
	size_t i = place_of(identities, ip);

	if (i < identities->n && ip_equal(&identities->at[i].ip, ip))
		return &identities->at[i];
	PUSH(identities, ((struct identity){ 0 }));
	memmove(identities->at + i + 1, identities->at + i,
		(identities->n - 1 - i) * sizeof *identities->at);
	identities->at[i] = (struct identity){ .ip = *ip };
	return &identities->at[i];
}

static bool is_definite(enum identity_state state)
{
	return state == IDENTITY_GOOD || state == IDENTITY_BAD;
}

void identities_put(struct identities *identities, struct identity *found,
		    enum identity_state ret_before[static IDENTITY_CHECKS])
{
	struct identity *at = make(identities, &found->ip);

	memcpy(ret_before, at->known, sizeof at->known);
	for (int i = 0; i < IDENTITY_CHECKS; i++) {
		make_harmless(found->words[i]);
		found->known[i] = is_definite(found->state[i]) ? found->state[i] : at->known[i];
	}
	found->agreed = found->state[IDENTITY_FCRDNS] == IDENTITY_GOOD	? found->checked
			: found->state[IDENTITY_FCRDNS] == IDENTITY_BAD ? 0
									: at->agreed;
	found->counts = at->counts;
	identity_drop(at);
	*at = *found;
	*found = (struct identity){ 0 };
}

bool identities_has(const struct model *model, const char *name, const struct ip *ip)
{
	uint32_t index = model_find(model, name);
	const struct binding *binding;

	if (index == NO_INDEX)
		return false;
	binding = &model->bindings.at[index];
	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		const struct address *address = &model->addresses.at[binding->first_address + i];

		if (prefix_contains(&(struct prefix){ address->ip, address->bits }, ip))
			return true;
	}
	return false;
}

void identities_follow(struct identities *identities, const struct model *model)
{
	size_t n = 0;

	for (size_t i = 0; i < identities->n; i++) {
		if (identities_has(model, identities->at[i].binding, &identities->at[i].ip))
			identities->at[n++] = identities->at[i];
		else
			identity_drop(&identities->at[i]);
	}
	identities->n = n;
}

bool identities_judge(struct identities *identities, int64_t now, uint32_t keep)
{
	bool changed = false;

	for (size_t i = 0; i < identities->n; i++) {
		struct identity *at = &identities->at[i];
		bool counts;

		at->agreed = at->agreed > now ? now : at->agreed;
		counts = at->agreed > 0 && now - at->agreed <= keep;
		changed |= counts != at->counts;
		at->counts = counts;
	}
	return changed;
}

void identities_write(const struct identities *identities, FILE *out)
{
	char ip[IP_TEXT];

	fputs(VERSION_LINE, out);
	for (size_t i = 0; i < identities->n; i++) {
		const struct identity *at = &identities->at[i];

		fprintf(out, "%s %s %" PRId64 " %" PRId64, ip_print(&at->ip, ip), at->binding,
			at->checked, at->agreed);
		for (int k = 0; k < IDENTITY_CHECKS; k++)
			fprintf(out, " %s/%s", identity_state_name(at->state[k]),
				identity_state_name(at->known[k]));
		fputc('\n', out);
		for (int k = 0; k < IDENTITY_CHECKS; k++)
			if (at->words[k])
				fprintf(out, "\t%d %s\n", k, at->words[k]);
	}
}

/* All digits. */
static bool read_time(const char *text, int64_t *ret)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno == 0 && !*end && *ret >= 0;
}

/* "good/good" */
static bool read_states(char *text, enum identity_state *ret_state, enum identity_state *ret_known)
{
	char *slash = text ? strchr(text, '/') : NULL;

	if (!slash)
		return false;
	*slash = '\0';
	return identity_state_of(text, ret_state) && identity_state_of(slash + 1, ret_known);
}

/* "\t3 SPF of ...", of the address that was read last */
static bool read_words(struct identities *identities, const char *line)
{
	struct identity *last = identities->n ? &identities->at[identities->n - 1] : NULL;
	int check = line[1] - '0';

	if (!last || check < 0 || check >= IDENTITY_CHECKS || line[2] != ' ' || last->words[check])
		return false;
	last->words[check] = mem_copy(line + 3);
	make_harmless(last->words[check]);
	return true;
}

static bool read_line(void *context, char *line)
{
	struct identities *identities = context;
	struct identity one = { 0 };
	const char *before = NULL;
	char *rest = NULL;

	if (line[0] == '\t')
		return read_words(identities, line);
	if (!(before = strtok_r(line, " ", &rest)) || ip_parse(before, &one.ip) < 0 ||
	    !(before = strtok_r(NULL, " ", &rest)))
		return false;
	if (identities->n > 0 && ip_compare(&identities->at[identities->n - 1].ip, &one.ip) >= 0)
		return false;
	if (!read_time(strtok_r(NULL, " ", &rest), &one.checked) ||
	    !read_time(strtok_r(NULL, " ", &rest), &one.agreed))
		return false;
	for (int i = 0; i < IDENTITY_CHECKS; i++)
		if (!read_states(strtok_r(NULL, " ", &rest), &one.state[i], &one.known[i]))
			return false;
	if (strtok_r(NULL, " ", &rest))
		return false;
	one.binding = mem_copy(before);
	PUSH(identities, one);
	return true;
}

int identities_read(const char *text, size_t len, struct identities *ret, uint32_t *ret_line)
{
	int r;

	*ret = (struct identities){ 0 };
	r = text_lines_read(text, len, VERSION_LINE, read_line, ret, ret_line);
	if (r < 0)
		identities_drop(ret);
	return r;
}
