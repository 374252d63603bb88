/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl, the operator's tool of outbind. This file reads the surroundings (terminal, locale,
 * environment) into a struct ctl; everything after that gets its streams and settings from there
 * and can be run by a test.
 */
#include "verbs.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>

/* Widths of characters need a UTF-8 locale; what the agent sends is UTF-8 whatever ours is. Is it? */
static bool set_locale(void)
{
	if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return true;
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return false;
}

static unsigned terminal_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static bool wants_color(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

int main(int argc, char **argv)
{
	const char *runtime_dir = getenv("OUTBIND_RUNTIME_DIR");
	const char *relay_dir = getenv("OUTBIND_RELAY_RUNTIME_DIR");
	struct ctl ctl = {
		.out = stdout,
		.err = stderr,
		.runtime_dir = runtime_dir && *runtime_dir ? runtime_dir : CTL_RUNTIME_DIR,
		.relay_dir = relay_dir && *relay_dir ? relay_dir : CTL_RELAY_DIR,
		.patience_ms = CTL_PATIENCE_MS,
		.color = wants_color(),
		.width = terminal_width(),
		.progress = isatty(STDERR_FILENO),
	};
	int status;

	ctl.utf8 = set_locale();
	status = verbs_run(&ctl, argc, argv);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == CTL_DONE) {
		ctl_complain(&ctl, "cannot write the answer: %s", strerror(errno));
		status = CTL_REFUSED;
	}
	return status;
}
