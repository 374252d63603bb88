/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading: one scanner and one push parser for each open file, on a stack that lives on the heap,
 * so that neither includes nor braces can exhaust the C stack. A file that another includes is read
 * at the place of its `include`. A file's text is freed when the file ends.
 *
 * Recovery: after a syntax error the parser wants a `;` or a `}`. It gets the one that ends the
 * faulty statement, blocks inside it taken as a whole, or an invented one (enum conf_recovery).
 */
#include "model/conf.h"

#include "base/mem.h"
#include "model/conf_build.h"
#include "model/conf_parse.h"

#include <stdio.h>
#include <string.h>

struct open_file {
	struct open_file *parent; /* the file that includes this one */
	struct conf_scan scan;
	conf_pstate *parser;
	char *text;
	uint32_t file;
	struct conf_include *includes; /* of its latest statement, from @next on still to do */
	size_t n_includes, next;
	bool skipping, ended;
	size_t skip_depth;
	struct where skip_brace; /* outermost one of what is skipped */
};

static void open_file_free(struct open_file *open)
{
	for (size_t i = open->next; i < open->n_includes; i++)
		free(open->includes[i].path);
	free(open->includes);
	conf_pstate_delete(open->parser);
	conf_scan_close(&open->scan);
	free(open->text);
	free(open);
}

/* "a -> b -> a" for a file that includes itself; long chains keep their ends. */
static char *chain_text(const struct conf *conf, const struct open_file *top, uint32_t again)
{
	enum { CHAIN_SHOWN = 4 };
	struct {
		const char **at;
		size_t n, room;
	} chain = { 0 };
	const char *const *files = conf->model->files.at;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	for (const struct open_file *file = top; file;
	     file = file->file == again ? NULL : file->parent)
		PUSH(&chain, files[file->file]);
	for (size_t i = chain.n; i-- > 0;) {
		if (i >= CHAIN_SHOWN && chain.n - i > CHAIN_SHOWN) {
			if (i == CHAIN_SHOWN)
				fputs("... -> ", out);
			continue;
		}
		fprintf(out, "%s -> ", chain.at[i]);
	}
	fputs(files[again], out);
	if (fclose(out) != 0)
		abort();
	free(chain.at);
	return text;
}

/* False after having reported that @path is part of the configuration already. */
static bool is_new(struct conf *conf, const struct open_file *top, const char *path,
		   struct where where)
{
	uint32_t file = conf_file_find(conf, path);
	const struct open_file *open = top;

	if (file == NO_INDEX)
		return true;
	while (open && open->file != file)
		open = open->parent;
	if (open) {
		char *AUTO(mem_drop) chain = chain_text(conf, top, file);

		diag_error(conf->diag, where, "include loop: %s", chain);
	} else {
		diag_error(conf->diag, where, "%s is included twice: expected each file once",
			   SHOW_TEXT(path));
	}
	return false;
}

/* Whole text of @path with two NULs after it, as the scanner wants it; or NULL, reported. */
static char *read_text(struct conf *conf, const char *path, struct where where, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0, room = 0;
	int r = conf->world->read_file(conf->world->context, path, &text, &len);

	if (r == 0 && len > CONF_FILE_MAX) {
		free(text);
		r = -EFBIG;
	}
	if (r < 0) {
		diag_error(conf->diag, where, "%s cannot be read: %s", SHOW_TEXT(path),
			   strerrordesc_np(-r) ? strerrordesc_np(-r) : "unknown error");
		return NULL;
	}
	text = mem_grow(text, &room, len + 2, 1);
	text[len] = text[len + 1] = '\0';
	*ret_len = len;
	return text;
}

/* Put @path on top of the stack; returns the new top, or the old one if that failed. */
static struct open_file *open_path(struct conf *conf, struct open_file *top, const char *path,
				   struct where where)
{
	static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF, which some editors put first */
	struct open_file *open;
	size_t len = 0, skip;
	char *text;
	uint32_t file;

	if (top && !is_new(conf, top, path, where))
		return top;
	text = read_text(conf, path, where, &len);
	if (!text)
		return top;
	file = top ? conf_file_add(conf, path) : 0;
	if (!conf_file_check(conf, text, len, file)) {
		free(text);
		return top;
	}
	open = mem_zero(1, sizeof *open);
	*open = (struct open_file){ .parent = top, .text = text, .file = file };
	open->parser = conf_pstate_new();
	if (!open->parser)
		abort();
	skip = strncmp(text, mark, 3) == 0 ? 3 : 0;
	conf_scan_open(&open->scan, conf, text + skip, len - skip, file);
	conf->brace.line = conf->outer.line = 0;
	return open;
}

static void push(struct conf *conf, struct open_file *open, const struct conf_token *token)
{
	int status;

	conf->recovery = RECOVER_NOT;
	conf->token = *token;
	status = conf_push_parse(open->parser, token->kind, &token->word, &conf->token.where, conf);
	if (status != YYPUSH_MORE)
		open->ended = true;
}

static void push_kind(struct conf *conf, struct open_file *open, int kind, struct where where)
{
	push(conf, open, &(struct conf_token){ .kind = kind, .where = where });
}

/* One more token of a statement that is not understood. */
static void skip_token(struct conf *conf, struct open_file *open, const struct conf_token *token)
{
	if (token->kind == TOKEN_OPEN && open->skip_depth++ == 0)
		open->skip_brace = token->where;
	if (token->kind == TOKEN_END) {
		struct where brace = open->skip_depth ? open->skip_brace : conf->brace;

		if (brace.line)
			conf_syntax_unclosed(conf, brace);
		open->ended = true;
	} else if (open->skip_depth == 0 &&
		   (token->kind == TOKEN_SEMICOLON || token->kind == TOKEN_CLOSE ||
		    token->kind == TOKEN_CONF_error)) {
		open->skipping = false;
		push_kind(conf, open, token->kind == TOKEN_CLOSE ? TOKEN_CLOSE : TOKEN_SEMICOLON,
			  token->where);
	} else if (token->kind == TOKEN_CLOSE && open->skip_depth && --open->skip_depth == 0) {
		open->skipping = false;
		push_kind(conf, open, TOKEN_SEMICOLON, token->where);
	}
}

/* The parser has just refused @token, and dropped it unless it was a `;` or a `}`. */
static void recover(struct conf *conf, struct open_file *open, const struct conf_token *token)
{
	enum conf_recovery recovery = conf->recovery;

	if (token->kind == TOKEN_SEMICOLON || token->kind == TOKEN_CLOSE || open->ended)
		return;
	if (token->kind == TOKEN_CONF_error) {
		push_kind(conf, open, TOKEN_SEMICOLON, token->where);
	} else if (recovery == RECOVER_STATEMENT || recovery == RECOVER_BLOCK) {
		push_kind(conf, open, recovery == RECOVER_BLOCK ? TOKEN_CLOSE : TOKEN_SEMICOLON,
			  token->where);
		push(conf, open, token);
	} else {
		open->skipping = true;
		open->skip_depth = token->kind == TOKEN_OPEN;
		open->skip_brace = token->where;
	}
}

static void read_token(struct conf *conf, struct open_file *open)
{
	struct conf_token token = conf_scan_next(&open->scan);

	if (open->skipping) {
		skip_token(conf, open, &token);
		return;
	}
	push(conf, open, &token);
	/* again for each block that a forgotten `}` leaves open; they are at most two deep */
	for (int tries = 0; tries < 3 && (conf->recovery != RECOVER_NOT ||
					  (tries == 0 && token.kind == TOKEN_CONF_error)); tries++)
		recover(conf, open, &token);
	if (conf->includes.n == 0)
		return;
	free(open->includes);
	open->includes = conf->includes.at;
	open->n_includes = conf->includes.n;
	open->next = 0;
	conf->includes.at = NULL;
	conf->includes.n = conf->includes.room = 0;
}

static void read_files(struct conf *conf, const char *path)
{
	struct open_file *top;

	conf_file_add(conf, path);
	top = open_path(conf, NULL, path, (struct where){ 0 });
	while (top) {
		struct open_file *done = top;

		if (top->next < top->n_includes) {
			struct conf_include include = top->includes[top->next++];

			top = open_path(conf, top, include.path, include.where);
			free(include.path);
		} else if (!top->ended) {
			read_token(conf, top);
		} else {
			top = top->parent;
			open_file_free(done);
			conf->brace.line = conf->outer.line = 0;
		}
	}
}

static void conf_drop(struct conf *conf)
{
	arena_drop(&conf->scratch);
	free(conf->open.allows.at);
	free(conf->open.members.at);
	free(conf->open.days.at);
	destination_lists_drop(&conf->rule.lists);
	free(conf->uses.at);
	free(conf->includes.at);
	destination_pool_drop(&conf->destinations);
	index_drop(&conf->cgroups);
	index_drop(&conf->files);
	index_drop(&conf->uplinks);
}

int conf_read(const char *path, const struct conf_world *world, struct model *ret_model,
	      struct diag *diag)
{
	AUTO(conf_drop) struct conf conf = { .world = world, .model = ret_model, .diag = diag };

	*ret_model = (struct model){ .mask.host = DEFAULT_MASK };
	read_files(&conf, path);
	conf_check(&conf);
	diag_sort(diag);
	return diag->n_errors ? -EINVAL : 0;
}
