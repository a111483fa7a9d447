/* SPDX-License-Identifier: ISC */
/*
 * The inside of an agent, where a process would have to be unlucky: a channel
 * that cannot be opened, two agents that make one key.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_own.h"
#include "testing.h"

static uv_loop_t loop;
static struct hf_agent *agent;
static struct hf__held held;
static struct hf__app *app;
static int his = -1; /* the application's end */

/* An application that waits for a session with so many channels. */
static void
begin(size_t own)
{
	const struct hf_mux_limits limits = { .own = own,
		.peers = 0,
		.window = HF__APP_WINDOW,
		.send = HF__APP_SEND };
	int pair[2];

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(hf_agent_new(&agent, &loop, NULL, NULL, NULL));
	assert_int_equal(socketpair(AF_UNIX,
			     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			     pair),
	    0);
	his = pair[0];
	hf__app_begin(agent, pair[1], 1);
	app = agent->apps;
	assert_non_null(app);
	held = (struct hf__held){ .agent = agent, .apps = 1 };
	assert_ok(hf_mux_new(&held.mux, HF_INITIATOR, &limits));
	app->held = &held;
	app->phase = HF__APP_WAITING;
}

static void
end(void)
{
	if (agent->apps != NULL)
		hf__app_drop(app);
	hf_agent_stop(agent);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_agent_free(agent);
	hf_mux_free(held.mux);
	(void)close(his);
}

/* It is told that, and nothing else. */
static void
told(enum hf_err err, enum hf_reason reason)
{
	uint8_t in[64];
	struct hf__wire w;
	size_t used = 0;
	ssize_t n = read(his, in, sizeof(in));

	assert_true(n > 0);
	assert_ok(hf__wire_read(&w, &used, in, (size_t)n, HF__WIRE_ANSWERS));
	assert_int_equal(used, n);
	assert_int_equal(w.type, HF__WIRE_OVER);
	assert_int_equal(w.number[HF__OVER_ERROR], err);
	assert_int_equal(w.number[HF__OVER_REASON], reason);
}

/* Why there is no channel: too many, or what was wrong here. */
static void
not_carried(void **state)
{
	(void)state;
	begin(0);
	hf__app_carry(app);
	told(HF_E_QUOTA, HF_REASON_LIMIT);
	end();
	begin(1);
	assert_err(hf_mux_feed(held.mux, (const uint8_t *)"", 1), HF_E_SHAPE);
	hf__app_carry(app);
	told(HF_E_STATE, HF_REASON_FAILED);
	end();
}

/* --- one key of two agents -------------------------------------------------------- */

static char dir[64], key[80];
static struct hf_agent *other;
static int links;

static void
store(struct hf_agent *a, const char *name)
{
	char place[96], why[HF_WHY_MAX] = "";

	(void)snprintf(place, sizeof(place), "%s/%s", dir, name);
	if (hf_agent_store(a, place, key, why) != HF_OK)
		fail_msg("%s", why);
}

/* As the first one is about to put its key in place another one does so. */
int
link(const char *from, const char *to)
{
	int (*real)(const char *, const char *);

	*(void **)&real = dlsym(RTLD_NEXT, "link");
	if (links++ == 0)
		store(other, "second");
	return real(from, to);
}

static void
one_key(void **state)
{
	char command[128], there[128];
	struct stat st;
	FILE *p;

	(void)state;
	strcpy(dir, "/tmp/handfast-agent.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(key, sizeof(key), "%s/key", dir);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(hf_agent_new(&agent, &loop, NULL, NULL, NULL));
	assert_ok(hf_agent_new(&other, &loop, NULL, NULL, NULL));
	store(agent, "first");
	assert_int_equal(links, 2);
	assert_memory_equal(agent->rest_key, other->rest_key, HF_KEY_BYTES);
	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	hf_agent_stop(agent);
	hf_agent_stop(other);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	hf_agent_free(agent);
	hf_agent_free(other);
	assert_int_equal(uv_loop_close(&loop), 0);
	/* No draft is left. */
	(void)snprintf(command, sizeof(command), "ls %s; rm -r %s", dir, dir);
	assert_non_null(p = popen(command, "r"));
	there[fread(there, 1, sizeof(there) - 1, p)] = '\0';
	assert_int_equal(pclose(p), 0);
	assert_string_equal(there, "first\nkey\nsecond\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_carried),
		cmocka_unit_test(one_key),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
