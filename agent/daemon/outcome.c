/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See outcome.h. */
#include "daemon/outcome.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void outcome_say(struct outcome *outcome, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(outcome->text, sizeof outcome->text, format, args);
	va_end(args);
}

void problems_take(struct problems *problems, const struct model *model, struct diag *diag)
{
	diag_sort(diag);
	for (size_t i = 0; i < diag->n; i++) {
		char place[OUTCOME_TEXT];
		struct problem problem = { .level = diag->at[i].level };

		model_place(model, diag->at[i].where, place, sizeof place);
		problem.place = mem_copy(place);
		problem.text = diag->at[i].text;
		diag->at[i].text = NULL;
		PUSH(problems, problem);
	}
	problems->left_out += diag->n_left_out;
	diag_drop(diag);
}

void problems_print(const struct problems *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		fprintf(stderr, "%s: %s%s\n", problems->at[i].place,
			problems->at[i].level == DIAG_WARNING ? "warning: " : "",
			problems->at[i].text);
	if (problems->left_out)
		fprintf(stderr, "outbindd: %zu more problems\n", problems->left_out);
}

void problems_drop(struct problems *problems)
{
	for (size_t i = 0; i < problems->n; i++) {
		free(problems->at[i].place);
		free(problems->at[i].text);
	}
	free(problems->at);
	*problems = (struct problems){ 0 };
}

void outcome_drop(struct outcome *outcome)
{
	problems_drop(&outcome->problems);
	*outcome = (struct outcome){ 0 };
}
