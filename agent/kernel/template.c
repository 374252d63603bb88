/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The template language: {{name}} is replaced, and the lines from "#for X in a, b" to its "#end"
 * are repeated with {{X}} replaced; loops nest. An unknown name is an error, so that a slip in a
 * template is found when it is loaded and not when a packet takes the wrong way. "#for X Y in a 1, b 2"
 * replaces two; an empty list repeats nothing. Lines that start with another "#" are comments and
 * stay as they are.
 */
#include "kernel/template.h"

#include "base/mem.h"
#include "kernel/epoch.h"
#include "plan/share.h"
#include "plan/spread.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

extern const char template_text[];		/* nft-templates/embed.S */

enum { TEMPLATE_MAX = 1024 * 1024, NESTING_MAX = 4, VALUE_MAX = 40128, NAMES_MAX = 128 };

struct variable { const char *name, *value; size_t name_len, value_len; };

struct expansion {
	FILE *out;
	struct variable variables[NAMES_MAX];
	size_t n;
	const char *start;			/* of the whole text, to count lines for messages */
	struct kernel_error *reterr;
};

int template_load(const char *path, char **ret_text)
{
	char *AUTO(mem_drop) text = NULL;
	FILE *file;
	size_t n;

	if (!path) {
		*ret_text = mem_copy(template_text);
		return 0;
	}
	file = fopen(path, "re");
	if (!file)
		return -errno;
	text = mem_zero(TEMPLATE_MAX + 1, 1);
	n = fread(text, 1, TEMPLATE_MAX, file);
	if (ferror(file) || !feof(file) || strlen(text) != n) {
		fclose(file);
		return -EINVAL;
	}
	fclose(file);
	*ret_text = text;
	text = NULL;
	return 0;
}

void template_digest(const char *text, char ret_digest[static DIGEST_TEXT])
{
	XXH128_hash_t hash = XXH3_128bits(text, strlen(text));

	snprintf(ret_digest, DIGEST_TEXT, "%016llx%016llx", (unsigned long long)hash.high64,
		 (unsigned long long)hash.low64);
}

size_t template_set_size(size_t n)
{
	size_t size = 1024;

	while (size < 2 * n)
		size *= 2;
	return size;
}

static int refuse(struct expansion *x, const char *at, const char *problem)
{
	unsigned line = 1;

	for (const char *c = x->start; c < at; c++)
		line += *c == '\n';
	snprintf(x->reterr->text, sizeof x->reterr->text, "template line %u: %s", line, problem);
	return -EINVAL;
}

static const struct variable *find(const struct expansion *x, const char *name, size_t len)
{
	for (size_t i = x->n; i-- > 0;)
		if (x->variables[i].name_len == len && memcmp(x->variables[i].name, name, len) == 0)
			return &x->variables[i];
	return NULL;
}

/* Copy @text up to @end with every {{name}} replaced. */
static int substitute(struct expansion *x, const char *text, const char *end)
{
	while (text < end) {
		const char *open = memmem(text, (size_t)(end - text), "{{", 2);
		const char *close = open ? memmem(open, (size_t)(end - open), "}}", 2) : NULL;
		const struct variable *v;

		if (!close) {
			fwrite(text, 1, (size_t)(end - text), x->out);
			return 0;
		}
		fwrite(text, 1, (size_t)(open - text), x->out);
		v = find(x, open + 2, (size_t)(close - open - 2));
		if (!v)
			return refuse(x, open, "unknown name in {{ }}");
		fwrite(v->value, 1, v->value_len, x->out);
		text = close + 2;
	}
	return 0;
}

static const char *line_end(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline + 1 : end;
}

/* Start of the "#end" line that closes the loop whose body starts at @body, or NULL. */
static const char *loop_end(const char *body, const char *end)
{
	unsigned depth = 1;

	for (const char *at = body; at < end; at = line_end(at, end)) {
		if (strncmp(at, "#for ", 5) == 0)
			depth++;
		if (strncmp(at, "#end\n", 5) == 0 && --depth == 0)
			return at;
	}
	return NULL;
}

static int expand(struct expansion *x, const char *text, const char *end, unsigned nesting);

/* Define the names of "NAME NAME", @len octets, by the words of @value, which is cut up. */
static bool define_words(struct expansion *x, const char *names, size_t len, char *value)
{
	const char *end = names + len;
	char *word;

	while ((word = strsep(&value, " "))) {
		const char *blank = memchr(names, ' ', (size_t)(end - names));
		const char *stop = blank ? blank : end;

		if (names == stop || x->n == NAMES_MAX)
			return false;
		x->variables[x->n++] = (struct variable){ names, word, (size_t)(stop - names),
							  strlen(word) };
		names = blank ? blank + 1 : end;
	}
	return names == end;
}

/* What stands behind "in", with its names replaced, as a text. */
static int print_list(struct expansion *x, const char *line, const char *in, const char *end,
		      char list[static VALUE_MAX])
{
	FILE *out = x->out;
	int r;

	x->out = fmemopen(list, VALUE_MAX, "w");
	if (!x->out)
		abort();
	r = substitute(x, in, end);
	fputc('\0', x->out);
	if (ferror(x->out) || ftell(x->out) >= VALUE_MAX)
		r = refuse(x, line, "list of values too long");
	fclose(x->out);
	x->out = out;
	return r;
}

/* "#for NAME in LIST": @line to @body is that line, the body ends at @close. */
static int repeat(struct expansion *x, const char *line, const char *body, const char *close,
		  unsigned nesting)
{
	static const char form[] = "expected '#for NAME in VALUE, VALUE', nested at most 4 deep";
	char list[VALUE_MAX], *rest = list;
	const char *names = line + 5, *in = memmem(names, (size_t)(body - names), " in ", 4);
	size_t n = x->n;
	int r;

	if (!in || in == names || nesting == NESTING_MAX)
		return refuse(x, line, form);
	r = print_list(x, line, in + 4, body - 1, list);
	for (char *value; r == 0 && (value = strsep(&rest, ","));) {
		value += strspn(value, " ");
		if (*value == '\0')
			continue;
		if (define_words(x, names, (size_t)(in - names), value))
			r = expand(x, body, close, nesting + 1);
		else
			r = refuse(x, line, form);
		x->n = n;
	}
	return r;
}

static int expand(struct expansion *x, const char *text, const char *end, unsigned nesting)
{
	int r = 0;

	while (r == 0 && text < end) {
		const char *next = line_end(text, end);

		if (strncmp(text, "#for ", 5) == 0) {
			const char *close = loop_end(next, end);

			if (!close)
				return refuse(x, text, "#for without #end");
			r = repeat(x, text, next, close, nesting);
			next = line_end(close, end);
		} else if (*text == '#') {
			fwrite(text, 1, (size_t)(next - text), x->out);
		} else {
			r = substitute(x, text, next);
		}
		text = next;
	}
	return r;
}

static void define(struct expansion *x, const char *name, const char *value)
{
	x->variables[x->n++] = (struct variable){ name, value, strlen(name), strlen(value) };
}

/* The whole text with the names that are defined. */
static int finish(struct expansion *x, char **ret_text)
{
	char *AUTO(mem_drop) out = NULL;
	size_t len = 0;
	int r;

	x->out = open_memstream(&out, &len);
	if (!x->out)
		abort();
	r = expand(x, x->start, x->start + strlen(x->start), 0);
	fclose(x->out);
	if (r == 0) {
		*ret_text = out;
		out = NULL;
	}
	return r;
}

int template_fill(const char *text, const struct template_name *names, size_t n, char **ret_text,
		  struct kernel_error *reterr)
{
	struct expansion x = { .start = text, .reterr = reterr };

	for (size_t i = 0; i < n; i++)
		define(&x, names[i].name, names[i].value);
	return finish(&x, ret_text);
}

/* "0x1, 0x2, 0x4": every bit of the mask alone. */
static void print_bits(struct fwmark mask, char *out, size_t room)
{
	size_t n = 0;

	for (unsigned bit = 0; bit < 32; bit++)
		if (mask.host & 1u << bit)
			n += (size_t)snprintf(out + n, room - n, "%s%#x", n ? ", " : "", 1u << bit);
}

static void print_connections_to(const struct limits_to *to, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < to->n_connections; i++)
		n += (size_t)snprintf(out + n, room - n, "%s%u", n ? ", " : "", to->connections[i]);
}

/*
 * "0 5 second 7 2": index, rate, unit, burst, and for how many seconds the state of one destination
 * is kept at least: until its bucket is full again, when forgetting it makes no difference.
 */
static void print_new_to(const struct limits_to *to, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < to->n_new; i++) {
		const struct rate *rate = &to->new[i];
		const char *unit = rate->per == 1 ? "second" : rate->per == 60 ? "minute" :
				   rate->per == 3600 ? "hour" : "day";

		n += (size_t)snprintf(out + n, room - n, "%s%u %u %s %u %llu", n ? ", " : "", i,
				      rate->n, unit, rate->burst,
				      (unsigned long long)rate->burst * rate->per / rate->n + 2);
	}
}

int template_expand(const char *text, const char *table, const char *flags, const struct plan *plan,
		    char **ret_text, struct kernel_error *reterr)
{
	char names[SETS][32], sizes[SETS][24], mask[16], others[16], pass[16], reject[16];
	char bits[32 * 12 + 1], slots[16], seed[16], probe[16], passing[16];
	char connections_to[LIMITS_TO_MAX * 12], new_to[LIMITS_TO_MAX * 64];
	struct expansion x = { .start = text, .reterr = reterr };

	snprintf(mask, sizeof mask, "%#x", plan->mask.host);
	snprintf(others, sizeof others, "%#x", ~plan->mask.host);
	snprintf(slots, sizeof slots, "%u", SHARE_SLOTS);
	snprintf(seed, sizeof seed, "%#x", SPREAD_SEED);
	snprintf(pass, sizeof pass, "%#x", plan->pass.host);
	snprintf(probe, sizeof probe, "%x:%x", PROBE_PRIORITY >> 16, PROBE_PRIORITY & 0xffff);
	snprintf(passing, sizeof passing, "%x:%x", PASS_PRIORITY >> 16, PASS_PRIORITY & 0xffff);
	snprintf(reject, sizeof reject, "%#x", plan->reject.host);
	print_bits(plan->mask, bits, sizeof bits);
	print_connections_to(&plan->limits_to, connections_to, sizeof connections_to);
	print_new_to(&plan->limits_to, new_to, sizeof new_to);
	define(&x, "table", table);
	define(&x, "flags", flags);
	define(&x, "mask", mask);
	define(&x, "others", others);
	define(&x, "slots", slots);
	define(&x, "seed", seed);
	define(&x, "connections_to", connections_to);
	define(&x, "new_to", new_to);
	define(&x, "traffic", plan->traffic ? "on" : "");
	define(&x, "pass", pass);
	define(&x, "reject", reject);
	define(&x, "epochs", epoch_list);
	define(&x, "probe", probe);
	define(&x, "passing", passing);
	define(&x, "bits", bits);
	for (size_t i = 0; i < SETS; i++) {
		if (plan_shapes[i].interval)
			continue;
		snprintf(names[i], sizeof names[i], "size.%s", plan_shapes[i].name);
		snprintf(sizes[i], sizeof sizes[i], "%zu", template_set_size(plan->sets[i].n));
		define(&x, names[i], sizes[i]);
	}
	return finish(&x, ret_text);
}
