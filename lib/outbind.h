/* SPDX-License-Identifier: MIT */
/*
 * liboutbind: let a socket of your own program leave from a binding of outbind.
 *
 *	int fd = socket(AF_INET6, SOCK_STREAM, 0);
 *	int r = outbind_tag(fd, "acme", NULL, 0);
 *
 *	if (r < 0)
 *		... do not connect: without its tag the socket would leave from another address
 *	connect(fd, ...);
 */
#ifndef OUTBIND_H
#define OUTBIND_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * outbind_tag - have the agent mark a socket, so that it leaves from a binding
 * @fd:      an inet socket that is not connected yet; stays yours, whatever the outcome
 * @binding: name of the binding, 1 to 63 bytes
 * @reply:   receives one line of text, always NUL-terminated, cut to @room: on success the
 *           addresses that the socket can leave from, separated by spaces; on failure the reason,
 *           for people. May be NULL.
 * @room:    bytes at @reply; 0 if it is NULL
 *
 * Asks the agent at /run/outbind/tag, or in the directory that the environment variable
 * OUTBIND_RUNTIME_DIR names (not read in set-user-ID programs), and waits at most 5 seconds.
 * Thread-safe: there is no state between calls. Raises no signal, leaks no descriptor into a
 * program that is executed meanwhile. Needs no privilege; the agent decides who may take which
 * binding by the credentials of the calling process.
 *
 * Returns 0, or without having tagged the socket for certain:
 *   -ENOENT        there is no such binding
 *   -EPERM         this process may not take it, or may not talk to the agent
 *   -ENETUNREACH   the binding cannot carry the family of the socket now
 *   -EINVAL        @fd is not an unconnected inet socket, or @binding is not a name
 *   -EHOSTDOWN     the agent is not there
 *   -ETIMEDOUT     the agent did not answer in time
 *   -EPROTO        the agent answered something else
 *   another negative errno if a system call failed (-EMFILE, ...)
 */
int outbind_tag(int fd, const char *binding, char *reply, size_t room);

#ifdef __cplusplus
}
#endif

#endif
