/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See diagnosis.h. The thread has the kernel's read_host() alone, which opens sockets of its own and
 * touches nothing that the agent has; what it read is handed over when it has ended. All signals are
 * blocked since the start, so they come to the event loop.
 */
#include "daemon/diagnosis.h"

#include "base/mem.h"
#include "daemon/control.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>

struct diagnosis {
	struct agent *agent;
	struct sd_event_source *on_end;
	struct fd ended;			/* written by the thread when it is at its end */
	pthread_t thread;
	bool running;
	uint64_t begun, finished, wanted;	/* numbers of readings, from 1 */
	struct host reading, host;		/* the thread's; ours, of @finished */
};

static void *work(void *context)
{
	struct diagnosis *diagnosis = context;
	struct kernel *kernel = diagnosis->agent->kernel;
	uint64_t one = 1;

	kernel->read_host(kernel, &diagnosis->reading);
	(void)!write(diagnosis->ended.n, &one, sizeof one);
	return NULL;
}

static void take(struct diagnosis *diagnosis)
{
	host_drop(&diagnosis->host);
	diagnosis->host = diagnosis->reading;
	diagnosis->reading = (struct host){ 0 };
	diagnosis->finished = diagnosis->begun;
}

/* Without a thread it takes its time here. */
static void begin(struct diagnosis *diagnosis)
{
	diagnosis->begun++;
	diagnosis->running = pthread_create(&diagnosis->thread, NULL, work, diagnosis) == 0;
	if (diagnosis->running)
		return;
	diagnosis->agent->kernel->read_host(diagnosis->agent->kernel, &diagnosis->reading);
	take(diagnosis);
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct diagnosis *diagnosis = context;
	uint64_t n;

	(void)source;
	(void)revents;
	if (read(fd, &n, sizeof n) != sizeof n || !diagnosis->running)
		return 0;
	(void)pthread_join(diagnosis->thread, NULL);
	diagnosis->running = false;
	take(diagnosis);
	if (diagnosis->wanted > diagnosis->begun)
		begin(diagnosis);
	control_wake(diagnosis->agent->control);
	return 0;
}

int diagnosis_open(struct sd_event *event, struct agent *agent)
{
	struct diagnosis *diagnosis = mem_zero(1, sizeof *diagnosis);
	int r;

	agent->diagnosis = diagnosis;
	diagnosis->agent = agent;
	diagnosis->ended.n = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (diagnosis->ended.n < 0)
		return -errno;
	r = sd_event_add_io(event, &diagnosis->on_end, diagnosis->ended.n, EPOLLIN, on_end,
			    diagnosis);
	return r < 0 ? r : 0;
}

void diagnosis_close(struct agent *agent)
{
	struct diagnosis *diagnosis = agent->diagnosis;

	if (!diagnosis)
		return;
	if (diagnosis->running)
		(void)pthread_join(diagnosis->thread, NULL);
	sd_event_source_disable_unref(diagnosis->on_end);
	fd_drop(&diagnosis->ended);
	host_drop(&diagnosis->reading);
	host_drop(&diagnosis->host);
	free(diagnosis);
	agent->diagnosis = NULL;
}

uint64_t diagnosis_want(struct diagnosis *diagnosis)
{
	diagnosis->wanted = diagnosis->begun + 1;
	if (!diagnosis->running)
		begin(diagnosis);
	return diagnosis->wanted;
}

const struct host *diagnosis_host(const struct diagnosis *diagnosis, uint64_t number)
{
	return diagnosis->finished >= number ? &diagnosis->host : NULL;
}
