/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that remembers the slots of groups. One that cannot be trusted stops a start: with other
 * slots, what clients and destinations are stuck to would move.
 */
#include "daemon/shares.h"

#include "base/mem.h"
#include "daemon/state_file.h"

int shares_load(const struct state *state, struct shares *ret, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	uint32_t line = 0;
	size_t len;
	int r = state_file_read(state, STATE_GROUPS, &text, &len, out);

	if (r < 0)
		return r;
	if (shares_read(text, len, ret, &line) == 0)
		return 0;
	return state_file_refuse(state, STATE_GROUPS, line,
				 "restore the file, or remove it to have the slots of all groups "
				 "dealt anew", out);
}

int shares_save(const struct state *state, const struct shares *shares, struct outcome *out)
{
	struct state_file file;

	state_file_open(&file);
	shares_write(shares, file.out);
	return state_file_close(&file, state, STATE_GROUPS, state_write, out);
}
