/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text or JSON; see the header. A list in JSON is never held in memory as a whole. */
#include "answer.h"

#include "agent.h"

const struct column answer_block[2] = { { NULL, ALIGN_LEFT }, { NULL, ALIGN_LEFT } };

void answer_json(const struct ctl *ctl, const json_t *reply)
{
	(void)json_dumpf(reply, ctl->out, ctl->width > 0 ? JSON_INDENT(2) : 0);
	(void)fputc('\n', ctl->out);
}

void answer_reply(const struct ctl *ctl, const json_t *reply,
		  void (*text)(const struct ctl *ctl, const json_t *reply))
{
	if (ctl->json)
		answer_json(ctl, reply);
	else
		text(ctl, reply);
}

int answer_text(const struct ctl *ctl, const char *text)
{
	AUTO(json_drop) json_t *reply = NULL;

	if (!ctl->json) {
		(void)fputs(text, ctl->out);
		return CTL_DONE;
	}
	reply = json_pack("{s:s}", "text", text);
	if (!reply) {
		ctl_complain(ctl, "the text is not valid UTF-8");
		return CTL_REFUSED;
	}
	answer_json(ctl, reply);
	return CTL_DONE;
}

struct listing {				/* a list that is being received */
	const struct ctl *ctl;
	const struct list *list;
	struct table table;
	size_t n;				/* items so far */
	bool opened;				/* JSON: the array has begun */
};

static void list_item(struct listing *listing, const json_t *item)
{
	const struct ctl *ctl = listing->ctl;

	if (!ctl->json) {
		listing->list->row(&listing->table, item);
		table_end_row(&listing->table);
	} else {
		(void)fputs(listing->n > 0 ? ",\n" : "\n", ctl->out);
		(void)json_dumpf(item, ctl->out, 0);
	}
	listing->n++;
}

static void list_piece(void *context, json_t *reply)
{
	struct listing *listing = context;
	const json_t *items = json_object_get(reply, listing->list->key);

	if (listing->ctl->json && !listing->opened)
		(void)fprintf(listing->ctl->out, "{\"%s\": [", listing->list->key);
	listing->opened = true;
	for (size_t i = 0; i < json_array_size(items); i++)
		list_item(listing, json_array_get(items, i));
}

int answer_list(struct ctl *ctl, const struct list *list)
{
	struct listing listing = {
		.ctl = ctl,
		.list = list,
		.table = { .columns = list->columns, .n_columns = list->n_columns },
	};
	int r;

	r = agent_call(ctl, list->method, NULL, list_piece, &listing);
	if (r == CTL_DONE && ctl->json)
		(void)fputs("\n]}\n", ctl->out);
	else if (r == CTL_DONE && listing.n == 0)
		(void)fprintf(ctl->out, "%s\n", list->none);
	else if (r == CTL_DONE)
		table_print(&listing.table, ctl->out, ctl->width, ctl->color);
	table_drop(&listing.table);
	return r;
}

void answer_line(struct table *block, const char *label, const char *value, enum tint tint)
{
	if (!value || !*value)
		return;
	table_add(block, label, TINT_DIM);
	table_add(block, value, tint);
}

void answer_line_count(struct table *block, const char *label, long long n, const char *noun)
{
	table_add(block, label, TINT_DIM);
	table_add_format(block, "%lld %s%s", n, noun, n == 1 ? "" : "s");
}
