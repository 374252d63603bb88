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

size_t conf_mark_len(const char *text, size_t len)
{
	static const char mark[] = "\xef\xbb\xbf";

	return len >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
}

/* @text, of @len bytes and two NULs, on top of the stack; it is freed with the file. */
static struct open_file *open_text(struct conf *conf, struct open_file *top, char *text, size_t len,
				   uint32_t file)
{
	size_t skip = conf_mark_len(text, len);
	struct open_file *open;

	if (!conf_file_check(conf, text, len, file)) {
		free(text);
		return top;
	}
	open = mem_zero(1, sizeof *open);
	*open = (struct open_file){ .parent = top, .text = text, .file = file };
	open->parser = conf_pstate_new();
	if (!open->parser)
		abort();
	conf_scan_open(&open->scan, conf, text + skip, len - skip, file);
	conf->brace.line = conf->outer.line = 0;
	return open;
}

/* Put @path on top of the stack; returns the new top, or the old one if that failed. */
static struct open_file *open_path(struct conf *conf, struct open_file *top, const char *path,
				   struct where where)
{
	size_t len = 0;
	char *text;

	if (top && !is_new(conf, top, path, where))
		return top;
	if (!top)
		where.file = conf_file_add(conf, path);
	text = read_text(conf, path, where, &len);
	if (!text)
		return top;
	return open_text(conf, top, text, len, top ? conf_file_add(conf, path) : where.file);
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

/* Until the stack is empty. */
static void read_stack(struct conf *conf, struct open_file *top)
{
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

/* A layer is no file that could be included: only places speak of its name. */
static void read_layer(struct conf *conf, const struct conf_layer *layer)
{
	uint32_t file = (uint32_t)conf->model->files.n;
	char *text = mem_zero(layer->len + 2, 1);

	if (layer->len)
		memcpy(text, layer->text, layer->len);
	PUSH(&conf->model->files,
	     arena_text(&conf->model->arena, layer->name, strlen(layer->name)));
	conf->default_seen = (struct where){ 0 };
	read_stack(conf, open_text(conf, NULL, text, layer->len, file));
	conf->layers.now++;
}

static void conf_drop(struct conf *conf)
{
	arena_drop(&conf->scratch);
	free(conf->open.allows.at);
	free(conf->open.members.at);
	free(conf->open.days.at);
	free(conf->open.domains.at);
	free(conf->dns.domains.at);
	free(conf->dns.blocklists.at);
	free(conf->relay.clients.at);
	destination_lists_drop(&conf->rule.lists);
	free(conf->uses.at);
	free(conf->includes.at);
	destination_pool_drop(&conf->destinations);
	index_drop(&conf->cgroups);
	index_drop(&conf->files);
	index_drop(&conf->uplinks);
	conf_layers_drop(&conf->layers);
}

int conf_read_layers(const char *path, const struct conf_world *world,
		     const struct conf_layer *layers, size_t n, struct model *ret_model,
		     struct diag *diag)
{
	AUTO(conf_drop) struct conf conf = { .world = world, .model = ret_model, .diag = diag,
					     .layers.n = (uint32_t)n };

	*ret_model = (struct model){ .mask.host = DEFAULT_MASK,
				     .port_warning = DEFAULT_PORT_WARNING, .n_layers = (uint32_t)n,
				     .relay = RELAY_DEFAULTS };
	for (size_t i = 0; i < n; i++)
		read_layer(&conf, &layers[i]);
	conf.default_seen = (struct where){ 0 };
	if (path)
		read_stack(&conf, open_path(&conf, NULL, path, (struct where){ 0 }));
	conf_check(&conf);
	diag_sort(diag);
	return diag->n_errors ? -EINVAL : 0;
}

int conf_read(const char *path, const struct conf_world *world, struct model *ret_model,
	      struct diag *diag)
{
	return conf_read_layers(path, world, NULL, 0, ret_model, diag);
}

void conf_read_split(const struct conf_layer *layer, const struct conf_world *world,
		     struct conf_split *split, struct model *model, struct diag *diag)
{
	AUTO(conf_drop) struct conf conf = { .world = world, .model = model, .diag = diag,
					     .layers.n = 1, .split = split };

	*model = (struct model){ .mask.host = DEFAULT_MASK,
				 .port_warning = DEFAULT_PORT_WARNING, .n_layers = 1,
				 .relay = RELAY_DEFAULTS };
	read_layer(&conf, layer);
	diag_sort(diag);
}
