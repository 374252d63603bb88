/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ways.h. Connections do not outlive a boot, so the file need not be synced to the disk. */
#include "daemon/ways.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/seen.h"
#include "daemon/state_file.h"
#include "plan/plan_keep.h"

#include <stdio.h>
#include <string.h>

#define VERSION_LINE	"outbind-ways 1\n"

/* Does anything still carry one of the marks? If that cannot be told, it may. */
static bool is_carried(struct agent *agent, const struct plan *old)
{
	struct fwmark *AUTO(mem_drop) marks = NULL;
	size_t n = plan_keep_marks(old, &marks);
	bool *AUTO(mem_drop) carried = mem_zero(n, sizeof *carried);

	if (agent->kernel->carried(agent->kernel, old->mask, marks, n, carried) < 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (carried[i])
			return true;
	return false;
}

/* What stands behind format, boot and network namespace, and in *@line the number of lines before it;
 * NULL if it is another boot's. The first version had no line for the format. */
static const char *find_rows(const char *text, unsigned *line)
{
	char place[SEEN_PLACE];

	*line = 1;
	if (strncmp(text, VERSION_LINE, strlen(VERSION_LINE)) == 0) {
		text += strlen(VERSION_LINE);
		*line = 2;
	}
	seen_place(place);
	return strncmp(text, place, strlen(place)) == 0 ? text + strlen(place) : NULL;
}

void ways_load(struct agent *agent, struct plan *fresh)
{
	AUTO(plan_drop) struct plan old = { 0 };
	AUTO(mem_drop) char *text = NULL;
	const char *rows;
	unsigned line = 0, before = 0;
	size_t len;
	int r = state_read(agent->state, STATE_WAYS, &text, &len);

	if (r == 0) {
		rows = find_rows(text, &before);
		if (!rows)
			return;			/* none, or another boot's */
		r = plan_keep_read(rows, len - (size_t)(rows - text), &old, &line);
	}
	if (r < 0)
		log_event(EVENT_STATE_UNREADABLE,
			  "file=%s/%s line=%u error=\"%s\" next=\"connections that it spoke of are "
			  "not kept on their uplinks\"",
			  agent->state->dir, STATE_WAYS, line + before,
			  line == 0 ? strerror(-r) : "not a line that outbindd wrote");
	else if (is_carried(agent, &old))
		plan_keep(&old, fresh);
}

void ways_save(struct agent *agent)
{
	char *text = NULL, place[SEEN_PLACE];
	size_t len = 0, head;
	FILE *file = open_memstream(&text, &len);
	int r = 0;

	if (!file)
		abort();
	seen_place(place);
	fprintf(file, VERSION_LINE "%s", place);
	head = strlen(VERSION_LINE) + strlen(place);
	plan_keep_write(&agent->now->plan, file);
	if (fclose(file) != 0)
		abort();
	if (agent->ways ? strcmp(agent->ways, text) != 0
			: len > head || state_has(agent->state, STATE_WAYS))
		r = state_note(agent->state, STATE_WAYS, text, len);
	if (r < 0) {
		(void)!state_file_unwritable(agent->state, STATE_WAYS, r, NULL);
		free(text);
		return;
	}
	free(agent->ways);
	agent->ways = text;
}
