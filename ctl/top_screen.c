/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See top_screen.h. Without colour everything is told apart by bold, dim and reverse, where the
 * terminal has them, and by words in any case. ncurses restores the terminal on SIGTSTP and takes it
 * again by itself.
 */
#include "top_screen.h"

#include "top_view.h"

#define NCURSES_WIDECHAR	1
#define NCURSES_NOMACROS	1
#include <curses.h>
#include <string.h>

enum { ESCAPE_MS = 25 };			/* after which ESC is a key of its own, also over ssh */

static attr_t styles[] = {
	[TOP_PLAIN] = A_NORMAL, [TOP_TITLE] = A_BOLD, [TOP_HEAD] = A_REVERSE,
	[TOP_SORTED] = A_REVERSE | A_BOLD, [TOP_CHOSEN] = A_BOLD, [TOP_GOOD] = A_NORMAL,
	[TOP_BAD] = A_BOLD, [TOP_DIM] = A_DIM,
};

static void start_colors(void)
{
	if (!has_colors() || start_color() == ERR)
		return;
	(void)use_default_colors();
	(void)init_pair(1, COLOR_GREEN, -1);
	(void)init_pair(2, COLOR_RED, -1);
	styles[TOP_GOOD] = (attr_t)COLOR_PAIR(1);
	styles[TOP_BAD] = (attr_t)COLOR_PAIR(2) | A_BOLD;
}

bool top_screen_open(const struct ctl *ctl)
{
	const char *term = getenv("TERM");
	SCREEN *screen;

	if (!isatty(STDIN_FILENO) || !isatty(fileno(ctl->out)) || !term || !*term ||
	    strcmp(term, "dumb") == 0)
		return false;
	screen = newterm(NULL, ctl->out, stdin);
	if (!screen)
		return false;
	(void)set_term(screen);
	(void)set_escdelay(ESCAPE_MS);
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)intrflush(stdscr, FALSE);
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)curs_set(0);
	if (ctl->color)
		start_colors();
	return true;
}

void top_screen_close(void)
{
	(void)curs_set(1);
	(void)endwin();
}

void top_screen_size(unsigned *ret_width, unsigned *ret_height)
{
	int height = getmaxy(stdscr), width = getmaxx(stdscr);

	*ret_width = width < 1 ? 1 : width > TOP_WIDTH_MAX ? TOP_WIDTH_MAX : (unsigned)width;
	*ret_height = height < 1 ? 1 : height > TOP_HEIGHT_MAX ? TOP_HEIGHT_MAX : (unsigned)height;
}

static void show_line(int y, const struct top_line *line)
{
	(void)move(y, 0);
	for (size_t i = 0; i < line->n_spans; i++) {
		size_t end = i + 1 < line->n_spans ? line->spans[i + 1].at : line->len;

		(void)attrset((int)styles[line->spans[i].style]);
		(void)addnstr(line->text + line->spans[i].at, (int)(end - line->spans[i].at));
	}
	(void)attrset(A_NORMAL);
	(void)clrtoeol();
}

/* The last column of the last line too: the cursor does not scroll a window that must not scroll. */
void top_screen_show(const struct top_line *lines, unsigned n)
{
	(void)erase();
	for (unsigned i = 0; i < n; i++)
		show_line((int)i, &lines[i]);
	(void)refresh();
}

uint32_t top_screen_key(void)
{
	static const struct { wint_t curses; uint32_t key; } keys[] = {
		{ KEY_UP, TOP_KEY_UP }, { KEY_DOWN, TOP_KEY_DOWN },
		{ KEY_PPAGE, TOP_KEY_PAGE_UP }, { KEY_NPAGE, TOP_KEY_PAGE_DOWN },
		{ KEY_HOME, TOP_KEY_HOME }, { KEY_END, TOP_KEY_END },
		{ KEY_LEFT, TOP_KEY_LEFT }, { KEY_RIGHT, TOP_KEY_RIGHT },
		{ KEY_ENTER, TOP_KEY_ENTER }, { KEY_BACKSPACE, TOP_KEY_ERASE },
		{ KEY_DC, TOP_KEY_ERASE }, { KEY_F(1), TOP_KEY_HELP },
	};
	wint_t c;
	int r = wget_wch(stdscr, &c);

	if (r == KEY_CODE_YES) {
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			if (keys[i].curses == c)
				return keys[i].key;
		return 0;
	}
	if (r != OK)
		return 0;
	if (c == '\r' || c == '\n')
		return TOP_KEY_ENTER;
	if (c == 0x7f || c == '\b')
		return TOP_KEY_ERASE;
	return c == 0x1b ? TOP_KEY_ESCAPE : (uint32_t)c;
}
