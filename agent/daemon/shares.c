/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that remembers the slots of groups. One that cannot be trusted stops a start: with other
 * slots, what clients and destinations are stuck to would move.
 */
#include "daemon/shares.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <stdio.h>
#include <string.h>

int shares_load(const struct state *state, struct shares *ret, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	uint32_t line = 0;
	size_t len;
	int r = state_read(state, STATE_GROUPS, &text, &len);

	if (r < 0) {
		outcome_say(out, "cannot read %s/%s: %s", state->dir, STATE_GROUPS, strerror(-r));
		return -EBADMSG;
	}
	r = shares_read(text, len, ret, &line);
	if (r < 0) {
		outcome_say(out, "%s/%s:%u: not a line that outbindd wrote; restore the file, or "
			    "remove it to have the slots of all groups dealt anew",
			    state->dir, STATE_GROUPS, line);
		return -EBADMSG;
	}
	return 0;
}

int shares_save(const struct state *state, const struct shares *shares, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int r;

	if (!file)
		abort();
	shares_write(shares, file);
	if (fclose(file) != 0)
		abort();
	r = state_write(state, STATE_GROUPS, text, len);
	if (r < 0) {
		outcome_say(out, "cannot write %s/%s: %s", state->dir, STATE_GROUPS, strerror(-r));
		log_event(EVENT_STATE_UNWRITABLE, "file=%s/%s error=\"%s\"", state->dir,
			  STATE_GROUPS, strerror(-r));
	}
	return r;
}
