/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of faulty configurations: every problem with its exact place and text. */
#pragma once

#include "conf_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct row {
	const char *what, *text, *want;		/* @want: "line:column: text", one a line */
	size_t len;				/* of a @text with NUL bytes */
};

static inline void check_rows(const struct row *rows, size_t n)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		AUTO(model_drop) struct model model = { 0 };
		AUTO(diag_drop) struct diag diag = { 0 };
		int r = fake_read_text(rows[i].text, rows[i].len, &model, &diag);
		char *AUTO(mem_drop) got = fake_found(&model, &diag, false);

		if (strcmp(got, rows[i].want) == 0 && r == (diag.n_errors ? -EINVAL : 0))
			continue;
		print_error("%s: returned %d\ngot:\n%s\nwant:\n%s\n", rows[i].what, r, got,
			    rows[i].want);
		wrong++;
	}
	if (wrong)
		fail_msg("%zu of %zu rows", wrong, n);
}
