/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that remembers which number stands for which binding. One that cannot be trusted stops a
 * start: with other numbers, live connections and tagged sockets would belong to other bindings.
 */
#include "daemon/marks.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/state_file.h"

#include <string.h>

void marks_copy(const struct numbers *from, struct numbers *ret)
{
	struct numbers copy = { .n = from->n, .room = from->n, .retirements = from->retirements,
				.index_room = from->index_room, .ask = from->ask,
				.context = from->context };

	copy.at = mem_zero(from->n, sizeof *copy.at);
	for (size_t i = 0; i < from->n; i++) {
		copy.at[i] = from->at[i];
		copy.at[i].name = mem_copy(from->at[i].name);
	}
	if (from->index_room > 0) {
		copy.index = mem_zero(from->index_room, sizeof *copy.index);
		memcpy(copy.index, from->index, from->index_room * sizeof *copy.index);
	}
	*ret = copy;
}

static int ask_kernel(void *context, struct fwmark mask, const struct fwmark *marks, size_t n,
		      bool *ret_carried)
{
	struct kernel *kernel = context;
	int r = kernel->carried(kernel, mask, marks, n, ret_carried);

	if (r < 0)
		log_event(EVENT_NUMBERS_UNKNOWN,
			  "error=\"%s\" next=\"no number of a removed binding is given away\"",
			  strerror(-r));
	return r;
}

void marks_ask(struct numbers *numbers, struct kernel *kernel)
{
	numbers->ask = ask_kernel;
	numbers->context = kernel;
}

int marks_load(const struct state *state, struct numbers *ret, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	uint32_t line = 0;
	size_t len;
	int r = state_file_read(state, STATE_MARKS, &text, &len, out);

	if (r < 0)
		return r;
	if (numbers_read(text, len, ret, &line) == 0)
		return 0;
	return state_file_refuse(state, STATE_MARKS, line,
				 "restore the file, or remove it when no connection of a binding is "
				 "alive", out);
}

int marks_save(const struct state *state, const struct numbers *numbers, struct outcome *out)
{
	struct state_file file;

	state_file_open(&file);
	numbers_write(numbers, file.out);
	return state_file_close(&file, state, STATE_MARKS, state_write, out);
}

int marks_append(const struct state *state, const char *name, uint32_t number, struct outcome *out)
{
	struct state_file file;

	state_file_open(&file);
	numbers_write_one(name, number, file.out);
	return state_file_close(&file, state, STATE_MARKS, state_append, out);
}
