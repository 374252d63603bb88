/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See former.h. */
#include "daemon/former.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/seen.h"
#include "daemon/state_file.h"
#include "kernel/cgroups.h"

#include <stdio.h>
#include <string.h>

#define VERSION_LINE	"outbind-former 1\n"

enum { HEAD_MAX = SEEN_PLACE + sizeof VERSION_LINE };

static void print_head(char out[static HEAD_MAX])
{
	char place[SEEN_PLACE];

	seen_place(place);
	snprintf(out, HEAD_MAX, VERSION_LINE "%s", place);
}

void former_load(struct agent *agent)
{
	char *AUTO(mem_drop) text = NULL;
	char head[HEAD_MAX];
	unsigned line = 0;
	size_t len;
	int r;

	if (!agent->cgroups)
		return;
	r = state_read(agent->state, STATE_FORMER, &text, &len);
	print_head(head);
	if (r == 0 && (len < strlen(head) || memcmp(text, head, strlen(head)) != 0))
		return;				/* none, or another boot's */
	if (r == 0)
		r = cgroups_read_formers(agent->cgroups, text + strlen(head), len - strlen(head),
					 &line);
	if (r < 0)
		log_event(EVENT_STATE_UNREADABLE,
			  "file=%s/%s line=%u error=\"%s\" next=\"sockets of cgroups that were "
			  "removed may leave unassigned\"",
			  agent->state->dir, STATE_FORMER, line + 2,
			  line == 0 ? strerror(-r) : "not a line that outbindd wrote");
}

void former_save(struct agent *agent)
{
	char *AUTO(mem_drop) text = NULL;
	char head[HEAD_MAX];
	size_t len = 0;
	FILE *file;
	int r;

	if (!agent->cgroups || !cgroups_formers_changed(agent->cgroups))
		return;
	file = open_memstream(&text, &len);
	if (!file)
		abort();
	print_head(head);
	fputs(head, file);
	cgroups_print_formers(agent->cgroups, file);
	if (fclose(file) != 0)
		abort();
	r = state_note(agent->state, STATE_FORMER, text, len);
	if (r < 0)
		(void)!state_file_unwritable(agent->state, STATE_FORMER, r, NULL);
}
