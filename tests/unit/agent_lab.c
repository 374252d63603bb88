/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See agent_lab.h. */
#include "agent_lab.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/runtime.h"
#include "daemon/monitor.h"

#include <stdio.h>
#include <string.h>

static int read_file(void *context, const char *path, char **ret_text, size_t *ret_len)
{
	const struct lab *lab = context;

	if (strcmp(path, lab->options.config) != 0)
		return -ENOENT;
	*ret_len = strlen(lab->conf);
	*ret_text = mem_text(lab->conf, *ret_len);
	return 0;
}

static int expand(void *context, const char *pattern, char ***ret_paths)
{
	(void)context;
	(void)pattern;
	*ret_paths = mem_zero(1, sizeof **ret_paths);
	return 0;
}

static int no_id(void *context, const char *name, uint32_t *ret)
{
	(void)context;
	(void)name;
	(void)ret;
	return -ESRCH;
}

static int full_disk(void *context, enum state_step step)
{
	const struct lab *lab = context;

	return lab->fail_step == (int)step ? -ENOSPC : 0;
}

static void agent_init(struct lab *lab)
{
	lab->agent = (struct agent){ .options = &lab->options, .world = &lab->world,
				     .state = &lab->state, .kernel = &lab->fake.kernel,
				     .render = fake_render, .monitor = lab->monitor };
}

void lab_init(struct lab *lab)
{
	*lab = (struct lab){ .fail_step = -1 };
	log_mute();
	fake_kernel_init(&lab->fake);
	snprintf(lab->dir, sizeof lab->dir, "/tmp/outbind-test.XXXXXX");
	if (!mkdtemp(lab->dir) || state_open(lab->dir, &lab->state) < 0)
		abort();
	lab->state.before = full_disk;
	lab->state.context = lab;
	lab->options = (struct options){ .config = "test.conf", .runtime_dir = lab->dir,
					 .state_dir = lab->dir, .kernel = { .table = "outbind" } };
	lab->world = (struct conf_world){ read_file, expand, no_id, no_id, lab, false };
	lab->monitor = monitor_new();
	log_listen(monitor_hear, lab->monitor);
	agent_init(lab);
}

void lab_drop(struct lab *lab)
{
	static const char *const files[] = { STATE_MARKS, STATE_MARKS ".new", "lock",
					     "generation", STATE_RUNTIME, STATE_RUNTIME ".new", STATE_LAST,
					     STATE_LAST ".new", STATE_SUSPENDED,
					     STATE_SUSPENDED ".new" };
	char path[128];

	agent_drop(&lab->agent);
	log_listen(NULL, NULL);
	monitor_free(lab->monitor);
	outcome_drop(&lab->out);
	fake_kernel_drop(&lab->fake);
	state_drop(&lab->state);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof path, "%s/%s", lab->dir, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(lab->dir);
}

int lab_start(struct lab *lab, const char *conf)
{
	lab->conf = conf;
	outcome_drop(&lab->out);
	return agent_start(&lab->agent, &lab->out);
}

int lab_reload(struct lab *lab, const char *conf)
{
	lab->conf = conf;
	outcome_drop(&lab->out);
	return agent_reload(&lab->agent, &lab->out);
}

void lab_kill(struct lab *lab)
{
	agent_drop(&lab->agent);
	agent_init(lab);
}

char *lab_marks(struct lab *lab)
{
	char *text;
	size_t len;

	if (state_read(&lab->state, STATE_MARKS, &text, &len) < 0)
		abort();
	return text;
}

char *lab_runtime(struct lab *lab)
{
	AUTO(overlay_drop) struct overlay overlay = { 0 };
	AUTO(outcome_drop) struct outcome out = { 0 };
	size_t len, definitions;

	if (runtime_load(&lab->state, &lab->world, &overlay, &out) < 0)
		abort();
	return overlay_text(&overlay, &len, &definitions);
}

uint32_t lab_mark(const struct lab *lab, const char *binding)
{
	uint32_t index = model_find(&lab->agent.now->model, binding);

	return index == NO_INDEX ? 0 : lab->agent.now->plan.marks[index].host;
}

int lab_setup(void **state, const char *addresses, const char *conf)
{
	struct lab *lab = mem_zero(1, sizeof *lab);
	char *AUTO(mem_drop) list = mem_copy(addresses), *rest = list;

	lab_init(lab);
	for (const char *address; (address = strtok_r(rest, " ", &rest));)
		fake_kernel_address(&lab->fake, address);
	*state = lab;
	return conf ? lab_start(lab, conf) : 0;
}

int lab_teardown(void **state)
{
	lab_drop(*state);
	free(*state);
	return 0;
}
