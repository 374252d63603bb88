/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal of `outbindctl top`. The only file that knows of curses. */
#pragma once

#include "ctl.h"
#include "top_text.h"

#include <stdint.h>

/* Take over the terminal, in colour if ctl->color; false: it cannot do what is needed, and nothing was
 * done to it. Given back by top_screen_close(). */
bool top_screen_open(const struct ctl *ctl);
void top_screen_close(void);

/* Columns and lines as they are now, at most TOP_WIDTH_MAX and TOP_HEIGHT_MAX. */
enum { TOP_HEIGHT_MAX = 300 };
void top_screen_size(unsigned *ret_width, unsigned *ret_height);

void top_screen_show(const struct top_line *lines, unsigned n);

/* The next key that was pressed, as top_view_key() takes it; 0: none, or the size has changed. */
uint32_t top_screen_key(void);
