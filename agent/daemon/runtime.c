/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See runtime.h. A version that suspended bindings by a list of names left a file of that name: it
 * is read once more, and removed when its names are safe in the new one.
 */
#include "daemon/runtime.h"

#include "base/mem.h"
#include "daemon/state_file.h"

#include <stdio.h>
#include <string.h>

#define NAMES_VERSION	"outbind-suspended 1\n"

const char *runtime_name(const struct state *state, char out[static RUNTIME_NAME])
{
	(void)snprintf(out, RUNTIME_NAME, "%s/%s", state->dir, STATE_RUNTIME);
	return out;
}

/* Is the version before one that a start would take? */
static bool last_is_whole(const struct state *state, const struct conf_world *world)
{
	AUTO(mem_drop) char *text = NULL;
	AUTO(overlay_drop) struct overlay overlay = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	const char *cause;
	unsigned line;
	size_t len;

	return state_read(state, STATE_LAST, &text, &len) == 0 && len > 0 &&
	       overlay_read(STATE_LAST, text, len, world, &overlay, &line, &cause, &diag) == 0;
}

static int refuse(const struct state *state, const struct conf_world *world, unsigned line,
		  const char *cause, struct outcome *out)
{
	char name[RUNTIME_NAME];

	runtime_name(state, name);
	if (last_is_whole(state, world))
		outcome_say(out,
			    "%s:%u: %s. The version before the last change is whole: mv %s.last "
			    "%s",
			    name, line, cause, name, name);
	else
		outcome_say(out,
			    "%s:%u: %s. Move it away to start with the files alone, then bring "
			    "its statements back with 'outbindctl apply'",
			    name, line, cause);
	return -EBADMSG;
}

static bool is_name(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)at[i] <= ' ' || at[i] == ':' || at[i] == 0x7f)
			return false;
	return len > 0 && len <= NAME_MAX_BYTES;
}

/* 0, or the number of the line that outbindd did not write. */
static unsigned read_names(const char *text, size_t len, struct overlay *overlay)
{
	const char *at = text, *end = text + len;
	unsigned line = 1;
	char *name;

	if (len == 0)
		return 0;
	if (strncmp(text, NAMES_VERSION, strlen(NAMES_VERSION)) != 0)
		return line;
	for (at += strlen(NAMES_VERSION); at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		line++;				/* a line without end is a file that was cut off */
		if (!newline || !is_name(at, (size_t)(newline - at)))
			return line;
		name = mem_text(at, (size_t)(newline - at));
		overlay_put(overlay, overlay_suspension(name), false);
		free(name);
		at = newline + 1;
	}
	return 0;
}

/* The file of names that an earlier version left. */
static int load_names(const struct state *state, struct overlay *overlay, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	unsigned line;
	size_t len;
	int r = state_file_read(state, STATE_SUSPENDED, &text, &len, out);

	if (r < 0)
		return r;
	line = read_names(text, len, overlay);
	if (line == 0)
		return 0;
	return state_file_refuse(state, STATE_SUSPENDED, line,
				 "restore the file, or remove it to resume every binding in it",
				 out);
}

/* Whole, but of statements that this version does not take. */
static int refuse_statements(const struct state *state, const struct conf_world *world,
			     const struct diag *diag, struct outcome *out)
{
	const struct diag_entry *first = diag->n > 0 ? &diag->at[0] : NULL;

	return refuse(state, world, first ? first->where.line : 1,
		      first ? first->text : "cannot be read", out);
}

int runtime_load(const struct state *state, const struct conf_world *world, struct overlay *ret,
		 struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	AUTO(overlay_drop) struct overlay overlay = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char name[RUNTIME_NAME];
	const char *cause = NULL;
	unsigned line = 0;
	size_t len;
	int r = state_file_read(state, STATE_RUNTIME, &text, &len, out);

	if (r < 0)
		return r;
	if (len > 0 || state_has(state, STATE_RUNTIME))
		r = overlay_read(runtime_name(state, name), text, len, world, &overlay, &line,
				 &cause, &diag);
	if (r < 0)
		return cause ? refuse(state, world, line, cause, out)
			     : refuse_statements(state, world, &diag, out);
	r = load_names(state, &overlay, out);
	if (r < 0)
		return r;
	*ret = overlay;
	overlay = (struct overlay){ 0 };
	return 0;
}

void runtime_restore(const struct state *state, const struct overlay *overlay)
{
	AUTO(mem_drop) char *text = NULL;
	size_t len, definitions;

	text = overlay_file(overlay, &len, &definitions);
	(void)!state_write(state, STATE_RUNTIME, text, len);
}

int runtime_save(const struct state *state, const struct overlay *overlay, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	size_t len, definitions;
	int r;

	text = overlay_file(overlay, &len, &definitions);
	r = state_replace(state, STATE_RUNTIME, STATE_LAST, text, len);
	if (r == 0) {
		state_remove(state, STATE_SUSPENDED);
		return 0;
	}
	return state_file_unwritable(state, STATE_RUNTIME, r, out);
}
