/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a message. The decoder is a machine over what stands at the end of the input so far: runs
 * within a line are found by memchr(3) and lent, a CR is held back until it is known what follows. So the
 * input can be split anywhere.
 *
 * A dot at the start of a line that does not end the text is dropped, whatever follows (RFC 5321
 * section 4.5.2); the encoder puts one before each line that begins with a dot. Lines are those that CRLF
 * ends. A line that a bare LF or CR begins is no line here, but might be one to somebody else, so with
 * normalise there are none left, and without it the text is refused.
 */
#include "smtp/body.h"

#include <string.h>

enum decode_state {
	AT_START,				/* of a line; zero: the text begins so */
	AT_DOT,					/* a dot at the start, dropped */
	AT_DOT_CR,				/* then a CR, held back */
	AT_CR,					/* a CR within a line, held back */
	IN_LINE,
};

static enum body_event give(struct body_decoder *decoder, const char *at, size_t n,
			    struct text *ret)
{
	*ret = (struct text){ at, n };
	decoder->n_content += n;
	return BODY_PIECE;
}

/* A CR or LF that stands alone: content as it is, or a whole line end. */
static enum body_event give_bare(struct body_decoder *decoder, const char *what, struct text *ret)
{
	decoder->bare = true;
	decoder->state = decoder->normalise ? AT_START : IN_LINE;
	return decoder->normalise ? give(decoder, "\r\n", 2, ret) : give(decoder, what, 1, ret);
}

static void count_nul(struct body_decoder *decoder, const char *at, size_t n)
{
	const char *nul, *end = at + n;

	while (at < end && (nul = memchr(at, '\0', (size_t)(end - at)))) {
		decoder->n_nul++;
		at = nul + 1;
	}
}

/*
 * Whole lines and the beginning of one, from within a line: up to what needs a look at its neighbours.
 * LOOK is more than a line may have (RFC 5321 section 4.5.3.1.6), and bounds what each of many bare CRs
 * costs when no LF is near.
 */
static size_t run_length(const char *at, size_t n)
{
	enum { LOOK = 1024 };
	size_t done = 0;

	while (done < n) {
		size_t look = n - done < LOOK ? n - done : LOOK;
		const char *lf = memchr(at + done, '\n', look);
		size_t line = lf ? (size_t)(lf - at) : done + look;
		const char *cr = memchr(at + done, '\r', line - done);

		if (cr && cr + 1 != lf)
			return (size_t)(cr - at);	/* bare, or it is not known yet */
		if (lf && !cr)
			return line;			/* bare */
		done = line + (lf ? 1 : 0);
		if (lf && done < n && at[done] == '.')
			break;
	}
	return done;
}

static enum body_event take_run(struct body_decoder *decoder, const char *at, size_t *taken,
				size_t n, struct text *ret)
{
	size_t len = run_length(at, n);

	*taken += len;
	count_nul(decoder, at, len);
	decoder->state = len >= 2 && at[len - 1] == '\n' ? AT_START : IN_LINE;
	return give(decoder, at, len, ret);
}

/* One step; BODY_MORE here means only that nothing came of it. */
static enum body_event step(struct body_decoder *decoder, const char *at, size_t n, size_t *taken,
			    struct text *ret)
{
	char c = *at;

	switch ((enum decode_state)decoder->state) {
	case AT_START:
		if (c == '.') {
			decoder->state = AT_DOT;
			*taken = 1;
			return BODY_MORE;
		}
		break;
	case AT_DOT:
		if (c == '\r') {
			decoder->state = AT_DOT_CR;
			*taken = 1;
			return BODY_MORE;
		}
		break;
	case AT_DOT_CR:
		if (c == '\n') {
			decoder->state = AT_START;
			*taken = 1;
			return BODY_END;
		}
		return give_bare(decoder, "\r", ret);	/* held back; @at is looked at again */
	case AT_CR:
		if (c != '\n')
			return give_bare(decoder, "\r", ret);
		decoder->state = AT_START;
		*taken = 1;
		return give(decoder, "\r\n", 2, ret);
	case IN_LINE:
		break;
	}
	if (c == '\r') {
		decoder->state = AT_CR;
		*taken = 1;
		return BODY_MORE;
	}
	if (c == '\n') {
		*taken = 1;
		return give_bare(decoder, "\n", ret);
	}
	return take_run(decoder, at, taken, n, ret);
}

enum body_event body_decode(struct body_decoder *decoder, const uint8_t **at, size_t *n,
			    struct text *ret_piece)
{
	while (*n > 0) {
		size_t taken = 0;
		enum body_event event = step(decoder, (const char *)*at, *n, &taken, ret_piece);

		*at += taken;
		*n -= taken;
		if (event != BODY_MORE)
			return event;
	}
	return BODY_MORE;
}

enum encode_state { LINE_START, LINE_IN, LINE_CR };

/* What stands at the end of @piece, for the next one. */
static void note_end(struct body_encoder *encoder, struct text piece)
{
	const char *end = piece.at + piece.len;

	if (end[-1] == '\r')
		encoder->state = LINE_CR;
	else if (end[-1] == '\n' && (piece.len > 1 ? end[-2] == '\r' : encoder->state == LINE_CR))
		encoder->state = LINE_START;
	else
		encoder->state = LINE_IN;
}

void body_encode_run(struct body_encoder *encoder, struct text piece, struct buffer *out)
{
	const char *at = piece.at;

	if (piece.len == 0)
		return;
	if (encoder->state == LINE_START && *at == '.')
		buffer_put(out, ".", 1);
	if (encoder->state == LINE_CR && *at == '\n' && piece.len > 1 && at[1] == '.') {
		buffer_put(out, "\n.", 2);
		at++;
	}
	buffer_put(out, at, piece.len - (size_t)(at - piece.at));
	note_end(encoder, piece);
}

void body_encode(struct body_encoder *encoder, struct text piece, struct buffer *out)
{
	const char *at;

	/* Up to each CRLF that a dot follows it is a run, and the dot begins the next. */
	while (piece.len > 0 && (at = memmem(piece.at, piece.len, "\r\n.", 3))) {
		size_t len = (size_t)(at + 2 - piece.at);

		body_encode_run(encoder, (struct text){ piece.at, len }, out);
		piece.at += len;
		piece.len -= len;
	}
	body_encode_run(encoder, piece, out);
}

void body_encode_end(struct body_encoder *encoder, struct buffer *out)
{
	buffer_text(out, encoder->state == LINE_START ? ".\r\n" : "\r\n.\r\n");
	*encoder = (struct body_encoder){ 0 };
}
