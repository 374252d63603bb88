/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See top_draw.h. Columns have fixed widths; the name gets what is left, up to a size, the graph the
 * rest. In a narrow terminal the columns that matter least are left out. Nothing is said by colour
 * alone.
 */
#include "top_draw.h"

#include <stdarg.h>
#include <string.h>

enum { TEXT = 600, NAME_LEAST = 12, NAME_MOST = 40, GRAPH_LEAST = 6, EDGE = 2 };

static const struct {
	const char *title;
	unsigned width;				/* with the blank before it and the mark of the order */
	enum align align;
	unsigned needs;				/* columns of a terminal that has it */
} layout[TOP_COLUMNS] = {
	[TOP_NAME] = { "NAME", 0, ALIGN_LEFT, 0 },
	[TOP_CONNECTIONS] = { "CONNS", 7, ALIGN_RIGHT, 16 },
	[TOP_NEW] = { "NEW/s", 7, ALIGN_RIGHT, 38 },
	[TOP_BYTES] = { "BYTES/s", 9, ALIGN_RIGHT, 56 },
	[TOP_REFUSED] = { "REF/s", 7, ALIGN_RIGHT, 47 },
	[TOP_HEALTH] = { "HEALTH", 10, ALIGN_LEFT, 32 },
	[TOP_PORTS] = { "PORTS", 7, ALIGN_RIGHT, 63 },
};

struct widths { unsigned edge, name, graph; bool shown[TOP_COLUMNS]; };

static struct widths widths_of(unsigned width)
{
	struct widths widths = { .edge = width < EDGE ? width : EDGE };
	unsigned used = widths.edge, left;

	for (int i = 0; i < TOP_COLUMNS; i++) {
		widths.shown[i] = width >= layout[i].needs;
		used += widths.shown[i] ? layout[i].width : 0;
	}
	left = width > used ? width - used : 0;
	widths.name = left;
	if (left >= NAME_LEAST + 1 + GRAPH_LEAST) {
		widths.name = left * 3 / 5 < NAME_LEAST	 ? NAME_LEAST
			      : left * 3 / 5 > NAME_MOST ? NAME_MOST
							 : left * 3 / 5;
		widths.graph = left - widths.name;
	}
	return widths;
}

/* A line with one text. */
static void put(struct top_line *line, const struct top_view *view, const char *text,
		enum top_style style)
{
	top_line_add(line, text, view->width, ALIGN_LEFT, style);
}

static void add_text(char out[static TEXT], const char *format, ...) PRINTF(2, 3);
static void add_text(char out[static TEXT], const char *format, ...)
{
	size_t len = strlen(out);
	va_list list;

	va_start(list, format);
	(void)vsnprintf(out + len, TEXT - len, format, list);
	va_end(list);
}

static void add_state(char out[static TEXT], double n, const char *word)
{
	if (n > 0)
		add_text(out, ", %.0f %s", n, word);
}

static void draw_title(const struct top_view *view, const struct top_model *model, unsigned seconds,
		       struct top_line *line)
{
	char text[TEXT] = "";

	add_text(text, "outbindctl top  %02u:%02u:%02u  every %g s  ", seconds / 3600 % 24,
		 seconds / 60 % 60, seconds % 60, view->interval);
	if (view->filter[0])
		add_text(text, "%zu of %zu with \"%s\"", model->matching, model->things,
			 view->filter);
	else
		add_text(text, "%zu bindings and groups", model->things);
	add_state(text, model->unusable, "unusable");
	add_state(text, model->partly, "partly");
	add_state(text, model->stand_in, "by a stand-in");
	add_state(text, model->suspended, "suspended");
	put(line, view, text, TOP_TITLE);
}

static void draw_totals(const struct top_view *view, const struct top_model *model,
			struct top_line *line)
{
	char a[TOP_NUMBER], b[TOP_NUMBER], c[TOP_NUMBER], d[TOP_NUMBER], text[TEXT] = "";

	add_text(text, "connections %s, new/s %s, bytes/s %s; conntrack has %s, counted %.0f s ago",
		 top_number(model->connections, a), top_number(model->fresh, b),
		 top_bytes(model->bytes, c), top_number(model->entries, d),
		 model->census_age_ms / 1000);
	put(line, view, text, TOP_PLAIN);
}

/* Only reasons that count something; all of them together first. */
static void draw_refused(const struct top_view *view, const struct top_model *model,
			 struct top_line *line)
{
	char number[TOP_NUMBER], text[TEXT] = "";
	const char *between = ": ";
	double sum = -1;

	for (size_t i = 0; i < TOP_REASONS; i++)
		if (model->refused[i] >= 0)
			sum = (sum < 0 ? 0 : sum) + model->refused[i];
	add_text(text, "refused/s %s", top_number(sum, number));
	for (size_t i = 0; i < TOP_REASONS; i++) {
		if (!(model->refused[i] > 0))
			continue;
		add_text(text, "%s%s %s", between, top_reasons[i],
			 top_number(model->refused[i], number));
		between = ", ";
	}
	put(line, view, text, sum > 0 ? TOP_BAD : TOP_PLAIN);
}

static enum top_measure measure_of(enum top_column sort)
{
	return sort == TOP_NEW	     ? TOP_HISTORY_NEW
	       : sort == TOP_BYTES   ? TOP_HISTORY_BYTES
	       : sort == TOP_REFUSED ? TOP_HISTORY_REFUSED
				     : TOP_HISTORY_CONNECTIONS;
}

/* What the agent has first, of equal importance: names ascend, all else descends. */
static const char *mark_of(const struct top_view *view)
{
	bool ascends = (view->sort == TOP_NAME) != view->reverse;

	if (view->ascii)
		return ascends ? "^" : "v";
	return ascends ? "▲" : "▼";
}

static void draw_head(const struct top_view *view, const struct widths *widths,
		      struct top_line *line)
{
	static const char *const history[TOP_MEASURES] = { " CONNS SO FAR", " NEW/s SO FAR",
							   " BYTES/s SO FAR", " REF/s SO FAR" };
	char text[TEXT];

	top_line_add(line, "", widths->edge, ALIGN_LEFT, TOP_HEAD);
	for (int i = 0; i < TOP_COLUMNS; i++) {
		bool sorted = (int)view->sort == i;

		if (!widths->shown[i])
			continue;
		(void)snprintf(text, sizeof text, "%s%s%s",
			       i != TOP_NAME && layout[i].align == ALIGN_LEFT ? " " : "",
			       layout[i].title, sorted ? mark_of(view) : "");
		top_line_add(line, text, i == TOP_NAME ? widths->name : layout[i].width,
			     layout[i].align, sorted ? TOP_SORTED : TOP_HEAD);
	}
	top_line_add(line, history[measure_of(view->sort)], widths->graph, ALIGN_LEFT, TOP_HEAD);
}

struct figures { double connections, fresh, bytes, refused, ports, ports_of; };

static void draw_figures(const struct widths *widths, const struct figures *figures,
			 const char *health, enum top_style health_style, enum top_style style,
			 struct top_line *line)
{
	char text[TOP_COLUMNS][TEXT] = { { 0 } };

	(void)top_number(figures->connections, text[TOP_CONNECTIONS]);
	(void)top_number(figures->fresh, text[TOP_NEW]);
	(void)top_bytes(figures->bytes, text[TOP_BYTES]);
	(void)top_number(figures->refused, text[TOP_REFUSED]);
	(void)top_percent(figures->ports, figures->ports_of, text[TOP_PORTS]);
	(void)snprintf(text[TOP_HEALTH], TEXT, " %s", health);
	for (int i = TOP_NAME + 1; i < TOP_COLUMNS; i++)
		if (widths->shown[i])
			top_line_add(line, text[i], layout[i].width, layout[i].align,
				     i == TOP_HEALTH ? health_style : style);
}

static enum top_style style_of(const char *state)
{
	if (strcmp(state, "usable") == 0)
		return TOP_GOOD;
	return strcmp(state, "suspended") == 0 ? TOP_DIM : TOP_BAD;
}

static void draw_row(const struct top_view *view, const struct top_model *model,
		     const struct widths *widths, size_t at, struct top_line *line)
{
	const struct top_row *row = top_model_row(model, at);
	enum top_style style = at == view->at ? TOP_CHOSEN : TOP_PLAIN;
	char graph[TOP_HISTORY * 4], name[TEXT];
	struct figures figures;
	float history[TOP_HISTORY];

	if (!row) {
		put(line, view, "", TOP_PLAIN);
		return;
	}
	figures = (struct figures){ row->connections, row->fresh, row->bytes, row->refused,
				    row->ports, row->ports_of };
	(void)snprintf(name, sizeof name, "%.500s%s", row->name, row->group ? " (group)" : "");
	top_line_add(line, at == view->at ? ">" : "", widths->edge, ALIGN_LEFT, style);
	top_line_add(line, name, widths->name, ALIGN_LEFT, style);
	draw_figures(widths, &figures, row->state,
		     at == view->at ? TOP_CHOSEN : style_of(row->state), style, line);
	top_model_history(model, row->name, measure_of(view->sort), history);
	top_graph(history, TOP_HISTORY, widths->graph > 1 ? widths->graph - 1 : 0, view->ascii,
		  graph, sizeof graph);
	top_line_add(line, "", widths->graph > 1, ALIGN_LEFT, style);
	top_line_add(line, graph, widths->graph > 1 ? widths->graph - 1 : 0, ALIGN_LEFT, style);
}

/* Peers may have long texts: they get the columns of the name and of what peers have not. */
static void draw_peer(const struct top_view *view, const struct widths *widths,
		      const struct top_peer *peer, struct top_line *line)
{
	struct widths own = *widths;
	struct figures figures = { peer->connections, peer->fresh, peer->bytes, -1, 0, 0 };
	unsigned edge = view->width < 2 * EDGE ? view->width : 2 * EDGE, used = edge;

	own.shown[TOP_REFUSED] = own.shown[TOP_HEALTH] = own.shown[TOP_PORTS] = false;
	for (int i = TOP_NAME + 1; i < TOP_COLUMNS; i++)
		used += own.shown[i] ? layout[i].width : 0;
	own.name = view->width > used ? view->width - used : 0;
	top_line_add(line, "", edge, ALIGN_LEFT, TOP_PLAIN);
	top_line_add(line, peer->text, own.name, ALIGN_LEFT, TOP_PLAIN);
	draw_figures(&own, &figures, "", TOP_PLAIN, TOP_PLAIN, line);
}

/* Line number @at of what is expanded. */
static void draw_detail(const struct top_view *view, const struct widths *widths,
			const struct top_expand *expand, size_t at, struct top_line *line)
{
	static const char *const titles[TOP_SIDES] = { "client", "destination" };

	if (!expand || strcmp(expand->name, view->expanded) != 0) {
		put(line, view, "   connections are being listed", TOP_DIM);
		return;
	}
	for (int side = 0; side < TOP_SIDES; side++) {
		size_t n = top_view_peers(view, expand, (enum top_side)side);
		const struct top_peers *peers = &expand->sides[side];
		bool more = expand->others[side] > 0;
		char text[TEXT] = "   ";

		if (at == 0) {
			add_text(text, "%s%zu %s%s%s", more ? "more than " : "", peers->n,
				 titles[side], peers->n == 1 ? "" : "s",
				 n == peers->n ? "" : ", those with the most connections");
			put(line, view, text, TOP_DIM);
			return;
		}
		if (at <= n) {
			draw_peer(view, widths, &peers->at[at - 1], line);
			return;
		}
		at -= n + 1;
	}
	put(line, view, "", TOP_PLAIN);
}

static void draw_rows(const struct top_view *view, const struct top_model *model,
		      const struct widths *widths, const struct top_expand *expand,
		      struct top_line *lines)
{
	size_t page = top_view_page(view), used = 0;

	for (size_t at = view->top; used < page; at++) {
		const struct top_row *row = top_model_row(model, at);
		bool open = row && view->expanded[0] && strcmp(row->name, view->expanded) == 0;
		size_t details = open ? top_view_details(view, expand) : 0;

		draw_row(view, model, widths, at, &lines[used++]);
		for (size_t i = 0; i < details && used < page; i++)
			draw_detail(view, widths, expand, i, &lines[used++]);
	}
	if (model->usec && model->matching == 0) {
		lines[0] = (struct top_line){ .ascii = view->ascii };
		put(&lines[0], view, view->filter[0] ? "  no name has this text" : "  no bindings",
		    TOP_DIM);
	}
}

static void draw_foot(const struct top_view *view, const struct top_model *model,
		      struct top_line *line)
{
	char text[TEXT] = "";
	const struct top_row *row = top_model_row(model, view->at);

	if (view->question == TOP_SUSPEND)
		add_text(text, "suspend %.64s: new connections refused, live ones go on? y/n",
			 view->about);
	else if (view->question == TOP_RESUME)
		add_text(text, "resume %.64s? y/n", view->about);
	else if (view->editing)
		add_text(text, "filter: %s_  (Enter keeps it, Esc takes it back)", view->filter);
	else if (view->message[0])
		add_text(text, "%s", view->message);
	else if (view->trouble[0])
		add_text(text, "%s", view->trouble);
	else if (row && row->reason && strcmp(row->reason, row->state) != 0)
		add_text(text, "%.64s: %s", row->name, row->reason);
	else
		add_text(text,
			 "? help  < > sort  / filter  Enter expand  s suspend or resume  q quit");
	put(line, view, text,
	    view->question != TOP_NOTHING || view->editing ? TOP_SORTED
	    : view->message[0] ? view->failed ? TOP_BAD : TOP_TITLE
	    : view->trouble[0] ? TOP_BAD
			       : TOP_DIM);
}

static const char *const help[] = {
	"up down PgUp PgDn Home End   choose a row (also j k g G)",
	"< > or left right            sort by the column before, after",
	"1 ... 7                      sort by this column; again: the other way round",
	"r                            the other way round",
	"/                            show only names that have a text; Esc ends it",
	"Enter                        clients and destinations of the row, or no more",
	"s                            suspend or resume it, after a question",
	"space                        look now",
	"q                            quit",
	"",
	"NEW/s, BYTES/s, REF/s: a second, since the look before; - is not known.",
	"HEALTH: of both families; the last line says why one cannot be used.",
	"PORTS: taken, to the destination where the fewest are left.",
	"A group has what its members have.",
};

static void draw_help(const struct top_view *view, struct top_line *lines)
{
	size_t n = view->height > 3 ? view->height - 3 : 0;

	put(&lines[0], view, "outbindctl top: keys", TOP_TITLE);
	for (size_t i = 0; i + 1 < view->height; i++)
		if (i > 0)
			put(&lines[i], view, i >= 2 && i - 2 < ARRAY_LEN(help) && i - 2 < n
				    ? help[i - 2] : "", TOP_PLAIN);
	if (view->height > 1)
		put(&lines[view->height - 1], view, "any key goes back", TOP_DIM);
}

void top_draw(const struct top_view *view, const struct top_model *model,
	      const struct top_expand *expand, unsigned seconds, struct top_line *ret)
{
	struct widths widths = widths_of(view->width);

	for (unsigned i = 0; i < view->height; i++)
		ret[i] = (struct top_line){ .ascii = view->ascii };
	if (view->help) {
		draw_help(view, ret);
	} else if (view->height <= TOP_LINES_ABOVE + TOP_LINES_BELOW) {
		draw_row(view, model, &widths, view->at, &ret[0]);
		if (view->height > 1)
			draw_foot(view, model, &ret[view->height - 1]);
	} else {
		draw_title(view, model, seconds, &ret[0]);
		draw_totals(view, model, &ret[1]);
		draw_refused(view, model, &ret[2]);
		draw_head(view, &widths, &ret[3]);
		draw_rows(view, model, &widths, expand, &ret[TOP_LINES_ABOVE]);
		draw_foot(view, model, &ret[view->height - 1]);
	}
}
