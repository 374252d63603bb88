/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which slots of a sticky group belong to which member, in the state directory. */
#pragma once

#include "daemon/outcome.h"
#include "daemon/state.h"
#include "plan/share.h"

/* 0, or -EBADMSG with the file, the line and what to do in @out. A missing file is an empty one. */
MUST_CHECK int shares_load(const struct state *state, struct shares *ret, struct outcome *out);

/* 0, or the errno of writing with the file in @out. */
MUST_CHECK int shares_save(const struct state *state, const struct shares *shares,
			   struct outcome *out);
