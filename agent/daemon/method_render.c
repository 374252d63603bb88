/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Render: the whole ruleset as text, in pieces that end at a line; and other long texts. One at a
 * time: the text of a large configuration is large. */
#include "daemon/method.h"

#include "base/mem.h"

#include <string.h>

enum { PIECE = 128 * 1024 };

struct render_stream {
	struct stream stream;
	char *text;
	size_t len, sent;
};

static unsigned renders;			/* alive now */

static void free_render(struct stream *stream)
{
	struct render_stream *render = (struct render_stream *)stream;

	renders--;
	free(render->text);
	free(render);
}

static size_t piece_len(const struct render_stream *render)
{
	const char *start = render->text + render->sent;
	size_t left = render->len - render->sent;
	const char *end;

	if (left <= PIECE)
		return left;
	end = memrchr(start, '\n', PIECE);
	return end ? (size_t)(end - start) + 1 : PIECE;
}

static void next_piece(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct render_stream *render = (struct render_stream *)stream;
	size_t len = piece_len(render);
	AUTO(mem_drop) char *piece = mem_text(render->text + render->sent, len);

	(void)agent;
	render->sent += len;
	ret->continues = render->sent < render->len;
	ret->parameters = json_pack("{s:o}", "text", method_json(piece));
}

void method_stream_text(struct call *call, char *text)
{
	size_t len = strlen(text);
	struct render_stream *render;

	if (renders > 0 && len > PIECE) {
		free(text);
		method_fail(call, OUTBIND_ERROR("Busy"),
			    json_pack("{s:s}", "text", "another client is being sent a long text"));
		return;
	}
	render = mem_zero(1, sizeof *render);
	*render =
		(struct render_stream){ { .next = next_piece, .free = free_render }, text, len, 0 };
	renders++;
	method_stream(call, &render->stream);
}

void method_render(struct call *call)
{
	struct agent *agent = call->agent;
	struct kernel_error error = { 0 };
	char *text;
	int r;

	if (renders > 0) {
		method_fail(call, OUTBIND_ERROR("Busy"),
			    json_pack("{s:s}", "text", "another client is being sent the ruleset"));
		return;
	}
	r = agent->render(&agent->options->kernel, &agent->now->plan, agent_cgroup_path, agent,
			  &text, &error);
	if (r < 0)
		answer_refuse(&call->answer, error.text[0] ? error.text : strerror(-r));
	else
		method_stream_text(call, text);
}
