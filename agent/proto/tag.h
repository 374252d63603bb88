/* SPDX-License-Identifier: MIT */
/*
 * The tag socket's protocol: one SOCK_SEQPACKET message each way per request, plain text, so that any
 * language can speak it.
 *
 *   request   "TAG 1 NAME" and exactly one descriptor (SCM_RIGHTS): an unconnected inet socket
 *   reply     "OK MARK ADDRESS..."    MARK decimal; the addresses it will leave from
 *
 * Version 2 is for who must know more, as the relay. WHOM is `name:NAME`, a binding or group, or
 * `address:IP`, the binding that has it. HASH, decimal below 2^32, chooses the member of a group,
 * always the same as long as the members are.
 *
 *   request   "ASK 2 HASH WHOM"       what it would leave from; no descriptor
 *   request   "TAG 2 HASH WHOM"       the same and mark the socket that comes with it
 *   request   "WATCH 2"               tell me when anything that an ASK may answer has changed
 *   reply     "OK KEY=VALUE..."       separated by one space; unknown keys are to be ignored:
 *                mark=N binding=NAME       the binding that it is, a member if a group was asked for
 *                ehlo=NAME ehlo6=NAME      if it has one; the second for IPv6 if that differs
 *                address=IP ...            usable addresses, in order; also of who stands in
 *                routed=PREFIX ...         the kernel chooses an address of this
 *                no4=REASON no6=REASON     why a family cannot be used; spaces as '+', last in the reply
 *   message   "CHANGED"               after WATCH, unasked; several changes may be one message
 *
 * Any may be answered "ERROR CODE TEXT": CODE one of below, TEXT one line for people.
 * A connection may carry any number of requests, one after the other; replies are in order, and
 * CHANGED may stand between them.
 */
#pragma once

#define TAG_SOCKET_NAME		"tag"		/* in the runtime directory */
#define TAG_REQUEST_PREFIX	"TAG 1 "
#define TAG_REQUEST2_PREFIX	"TAG 2 "
#define TAG_ASK_PREFIX		"ASK 2 "
#define TAG_WATCH		"WATCH 2"
#define TAG_BY_NAME		"name:"
#define TAG_BY_ADDRESS		"address:"
#define TAG_REPLY_OK		"OK "
#define TAG_REPLY_ERROR		"ERROR "
#define TAG_CHANGED		"CHANGED"

enum { TAG_REQUEST_MAX = 6 + 11 + 8 + 63, TAG_REPLY_MAX = 8192 };

#define TAG_UNKNOWN	"unknown-binding"	/* no such binding */
#define TAG_DENIED	"not-allowed"		/* the peer may not use it */
#define TAG_UNUSABLE	"unusable"		/* cannot carry the family of the socket now */
#define TAG_BAD_SOCKET	"bad-socket"		/* not an unconnected inet socket, or not one descriptor */
#define TAG_BAD_REQUEST	"bad-request"		/* not understood */
#define TAG_TOO_MANY	"too-many"		/* requests in so short a time; later again */
#define TAG_NOT_NOW	"not-now"		/* the agent cannot serve this connection; connect again */
