/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Following connections when the kernel refuses for a while: it is tried again, and the log with it. */
#include "agent_lab.h"
#include "daemon/flow_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include <cmocka.h>

static sd_event *event;

static int setup(void **state)
{
	struct lab *lab;

	if (lab_setup(state, "192.0.2.1", "binding a { address 192.0.2.1; }\n") < 0 ||
	    sd_event_new(&event) < 0)
		return -1;
	lab = *state;
	lab->fake.follow_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	follow_open(event, &lab->agent);
	return lab->fake.follow_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	flow_log_close(&lab->agent);
	follow_close(&lab->agent);
	event = sd_event_unref(event);
	(void)close(lab->fake.follow_fd);
	return lab_teardown(state);
}

/* One turn of the loop: is there anybody who reads what the kernel has? */
static bool is_followed(struct lab *lab)
{
	(void)!eventfd_write(lab->fake.follow_fd, 1);
	return sd_event_run(event, 0) > 0;
}

static void test_again_after_a_read(void **state)
{
	struct lab *lab = *state;
	uint64_t position;

	assert_false(is_followed(lab));
	assert_int_equal(follow_join(&lab->agent, &position), 0);
	assert_true(is_followed(lab));
	lab->fake.fail_news = -EIO;
	assert_true(is_followed(lab));		/* and refused */
	assert_false(is_followed(lab));
	follow_check(&lab->agent);
	assert_true(is_followed(lab));
	follow_leave(&lab->agent);
	assert_false(is_followed(lab));
}

static void test_again_after_another_mask(void **state)
{
	struct lab *lab = *state;
	uint64_t position;

	assert_int_equal(follow_join(&lab->agent, &position), 0);
	lab->agent.now->model.mask.host ^= 0x40000000;
	lab->fake.fail_follow = -ENOBUFS;
	follow_check(&lab->agent);
	assert_false(is_followed(lab));
	follow_check(&lab->agent);
	assert_true(is_followed(lab));
	follow_leave(&lab->agent);
}

static void test_log_joins_later(void **state)
{
	struct lab *lab = *state;
	struct flow_log_state log;
	char path[128];

	(void)snprintf(path, sizeof path, "%s/flows", lab->dir);
	lab->fake.fail_follow = -ENOBUFS;
	flow_log_use(&lab->agent, path);
	assert_true(flow_log_read(&lab->agent, &log));
	assert_int_equal(log.error, -ENOBUFS);
	assert_false(is_followed(lab));
	flow_log_look(&lab->agent);
	assert_true(flow_log_read(&lab->agent, &log));
	assert_int_equal(log.error, 0);
	assert_true(is_followed(lab));
	flow_log_close(&lab->agent);
	assert_false(is_followed(lab));
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_again_after_a_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again_after_another_mask, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_joins_later, setup, teardown),
	};

	return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
