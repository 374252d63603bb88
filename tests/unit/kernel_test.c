/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real kernel behind struct kernel: a table is made, read, changed, refused, adopted and
 * rendered, in a network namespace of the test's own. Needs root; skipped with the reason if not.
 */
#include "kernel/kernel.h"
#include "model/conf.h"

#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static const char *const configuration =
	"mark-mask 0x1fff;\n"
	"bypass { 10.0.0.0/8; }\n"
	"binding acme { address 192.0.2.11, 2001:db8::11; }\n"
	"binding beta { address 192.0.2.12, 192.0.2.13, 2001:db8::12; }\n"
	"binding four { address 192.0.2.14; }\n"
	"policy {\n"
	"	user 1000 use acme;\n"
	"	user 1001 port 25 use beta;\n"
	"	user 1002 to 203.0.113.0/24, 2001:db8:9::/48 protocol tcp use four;\n"
	"	user 2000-2999 use beta;\n"
	"	user 2100-2199 port 25-30 use four;\n"
	"	group 7 use acme;\n"
	"	source 10.88.0.0/16 use acme;\n"
	"	source 10.88.7.0/24 port 443 use beta;\n"
	"	source 2001:db8:88::/48 use beta;\n"
	"	otherwise protocol icmp reject;\n"
	"	otherwise port 25 reject;\n"
	"}\n";

static bool isolated;

static int isolate(void **state)
{
	(void)state;
	isolated = unshare(CLONE_NEWNET) == 0;
	return 0;
}

#define NEED_ROOT() \
	do { \
		if (!isolated) { \
			print_message("skipped: no network namespace of our own (not root?)\n"); \
			skip(); \
		} \
	} while (0)

/* Every address counts as present. */
static void everything_local(struct facts *facts)
{
	struct prefix all4 = { .ip = { .len = 4 } }, all6 = { .ip = { .len = 16 } };

	*facts = (struct facts){ 0 };
	facts->local.at = calloc(2, sizeof *facts->local.at);
	facts->local.at[0] = all4;
	facts->local.at[1] = all6;
	facts->local.n = facts->local.room = 2;
}

static void plan_of(const char *text, struct plan *ret)
{
	struct model AUTO(model_drop) model = { 0 };
	struct diag AUTO(diag_drop) diag = { 0 };
	struct facts AUTO(facts_drop) facts;
	char path[] = "/tmp/outbind-kernel-test-XXXXXX";
	uint32_t numbers[16];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	for (uint32_t i = 0; i < ARRAY_LEN(numbers); i++)
		numbers[i] = i + 1;
	int r = conf_read(path, &conf_system, &model, &diag);
	for (size_t i = 0; i < diag.n; i++)
		print_message("%u:%u: %s\n", diag.at[i].where.line, diag.at[i].where.column,
			      diag.at[i].text);
	unlink(path);
	assert_int_equal(r, 0);
	everything_local(&facts);
	facts.cgroup_ids = calloc(model.cgroups.n + 1, sizeof *facts.cgroup_ids);
	assert_int_equal(plan_build(&model, numbers, &facts, ret, &diag), 0);
}

static struct kernel *open_kernel(const struct kernel_options *options)
{
	struct kernel_error error;
	struct kernel *k = NULL;
	int r = kernel_open(options, &k, &error);

	if (r < 0)
		print_message("kernel_open: %s\n", error.text);
	assert_int_equal(r, 0);
	return k;
}

/* Every row of the plan is in the kernel, with its value; @want false: none is. */
static void check_rows(struct kernel *k, const struct plan *plan, bool want)
{
	for (size_t set = 0; set < SETS; set++) {
		const struct set_shape *shape = &plan_shapes[set];

		for (size_t i = 0; i < plan->sets[set].n; i++) {
			const uint8_t *row = plan->sets[set].at + i * shape->row_len;
			uint8_t value[DATA_MAX] = { 0 };
			bool found = !want;
			int r = k->read_element(k, (enum set_id)set, row, &found, value);

			if (r < 0 || found != want ||
			    (want && memcmp(value, row_value(shape, row), shape->data_len) != 0))
				fail_msg("%s row %zu: got r=%d found=%d, want found=%d",
					 shape->name, i, r, found, want);
		}
	}
}

static void apply(struct kernel *k, const struct plan *from, const struct plan *to)
{
	struct ops AUTO(ops_drop) ops = { 0 };
	struct kernel_error error = { 0 };
	struct table_about about;

	diff_plans(to, from, &ops);
	assert_int_equal(k->read_table(k, &about), 0);
	int r = k->commit(k, &ops, to, about.generation, &error);
	if (r < 0)
		fail_msg("commit: %s (set %s)", error.text, plan_shapes[error.set].name);
}

static void test_made_changed_and_read(void **state)
{
	const struct kernel_options options = { .table = "outbind" };
	struct plan AUTO(plan_drop) plan = { 0 }, AUTO(plan_drop) empty = { 0 };
	struct kernel_error error;
	struct table_about about;
	char digest[DIGEST_TEXT];
	struct kernel *k;

	(void)state;
	NEED_ROOT();
	plan_of(configuration, &plan);
	plan_of("mark-mask 0x1fff;", &empty);
	k = open_kernel(&options);
	assert_int_equal(k->read_table(k, &about), 0);
	assert_int_equal(about.state, TABLE_ABSENT);
	int r = k->replace_table(k, &plan, &error);
	if (r < 0)
		fail_msg("replace: %s", error.text);
	check_rows(k, &plan, true);
	assert_int_equal(k->read_table(k, &about), 0);
	plan_digest(&plan, digest);
	assert_int_equal(about.state, TABLE_OURS);
	assert_string_equal(about.plan_digest, digest);
	assert_string_equal(about.template_digest, k->template_digest);
	assert_false(about.damaged);
	for (int i = 0; i < 3; i++) {		/* to empty and back: every kind of row both ways */
		apply(k, &plan, &empty);
		assert_int_equal(k->read_table(k, &about), 0);
		assert_false(about.damaged);
		apply(k, &empty, &plan);
		check_rows(k, &plan, true);
	}
	assert_int_equal(k->replace_table(k, &plan, &error), 0);
	check_rows(k, &plan, true);
	assert_int_equal(k->remove_table(k), 0);
	assert_int_equal(k->read_table(k, &about), 0);
	assert_int_equal(about.state, TABLE_ABSENT);
	k->close(k);
}

static void test_owned_and_adopted(void **state)
{
	const struct kernel_options options = { .table = "outbind" };
	struct plan AUTO(plan_drop) plan = { 0 };
	struct kernel_error error;
	struct table_about about;
	struct kernel *first, *second;

	(void)state;
	NEED_ROOT();
	plan_of(configuration, &plan);
	first = open_kernel(&options);
	if (!first->features.persist) {
		first->close(first);
		print_message("skipped: this kernel has no table owner with persist\n");
		skip();
	}
	assert_int_equal(first->replace_table(first, &plan, &error), 0);
	second = open_kernel(&options);
	assert_int_equal(second->read_table(second, &about), 0);
	assert_int_equal(about.state, TABLE_OWNED);
	assert_int_not_equal(about.owner, 0);
	assert_int_equal(second->adopt_table(second, &error), -EPERM);
	assert_int_equal(second->replace_table(second, &plan, &error), -EPERM);
	assert_int_equal(system("nft flush ruleset"), 0);
	check_rows(second, &plan, true);
	first->close(first);
	assert_int_equal(second->read_table(second, &about), 0);
	assert_int_equal(about.state, TABLE_OURS);
	assert_int_equal(second->adopt_table(second, &error), 0);
	check_rows(second, &plan, true);
	apply(second, &plan, &plan);		/* the adopted table's size is known: no false damage */
	assert_int_equal(second->read_table(second, &about), 0);
	assert_false(about.damaged);
	assert_int_equal(second->remove_table(second), 0);
	second->close(second);
}

static void test_refusal_names_the_row(void **state)
{
	const struct kernel_options options = { .table = "outbind", .no_owner = true };
	struct plan AUTO(plan_drop) plan = { 0 }, AUTO(plan_drop) more = { 0 };
	struct ops AUTO(ops_drop) ops = { 0 };
	struct kernel_error error = { 0 };
	struct table_about about;
	struct kernel *k;
	uint32_t uid = 1501;

	(void)state;
	NEED_ROOT();
	plan_of("mark-mask 0x1fff; binding a { address 192.0.2.1; }", &plan);
	plan_of("mark-mask 0x1fff; binding a { address 192.0.2.1; } policy { user 1500 use a;"
		"user 1501 use a; user 1502 use a; }", &more);
	k = open_kernel(&options);
	assert_int_equal(k->replace_table(k, &plan, &error), 0);
	assert_int_equal(system("nft add element inet outbind by_user '{ 1501 : 0x99 }'"), 0);
	diff_plans(&more, &plan, &ops);
	assert_int_equal(k->commit(k, &ops, &more, 0, &error), -EEXIST);
	assert_non_null(error.row);
	assert_int_equal(error.set, SET_BY_USER);
	assert_memory_equal(error.row, &uid, sizeof uid);
	/* Nothing of it was applied. */
	uid = 1500;
	bool found = true;
	uint8_t value[DATA_MAX];
	assert_int_equal(k->read_element(k, SET_BY_USER, (uint8_t *)&uid, &found, value), 0);
	assert_false(found);
	/* A generation that has passed. */
	assert_int_equal(k->read_table(k, &about), 0);
	assert_int_equal(system("nft add table inet somebody"), 0);
	assert_int_equal(k->commit(k, &ops, &more, about.generation, &error), -ERESTART);
	/* Damage is seen: a rule of ours is gone. */
	assert_int_equal(system("nft flush chain inet outbind guard"), 0);
	assert_int_equal(k->read_table(k, &about), 0);
	assert_true(about.damaged);
	assert_int_equal(k->remove_table(k), 0);
	k->close(k);
}

static void read_all(const char *command, char *out, size_t room)
{
	FILE *pipe = popen(command, "r");
	size_t n;

	assert_non_null(pipe);
	n = fread(out, 1, room - 1, pipe);
	out[n] = '\0';
	assert_int_equal(pclose(pipe), 0);
}

static void test_render_makes_the_same_table(void **state)
{
	const struct kernel_options options = { .table = "outbind", .no_owner = true };
	static char ours[512 * 1024], theirs[512 * 1024];
	struct plan AUTO(plan_drop) plan = { 0 };
	struct kernel_error error;
	char *AUTO(mem_drop) text = NULL;
	struct kernel *k;
	FILE *pipe;

	(void)state;
	NEED_ROOT();
	plan_of(configuration, &plan);
	k = open_kernel(&options);
	assert_int_equal(k->replace_table(k, &plan, &error), 0);
	read_all("nft list table inet outbind", ours, sizeof ours);
	assert_int_equal(k->remove_table(k), 0);
	assert_int_equal(kernel_render(&options, &plan, NULL, NULL, &text, &error), 0);
	pipe = popen("nft -f -", "w");
	assert_non_null(pipe);
	fputs(text, pipe);
	assert_int_equal(pclose(pipe), 0);
	read_all("nft list table inet outbind", theirs, sizeof theirs);
	assert_string_equal(ours, theirs);
	assert_int_equal(k->remove_table(k), 0);
	k->close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_changed_and_read),
		cmocka_unit_test(test_owned_and_adopted),
		cmocka_unit_test(test_refusal_names_the_row),
		cmocka_unit_test(test_render_makes_the_same_table),
	};

	return cmocka_run_group_tests_name("kernel", tests, isolate, NULL);
}
