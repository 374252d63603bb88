/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See state_file.h. */
#include "daemon/state_file.h"

#include "daemon/log.h"

#include <string.h>

void state_file_open(struct state_file *file)
{
	*file = (struct state_file){ 0 };
	file->out = open_memstream(&file->text, &file->len);
	if (!file->out)
		abort();
}

int state_file_close(struct state_file *file, const struct state *state, const char *name,
		     state_writer *write, struct outcome *out)
{
	int r;

	if (fclose(file->out) != 0)
		abort();
	r = write(state, name, file->text, file->len);
	free(file->text);
	*file = (struct state_file){ 0 };
	return r < 0 ? state_file_unwritable(state, name, r, out) : 0;
}

int state_file_read(const struct state *state, const char *name, char **ret_text, size_t *ret_len,
		    struct outcome *out)
{
	int r = state_read(state, name, ret_text, ret_len);

	if (r == 0)
		return 0;
	outcome_say(out, "cannot read %s/%s: %s", state->dir, name, strerror(-r));
	return -EBADMSG;
}

int state_file_refuse(const struct state *state, const char *name, unsigned line,
		      const char *advice, struct outcome *out)
{
	outcome_say(out, "%s/%s:%u: not a line that outbindd wrote; %s", state->dir, name, line,
		    advice);
	return -EBADMSG;
}

int state_file_unwritable(const struct state *state, const char *name, int r, struct outcome *out)
{
	if (out)
		outcome_say(out, "cannot write %s/%s: %s", state->dir, name, strerror(-r));
	log_event(EVENT_STATE_UNWRITABLE, "file=%s/%s error=\"%s\"%s", state->dir, name,
		  strerror(-r), out ? "" : " next=retry");
	return r;
}
