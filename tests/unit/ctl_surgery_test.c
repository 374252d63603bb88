/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statements are found where they are and not where they seem to be, and cut out without a trace. */
#include "../../ctl/pieces.h"
#include "../../ctl/surgery.h"
#include "ctl_support.h"

#include "base/mem.h"

/* Statements are shown as [...], those in blocks as <...>. */
static const struct {
	const char *what, *text, *want;
} texts[] = {
	{ "nothing", "", "" },
	{ "only a comment", "# binding x {\n", "# binding x {\n" },
	{ "a statement", "mark-mask 0xff;\n", "[mark-mask 0xff;]\n" },
	{ "a block", "bypass { a; b; }", "[bypass { <a;> <b;> }]" },
	{ "an empty block", "bypass{}", "[bypass{}]" },
	{ "several on a line", "a;b;policy{c;d;}e;", "[a;][b;][policy{<c;><d;>}][e;]" },
	{ "deeper ones are not listed", "binding x { warmup { day 1 2; } ehlo y; }", "[binding x { <warmup { day 1 2; }> <ehlo y;> }]" },
	{ "comments with braces", "policy { # }\n a; # ; {\n}\n", "[policy { # }\n <a;> # ; {\n}]\n" },
	{ "quotes with anything", "a \"};{#\\\"\\\\\";", "[a \"};{#\\\"\\\\\";]" },
	{ "a quoted word first", "\"a\" b;", "[\"a\" b;]" },
	{ "a word with a quote after it", "a\"b;c\";d;", "[a\"b;c\";][d;]" },
	{ "a comment glued to a word", "a#b;\n;", "[a#b;\n;]" },
	{ "returns", "a\r\n  b;\r\n", "[a\r\n  b;]\r\n" },
	{ "a brace that is never closed", "policy { a; ", "!" },
	{ "a brace too many", "a; }", "!" },
	{ "a semicolon too many", "a;;", "!" },
	{ "a string that is never closed", "a \"b;\n", "!" },
	{ "a statement that never ends", "a b", "!" },
	{ "a statement that never ends in a block", "a { b }", "!" },
	{ "braces of nothing", "{ a; }", "!" },
	{ "braces of nothing, deeper", "a { { b; } }", "!" },
};

static int check_pieces(const char *what, const char *text, const char *want)
{
	AUTO(pieces_drop) struct pieces pieces = { 0 };
	char *AUTO(mem_drop) got = NULL;
	size_t size, len = strlen(text);
	FILE *out = open_memstream(&got, &size);
	int r = pieces_read(text, len, &pieces);

	for (size_t i = 0; i <= len && r == 0; i++) {
		for (size_t p = pieces.n; p-- > 0;)
			if (pieces.at[p].end == i)
				fputc(pieces.at[p].parent == PIECES_NONE ? ']' : '>', out);
		for (size_t p = 0; p < pieces.n; p++)
			if (pieces.at[p].start == i)
				fputc(pieces.at[p].parent == PIECES_NONE ? '[' : '<', out);
		if (i < len)
			fputc(text[i], out);
	}
	if (r < 0)
		fputc('!', out);
	assert_int_equal(fclose(out), 0);
	return differs(what, text, got, want);
}

static void test_pieces(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		wrong += check_pieces(texts[i].what, texts[i].text, texts[i].want);
	assert_int_equal(wrong, 0);
}

static void test_find(void **state)
{
	static const char text[] = "a; policy { user 1; } b;";
	AUTO(pieces_drop) struct pieces pieces = { 0 };

	(void)state;
	assert_int_equal(pieces_read(text, strlen(text), &pieces), 0);
	assert_int_equal(pieces.n, 4);
	assert_int_equal(pieces_find(&pieces, 0), 0);
	assert_int_equal(pieces_find(&pieces, 2), PIECES_NONE);
	assert_int_equal(pieces_find(&pieces, 5), 1);
	assert_int_equal(pieces_find(&pieces, 14), 2);
	assert_int_equal(pieces_find(&pieces, 20), 1);
	assert_int_equal(pieces_find(&pieces, 21), PIECES_NONE);
	assert_int_equal(pieces_find(&pieces, 1000), PIECES_NONE);
	assert_true(pieces_is(text, &pieces.at[1], "policy"));
	assert_false(pieces_is(text, &pieces.at[1], "polic"));
}

/* Each operation is "-WORD" or "WORD=TEXT", about the statement that begins with that word, or
 * "+TEXT" at the end; separated by `|`. */
static const struct {
	const char *what, *text, *edits, *want, *diff;
} cuts[] = {
	{ "nothing", "a;\n", "", "a;\n", "" },
	{ "a line", "a;\nb;\nc;\n", "-b", "a;\nc;\n", "@@ -1,3 +1,2 @@\n a;\n-b;\n c;\n" },
	{ "all there is", "a;\n", "-a", "", "@@ -1,1 +0,0 @@\n-a;\n" },
	{ "the comment on the line stays", "a; # about a\nb;\n", "-a", "# about a\nb;\n", NULL },
	{ "so does the one above", "# about b\n\tb;\nc;\n", "-b", "# about b\nc;\n", NULL },
	{ "the first of a line", "a; b;\n", "-a", "b;\n", NULL },
	{ "the last of a line", "a; b;\n", "-b", "a;\n", NULL },
	{ "two of three", "a; b; c;\n", "-a|-c", "b;\n", NULL },
	{ "all of a line", "x;\n  a; b; \ny;\n", "-b|-a", "x;\ny;\n", "@@ -1,3 +1,2 @@\n x;\n-  a; b; \n y;\n" },
	{ "several lines", "a;\nbinding x {\n\t# }\n\tc;\n}\nd;\n", "-binding", "a;\nd;\n", NULL },
	{ "between others", "a; binding x {\n} b;\n", "-binding", "a; b;\n", NULL },
	{ "in a block", "policy {\n\tu; # one\n\tv;\n}\n", "-u|-v", "policy {\n\t# one\n}\n", NULL },
	{ "in a block on a line", "policy { u; v; }\n", "-u|-v", "policy { }\n", NULL },
	{ "replaced", "a;\nb x;\nc;\n", "b=b y;", "a;\nb y;\nc;\n", "@@ -1,3 +1,3 @@\n a;\n-b x;\n+b y;\n c;\n" },
	{ "replaced and cut on a line", "a; b; c;\n", "b=b y;|-a", "b y; c;\n", NULL },
	{ "only what is different is shown", "b {\n c;\n d;\n}\n", "b=b {\n c;\n e;\n}", "b {\n c;\n e;\n}\n",
	  "@@ -1,4 +1,4 @@\n b {\n  c;\n- d;\n+ e;\n }\n" },
	{ "replaced by itself", "a;\nb;\n", "b=b;", "a;\nb;\n", "" },
	{ "appended", "a;\n", "+b;\n", "a;\nb;\n", "@@ -1,1 +1,2 @@\n a;\n+b;\n" },
	{ "appended to nothing", "", "+b;\n", "b;\n", "@@ -0,0 +1,1 @@\n+b;\n" },
	{ "appended without a line end", "a;", "+\nb;\n", "a;\nb;\n",
	  "@@ -1,1 +1,2 @@\n-a;\n\\ No newline at end of file\n+a;\n+b;\n" },
	{ "appended to a line that is changed", "a;\nb;", "b=c;|+\nd;\n", "a;\nc;\nd;\n", NULL },
	{ "appended to a line that goes", "a;\nb;", "-b|+\nd;\n", "a;\nd;\n", NULL },
	{ "returns stay returns", "a;\r\nb;\r\nc;\r\n", "-a|b=b {\n}|+d;\n", "b {\r\n}\r\nc;\r\nd;\r\n", NULL },
	{ "far apart", "a;\n1;\n2;\n3;\n4;\n5;\n6;\n7;\nb;\n", "-a|-b", "1;\n2;\n3;\n4;\n5;\n6;\n7;\n",
	  "@@ -1,4 +1,3 @@\n-a;\n 1;\n 2;\n 3;\n@@ -6,4 +5,3 @@\n 5;\n 6;\n 7;\n-b;\n" },
	{ "not so far", "a;\n1;\n2;\n3;\n4;\n5;\n6;\nb;\n", "-a|-b", "1;\n2;\n3;\n4;\n5;\n6;\n",
	  "@@ -1,8 +1,6 @@\n-a;\n 1;\n 2;\n 3;\n 4;\n 5;\n 6;\n-b;\n" },
};

/* One operation as an edit; its text is borrowed from @operation. */
static struct edit edit_of(const char *text, const struct pieces *pieces, char *operation)
{
	char *equals = strchr(operation, '=');
	size_t len = strlen(text);

	if (*operation == '+')
		return (struct edit){ len, len, operation + 1 };
	if (equals)
		*equals = '\0';
	for (size_t p = 0; p < pieces->n; p++)
		if (pieces_is(text, &pieces->at[p], operation + (*operation == '-')))
			return (struct edit){ pieces->at[p].start, pieces->at[p].end,
					      equals ? equals + 1 : NULL };
	fail_msg("no statement %s", operation);
	return (struct edit){ 0 };
}

static int check_cut(size_t i)
{
	AUTO(pieces_drop) struct pieces pieces = { 0 };
	AUTO(surgery_drop) struct hunks hunks = { 0 };
	char *AUTO(mem_drop) operations = strdup(cuts[i].edits), *rest = operations, *one;
	char *AUTO(mem_drop) got = NULL, *AUTO(mem_drop) diff = NULL;
	struct edits edits = { 0 };
	size_t len = strlen(cuts[i].text), size, diff_size;
	FILE *out = open_memstream(&diff, &diff_size);
	int wrong;

	assert_int_equal(pieces_read(cuts[i].text, len, &pieces), 0);
	while ((one = strsep(&rest, "|")))
		if (*one)
			PUSH(&edits, edit_of(cuts[i].text, &pieces, one));
	surgery_cut(cuts[i].text, len, &edits, &hunks);
	free(edits.at);
	got = surgery_result(cuts[i].text, len, &hunks, &size);
	assert_int_equal(size, strlen(got));
	surgery_print("x", cuts[i].text, len, &hunks, out);
	assert_int_equal(fclose(out), 0);
	wrong = differs(cuts[i].what, "text", got, cuts[i].want);
	if (cuts[i].diff && *cuts[i].diff)
		wrong += differs(cuts[i].what, "head", strndupa(diff, 12), "--- x\n+++ x\n");
	if (cuts[i].diff)
		wrong += differs(cuts[i].what, "diff", diff + (*cuts[i].diff ? 12 : 0), cuts[i].diff);
	return wrong;
}

static void test_cuts(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++)
		wrong += check_cut(i);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
