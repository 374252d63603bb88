/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl apply: a text of the change language as one transaction, or a look at what it would do. */
#include "base/mem.h"
#include "base/own.h"
#include "change.h"
#include "verbs.h"
#include "whole.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <string.h>

/* The agent takes no more at once; quoting in JSON needs some room. */
enum { APPLY_MAX = 48 << 20 };

enum apply { APPLY_DRY_RUN, APPLY_WHOLE };

static const struct option options[] = {
	[APPLY_DRY_RUN] = CHANGE_OPTION_DRY_RUN,
	[APPLY_WHOLE] = { "whole", NULL, "what FILE does not define is removed", COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

static int read_input(const struct ctl *ctl, int fd, const char *name, char **ret_text,
		      size_t *ret_len)
{
	char *AUTO(mem_drop) text = NULL;
	size_t len = 0, room = 0;
	ssize_t n;

	if (isatty(fd))
		(void)fputs("outbindctl: reading changes from the terminal; end with Ctrl-D\n",
			    ctl->err);
	for (;;) {
		text = mem_grow(text, &room, len + 4096, 1);
		n = read(fd, text + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len > APPLY_MAX)
			break;
	}
	if (n < 0) {
		ctl_complain(ctl, "%s cannot be read: %s", name, strerror(errno));
		return CTL_USAGE;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	text = NULL;
	return CTL_DONE;
}

/* Pipes and devices too: `apply <(generate)` is a pipe. */
static int read_file(const struct ctl *ctl, const char *path, char **ret_text, size_t *ret_len)
{
	AUTO(fd_drop) struct fd fd = { .n = open(path, O_RDONLY | O_CLOEXEC) };

	if (fd.n < 0) {
		ctl_complain(ctl, "%s cannot be read: %s", path, strerror(errno));
		return CTL_USAGE;
	}
	return read_input(ctl, fd.n, path, ret_text, ret_len);
}

/* What may be read again, by another reader. */
static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A configuration with settings that no change brings is handed over without them. */
static int hand_over(struct ctl *ctl, const struct arguments *args, const char *name,
		     const char *text, size_t len)
{
	char *AUTO(mem_drop) whole = NULL, *AUTO(mem_drop) whole_name = NULL;
	struct excerpt excerpt = { .name = name, .text = text };
	int r;

	/* in what cannot be read again, the agent shows the statement, and says what to do */
	if (is_file(args->rest[0]) && whole_is_configuration(text, len)) {
		r = whole_read(ctl, args->rest[0], &whole, &whole_name);
		if (r != CTL_DONE)
			return r;
		excerpt = (struct excerpt){ .name = whole_name, .text = whole };
	}
	return change_apply(ctl, &excerpt, args->value[APPLY_WHOLE], args->value[APPLY_DRY_RUN]);
}

static int apply_run(struct ctl *ctl, const struct arguments *args)
{
	bool input = strcmp(args->rest[0], "-") == 0;
	const char *name = input ? "standard input" : args->rest[0];
	char *AUTO(mem_drop) text = NULL;
	size_t len = 0;
	int r = input ? read_input(ctl, STDIN_FILENO, name, &text, &len)
		      : read_file(ctl, name, &text, &len);

	if (r != CTL_DONE)
		return r;
	if (len > APPLY_MAX) {
		ctl_complain(ctl, "%s: more than %d MiB, which is too much for one change", name,
			     APPLY_MAX >> 20);
		return CTL_USAGE;
	}
	if (strlen(text) < len) {
		ctl_complain(ctl, "%s: has a NUL byte: expected text", name);
		return CTL_USAGE;
	}
	return hand_over(ctl, args, name, text, len);
}

const struct verb apply_verb = {
	.name = "apply",
	.synopsis = "[--dry-run] [--whole] FILE|-",
	.summary = "many changes as one transaction",
	.text = "FILE, or standard input, holds statements of the configuration, and `remove binding NAME;`,\n"
		"`remove policy { ... }` and the like; outbind.conf(5) has them all. Everything in it takes\n"
		"effect at once, or nothing does and every problem is printed with its place. With --whole\n"
		"it is the complete configuration. A file that has `include`, `mark-mask`, `relay` or other\n"
		"statements that no change brings is taken with all that it includes, if these say what the\n"
		"agent's own files say.\n\n"
		"  outbindctl apply --dry-run monday.conf\n"
		"  echo 'remove policy { user 4001; } binding acme { address 192.0.2.12; }' |\n"
		"          outbindctl apply -\n",
	.options = options,
	.least = 1,
	.most = 1,
	.complete = COMPLETE_FILE,
	.run = apply_run,
};
