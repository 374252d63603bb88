/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statements of their own: mark-mask, flow-log, port-warning, bypass, default-binding; and which block
 * is open.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <string.h>

bool conf_given_twice(struct conf *conf, const char *key, struct where where, struct where *seen)
{
	if (seen->line) {
		diag_error(conf->diag, where, "'%s' is given twice: expected once, as at %s", key,
			   PLACE(conf, *seen));
		return true;
	}
	*seen = where;
	return false;
}

/* "0x1fff" or "8191". */
static int parse_mask(const struct word *word, uint64_t *ret)
{
	uint64_t mask = 0;

	if (word->len < 3 || word->at[0] != '0' || (word->at[1] | 0x20) != 'x')
		return conf_word_number(word, UINT32_MAX, ret);
	for (size_t i = 2; i < word->len; i++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = memchr(digits, word->at[i], 32);

		if (!digit)
			return -EINVAL;
		mask = mask > UINT32_MAX ? mask : mask << 4 | (uint64_t)(digit - digits) % 16;
	}
	if (mask > UINT32_MAX)
		return -ERANGE;
	*ret = mask;
	return 0;
}

bool conf_may_set(struct conf *conf, const char *name, const char *why, struct where key,
		  struct where *seen)
{
	if (conf->layers.now < conf->layers.n) {
		diag_error(conf->diag, key,
			   "'%s' cannot be changed at run time: expected it in a file%s", name,
			   why);
		return false;
	}
	return !conf_given_twice(conf, name, key, seen);
}

void conf_set_flow_log(struct conf *conf, const struct word *word, struct where key,
		       struct where where)
{
	if (conf_may_set(conf, "flow-log", "", key, &conf->model->where_flow_log))
		(void)conf_form_file(conf, "flow-log", word, false, where,
				     &conf->model->flow_log);
}

/* "80%", "80" or "off". */
void conf_set_port_warning(struct conf *conf, const struct word *word, struct where key,
			   struct where where)
{
	struct word number = *word;
	uint64_t share = 0;

	if (!conf_may_set(conf, "port-warning", "", key, &conf->model->where_port_warning))
		return;
	number.len -= number.len > 0 && number.at[number.len - 1] == '%';
	if (!conf_word_is(word, "off") &&
	    (conf_word_number(&number, 100, &share) < 0 || share == 0))
		diag_error(conf->diag, where,
			   "%s is not a share of ports: expected 1%% to 100%%, or off", SHOW(word));
	conf->model->port_warning = (uint8_t)share;
}

void conf_set_mask(struct conf *conf, const struct word *word, struct where key,
		   struct where where)
{
	uint64_t mask = 0, run;
	int r = parse_mask(word, &mask);

	if (!conf_may_set(conf, "mark-mask", "", key, &conf->model->where_mask))
		return;
	run = mask ? mask >> __builtin_ctzll(mask) : 0;
	if (r == -EINVAL)
		diag_error(conf->diag, where, "%s is not a mask: expected a number such as 0x1fff",
			   SHOW(word));
	else if (r == -ERANGE)
		diag_error(conf->diag, where,
			   "mask %s has over 32 bits: expected at most 0xffffffff", SHOW(word));
	else if (mask == 0)
		diag_error(conf->diag, where, "mask %s has no bits: expected 2 to 32", SHOW(word));
	else if (run & (run + 1))
		diag_error(conf->diag, where,
			   "mask %s has holes: expected one run of bits, such as "
			   "0x1fff",
			   SHOW(word));
	else if (run == 1)
		diag_error(conf->diag, where,
			   "mask %s has 1 bit: expected 2 to 32, since number 0 "
			   "means untagged and two stand for pass and reject",
			   SHOW(word));
	else
		conf->model->mask.host = (uint32_t)mask;
}

/* The entry that @word stands for in canonical text, or false, reported. */
static bool parse_bypass(struct conf *conf, const struct word *word, struct where where,
			 struct prefix *ret_prefix, char ret_text[static PREFIX_TEXT])
{
	static const char *const names[] = { "connected", "private" };
	const char *near;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (conf_word_is(word, names[i])) {
			strcpy(ret_text, names[i]);
			return true;
		}
	near = conf_near(word, names, ARRAY_LEN(names));
	if (near)
		diag_error(conf->diag, where, "%s is not a prefix: did you mean '%s'?", SHOW(word),
			   near);
	else if (conf_form_prefix(conf, word, where,
				  "a prefix such as 10.0.0.0/8, 'connected' or "
				  "'private'",
				  ret_prefix))
		return prefix_print(ret_prefix, ret_text);
	return false;
}

/* Said again, it is where it was said first. */
static void set_word(bool *said, struct where *at, struct where where)
{
	if (!*said)
		*at = where;
	*said = true;
}

void conf_set_bypass(struct conf *conf, const struct word *word, struct where where, bool remove)
{
	struct bypass bypass = { .where = where };
	char text[PREFIX_TEXT];
	struct word key = { .at = text };

	if ((remove && conf->ignored) || !parse_bypass(conf, word, where, &bypass.prefix, text))
		return;
	key.len = strlen(text);
	conf_split_note(conf, ITEM_BYPASS, remove, &key, where);
	if (conf_layer_name(conf, CONF_TAG_BYPASS, &key, where, remove) != CLAIM_COUNTS || remove)
		return;
	if (strcmp(text, "connected") == 0)
		set_word(&conf->model->bypass_connected, &conf->model->where_connected, where);
	else if (strcmp(text, "private") == 0)
		set_word(&conf->model->bypass_private, &conf->model->where_private, where);
	else
		PUSH(&conf->model->bypasses, bypass);
}

void conf_set_default(struct conf *conf, enum default_binding what, struct where key)
{
	if (conf_given_twice(conf, "default-binding", key, &conf->default_seen))
		return;
	conf_split_note(conf, ITEM_DEFAULT, false, &conf_default_key, key);
	if (conf_layer_name(conf, CONF_TAG_DEFAULT, &(struct word){ 0 }, key, false) !=
	    CLAIM_COUNTS)
		return;
	conf->model->default_binding = what;
	conf->model->where_default = key;
}

/* Blocks are at most two deep: a warm-up in a binding. */
void conf_brace_open(struct conf *conf, struct where where)
{
	conf->outer = conf->brace;
	conf->brace = where;
}

void conf_brace_close(struct conf *conf)
{
	conf->brace = conf->outer;
	conf->outer.line = 0;
}
