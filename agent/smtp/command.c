/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines: a verb, then what it takes. One table says which; parameters of MAIL and RCPT are another. The
 * reader borrows from the line, allocates nothing and looks at each octet a bounded number of times.
 */
#include "smtp/command.h"

#include <string.h>
#include <strings.h>

static const struct refusal_text good = { 0, NULL };

static struct text trim(struct text text)
{
	while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* esmtp-value of RFC 5321 section 4.1.2, and UTF-8 (RFC 6531). */
static bool is_value(struct text value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if (c <= 0x20 || c == '=' || c == 0x7f)
			return false;
	}
	return value.len > 0;
}

/* "+" and two hexadecimal digits in upper case, or a character from '!' to '~' but '+' and '='. */
static bool is_xtext(struct text value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] != '+')
			continue;
		if (i + 2 >= value.len || !strchr("0123456789ABCDEF", value.at[i + 1]) ||
		    !strchr("0123456789ABCDEF", value.at[i + 2]))
			return false;
	}
	return is_value(value);
}

static bool is_notify(struct text value)
{
	bool never = false, others = false;

	for (;;) {
		const char *comma = memchr(value.at, ',', value.len);
		struct text word = { value.at, comma ? (size_t)(comma - value.at) : value.len };

		if (text_is(word, "NEVER"))
			never = true;
		else if (text_is(word, "SUCCESS") || text_is(word, "FAILURE") ||
			 text_is(word, "DELAY"))
			others = true;
		else
			return false;
		if (!comma)
			return never != others;
		value = (struct text){ comma + 1, value.len - word.len - 1 };
	}
}

/* ORCPT=TYPE;XTEXT */
static bool is_orcpt(struct text value)
{
	const char *semicolon = memchr(value.at, ';', value.len);

	return semicolon && semicolon > value.at &&
	       is_xtext((struct text){ semicolon + 1,
				       value.len - (size_t)(semicolon + 1 - value.at) });
}

static bool is_binding(struct text value)
{
	return is_value(value) && value.len <= 63 && !memchr(value.at, ':', value.len);
}

/* One parameter into @command: 1 good, 0 not known, -EINVAL. */
static int read_parameter(struct command *command, struct text name, struct text value)
{
	const struct {
		enum verb verb;
		const char *name;
		bool (*is_good)(struct text value);
		struct text *slot;
	} texts[] = {
		{ VERB_MAIL, "ENVID", is_xtext, &command->envid },
		{ VERB_MAIL, "AUTH", is_xtext, &command->auth },
		{ VERB_MAIL, "XOUTBIND", is_binding, &command->xoutbind },
		{ VERB_RCPT, "NOTIFY", is_notify, &command->notify },
		{ VERB_RCPT, "ORCPT", is_orcpt, &command->orcpt },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (command->verb != texts[i].verb || !text_is(name, texts[i].name))
			continue;
		if (texts[i].slot->len > 0 || !texts[i].is_good(value))
			return -EINVAL;
		*texts[i].slot = value;
		return 1;
	}
	if (command->verb != VERB_MAIL)
		return 0;
	if (text_is(name, "SIZE")) {
		if (command->has_size || !text_number(value, &command->size))
			return -EINVAL;
		command->has_size = true;
	} else if (text_is(name, "BODY")) {
		if (command->body != BODY_UNSAID)
			return -EINVAL;
		command->body = text_is(value, "7BIT")	     ? BODY_7BIT
				: text_is(value, "8BITMIME") ? BODY_8BITMIME
							     : BODY_UNSAID;
		return command->body == BODY_UNSAID ? -EINVAL : 1;
	} else if (text_is(name, "RET")) {
		if (command->ret.len > 0 || (!text_is(value, "FULL") && !text_is(value, "HDRS")))
			return -EINVAL;
		command->ret = value;
	} else if (text_is(name, "SMTPUTF8")) {
		if (command->smtputf8 || value.at)
			return -EINVAL;
		command->smtputf8 = true;
	} else {
		return 0;
	}
	return 1;
}

static struct refusal_text read_parameters(struct command *command, struct text rest)
{
	while ((rest = trim(rest)).len > 0) {
		const char *end = memchr(rest.at, ' ', rest.len);
		struct text word = { rest.at, end ? (size_t)(end - rest.at) : rest.len };
		const char *equals = memchr(word.at, '=', word.len);
		struct text name = { word.at, equals ? (size_t)(equals - word.at) : word.len };
		struct text value = { equals ? equals + 1 : NULL,
				      equals ? word.len - name.len - 1 : 0 };
		int r = equals && value.len == 0 ? -EINVAL
						 : read_parameter(command, name, value);

		if (r < 0)
			return (struct refusal_text){
				501, "5.5.4 a parameter is malformed, or given twice" };
		if (r == 0)
			return (struct refusal_text){ 555, "5.5.4 a parameter is not known here" };
		rest = (struct text){ word.at + word.len, rest.len - word.len };
	}
	return good;
}

/* "FROM:<path> parameters"; a blank after the colon is taken, as everybody does. */
static struct refusal_text read_path(struct command *command, struct text argument,
				     const char *keyword)
{
	bool is_mail = command->verb == VERB_MAIL;
	size_t len = strlen(keyword);
	struct text rest;

	if (argument.len < len || strncasecmp(argument.at, keyword, len) != 0)
		return (struct refusal_text){ 501, is_mail ? "5.5.4 expected MAIL FROM:<address>"
							   : "5.5.4 expected RCPT TO:<address>" };
	rest = trim((struct text){ argument.at + len, argument.len - len });
	if (path_parse(rest, is_mail, &command->path, &rest) < 0)
		return (struct refusal_text){ 501, is_mail ? "5.1.7 not an address"
							   : "5.1.3 not an address" };
	if (rest.len > 0 && rest.at[0] != ' ')
		return (struct refusal_text){ 501, "5.5.4 expected a space after the address" };
	return read_parameters(command, rest);
}

static struct refusal_text read_hello(struct command *command, struct text argument)
{
	if (!path_is_host(argument))
		return (struct refusal_text){ 501,
					      "5.5.4 expected a host name or address literal" };
	command->argument = argument;
	return good;
}

/* AUTH MECHANISM [initial-response] */
static struct refusal_text read_auth(struct command *command, struct text argument)
{
	const char *space = memchr(argument.at, ' ', argument.len);
	size_t len = space ? (size_t)(space - argument.at) : argument.len;

	if (len == 0)
		return (struct refusal_text){ 501, "5.5.4 expected a mechanism" };
	command->argument = (struct text){ argument.at, len };
	if (space)
		command->initial = trim((struct text){ space, argument.len - len });
	return space && memchr(command->initial.at, ' ', command->initial.len)
		? (struct refusal_text){ 501, "5.5.4 expected one initial response" } : good;
}

static struct refusal_text read_argument(struct command *command, struct text argument)
{
	switch (command->verb) {
	case VERB_EHLO:
	case VERB_HELO:
	case VERB_LHLO:
		return read_hello(command, argument);
	case VERB_MAIL:
		return read_path(command, argument, "FROM:");
	case VERB_RCPT:
		return read_path(command, argument, "TO:");
	case VERB_AUTH:
		return read_auth(command, argument);
	case VERB_DATA:
	case VERB_RSET:
	case VERB_QUIT:
	case VERB_STARTTLS:
		return argument.len > 0
			? (struct refusal_text){ 501, "5.5.4 expected no argument" } : good;
	case VERB_NOOP:
	case VERB_VRFY:
	case VERB_HELP:
	case VERB_BDAT:
		command->argument = argument;
		return good;
	case VERB_UNKNOWN:
	case VERBS:
		break;
	}
	return (struct refusal_text){ 500, "5.5.1 command not recognised" };
}

struct refusal_text command_parse(struct text line, bool lmtp, struct command *ret)
{
	static const char *const names[VERBS] = {
		[VERB_EHLO] = "EHLO", [VERB_HELO] = "HELO", [VERB_LHLO] = "LHLO",
		[VERB_MAIL] = "MAIL", [VERB_RCPT] = "RCPT", [VERB_DATA] = "DATA",
		[VERB_RSET] = "RSET", [VERB_NOOP] = "NOOP", [VERB_QUIT] = "QUIT",
		[VERB_VRFY] = "VRFY", [VERB_HELP] = "HELP", [VERB_STARTTLS] = "STARTTLS",
		[VERB_AUTH] = "AUTH", [VERB_BDAT] = "BDAT",
	};
	struct command command = { 0 };
	struct refusal_text refusal;
	struct text word, rest;

	word = (struct text){ line.at, 0 };
	while (word.len < line.len && line.at[word.len] != ' ' && line.at[word.len] != '\t')
		word.len++;
	for (enum verb verb = VERB_EHLO; verb < VERBS; verb++)
		if (text_is(word, names[verb]))
			command.verb = verb;
	if (command.verb == (lmtp ? VERB_EHLO : VERB_LHLO) || (lmtp && command.verb == VERB_HELO))
		command.verb = VERB_UNKNOWN;
	rest = trim((struct text){ line.at + word.len, line.len - word.len });
	refusal = read_argument(&command, rest);
	if (refusal.code == 0)
		*ret = command;
	return refusal;
}
