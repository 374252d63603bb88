/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two or three messages before octets flow. A name and password are asked for if the client
 * has them to give, since the name is that of a binding; the password is not looked at: who may
 * use a listener is said by its address.
 */
#include "relay/socks_parse.h"

#include <string.h>

enum {
	METHOD_NONE = 0,
	METHOD_LOGIN = 2,
	METHOD_NO = 0xff,
	COMMAND_CONNECT = 1,
	TYPE_IPV4 = 1,
	TYPE_NAME = 3,
	TYPE_IPV6 = 4
};

void socks_drop(struct socks *socks)
{
	buffer_drop(&socks->in);
	buffer_drop(&socks->out);
}

static void bad(struct socks *socks)
{
	socks->state = SOCKS_BAD;
}

/* Each takes a whole message, or returns 0: more is needed. */
static size_t take_methods(struct socks *socks, const uint8_t *at, size_t n)
{
	uint8_t answer[2] = { 5, METHOD_NO };

	if (n > 0 && at[0] != 5) {
		bad(socks);
		return 0;
	}
	if (n < 2 || n < 2 + (size_t)at[1])
		return 0;
	if (memchr(at + 2, METHOD_LOGIN, at[1]))
		answer[1] = METHOD_LOGIN;
	else if (memchr(at + 2, METHOD_NONE, at[1]))
		answer[1] = METHOD_NONE;
	buffer_put(&socks->out, answer, sizeof answer);
	socks->state = answer[1] == METHOD_LOGIN  ? SOCKS_LOGIN
		       : answer[1] == METHOD_NONE ? SOCKS_REQUEST
						  : SOCKS_BAD;
	return 2 + (size_t)at[1];
}

static size_t take_login(struct socks *socks, const uint8_t *at, size_t n)
{
	size_t name, whole;

	if (n > 0 && at[0] != 1) {
		bad(socks);
		return 0;
	}
	if (n < 2 || n < 3 + (size_t)at[1])
		return 0;
	name = at[1];
	whole = 3 + name + at[2 + name];
	if (n < whole)
		return 0;
	if (name == 0 || memchr(at + 2, '\0', name)) {
		buffer_put(&socks->out, "\1\1", 2);
		bad(socks);
		return whole;
	}
	memcpy(socks->user, at + 2, name);
	socks->user[name] = '\0';
	buffer_put(&socks->out, "\1\0", 2);
	socks->state = SOCKS_REQUEST;
	return whole;
}

/* Octets of the address of this type, its own length included; 0: more is needed; -1: no such type. */
static ssize_t address_size(const uint8_t *at, size_t n)
{
	switch (at[3]) {
	case TYPE_IPV4:
		return 4;
	case TYPE_IPV6:
		return 16;
	case TYPE_NAME:
		return n < 5 ? 0 : 1 + at[4];
	default:
		return -1;
	}
}

static void take_address(struct socks *socks, const uint8_t *at, size_t size)
{
	if (at[3] == TYPE_NAME) {
		memcpy(socks->host, at + 5, size - 1);
		socks->host[size - 1] = '\0';
	} else {
		socks->ip.len = (uint8_t)size;
		memcpy(socks->ip.octet, at + 4, size);
	}
}

static size_t take_request(struct socks *socks, const uint8_t *at, size_t n)
{
	ssize_t size;

	if (n > 0 && at[0] != 5) {
		bad(socks);
		return 0;
	}
	if (n < 4)
		return 0;
	size = address_size(at, n);
	if (at[1] != COMMAND_CONNECT || size < 0) {
		socks_answer(socks, at[1] != COMMAND_CONNECT ? SOCKS_COMMAND : SOCKS_ADDRESS, NULL,
			     0);
		bad(socks);
		return 0;
	}
	if (size == 0 || n < 4 + (size_t)size + 2)
		return 0;
	take_address(socks, at, (size_t)size);
	socks->port = (uint16_t)(at[4 + size] << 8 | at[5 + size]);
	if ((at[3] == TYPE_NAME && (size == 1 || memchr(socks->host, '\0', (size_t)size - 1))) ||
	    socks->port == 0) {
		socks_answer(socks, SOCKS_ADDRESS, NULL, 0);
		bad(socks);
		return 0;
	}
	socks->state = SOCKS_DONE;
	return 4 + (size_t)size + 2;
}

void socks_feed(struct socks *socks, const uint8_t *bytes, size_t n)
{
	size_t taken = 1;

	buffer_put(&socks->in, bytes, n);
	while (taken > 0 && socks->state < SOCKS_DONE) {
		const uint8_t *at = buffer_bytes(&socks->in);
		size_t len = buffer_len(&socks->in);

		if (len == 0)
			return;
		taken = socks->state == SOCKS_METHODS ? take_methods(socks, at, len)
			: socks->state == SOCKS_LOGIN ? take_login(socks, at, len)
						      : take_request(socks, at, len);
		buffer_take(&socks->in, taken);
	}
}

void socks_answer(struct socks *socks, enum socks_code code, const struct ip *bound, uint16_t port)
{
	static const struct ip none = { .len = 4 };
	uint8_t head[4] = { 5, (uint8_t)code, 0, TYPE_IPV4 },
		tail[2] = { (uint8_t)(port >> 8), (uint8_t)port };

	if (!bound || bound->len == 0)
		bound = &none;
	if (bound->len == 16)
		head[3] = TYPE_IPV6;
	buffer_put(&socks->out, head, sizeof head);
	buffer_put(&socks->out, bound->octet, bound->len);
	buffer_put(&socks->out, tail, sizeof tail);
}
