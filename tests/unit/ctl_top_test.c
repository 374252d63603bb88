/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `outbindctl top` without a terminal: numbers and lines to the column, history, keys, pictures. */
#include "../../ctl/top_draw.h"
#include "ctl_support.h"

#include <locale.h>
#include <math.h>

static const struct { double value; const char *number, *bytes; } numbers[] = {
	{ -1, "-", "-" }, { NAN, "-", "-" }, { 0, "0", "0" }, { 0.04, "0.0", "0" }, { 0.5, "0.5", "0" },
	{ 3, "3", "3" }, { 9.96, "10", "10" }, { 1023, "1023", "1023" }, { 1024, "1024", "1.0K" },
	{ 99999, "99999", "98K" }, { 100000, "100k", "98K" }, { 999400, "999k", "976K" },
	{ 999999, "1.0M", "977K" }, { 1.25e9, "1.2G", "1.2G" }, { 5e30, "9999E", "9999E" },
};

static void test_numbers(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		char got[TOP_NUMBER], what[32];

		sprintf(what, "%g", numbers[i].value);
		wrong += differs(what, "number", top_number(numbers[i].value, got), numbers[i].number);
		wrong += differs(what, "bytes", top_bytes(numbers[i].value, got), numbers[i].bytes);
	}
	char got[TOP_NUMBER];
	wrong += differs("no pool", "percent", top_percent(1, 0, got), "-");
	wrong += differs("few", "percent", top_percent(1, 28232, got), "0.0%");
	wrong += differs("all", "percent", top_percent(28232, 28232, got), "100%");
	wrong += differs("too many", "percent", top_percent(1e9, 1, got), "999%");
	assert_int_equal(wrong, 0);
}

static const struct {
	const char *what, *text;
	unsigned columns;
	enum align align;
	bool ascii;
	const char *want;
} lines[] = {
	{ "filled up", "ab", 4, ALIGN_LEFT, false, "ab  " },
	{ "to the right", "ab", 4, ALIGN_RIGHT, false, "  ab" },
	{ "exact", "abcd", 4, ALIGN_LEFT, false, "abcd" },
	{ "cut", "abcde", 4, ALIGN_LEFT, false, "abc…" },
	{ "cut in ASCII", "abcde", 4, ALIGN_LEFT, true, "abc~" },
	{ "nothing", "abc", 0, ALIGN_LEFT, false, "" },
	{ "one column", "abc", 1, ALIGN_LEFT, false, "…" },
	{ "wide characters", "日本語", 5, ALIGN_LEFT, false, "日本…" },
	{ "a wide one is not halved", "日本語", 4, ALIGN_LEFT, false, "日… " },
	{ "wide ones in ASCII", "日本", 4, ALIGN_LEFT, true, "??  " },
	{ "control characters", "a\033[2Jb", 12, ALIGN_LEFT, false, "a\\x1b[2Jb   " },
	{ "C1 and bad UTF-8", "\xc2\x9b\xff", 6, ALIGN_LEFT, false, "\\x9b? " },
	{ "a line feed", "a\nb", 7, ALIGN_LEFT, false, "a\\x0ab " },
};

static void test_lines(void **state)
{
	char *AUTO(mem_drop) marks = calloc(1, 5000);
	struct top_line line = { 0 };
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		line = (struct top_line){ .ascii = lines[i].ascii };
		top_line_add(&line, lines[i].text, lines[i].columns, lines[i].align, TOP_PLAIN);
		wrong += differs(lines[i].what, "line", line.text, lines[i].want);
	}
	assert_int_equal(wrong, 0);
	line = (struct top_line){ 0 };
	for (int i = 0; i < 2000; i++)		/* a letter with marks without end has one column */
		strcat(marks, "\xcc\x81");
	top_line_add(&line, marks, 10, ALIGN_LEFT, TOP_PLAIN);
	assert_int_equal(table_text_width(line.text), 10);
	for (int i = 0; i < 100; i++)		/* a line that is too long ends, and in itself */
		top_line_add(&line, "0123456789012345678901234567890", 32, ALIGN_LEFT, (enum top_style)(i % 3));
	assert_true(line.len < TOP_LINE_BYTES && line.n_spans <= TOP_SPANS);
}

static void test_graph(void **state)
{
	static const float values[] = { -1, 0, 1, 50, 100 };
	char got[64];
	int wrong = 0;

	(void)state;
	top_graph(values, 5, 5, false, got, sizeof got);
	wrong += differs("all", "graph", got, " ▁▂▅█");
	top_graph(values, 5, 5, true, got, sizeof got);
	wrong += differs("ASCII", "graph", got, " _.=#");
	top_graph(values, 5, 2, true, got, sizeof got);
	wrong += differs("the latest", "graph", got, "=#");
	top_graph(values, 5, 7, true, got, sizeof got);
	wrong += differs("more room", "graph", got, "   _.=#");
	top_graph(values, 2, 2, true, got, sizeof got);
	wrong += differs("nothing but zero", "graph", got, " _");
	top_graph(values, 5, 5, false, got, 4);
	wrong += differs("no room", "graph", got, " ");
	assert_int_equal(wrong, 0);
}

#define ROW(name, state, connections, rates) \
	"{\"name\":\"" name "\",\"kind\":\"binding\",\"state\":\"" state "\",\"reason\":\"" state "\"," \
	"\"connections\":" #connections ",\"rates\":{" rates "},\"ports\":{\"used\":14116,\"of\":28232}}"
#define REPLY(rows, matching, refused) \
	"{\"things\":300,\"matching\":" #matching ",\"rows\":[" rows "],\"totals\":{\"connections\":12," \
	"\"rates\":{\"new\":1.5,\"sent\":1024,\"received\":1024},\"unusable\":2,\"suspended\":1}," \
	"\"counters\":{\"refused_rule\":" #refused ",\"dropped_guard\":7},\"census\":{\"entries\":99,\"age_ms\":1200}}"
#define THREE	ROW("acme", "usable", 9, "\"new\":1.5,\"sent\":1024,\"received\":1024,\"refused\":0") "," \
		ROW("be\\u001b[2Jta", "suspended", 3, "") "," ROW("gamma", "unusable", 0, "\"new\":0")

static void take(struct top_model *model, const char *text, size_t first, uint64_t usec,
		 uint64_t tick)
{
	json_t *reply = json_loads(text, 0, NULL);

	assert_non_null(reply);
	top_model_take(model, reply, first, usec, tick);
	json_decref(reply);
}

static void test_model(void **state)
{
	AUTO(top_model_drop) struct top_model model = { 0 };

	(void)state;
	take(&model, REPLY(THREE, 3, 10), 0, 1000000, 5);
	assert_true(model.refused[0] < 0);	/* no rate from one look */
	take(&model, REPLY(THREE, 3, 16), 0, 3000000, 6);
	assert_true(model.refused[0] == 3);
	assert_true(model.refused[1] < 0);	/* not told */
	assert_true(model.bytes == 2048);
	take(&model, REPLY(THREE, 3, 4), 0, 5000000, 7);
	assert_true(model.refused[0] == 2);	/* the counter began anew */
	take(&model, REPLY(THREE, 3, 4), 0, 5000000, 7);
	assert_true(model.refused[0] < 0);	/* no time has passed */
	assert_int_equal(model.rows.n, 3);
	assert_true(model.rows.at[0].bytes == 2048 && model.rows.at[1].bytes < 0);
	assert_int_equal(top_model_find(&model, "gamma"), 2);
	assert_true(top_model_find(&model, "zzz") == SIZE_MAX);
	assert_null(top_model_row(&model, 3));
}

/* What an agent should not say reads as not known, and nothing breaks. */
static void test_hostile(void **state)
{
	static const char *const replies[] = {
		"{}", "[]", "{\"rows\":7}", "{\"rows\":[1,null,{}]}", "{\"rows\":[{\"name\":1,\"rates\":[]}]}",
		"{\"things\":-5,\"matching\":1e300,\"totals\":{\"connections\":-1}}",
		"{\"matching\":5,\"rows\":[{\"name\":\"\",\"connections\":1e400}]}",
	};
	AUTO(top_model_drop) struct top_model model = { 0 };
	struct top_view view = { .width = 80, .height = 24 };
	struct top_line *AUTO(mem_drop) picture = calloc(24, sizeof *picture);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		json_t *reply = json_loads(replies[i], JSON_DECODE_INT_AS_REAL, NULL);

		if (!reply)
			continue;		/* jansson refuses it: then agent.c did */
		top_model_take(&model, reply, 0, i * 1000000, i);
		top_view_settle(&view, &model, NULL);
		top_draw(&view, &model, NULL, 0, picture);
		json_decref(reply);
	}
}

static void test_history(void **state)
{
	AUTO(top_model_drop) struct top_model model = { 0 };
	float got[TOP_HISTORY];

	(void)state;
	take(&model, REPLY(ROW("a", "usable", 1, ""), 1, 0), 0, 1, 1000);
	take(&model, REPLY(ROW("a", "usable", 2, ""), 1, 0), 0, 2, 1001);
	take(&model, REPLY(ROW("a", "usable", 3, ""), 1, 0), 0, 3, 1001);	/* the same interval */
	take(&model, REPLY(ROW("a", "usable", 4, ""), 1, 0), 0, 4, 1003);	/* one was missed */
	top_model_history(&model, "a", TOP_HISTORY_CONNECTIONS, got);
	assert_true(got[TOP_HISTORY - 1] == 4 && got[TOP_HISTORY - 2] < 0 &&
		    got[TOP_HISTORY - 3] == 3 && got[TOP_HISTORY - 4] == 1 &&
		    got[TOP_HISTORY - 5] < 0);
	take(&model, REPLY("", 0, 0), 0, 5, 1004);			/* not among the rows */
	top_model_history(&model, "a", TOP_HISTORY_CONNECTIONS, got);
	assert_true(got[TOP_HISTORY - 1] < 0 && got[TOP_HISTORY - 2] == 4);
	take(&model, REPLY("", 0, 0), 0, 6, 1003 + TOP_HISTORY);
	top_model_history(&model, "a", TOP_HISTORY_CONNECTIONS, got);
	for (int i = 0; i < TOP_HISTORY; i++)
		assert_true(got[i] < 0);
	take(&model, REPLY(ROW("a", "usable", 7, ""), 1, 0), 0, 7, 1003 + 5 * TOP_HISTORY);
	top_model_history(&model, "a", TOP_HISTORY_CONNECTIONS, got);
	assert_true(got[TOP_HISTORY - 1] == 7 && got[TOP_HISTORY - 2] < 0 && got[0] < 0);
}

/* Names come and go without end: memory does not. */
static void test_bounded(void **state)
{
	AUTO(top_model_drop) struct top_model model = { 0 };
	float got[TOP_HISTORY];
	char text[512];

	(void)state;
	for (unsigned i = 0; i < 3 * TOP_HISTORIES; i++) {
		sprintf(text, "{\"rows\":[{\"name\":\"b%u\",\"connections\":1}]}", i);
		take(&model, text, 0, i, i);
		assert_true(model.histories.n <= TOP_HISTORIES);
	}
	sprintf(text, "b%u", 3 * TOP_HISTORIES - 1);
	top_model_history(&model, text, TOP_HISTORY_CONNECTIONS, got);
	assert_true(got[TOP_HISTORY - 1] == 1);
}

static const char *const picture80[] = {
	"outbindctl top  01:02:03  every 2 s  300 bindings and groups, 2 unusable, 1     ",
	"connections 12, new/s 1.5, bytes/s 2.0K; conntrack has 99, counted 1 s ago      ",
	"refused/s 3: rule 3                                                             ",
	"  NAME               CONNSv  NEW/s  BYTES/s  REF/s HEALTH     PORTS CONNS SO FAR",
	"> acme                    9    1.5     2.0K      0 usable       50%           ##",
	"  be\\x1b[2Jta             3      -        -      - suspended    50%           ##",
	"  gamma                   0      0        -      - unusable     50%           __",
	"                                                                                ",
	"? help  < > sort  / filter  Enter expand  s suspend or resume  q quit           ",
};

static void test_picture(void **state)
{
	AUTO(top_model_drop) struct top_model model = { 0 };
	struct top_view view = {
		.width = 80, .height = 9, .ascii = true, .interval = 2, .sort = TOP_CONNECTIONS
	};
	struct top_line *AUTO(mem_drop) picture = calloc(400, sizeof *picture);
	int wrong = 0;

	(void)state;
	take(&model, REPLY(THREE, 3, 10), 0, 1000000, 5);
	take(&model, REPLY(THREE, 3, 16), 0, 3000000, 6);
	top_view_settle(&view, &model, NULL);
	top_draw(&view, &model, NULL, 3723, picture);
	for (size_t i = 0; i < ARRAY_LEN(picture80); i++)
		wrong += i > 0 && differs("80 columns", "line", picture[i].text, picture80[i]);
	assert_int_equal(wrong, 0);
	for (unsigned width = 1; width <= TOP_WIDTH_MAX; width++)	/* any size, to the column */
		for (unsigned height = 1; height <= 30; height += height > 8 ? 11U : 1U) {
			view.width = width;
			view.height = height;
			for (int i = 0; i < 8; i++) {
				view.ascii = i & 1;
				view.help = i & 2;
				strcpy(view.expanded, i & 4 ? "acme" : "");
				top_view_settle(&view, &model, NULL);
				top_draw(&view, &model, NULL, 3723, picture);
				for (unsigned y = 0; y < height; y++)
					if (picture[y].len &&
					    table_text_width(picture[y].text) != width)
						fail_msg("%u x %u, line %u: %zu columns: \"%s\"",
							 width, height, y,
							 table_text_width(picture[y].text),
							 picture[y].text);
			}
		}
}

static struct top_wish press(struct top_view *view, const struct top_model *model, uint32_t key)
{
	struct top_wish wish;

	top_view_key(view, model, NULL, key, &wish);
	return wish;
}

static void test_sort_keys(void **state)
{
	AUTO(top_model_drop) struct top_model model = { 0 };
	struct top_view view = { .width = 80, .height = 24, .sort = TOP_CONNECTIONS };

	(void)state;
	take(&model, REPLY(THREE, 3, 0), 0, 1, 1);
	assert_true(press(&view, &model, '>').look && view.sort == TOP_NEW && !view.reverse);
	assert_true(press(&view, &model, 'r').look && view.sort == TOP_NEW && view.reverse);
	assert_true(press(&view, &model, '<').look && view.sort == TOP_CONNECTIONS &&
		    !view.reverse);
	press(&view, &model, '<');
	press(&view, &model, TOP_KEY_LEFT);
	assert_int_equal(view.sort, TOP_PORTS);
	press(&view, &model, '1');
	assert_true(view.sort == TOP_NAME && !view.reverse);
	press(&view, &model, '1');
	assert_true(view.sort == TOP_NAME && view.reverse);
	assert_false(press(&view, &model, '8').look);
}

static void type(struct top_view *view, const struct top_model *model, const char *text)
{
	for (; *text; text++)
		press(view, model, (unsigned char)*text);
}

static void test_filter_keys(void **state)
{
	AUTO(top_model_drop) struct top_model model = { 0 };
	struct top_view view = { .width = 80, .height = 24 };

	(void)state;
	type(&view, &model, "/acqs");
	assert_string_equal(view.filter, "acqs");	/* no key means anything else now */
	assert_true(view.editing && !view.quit);
	press(&view, &model, TOP_KEY_ERASE);
	assert_true(press(&view, &model, 0xe9).look);
	assert_string_equal(view.filter, "acqé");
	press(&view, &model, TOP_KEY_ERASE);
	assert_string_equal(view.filter, "acq");
	press(&view, &model, TOP_KEY_ENTER);
	assert_false(view.editing);
	type(&view, &model, "/zz");
	press(&view, &model, TOP_KEY_ESCAPE);
	assert_string_equal(view.filter, "acq");
	type(&view, &model, "/");
	press(&view, &model, 'U' & 0x1f);
	assert_string_equal(view.filter, "");
	for (int i = 0; i < 200; i++)
		press(&view, &model, 0x1f600);
	assert_true(strlen(view.filter) < TOP_FILTER_TEXT);
	press(&view, &model, 7);		/* a control character is no text */
	press(&view, &model, TOP_KEY_ENTER);
	press(&view, &model, TOP_KEY_ESCAPE);	/* not editing: no filter any more */
	assert_string_equal(view.filter, "");
}

static void test_questions(void **state)
{
	AUTO(top_model_drop) struct top_model model = { 0 };
	struct top_view view = { .width = 80, .height = 24 };

	(void)state;
	assert_int_equal(press(&view, &model, 's').call, TOP_NOTHING);	/* there is no row */
	assert_int_equal(view.question, TOP_NOTHING);
	take(&model, REPLY(THREE, 3, 0), 0, 1, 1);
	press(&view, &model, 's');
	assert_int_equal(view.question, TOP_SUSPEND);
	assert_string_equal(view.about, "acme");
	assert_int_equal(press(&view, &model, TOP_KEY_DOWN).call, TOP_NOTHING);
	assert_int_equal(view.question, TOP_SUSPEND);	/* neither yes nor no */
	assert_int_equal(press(&view, &model, TOP_KEY_ENTER).call, TOP_NOTHING);
	assert_int_equal(press(&view, &model, 'n').call, TOP_NOTHING);
	assert_string_equal(view.message, "nothing was changed");
	press(&view, &model, 's');
	assert_int_equal(press(&view, &model, 'y').call, TOP_SUSPEND);
	assert_string_equal(view.about, "acme");
	assert_int_equal(press(&view, &model, 'y').call, TOP_NOTHING);	/* asked once, done once */
	press(&view, &model, TOP_KEY_DOWN);
	press(&view, &model, 's');
	assert_int_equal(view.question, TOP_RESUME);
	assert_int_equal(press(&view, &model, 'y').call, TOP_RESUME);
}

/* The choice stays on its name while rows move, and in sight. */
static void test_choice(void **state)
{
	AUTO(top_model_drop) struct top_model model = { 0 };
	struct top_view view = { .width = 80, .height = 9 };	/* four rows in sight */
	size_t first, limit;

	(void)state;
	take(&model, REPLY(THREE, 3, 0), 0, 1, 1);
	press(&view, &model, TOP_KEY_DOWN);
	press(&view, &model, TOP_KEY_DOWN);
	press(&view, &model, TOP_KEY_DOWN);	/* there is no fourth */
	assert_int_equal(view.at, 2);
	take(&model, REPLY(ROW("gamma", "usable", 1, "") "," ROW("acme", "usable", 0, ""), 2, 0), 0, 2, 2);
	top_view_settle(&view, &model, NULL);
	assert_int_equal(view.at, 0);
	take(&model, REPLY(ROW("acme", "usable", 0, ""), 1, 0), 0, 3, 3);	/* it is gone */
	top_view_settle(&view, &model, NULL);
	assert_int_equal(view.at, 0);
	model.matching = 5000;			/* the agent has more than it lists */
	press(&view, &model, TOP_KEY_END);
	assert_int_equal(view.at, TOP_REACH - 1);
	assert_int_equal(view.top, TOP_REACH - 4);
	press(&view, &model, TOP_KEY_DOWN);
	assert_non_null(strstr(view.message, "more than can be listed"));
	top_view_window(&view, &first, &limit);
	assert_true(first + limit == TOP_REACH && first <= view.top);
	press(&view, &model, TOP_KEY_PAGE_UP);
	assert_int_equal(view.at, TOP_REACH - 5);
	press(&view, &model, TOP_KEY_HOME);
	assert_true(view.at == 0 && view.top == 0);
	press(&view, &model, 'q');
	assert_true(view.quit);
}

static void add_flow(struct top_expand *expand, const struct top_expand *before, unsigned id,
		     const char *who, const char *to, unsigned bytes)
{
	char text[512];
	json_t *flow;

	sprintf(text, "{\"id\":%u,\"from\":\"10.0.0.1\",\"local\":false,\"to\":\"%s\",\"to_port\":25,\"protocol\":\"tcp\","
		"%s\"sent\":{\"bytes\":%u},\"answered\":{\"bytes\":0}}", id, to, who, bytes);
	flow = json_loads(text, 0, NULL);
	assert_non_null(flow);
	top_expand_add(expand, before, flow);
	json_decref(flow);
}

static struct top_expand *new_expand(uint64_t usec)
{
	struct top_expand *expand = calloc(1, sizeof *expand);

	expand->name = strdup("acme");
	expand->usec = usec;
	return expand;
}

static void test_expand(void **state)
{
	struct top_expand *first = new_expand(1000000), *second = new_expand(3000000);
	const struct top_peers *clients = &second->sides[TOP_CLIENTS],
			       *to = &second->sides[TOP_DESTINATIONS];

	(void)state;
	add_flow(first, NULL, 1, "", "192.0.2.1", 100);
	add_flow(first, NULL, 2, "\"uid\":8,\"user\":\"mail\",", "192.0.2.1", 50);
	top_expand_end(first, NULL);
	assert_true(first->sides[0].at[0].fresh < 0 && first->sides[0].at[0].bytes < 0);
	add_flow(second, first, 2, "\"uid\":8,\"user\":\"mail\",", "192.0.2.1", 1050);
	add_flow(second, first, 3, "\"uid\":8,\"user\":\"mail\",", "2001:db8::1", 7);
	add_flow(second, first, 4, "\"uid\":8,\"unit\":\"exim.service\",\"command\":\"exim\",", "192.0.2.1", 7);
	top_expand_end(second, first);
	assert_string_equal(clients->at[0].text, "user mail");
	assert_true(clients->at[0].connections == 2 && clients->at[0].fresh == 0.5 &&
		    clients->at[0].bytes == 500);
	assert_string_equal(clients->at[1].text, "exim.service, exim");
	assert_string_equal(to->at[0].text, "192.0.2.1:25 tcp");
	assert_string_equal(to->at[1].text, "[2001:db8::1]:25 tcp");
	top_expand_free(first);
	top_expand_free(second);
}

static void test_expand_bounded(void **state)
{
	struct top_expand *expand = new_expand(1);
	struct top_view view = { .width = 80, .height = 24, .expanded = "acme" };

	(void)state;
	for (unsigned i = 0; i < 2 * TOP_PEERS; i++) {
		char to[64];

		sprintf(to, "192.0.%u.%u", i / 256, i % 256);
		add_flow(expand, NULL, i, "", to, 1);
	}
	top_expand_end(expand, NULL);
	assert_int_equal(expand->sides[TOP_DESTINATIONS].n, TOP_PEERS);
	assert_true(expand->others[TOP_DESTINATIONS] == TOP_PEERS);
	assert_true(top_view_details(&view, expand) < top_view_page(&view));	/* the row itself is in sight */
	top_expand_free(expand);
}

static const struct { const char *line, *said; } refused[] = {
	{ "top", "top needs a terminal; `outbindctl top --batch` prints snapshots" },
	{ "top 3", "'3': a number of snapshots needs --batch" },
	{ "top --batch -1", "unknown option -1" },
	{ "top --batch x", "--batch: expected a number of snapshots, got 'x'" },
	{ "top --batch --interval 0", "--interval: expected seconds from 0.5 to 3600, got '0'" },
	{ "top --batch --interval 2s", "got '2s'" },
	{ "top --batch --sort size", "--sort: expected name, connections," },
	{ "top --batch --filter aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "--filter: expected at most 63 bytes of UTF-8" },
};

static void test_command_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		AUTO(run_drop) struct run run = run_ctl("/nonexistent", refused[i].line);

		if (run.status != CTL_USAGE || !strstr(run.err, refused[i].said))
			fail_msg("%s: exit %d, \"%s\"", refused[i].line, run.status, run.err);
	}
}

static void test_batch(void **state)
{
	struct fake fake;
	struct run run;
	int wrong = 0;

	(void)state;
	fake_start(&fake, "{\"parameters\":" REPLY(THREE, 5, 10) "}\n" NEXT
		   "{\"parameters\":" REPLY(THREE, 5, 10) "}\n");
	run = run_ctl(fake.dir, "top --batch --interval 0.5 --sort -bytes --filter a");
	fake_stop(&fake);
	assert_int_equal(run.status, CTL_DONE);
	wrong += differs("batch", "text", run.out,
		"  300 bindings and groups, connections 12, new/s 1.5, bytes/s 2.0K, refused/s 0\n"
		"NAME         KIND     CONNS  NEW/s  BYTES/s  REF/s  HEALTH     PORTS\n"
		"acme         binding      9    1.5     2.0K      0  usable       50%\n"
		"be\\x1b[2Jta  binding      3      -        -      -  suspended    50%\n"
		"gamma        binding      0      0        -      -  unusable     50%\n"
		"and 2 more\n");
	assert_int_equal(wrong, 0);
	assert_non_null(strstr(fake.call, "\"sort\":\"bytes\",\"reverse\":true,\"first\":0,\"limit\":1000,\"filter\":\"a\""));
	run_drop(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_picture),
		cmocka_unit_test(test_sort_keys),
		cmocka_unit_test(test_filter_keys),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_expand_bounded),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_batch),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 77;
	return cmocka_run_group_tests_name("ctl_top", tests, NULL, NULL);
}
