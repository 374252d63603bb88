/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See top_view.h. */
#include "top_view.h"

#include <string.h>

size_t top_view_page(const struct top_view *view)
{
	return view->height > TOP_LINES_ABOVE + TOP_LINES_BELOW
		       ? view->height - TOP_LINES_ABOVE - TOP_LINES_BELOW
		       : 1;
}

/* Both sides fit in sight, with their titles and the row itself. */
size_t top_view_peers(const struct top_view *view, const struct top_expand *expand,
		      enum top_side side)
{
	size_t page = top_view_page(view), most = page > 9 ? (page - 5) / 2 : 2;
	size_t n = expand->sides[side].n;

	return n < most ? n : most;
}

/* A title for each side; while nothing is known, one line that says so. */
size_t top_view_details(const struct top_view *view, const struct top_expand *expand)
{
	if (!expand || strcmp(expand->name, view->expanded) != 0)
		return 1;
	return TOP_SIDES + top_view_peers(view, expand, TOP_CLIENTS) +
	       top_view_peers(view, expand, TOP_DESTINATIONS);
}

static size_t n_rows(const struct top_model *model)
{
	return model->matching < TOP_REACH ? model->matching : TOP_REACH;
}

/* Lines from the first row in sight to the chosen one, with what is expanded. */
static size_t lines_to_choice(const struct top_view *view, const struct top_model *model,
			      const struct top_expand *expand)
{
	size_t lines = view->at - view->top + 1, open = SIZE_MAX;

	if (view->expanded[0])
		open = top_model_find(model, view->expanded);
	if (open != SIZE_MAX && open >= view->top && open <= view->at)
		lines += top_view_details(view, expand);
	return lines;
}

static void keep_in_sight(struct top_view *view, const struct top_model *model,
			  const struct top_expand *expand)
{
	size_t page = top_view_page(view);

	if (view->top > view->at)
		view->top = view->at;
	if (view->at - view->top >= page)
		view->top = view->at - page + 1;
	while (view->top < view->at && lines_to_choice(view, model, expand) > page)
		view->top++;
}

static void choose(struct top_view *view, const struct top_model *model, size_t at)
{
	size_t n = n_rows(model);

	view->at = n == 0 ? 0 : at < n ? at : n - 1;
}

/* From now on the choice is this row, wherever it goes. */
static void hold(struct top_view *view, const struct top_model *model)
{
	const struct top_row *row = top_model_row(model, view->at);

	(void)snprintf(view->chosen, sizeof view->chosen, "%s", row ? row->name : "");
}

void top_view_settle(struct top_view *view, const struct top_model *model,
		     const struct top_expand *expand)
{
	size_t at = view->chosen[0] ? top_model_find(model, view->chosen) : SIZE_MAX;

	choose(view, model, at != SIZE_MAX ? at : view->at);
	if (at == SIZE_MAX)
		view->chosen[0] = '\0';
	keep_in_sight(view, model, expand);
}

void top_view_window(const struct top_view *view, size_t *ret_first, size_t *ret_limit)
{
	size_t page = top_view_page(view), first = view->top > page ? view->top - page : 0;

	if (first >= TOP_REACH)
		first = TOP_REACH - 1;
	*ret_first = first;
	*ret_limit = first + 3 * page < TOP_REACH ? 3 * page : TOP_REACH - first;
}

static void say(struct top_view *view, const char *text)
{
	(void)snprintf(view->message, sizeof view->message, "%s", text);
	view->failed = false;
}

static void sort_by(struct top_view *view, unsigned column, struct top_wish *ret)
{
	view->reverse = view->sort == column && !view->reverse;
	view->sort = (enum top_column)column;
	view->top = view->at = 0;
	view->chosen[0] = '\0';
	ret->look = true;
}

static void move(struct top_view *view, const struct top_model *model,
		 const struct top_expand *expand, size_t at, struct top_wish *ret)
{
	if (at >= TOP_REACH && model->matching > TOP_REACH)
		say(view, "there are more than can be listed: / shows those whose name has a text");
	choose(view, model, at);
	hold(view, model);
	keep_in_sight(view, model, expand);
	ret->look = true;
}

static void toggle_details(struct top_view *view, const struct top_model *model,
			   const struct top_expand *expand, struct top_wish *ret)
{
	const struct top_row *row = top_model_row(model, view->at);

	if (!row)
		return;
	if (strcmp(view->expanded, row->name) == 0)
		view->expanded[0] = '\0';
	else
		(void)snprintf(view->expanded, sizeof view->expanded, "%s", row->name);
	hold(view, model);
	keep_in_sight(view, model, expand);
	ret->look = true;
}

static void begin_question(struct top_view *view, const struct top_model *model)
{
	const struct top_row *row = top_model_row(model, view->at);

	if (!row)
		return;
	hold(view, model);
	view->question = strcmp(row->state, "suspended") == 0 ? TOP_RESUME : TOP_SUSPEND;
	(void)snprintf(view->about, sizeof view->about, "%s", row->name);
}

static void answer_question(struct top_view *view, uint32_t key, struct top_wish *ret)
{
	if (key == 'y' || key == 'Y')
		ret->call = view->question;
	else if (key == 'n' || key == 'N' || key == TOP_KEY_ESCAPE || key == 'q')
		say(view, "nothing was changed");
	else
		return;				/* neither yes nor no: the question stays */
	view->question = TOP_NOTHING;
}

static void begin_filter(struct top_view *view)
{
	(void)strcpy(view->filter_before, view->filter);
	view->editing = true;
}

/* The last character of a UTF-8 text goes. */
static void erase_last(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
		len--;
	text[len > 0 ? len - 1 : 0] = '\0';
}

static void append_character(char text[static TOP_FILTER_TEXT], uint32_t c)
{
	char bytes[5] = { 0 };

	if (c < 0x80) {
		bytes[0] = (char)c;
	} else if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		bytes[1] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (c & 0x3f));
	} else {
		bytes[0] = (char)(0xf0 | c >> 18);
		bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
		bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[3] = (char)(0x80 | (c & 0x3f));
	}
	if (strlen(text) + strlen(bytes) < TOP_FILTER_TEXT)
		(void)strcat(text, bytes);
}

static bool is_text(uint32_t c)
{
	return c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0) && !(c >= 0xd800 && c < 0xe000) &&
	       c < 0x110000;
}

/* The rows follow each character. */
static void edit_filter(struct top_view *view, uint32_t key, struct top_wish *ret)
{
	if (key == TOP_KEY_ENTER)
		view->editing = false;
	else if (key == TOP_KEY_ERASE)
		erase_last(view->filter);
	else if (key == ('U' & 0x1f))
		view->filter[0] = '\0';
	else if (is_text(key))
		append_character(view->filter, key);
	else if (key != TOP_KEY_ESCAPE)
		return;
	if (key == TOP_KEY_ESCAPE) {
		(void)strcpy(view->filter, view->filter_before);
		view->editing = false;
	}
	view->top = view->at = 0;
	view->chosen[0] = '\0';
	ret->look = true;
}

/* What is open closes, the last first. */
static void escape(struct top_view *view, struct top_wish *ret)
{
	if (view->expanded[0])
		view->expanded[0] = '\0';
	else
		view->filter[0] = '\0';
	ret->look = true;
}

static bool move_key(struct top_view *view, const struct top_model *model,
		     const struct top_expand *expand, uint32_t key, struct top_wish *ret)
{
	size_t at = view->at, page = top_view_page(view);

	if (key == TOP_KEY_UP || key == 'k')
		at = at > 0 ? at - 1 : 0;
	else if (key == TOP_KEY_DOWN || key == 'j')
		at++;
	else if (key == TOP_KEY_PAGE_UP)
		at = at > page ? at - page : 0;
	else if (key == TOP_KEY_PAGE_DOWN)
		at += page;
	else if (key == TOP_KEY_HOME || key == 'g')
		at = 0;
	else if (key == TOP_KEY_END || key == 'G')
		at = n_rows(model) > 0 ? n_rows(model) - 1 : 0;
	else
		return false;
	move(view, model, expand, at, ret);
	return true;
}

static bool sort_key(struct top_view *view, uint32_t key, struct top_wish *ret)
{
	if (key >= '1' && key < '1' + TOP_COLUMNS) {
		sort_by(view, key - '1', ret);
	} else if (key == '<' || key == TOP_KEY_LEFT) {
		sort_by(view, (view->sort + TOP_COLUMNS - 1) % TOP_COLUMNS, ret);
	} else if (key == '>' || key == TOP_KEY_RIGHT) {
		sort_by(view, (view->sort + 1) % TOP_COLUMNS, ret);
	} else if (key == 'r') {
		sort_by(view, view->sort, ret);
	} else {
		return false;
	}
	return true;
}

void top_view_key(struct top_view *view, const struct top_model *model,
		  const struct top_expand *expand, uint32_t key, struct top_wish *ret)
{
	*ret = (struct top_wish){ 0 };
	view->message[0] = '\0';
	if (view->help)
		view->help = false;
	else if (view->question != TOP_NOTHING)
		answer_question(view, key, ret);
	else if (view->editing)
		edit_filter(view, key, ret);
	else if (move_key(view, model, expand, key, ret) || sort_key(view, key, ret))
		return;
	else if (key == 'q')
		view->quit = true;
	else if (key == '?' || key == 'h' || key == TOP_KEY_HELP)
		view->help = true;
	else if (key == '/')
		begin_filter(view);
	else if (key == TOP_KEY_ENTER)
		toggle_details(view, model, expand, ret);
	else if (key == 's')
		begin_question(view, model);
	else if (key == ' ')
		ret->look = true;
	else if (key == TOP_KEY_ESCAPE)
		escape(view, ret);
}
