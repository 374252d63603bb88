/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The overlay in the state directory: runtime.conf, and runtime.conf.last, the version before. */
#pragma once

#include "daemon/outcome.h"
#include "daemon/overlay.h"
#include "daemon/state.h"

/*
 * runtime_load - read the file; a missing one is empty
 * Returns 0, or -EBADMSG with file, line, cause and way out in @out: a damaged file stops a start,
 * since without it connections would leave from other addresses than the operator said.
 */
MUST_CHECK int runtime_load(const struct state *state, const struct conf_world *world,
			    struct overlay *ret, struct outcome *out);

/* 0, or the errno of writing with words in @out; the old file is whole then. Logs a failure. */
MUST_CHECK int runtime_save(const struct state *state, const struct overlay *overlay,
			    struct outcome *out);

/* After a save that failed: if its last step did, the new file is in place. Put back what was. */
void runtime_restore(const struct state *state, const struct overlay *overlay);

/* The name of the file, as places have it, in a caller's buffer. */
enum { RUNTIME_NAME = 4200 };
const char *runtime_name(const struct state *state, char out[static RUNTIME_NAME]);
