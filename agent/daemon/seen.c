/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements are too many to be read back, and while no agent runs anybody may change them unseen.
 * What they cannot do is change them without moving the ruleset generation of the network
 * namespace (net/netfilter/nf_tables_api.c, nft_base_seq_inc). So each transaction of ours leaves a
 * note of the generation after it, and an agent that starts adopts the table only if the generation
 * is still that, but for the transactions that its own opening took. Any other software's change
 * also moves it: then the table is written again, which is right, only slower.
 *
 * The note is not synced to the disk: a power loss also takes the table. It names the boot and the
 * network namespace, so that it cannot be taken for another one's.
 *
 * Limits: where the table is not owned, a foreign change in the microseconds between our
 * transaction and the note is seen by its notice only, so not if the agent is killed right then.
 */
#include "daemon/seen.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SEEN_TEXT = 160 };

static void read_boot(char out[static 37])
{
	AUTO(fd_drop)
	struct fd fd = { open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC) };
	ssize_t n = fd.n < 0 ? 0 : read(fd.n, out, 36);

	out[n > 0 ? n : 0] = '\0';
}

void seen_place(char out[static SEEN_PLACE])
{
	struct stat place = { 0 };
	char boot[37];

	read_boot(boot);
	if (stat("/proc/self/ns/net", &place) < 0)
		place.st_ino = 0;
	snprintf(out, SEEN_PLACE, "%s %llu\n", boot, (unsigned long long)place.st_ino);
}

static size_t print(const struct agent *agent, uint32_t generation, char out[static SEEN_TEXT])
{
	char place[SEEN_PLACE];
	int n;

	seen_place(place);
	n = snprintf(out, SEEN_TEXT, "outbind-generation 1\n%.*s %s %u\n",
		     (int)strcspn(place, "\n"), place, agent->options->kernel.table, generation);
	return n < 0 ? 0 : (size_t)n;
}

void seen_note(struct agent *agent, uint32_t generation)
{
	char text[SEEN_TEXT];
	size_t len;

	if (agent->seen == generation)
		return;
	len = print(agent, generation, text);
	/* Without a note the next start writes the table again: nothing that must be said. */
	if (state_note(agent->state, STATE_SEEN, text, len) == 0)
		agent->seen = generation;
}

void seen_note_now(struct agent *agent)
{
	uint32_t generation;

	if (agent->kernel->read_generation(agent->kernel, &generation) == 0)
		seen_note(agent, generation);
}

bool seen_same(const struct agent *agent, uint32_t generation)
{
	AUTO(mem_drop) char *text = NULL;
	char want[SEEN_TEXT];
	size_t len;

	print(agent, generation - agent->kernel->probes, want);
	return state_read(agent->state, STATE_SEEN, &text, &len) == 0 && strcmp(text, want) == 0;
}
