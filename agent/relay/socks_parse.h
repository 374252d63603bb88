/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SOCKS5 as a pure dialogue: RFC 1928, RFC 1929. */
#pragma once

#include "base/types.h"
#include "smtp/buffer.h"

enum socks_state { SOCKS_METHODS, SOCKS_LOGIN, SOCKS_REQUEST, SOCKS_DONE, SOCKS_BAD };

enum socks_code {
	SOCKS_OK,
	SOCKS_FAILED,
	SOCKS_NOT_ALLOWED,
	SOCKS_NETWORK,
	SOCKS_HOST,
	SOCKS_REFUSED,
	SOCKS_TTL,
	SOCKS_COMMAND,
	SOCKS_ADDRESS
};

struct socks {					/* zero is the start of a dialogue */
	enum socks_state state;
	char user[256];				/* "" if none was given */
	char host[256];				/* a name, or "" and: */
	struct ip ip;
	uint16_t port;
	struct buffer in, out;			/* in: what follows the request is the client's */
};

/* Take bytes; until DONE or BAD. `out` is to be sent. */
void socks_feed(struct socks *socks, const uint8_t *bytes, size_t n);
/* The answer to the request; @bound: our address, len 0 if there is none. */
void socks_answer(struct socks *socks, enum socks_code code, const struct ip *bound, uint16_t port);
void socks_drop(struct socks *socks);
