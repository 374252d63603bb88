/* SPDX-License-Identifier: MIT */
/*
 * The tag socket's protocol: one SOCK_SEQPACKET message each way per tag, plain text, so that any
 * language can speak it.
 *
 *   request   "TAG 1 NAME" and exactly one descriptor (SCM_RIGHTS): an unconnected inet socket
 *   reply     "OK MARK ADDRESS..."    MARK decimal; the addresses it will leave from
 *             "ERROR CODE TEXT"       CODE one of below, TEXT one line for people
 *
 * A connection may carry any number of tags, one after the other.
 */
#pragma once

#define TAG_SOCKET_NAME		"tag"		/* in the runtime directory */
#define TAG_REQUEST_PREFIX	"TAG 1 "
#define TAG_REPLY_OK		"OK "
#define TAG_REPLY_ERROR		"ERROR "

enum { TAG_REQUEST_MAX = 6 + 63, TAG_REPLY_MAX = 8192 };

#define TAG_UNKNOWN	"unknown-binding"	/* no such binding */
#define TAG_DENIED	"not-allowed"		/* the peer may not use it */
#define TAG_UNUSABLE	"unusable"		/* cannot carry the family of the socket now */
#define TAG_BAD_SOCKET	"bad-socket"		/* not an unconnected inet socket, or not one descriptor */
#define TAG_BAD_REQUEST	"bad-request"		/* not understood */
