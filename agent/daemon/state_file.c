/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See state_file.h. */
#include "daemon/state_file.h"

#include "daemon/log.h"

#include <stdlib.h>
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

/* N of a first line "outbind-WORD N", also behind "# "; 0 if it is none. */
static unsigned long format_of(const char *head)
{
	static const char ours[] = "outbind-";
	char *end;
	unsigned long format;

	head += head[0] == '#' && head[1] == ' ' ? 2 : 0;
	if (strncmp(head, ours, strlen(ours)) != 0)
		return 0;
	head += strspn(head, "abcdefghijklmnopqrstuvwxyz-");
	if (*head != ' ')
		return 0;
	format = strtoul(head + 1, &end, 10);
	return end > head + 1 && strchr("\n: ", *end) ? format : 0;
}

int state_file_check(const struct state *state, struct outcome *out)
{
	static const char *const names[] = { STATE_MARKS, STATE_GROUPS, STATE_RUNTIME, STATE_LAST,
					     STATE_SUSPENDED, STATE_WARMUP, STATE_IDENTITIES,
					     STATE_WAYS, STATE_FORMER, STATE_ADDRESSES,
					     STATE_SEEN };
	char head[STATE_HEAD];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		unsigned long format;

		state_head(state, names[i], head);
		format = format_of(head);
		if (format <= STATE_FORMAT)
			continue;
		outcome_say(out,
			    "%s/%s was written by a newer outbindd (format %lu, and this one knows "
			    "%d): start that version again; the table stays as it left it",
			    state->dir, names[i], format, STATE_FORMAT);
		return -EPROTONOSUPPORT;
	}
	return 0;
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
