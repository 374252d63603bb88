/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The picture of `outbindctl top`, as lines of exactly the terminal's width. Pure. */
#pragma once

#include "top_view.h"

/*
 * top_draw - all lines of the terminal, view->height of them, into @ret
 * @seconds: of the day, local time, for the clock in the first line
 */
void top_draw(const struct top_view *view, const struct top_model *model,
	      const struct top_expand *expand, unsigned seconds, struct top_line *ret);
