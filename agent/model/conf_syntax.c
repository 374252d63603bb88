/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A token that does not belong: the message, and how to go on. A forgotten `;` or `}` is the usual
 * cause when a statement's first word stands where none can be, at the start of a line; then the
 * reading goes on as if it had been there, and what follows is not blamed.
 */
#include "model/conf_build.h"
#include "model/conf_parse.h"

#include <stdio.h>
#include <string.h>

const char *const conf_files_only[] = { "mark-mask", "flow-log", "port-warning", "include",
					"relay", "dns", "metrics", NULL };
enum { N_FILES_ONLY = ARRAY_LEN(conf_files_only) - 1 };

static bool expects(const char *const *expected, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(expected[i], name) == 0)
			return true;
	return false;
}

/* As conf.y names them: words of the grammar are bare, everything else has a space or quotes. */
static bool is_keyword(const char *name)
{
	return !strpbrk(name, " '");
}

static void found(const struct conf_token *token, char out[static WORD_SHOWN])
{
	if (token->kind == TOKEN_END)
		snprintf(out, WORD_SHOWN, "the end of the file");
	else if (token->kind == TOKEN_STRING)
		snprintf(out, WORD_SHOWN, "a string");
	else
		conf_word_show(&token->word, out);
}

static void list_expected(const struct conf *conf, const char *const *expected, size_t n, char *out,
			  size_t room)
{
	size_t used = 0, listed = 0, n_listed = n;

	if (expects(expected, n, "a word")) {
		snprintf(out, room, "%s", conf->wanted ? conf->wanted : "a word");
		return;
	}
	/* where a statement may begin, the file may end as well: true, but no help */
	if (n > 1 && expects(expected, n, "the end of the file"))
		n_listed--;
	out[0] = '\0';
	for (size_t i = 0; i < n && used < room; i++) {
		const char *quote = is_keyword(expected[i]) ? "'" : "";
		int len;

		if (n_listed < n && strcmp(expected[i], "the end of the file") == 0)
			continue;
		len = snprintf(out + used, room - used, "%s%s%s%s",
			       listed == 0		? ""
			       : listed + 1 == n_listed ? " or "
							: ", ",
			       quote, expected[i], quote);
		used += len > 0 ? (size_t)len : 0;
		listed++;
	}
}

static const char *near_keyword(const struct conf_token *token, const char *const *expected,
				size_t n)
{
	const char *keywords[64];
	size_t n_keywords = 0;

	if (token->kind != TOKEN_WORD || expects(expected, n, "a word"))
		return NULL;
	for (size_t i = 0; i < n && n_keywords < ARRAY_LEN(keywords); i++)
		if (is_keyword(expected[i]))
			keywords[n_keywords++] = expected[i];
	return conf_near(&token->word, keywords, n_keywords);
}

static enum conf_recovery recovery_for(const struct conf *conf, const char *const *expected,
				       size_t n)
{
	static const int outermost[] = { TOKEN_MARK_MASK, TOKEN_FLOW_LOG, TOKEN_PORT_WARNING,
					 TOKEN_INCLUDE, TOKEN_BYPASS, TOKEN_BINDING,
					 TOKEN_POLICY, TOKEN_DEFAULT_BINDING,
					 TOKEN_REMOVE, TOKEN_SUSPEND, TOKEN_RESUME,
					 TOKEN_RELAY, TOKEN_METRICS, TOKEN_DNS };
	const struct conf_token *token = &conf->token;
	/* these two begin statements inside blocks as well; in a group, `uplink` is taken for one */
	bool starts_section = (token->kind == TOKEN_GROUP ||
			       (token->kind == TOKEN_UPLINK && !expects(expected, n, "member"))) &&
			      !expects(expected, n, "';'");

	for (size_t i = 0; i < ARRAY_LEN(outermost); i++)
		starts_section = starts_section || token->kind == outermost[i];
	if (!token->first_on_line || token->word.quoted || token->kind == TOKEN_WORD)
		return RECOVER_SKIP;
	if (starts_section && conf->brace.line)
		return RECOVER_BLOCK;
	return expects(expected, n, "';'") && token->kind != TOKEN_OPEN ? RECOVER_STATEMENT
									: RECOVER_SKIP;
}

void conf_syntax_unclosed(struct conf *conf, struct where brace)
{
	diag_error(conf->diag, brace,
		   "'{' is never closed: expected '}' before the end of the file");
}

/* Keywords that the grammar has for the others, layers or files. */
static size_t keep_fitting(const struct conf *conf, const char *const *expected, size_t n,
			   const char **kept)
{
	static const char *const layers_only[] = { "remove", "suspend", "resume" };
	bool is_layer = conf->layers.now < conf->layers.n;
	size_t n_kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!expects(is_layer ? conf_files_only : layers_only,
			     is_layer ? N_FILES_ONLY : ARRAY_LEN(layers_only), expected[i]))
			kept[n_kept++] = expected[i];
	return n_kept;
}

static bool is_period(const struct word *word)
{
	static const char *const periods[] = { "second", "minute", "hour", "day" };

	for (size_t i = 0; i < ARRAY_LEN(periods); i++)
		if (conf_word_is(word, periods[i]))
			return true;
	return false;
}

void conf_syntax_error(struct conf *conf, const char *const *all_expected, size_t n_all)
{
	const char *expected[128];
	size_t n = keep_fitting(conf, all_expected, n_all < 128 ? n_all : 128, expected);
	const struct conf_token *token = &conf->token;
	char what[WORD_SHOWN], wanted[512], open[PLACE_SHOWN + 32] = "";
	const char *near = near_keyword(token, expected, n);

	conf->recovery = recovery_for(conf, expected, n);
	found(token, what);
	list_expected(conf, expected, n, wanted, sizeof wanted);
	if (token->kind == TOKEN_END && conf->brace.line) {
		conf_syntax_unclosed(conf, conf->brace);
		return;
	}
	if (conf_word_is(&token->word, "mark") && expects(expected, n, "unit")) {
		diag_error(
			conf->diag, token->where,
			"a marked socket needs no rule: a socket that "
			"carries the binding's own mark, shown by 'outbindctl binding show', uses "
			"it; expected %s",
			wanted);
		return;
	}
	if (is_period(&token->word) && expects(expected, n, "destination")) {
		diag_error(conf->diag, token->where,
			   "found %s, expected %s; a rate is one word: 10/%.*s", what, wanted,
			   (int)token->word.len, token->word.at);
		return;
	}
	if (conf->recovery == RECOVER_BLOCK)
		snprintf(open, sizeof open, " to close the '{' at %s", PLACE(conf, conf->brace));
	diag_error(conf->diag, token->where, "found %s%s, expected %s%s%s%s%s", what,
		   token->kind == TOKEN_CLOSE && !conf->brace.line ? ", which closes nothing" : "",
		   wanted, open, near ? "; did you mean '" : "", near ? near : "",
		   near ? "'?" : "");
}
