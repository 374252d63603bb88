/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses are ours: a line each in the state directory, under a line that names the boot and
 * the network namespace. Addresses do not outlive either, so the file need not be synced to the
 * disk, and one of another boot says nothing.
 */
#include "daemon/plumb_parts.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/seen.h"
#include "daemon/state_file.h"

#include <stdio.h>
#include <string.h>

#define VERSION_LINE	"outbind-addresses 1\n"

/* "ADDRESS INTERFACE", as one line of @text, which is cut there. */
static bool read_line(struct plumb *plumb, char *line)
{
	char *space = strchr(line, ' ');
	struct plumb_address *address;
	struct ip ip;

	if (!space || !space[1] || strlen(space + 1) >= sizeof address->interface)
		return false;
	*space = '\0';
	if (ip_parse(line, &ip) < 0)
		return false;
	address = plumb_new(plumb, &ip, space + 1);
	address->owned = address->loaded = true;
	return true;
}

/* 0, or the number of the line that we did not write. */
static unsigned read_lines(struct plumb *plumb, char *text, const char *place)
{
	size_t head = strlen(VERSION_LINE), len = strlen(place);
	unsigned number = 2;

	if (strncmp(text, VERSION_LINE, head) != 0)
		return 1;
	if (strncmp(text + head, place, len) != 0)
		return strchr(text + head, '\n') ? 0 : 2;	/* another boot's */
	for (char *at = text + head + len; *at; number++) {
		char *end = strchr(at, '\n');

		if (!end)
			return number + 1;
		*end = '\0';
		if (!read_line(plumb, at))
			return number + 1;
		at = end + 1;
	}
	return 0;
}

void plumb_load(struct agent *agent)
{
	AUTO(mem_drop) char *text = NULL;
	char place[SEEN_PLACE];
	size_t len;
	unsigned line;
	int r = state_read(agent->state, STATE_ADDRESSES, &text, &len);

	if (r == 0 && len == 0)
		return;
	seen_place(place);
	line = r < 0 ? 0 : read_lines(agent->plumb, text, place);
	plumb_sort(agent->plumb);
	if (r < 0 || line > 0)
		log_event(EVENT_STATE_UNREADABLE,
			  "file=%s/%s line=%u error=\"%s\" next=\"addresses that it spoke of are "
			  "used, and not removed\"",
			  agent->state->dir, STATE_ADDRESSES, line,
			  r < 0 ? strerror(-r) : "not a line that outbindd wrote");
}

int plumb_save(struct agent *agent)
{
	struct plumb *plumb = agent->plumb;
	char place[SEEN_PLACE], ip[IP_TEXT];
	struct state_file file;
	int r;

	seen_place(place);
	state_file_open(&file);
	fprintf(file.out, "%s%s", VERSION_LINE, place);
	for (size_t i = 0; i < plumb->addresses.n; i++)
		if (plumb->addresses.at[i]->owned)
			fprintf(file.out, "%s %s\n", ip_print(&plumb->addresses.at[i]->ip, ip),
				plumb->addresses.at[i]->interface);
	r = state_file_close(&file, agent->state, STATE_ADDRESSES, state_note, NULL);
	plumb->unsaved = r < 0;
	return r;
}
