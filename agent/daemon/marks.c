/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that remembers which number stands for which binding. One that cannot be trusted stops a
 * start: with other numbers, live connections and tagged sockets would belong to other bindings.
 */
#include "daemon/marks.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <stdio.h>
#include <string.h>

void marks_copy(const struct numbers *from, struct numbers *ret)
{
	struct numbers copy = { .n = from->n, .room = from->n, .retirements = from->retirements,
				.index_room = from->index_room, .ask = from->ask,
				.context = from->context };

	copy.at = mem_zero(from->n, sizeof *copy.at);
	for (size_t i = 0; i < from->n; i++) {
		copy.at[i] = from->at[i];
		copy.at[i].name = mem_text(from->at[i].name, strlen(from->at[i].name));
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
	int r = state_read(state, STATE_MARKS, &text, &len);

	if (r < 0) {
		outcome_say(out, "cannot read %s/%s: %s", state->dir, STATE_MARKS,
			    strerror(-r));
		return -EBADMSG;
	}
	r = numbers_read(text, len, ret, &line);
	if (r < 0) {
		outcome_say(out, "%s/%s:%u: not a line that outbindd wrote; restore the file, or "
			    "remove it when no connection of a binding is alive",
			    state->dir, STATE_MARKS, line);
		return -EBADMSG;
	}
	return 0;
}

static int unwritable(const struct state *state, int r, struct outcome *out)
{
	outcome_say(out, "cannot write %s/%s: %s", state->dir, STATE_MARKS, strerror(-r));
	log_event(EVENT_STATE_UNWRITABLE, "file=%s/%s error=\"%s\"", state->dir, STATE_MARKS,
		  strerror(-r));
	return r;
}

int marks_save(const struct state *state, const struct numbers *numbers, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int r;

	if (!file)
		abort();
	numbers_write(numbers, file);
	if (fclose(file) != 0)
		abort();
	r = state_write(state, STATE_MARKS, text, len);
	return r < 0 ? unwritable(state, r, out) : 0;
}

int marks_append(const struct state *state, const char *name, uint32_t number, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int r;

	if (!file)
		abort();
	numbers_write_one(name, number, file);
	if (fclose(file) != 0)
		abort();
	r = state_append(state, STATE_MARKS, text, len);
	return r < 0 ? unwritable(state, r, out) : 0;
}
