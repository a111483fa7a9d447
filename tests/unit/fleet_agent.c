/* SPDX-License-Identifier: ISC */
/*
 * The inside of an agent, where a process would have to be unlucky: a channel
 * that cannot be opened, an application that takes little.
 */
#include <sys/socket.h>

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_carried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
