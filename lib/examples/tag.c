/* SPDX-License-Identifier: MIT */
/* tag BINDING ADDRESS PORT: connect from a binding. cc tag.c -loutbind */
#include <arpa/inet.h>
#include <outbind.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	char reply[256];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 4 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return fprintf(stderr, "usage: tag BINDING ADDRESS PORT\n"), 2;
	to.sin_port = htons((unsigned short)atoi(argv[3]));
	if (outbind_tag(fd, argv[1], reply, sizeof reply) < 0)	/* no tag, no connect */
		return fprintf(stderr, "%s: %s\n", argv[1], reply), 1;
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		return perror("connect"), 1;
	return printf("connected; leaves from %s\n", reply) < 0;
}
