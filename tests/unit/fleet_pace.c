/* SPDX-License-Identifier: ISC */
/*
 * Who floods and who waits (spec section 21.3), with processes that are made
 * up: nobody waits alone, nobody who talks waits, and whoever stands in line has
 * his turn in its order.
 */
#include <sys/socket.h>

#include <unistd.h>

#include "agent_own.h"
#include "testing.h"

enum {
	APPS = 32,
	FLOOD = 1 << 17, /* more than the purse has, and than is forgiven */
	TALK_MS = 2000
};

static uv_loop_t loop;
static struct hf_agent *agent;
static struct hf__app *app[APPS];
static int his[APPS], n;

/* A connection of the process that has that number. */
static struct hf__app *
join(uint64_t number)
{
	struct hf__who who = { .pid = 7, .number = number };
	struct hf__app *a;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX,
			     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			     pair),
	    0);
	hf__app_begin(agent, pair[1], 1);
	a = app[n] = LIST_FIRST(&agent->apps);
	his[n++] = pair[0];
	assert_non_null(a);
	hf__flow_leave(agent, a->flow);
	assert_non_null(a->flow = hf__flow_of(agent, &who));
	return a;
}

static void
begin(void)
{
	n = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(hf_agent_new(&agent, &loop, NULL, NULL, NULL));
	/* as if it had just rested */
	agent->purse = FLOOD;
}

static void
end(void)
{
	hf_agent_stop(agent);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_agent_free(agent);
	while (n > 0)
		(void)close(his[--n]);
}

static void
flood(struct hf__app *a)
{
	hf__pace_said(a, FLOOD);
	assert_int_equal(a->flow->floods, 1);
	assert_int_equal(a->flow->talks, 0);
}

/* With nobody else, or with others who flood as well, nobody waits; and who
 * said nothing for a while is nobody. */
static void
alone(void **state)
{
	struct hf__app *a, *b, *c;

	(void)state;
	begin();
	a = join(1);
	b = join(2);
	flood(a);
	flood(a);
	assert_int_equal(hf__pace_waits(a), 0);
	assert_int_equal(hf__pace_turn(a, HF__APP_READ), HF__APP_READ);
	flood(b);
	assert_int_equal(hf__pace_waits(a), 0);
	assert_int_equal(hf__pace_waits(b), 0);
	c = join(3);
	assert_int_equal(hf__pace_waits(a), 0); /* it said nothing so far */
	hf__pace_said(c, 100);
	c->flow->talked_ms -= TALK_MS;
	assert_int_equal(hf__pace_waits(a), 0);
	end();
}

/* Beside one who talks the flood waits when its purse is empty, he does not; each
 * that waits has its turn, first the one that came first. */
static void
in_line(void **state)
{
	struct hf__app *a, *other, *talks;

	(void)state;
	begin();
	a = join(1);
	other = join(1);
	talks = join(2);
	hf__pace_said(talks, 100);
	hf__pace_said(a, FLOOD - 1);
	assert_int_equal(a->flow->floods, 1);
	assert_int_equal(hf__pace_waits(a), 0); /* one byte is left */
	assert_in_range(hf__pace_turn(a, HF__APP_READ), 1, HF__APP_READ / 2);
	assert_int_equal(hf__pace_turn(talks, HF__APP_READ), HF__APP_READ);
	hf__pace_said(a, 1);
	assert_int_equal(hf__pace_waits(a), 1);
	assert_int_equal(hf__pace_waits(a), 1);
	assert_int_equal(hf__pace_waits(talks), 0);
	assert_int_equal(hf__pace_waits(other), 1);
	assert_ptr_equal(TAILQ_FIRST(&agent->line), a);
	assert_ptr_equal(TAILQ_NEXT(a, line), other);
	assert_null(TAILQ_NEXT(other, line));
	/* It is not looked at as long as it stands there. */
	hf__app_watch(a);
	assert_int_equal(uv_is_active((uv_handle_t *)&a->poll), 0);
	while (TAILQ_FIRST(&agent->line) == a)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(a->in_line, 0);
	assert_int_equal(uv_is_active((uv_handle_t *)&a->poll), 1);
	while (!TAILQ_EMPTY(&agent->line))
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(a->flow->in_line, 0);
	assert_true(agent->purse > 0);
	end();
}

/* An empty purse is filled by a rest, and by no less: who has his turn and
 * spends it all lets those behind him wait for the next one. */
static void
one_purse(void **state)
{
	struct hf__app *a;
	uint64_t began = 0;
	int i;

	(void)state;
	begin();
	a = join(1);
	hf__pace_said(join(2), 100);
	/* The first one is longer: all that was worked so far counts. */
	for (i = 0; i < 2; i++) {
		flood(a);
		flood(a);
		assert_int_equal(hf__pace_waits(a), 1);
		began = uv_hrtime();
		while (a->in_line)
			(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	assert_true(uv_hrtime() - began >= 5000000);
	flood(a);
	assert_int_equal(hf__pace_waits(a), 1);
	/* Whoever goes stands in no line. */
	hf__app_drop(a);
	assert_true(TAILQ_EMPTY(&agent->line));
	end();
}

/* One process has so many connections in line, and its next one waits outside. */
static void
crowd(void **state)
{
	struct hf__app *a;
	int i;

	(void)state;
	begin();
	a = join(1);
	hf__pace_said(join(2), 100);
	flood(a);
	flood(a);
	for (i = 0; i < 16; i++) {
		assert_int_equal(hf__pace_crowd(a), 0);
		assert_int_equal(hf__pace_waits(join(1)), 1);
	}
	assert_int_equal(hf__pace_crowd(a), 1);
	end();
}

/* One that floods and stands in line, with a channel that nobody answers. */
static struct hf__app *
carried(struct hf__held *held)
{
	const struct hf_mux_limits limits = { .own = 1,
		.window = HF__APP_WINDOW,
		.send = HF__APP_SEND };
	struct hf__app *a;

	a = join(1);
	hf__pace_said(join(2), 100);
	*held = (struct hf__held){ .agent = agent, .apps = 1 };
	assert_ok(hf_mux_new(&held->mux, HF_INITIATOR, &limits));
	assert_ok(hf_channel_open(&a->channel, held->mux, "", 0));
	a->held = held;
	a->phase = HF__APP_CARRIED;
	flood(a);
	flood(a);
	assert_int_equal(hf__pace_waits(a), 1);
	(void)uv_timer_stop(&agent->rest);
	return a;
}

/* Who goes while he stands in line has gone at once. */
static void
gone(void **state)
{
	struct hf__held held;
	uint64_t until;

	(void)state;
	begin();
	hf__app_watch(carried(&held));
	assert_int_equal(shutdown(his[0], SHUT_RDWR), 0);
	until = hf__agent_ms() + 2000;
	while (!TAILQ_EMPTY(&agent->line) && hf__agent_ms() < until)
		(void)uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(held.apps, 0);
	end();
	hf_mux_free(held.mux);
}

/* Nor does one whose session is lost: its time runs, and what had come is told
 * at once. */
static void
lost(void **state)
{
	static const uint8_t came[] = { 0x83, 1, 0, 0x42, 'h', 'i' };
	static const uint8_t told[] = { 0x82, 1, 0x42, 'h', 'i', /* */
		0x83, 3, 0x18, HF_E_GONE, 0x18, HF_REASON_LOST };
	uint8_t out[HF_FRAMES_MIN];
	struct hf__held held;
	struct hf__app *a;
	size_t len;

	(void)state;
	begin();
	a = carried(&held);
	assert_ok(hf_mux_output(held.mux, out, sizeof(out), &len));
	assert_ok(hf_mux_feed(held.mux, came, sizeof(came)));
	assert_ok(hf_mux_restart(held.mux, HF_REASON_LOST));
	hf__app_lose(a, HF_E_GONE);
	assert_true(TAILQ_EMPTY(&agent->line));
	assert_int_equal(read(his[0], out, sizeof(out)), sizeof(told));
	assert_memory_equal(out, told, sizeof(told));
	end();
	hf_mux_free(held.mux);
}

static unsigned
flows(void)
{
	const struct hf__flow *f;
	unsigned found = 0;

	LIST_FOREACH(f, &agent->flows, of_agent)
		found++;
	return found;
}

/* Who goes and comes again is who he was; but not for ever, and of those who are
 * gone no more than so many are known. */
static void
remembered(void **state)
{
	struct hf__who who = { .pid = 7, .number = 1 };
	struct hf__flow *f;

	(void)state;
	begin();
	f = hf__flow_of(agent, &who);
	assert_non_null(f);
	f->unpaid = FLOOD; /* without a connection there is nobody to pay */
	hf__flow_leave(agent, f);
	for (who.number = 2; who.number < 1000; who.number++)
		hf__flow_leave(agent, hf__flow_of(agent, &who));
	assert_int_equal(flows(), 64);
	who.number = 1;
	assert_ptr_equal(hf__flow_of(agent, &who), f);
	assert_int_equal(f->unpaid, FLOOD);
	hf__pace_look(agent, f->at_ms);
	assert_int_equal(f->floods, 1);
	assert_int_equal(agent->floods, 1);
	hf__pace_look(agent, f->at_ms + 1000);
	assert_int_equal(f->floods, 0);
	assert_int_equal(agent->floods, 0);
	assert_int_equal(flows(), 1);
	hf__flow_leave(agent, f);
	hf__pace_look(agent, f->at_ms);
	assert_int_equal(flows(), 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone),
		cmocka_unit_test(in_line),
		cmocka_unit_test(one_purse),
		cmocka_unit_test(crowd),
		cmocka_unit_test(gone),
		cmocka_unit_test(lost),
		cmocka_unit_test(remembered),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
