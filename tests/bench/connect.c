/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connect serve ADDRESS PORT              accept, read one byte, answer it, wait for the end
 * connect load ADDRESS PORT N [UID [BIND]] N connections one after the other: connect, a byte each
 *                                         way, close; prints seconds. UID: run as it; BIND: bind() first
 * connect flood ADDRESS PORT N [UID [BIND]] the same with N datagrams of one byte on one socket
 * connect spread ADDRESS PORT N RATE UID  N datagrams, RATE a second (0: as fast as it goes), to the 250
 *                                         addresses from ADDRESS on and to ports from PORT on: each
 *                                         is a connection of its own for conntrack
 *
 * The same client measures a plain bind() and everything that rewrites behind its back. The server
 * closes first, so that TIME_WAIT is on its side and the client's ports stay free.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address_of(const char *ip, const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	address.sin_port = htons((unsigned short)atoi(port));
	if (inet_pton(AF_INET, ip, &address.sin_addr) != 1)
		fail(ip);
	return address;
}

static void serve(struct sockaddr_in address)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	char byte;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(listener, 4096) < 0)
		fail("listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (read(fd, &byte, 1) == 1)
			(void)!write(fd, &byte, 1);
		close(fd);
	}
}

static void one(struct sockaddr_in to, const char *from)
{
	struct linger abort_close = { .l_onoff = 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	char byte = 'x';

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_close, sizeof abort_close);
	if (from) {
		struct sockaddr_in source = address_of(from, "0");

		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
		if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
			fail("bind");
	}
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		fail("connect");
	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 0)
		fail("exchange");
	close(fd);
}

static void flood(struct sockaddr_in to, long n, const char *from)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (from) {
		struct sockaddr_in source = address_of(from, "0");

		if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
			fail("bind");
	}
	for (long i = 0; i < n; i++)
		if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) < 0)
			fail("sendto");
	close(fd);
}

/* Where the socket's buffer is full, or conntrack's table, the datagram does not count. */
static void spread(struct sockaddr_in to, long n, long rate, uid_t uid)
{
	uint32_t address = ntohl(to.sin_addr.s_addr);
	uint16_t port = ntohs(to.sin_port);
	struct timespec start, now;
	long failed = 0;
	int fd;

	if (setuid(uid) < 0)
		fail("setuid");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < n; i++) {
		double passed = 0;

		to.sin_addr.s_addr = htonl(address + (uint32_t)(i % 250));
		to.sin_port = htons((uint16_t)(port + i / 250 % 60000));
		failed += sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) < 0;
		while (rate && i % 16 == 0 && passed * (double)rate < (double)i) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			passed = (double)(now.tv_sec - start.tv_sec) +
				 (double)(now.tv_nsec - start.tv_nsec) / 1e9;
			if (passed * (double)rate < (double)i - (double)rate / 1000)
				usleep(500);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("%.6f %ld\n", (double)(now.tv_sec - start.tv_sec) +
			     (double)(now.tv_nsec - start.tv_nsec) / 1e9, failed);
}

static void load(struct sockaddr_in to, long n, const char *uid, const char *from, int datagrams)
{
	struct timespec start, end;

	if (uid && setuid((uid_t)atol(uid)) < 0)
		fail("setuid");
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (datagrams)
		flood(to, n, from);
	for (long i = 0; i < n && !datagrams; i++)
		one(to, from);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.6f\n", (double)(end.tv_sec - start.tv_sec) +
			 (double)(end.tv_nsec - start.tv_nsec) / 1e9);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve(address_of(argv[2], argv[3]));
	if (argc >= 5 && (strcmp(argv[1], "load") == 0 || strcmp(argv[1], "flood") == 0)) {
		load(address_of(argv[2], argv[3]), atol(argv[4]), argc > 5 ? argv[5] : NULL,
		     argc > 6 ? argv[6] : NULL, argv[1][0] == 'f');
		return 0;
	}
	if (argc == 7 && strcmp(argv[1], "spread") == 0) {
		spread(address_of(argv[2], argv[3]), atol(argv[4]), atol(argv[5]),
		       (uid_t)atol(argv[6]));
		return 0;
	}
	fprintf(stderr,
		"usage: connect serve ADDRESS PORT | load|flood ADDRESS PORT N [UID [BIND]]\n"
		"       connect spread ADDRESS PORT N RATE UID\n");
	return 2;
}
