/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See listen.h. Only the main thread calls this. */
#include "relay/listen.h"

#include "base/mem.h"
#include "base/sockaddr.h"
#include "model/conf.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

enum { BACKLOG = 4096 };

static socklen_t address_of(const struct relay_endpoint *at, struct sockaddr_storage *ret)
{
	static const struct ip EVERY = { .len = 16 };

	if (at->path)
		return sockaddr_of_path(at->path, ret);
	return sockaddr_of_ip(at->ip.len ? &at->ip : &EVERY, at->port, ret);
}

int listen_clear_path(const char *path)
{
	AUTO(fd_drop) struct fd fd = { socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct sockaddr_storage address;
	struct stat file;

	if (lstat(path, &file) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(file.st_mode))
		return -EEXIST;
	if (connect(fd.n, (struct sockaddr *)&address, sockaddr_of_path(path, &address)) == 0)
		return -EADDRINUSE;
	return unlink(path) < 0 ? -errno : 0;
}

static int open_unix(const struct relay_listener *conf, int *ret)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	struct sockaddr_storage address;
	socklen_t size = address_of(&conf->at, &address);
	mode_t mask;
	int r;

	if (size == 0)
		return -ENAMETOOLONG;
	r = listen_clear_path(conf->at.path);
	if (r < 0)
		return r;
	fd.n = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd.n < 0)
		return -errno;
	mask = umask(0777 & ~(conf->mode ? conf->mode : 0660));
	r = bind(fd.n, (struct sockaddr *)&address, size) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	if (listen(fd.n, BACKLOG) < 0)
		return -errno;
	*ret = fd_take(&fd).n;
	return 0;
}

static int open_inet(const struct relay_endpoint *at, int *ret)
{
	struct sockaddr_storage address;
	socklen_t size = address_of(at, &address);
	AUTO(fd_drop) struct fd fd = { socket(address.ss_family,
					      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) };
	int on = 1, only6 = at->ip.len != 0;

	if (fd.n < 0)
		return -errno;
	if (setsockopt(fd.n, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    setsockopt(fd.n, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
		return -errno;
	if (address.ss_family == AF_INET6 &&
	    setsockopt(fd.n, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof only6) < 0)
		return -errno;
	if (bind(fd.n, (struct sockaddr *)&address, size) < 0 || listen(fd.n, BACKLOG) < 0)
		return -errno;
	*ret = fd_take(&fd).n;
	return 0;
}

static void listening_free(struct listen_set *set, struct listening *one)
{
	for (unsigned i = 0; i < (one->shared ? 1 : set->n_workers); i++)
		if (one->fds[i] >= 0)
			(void)close(one->fds[i]);
	generation_counts_unref(one->counts);
	free(one->fds);
	free(one->key);
	free(one);
}

void listen_take_handed(struct listen_set *set)
{
	int n = sd_listen_fds(1);

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		/* systemd hands them over as they are: accept(2) of one that blocks would hold up a worker. */
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		PUSH(&set->handed, fd);
	}
}

/* A descriptor of this address that was handed over; taken out. -1: none. */
static int take_handed(struct listen_set *set, const struct relay_endpoint *at)
{
	struct sockaddr_storage want;
	socklen_t want_size = address_of(at, &want);

	for (size_t i = 0; i < set->handed.n; i++) {
		struct sockaddr_storage is;
		socklen_t size = sizeof is;
		int fd = set->handed.at[i];

		memset(&is, 0, sizeof is);
		if (getsockname(fd, (struct sockaddr *)&is, &size) < 0 || size < want_size - 1 ||
		    memcmp(&is, &want, want_size < size ? want_size : size) != 0)
			continue;
		set->handed.at[i] = set->handed.at[--set->handed.n];
		return fd;
	}
	return -1;
}

static int open_all(struct listen_set *set, const struct relay_listener *conf,
		    struct listening *into)
{
	int r = 0;

	into->fds[0] = take_handed(set, &conf->at);
	into->shared = into->fds[0] >= 0 || conf->at.path;
	if (into->fds[0] >= 0)
		return sd_is_socket(into->fds[0], AF_UNSPEC, SOCK_STREAM, 1) > 0 ? 0 : -EINVAL;
	if (conf->at.path)
		return open_unix(conf, &into->fds[0]);
	for (unsigned i = 0; i < set->n_workers && r == 0; i++)
		r = open_inet(&conf->at, &into->fds[i]);
	return r;
}

static struct listening *find(struct listen_set *set, const char *key)
{
	for (size_t i = 0; i < set->sockets.n; i++)
		if (strcmp(set->sockets.at[i]->key, key) == 0)
			return set->sockets.at[i];
	return NULL;
}

/* The socket of one listener; a new one is appended to the set. */
static int get(struct listen_set *set, const struct relay_listener *conf, struct listening **ret)
{
	char key[ENDPOINT_TEXT];
	struct listening *one;
	int r;

	conf_relay_endpoint(&conf->at, key, sizeof key);
	one = find(set, key);
	if (!one) {
		one = mem_zero(1, sizeof *one);
		one->key = mem_copy(key);
		one->fds = mem_zero(set->n_workers, sizeof *one->fds);
		one->counts = mem_zero(1, sizeof *one->counts);
		one->counts->refs = 1;
		for (unsigned i = 0; i < set->n_workers; i++)
			one->fds[i] = -1;
		r = open_all(set, conf, one);
		if (r < 0) {
			listening_free(set, one);
			return r;
		}
		for (unsigned i = 1; one->shared && i < set->n_workers; i++)
			one->fds[i] = one->fds[0];
		PUSH(&set->sockets, one);
	}
	*ret = one;
	return 0;
}

int listen_open(struct listen_set *set, struct generation *generation, char *ret_why, size_t room)
{
	size_t before = set->sockets.n;

	for (size_t i = 0; i < generation->n_fronts; i++) {
		struct front_kind *front = &generation->fronts[i];
		struct listening *one = NULL;
		int r = get(set, front->conf, &one);

		if (r < 0) {
			(void)snprintf(ret_why, room, "cannot listen on %s: %s", front->conf->name,
				       strerror(-r));
			while (set->sockets.n > before)
				listening_free(set, set->sockets.at[--set->sockets.n]);
			return r;
		}
		front->fds = mem_zero(set->n_workers, sizeof *front->fds);
		memcpy(front->fds, one->fds, set->n_workers * sizeof *front->fds);
		one->counts->refs++;
		front->counts = one->counts;
	}
	return 0;
}

void listen_retire(struct listen_set *set, const struct generation *generation)
{
	for (size_t i = 0; i < set->sockets.n; i++) {
		bool used = false;

		for (size_t j = 0; generation && j < generation->n_fronts; j++)
			used |= generation->fronts[j].fds[0] == set->sockets.at[i]->fds[0];
		set->sockets.at[i]->used = used;
	}
	for (size_t i = 0; i < set->sockets.n;) {
		if (set->sockets.at[i]->used) {
			i++;
			continue;
		}
		listening_free(set, set->sockets.at[i]);
		set->sockets.at[i] = set->sockets.at[--set->sockets.n];
	}
}

void listen_drop(struct listen_set *set)
{
	listen_retire(set, NULL);
	free(set->sockets.at);
	free(set->handed.at);
}
