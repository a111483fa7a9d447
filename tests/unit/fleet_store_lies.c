/* SPDX-License-Identifier: ISC */
/*
 * A Redis that says how much is to come, and lies; or that never comes to an
 * end: the exact words, in bounded time and memory, and the loop's timers run
 * meanwhile. By one that says what it is told to.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "servers.h"
#include "store.h"
#include "storing.h"
#include "testing.h"

#define LOADED "$40\r\n0123456789012345678901234567890123456789\r\n"
#define SILENT "the store does not answer"
#define NOT_ASKED "the store answers what was not asked"

enum {
	LITTLE_KIB = 64 << 10,
	STREAM = 8 << 20, /* more than is heard of one answer */
	NAMES = 10000
};

/* --- one that says what it is told ------------------------------------------------------ */

static struct server server;

/* It says this to a scan, to any other question, and after that. */
struct says {
	const char *scan, *other;
	size_t more;
};

static void
say(int fd, const char *words, size_t more)
{
	static char bytes[4096] = { 'x' };
	size_t len = strlen(words), n;

	for (; len > 0; words += n, len -= n)
		if ((ssize_t)(n = (size_t)write(fd, words, len)) <= 0)
			_exit(0);
	for (; more > 0; more -= more < sizeof(bytes) ? more : sizeof(bytes))
		if (write(fd, bytes, sizeof(bytes)) <= 0)
			_exit(0);
}

static void
lie(int fd, const void *arg)
{
	const struct says *says = arg;
	char heard[8192];
	ssize_t n;

	while ((n = read(fd, heard, sizeof(heard) - 1)) > 0) {
		heard[n] = '\0';
		if (strstr(heard, "SCRIPT") != NULL)
			say(fd, LOADED, 0);
		else if (strstr(heard, "SCAN") != NULL)
			say(fd, says->scan, 0);
		else if (strstr(heard, "calm") != NULL)
			say(fd, "$-1\r\n", 0);
		else
			say(fd, says->other, says->more);
	}
}

static int
leave(void **state)
{
	(void)state;
	server_stop(&server);
	return 0;
}

/* --- what it costs ------------------------------------------------------------------------- */

/* The most address space that there ever was, in KiB. */
static long
peak(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[200];
	long kib = -1;

	assert_non_null(f);
	while (kib < 0 && fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "VmPeak: %ld", &kib);
	(void)fclose(f);
	assert_true(kib > 0);
	return kib;
}

static uint64_t
ms(void)
{
	return uv_hrtime() / 1000000;
}

static struct {
	uint64_t last, longest;
	int answers;
	enum hf_err err;
} seen;

static void
tick(uv_timer_t *timer)
{
	uint64_t now = ms();

	(void)timer;
	if (seen.last != 0 && now - seen.last > seen.longest)
		seen.longest = now - seen.last;
	seen.last = now;
}

static void
answered(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	(void)arg;
	(void)value;
	(void)len;
	seen.answers++;
	seen.err = e;
}

/* Another loop's timer runs all the while, also when what came is let go. */
static void
keeps_running(struct hf_store *s)
{
	struct hf_port *port;
	uv_timer_t timer;
	uv_loop_t loop;
	int i;

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(hf_port_open(&port, s, &loop));
	(void)uv_timer_init(&loop, &timer);
	(void)uv_timer_start(&timer, tick, 10, 10);
	store_run(&loop, 50);
	assert_non_null(hf_port_swap(port, store_text("k"), store_nothing,
	    store_text("v"), store_later(), answered, NULL));
	for (i = 0; i < 60 && seen.answers == 0; i++)
		store_run(&loop, 50);
	store_run(&loop, 50);
	assert_int_equal(seen.answers, 1);
	assert_err(seen.err, HF_E_STORE);
	hf_port_close(port);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_in_range(seen.longest, 1, 500);
}

/* --- claims -------------------------------------------------------------------------------- */

static void
claimed_arrays(void **state)
{
	static const struct says of[] = {
		{ "", "*100000000\r\n", 0 },
		{ "", "*2147483647\r\n", 0 },
		{ "", "*16385\r\n", 0 },
		{ "", "*2\r\n$-1\r\n*1\r\n*16385\r\n", 0 },
		{ "",
		    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
		    "*1\r\n",
		    0 },
	};
	struct hf_store *s;
	long before;
	size_t i;

	for (i = 0; i < HF__ARRAY_N(of); i++) {
		redis_start_false(&server, lie, &of[i]);
		s = store_open(server.uri);
		before = peak();
		assert_err(store_swap(s, "k", NULL, "v"), HF_E_STORE);
		assert_string_equal(hf_store_reason(s), NOT_ASKED);
		keeps_running(s);
		assert_in_range(peak() - before, 0, LITTLE_KIB);
		hf_store_close(s);
		assert_int_equal(leave(state), 0);
	}
}

/* Room is made for what came, not for what is said to come. */
static void
claimed_lengths(void **state)
{
	static const struct {
		struct says says;
		const char *words;
	} of[] = {
		{ { "", "$1000000000\r\n", 0 }, SILENT },
		{ { "", "$9223372036854775807\r\n", 0 }, SILENT },
		{ { "", "$1000000000\r\n", STREAM }, NOT_ASKED },
		{ { "", "+", STREAM }, NOT_ASKED },
		{ { "", "*9223372036854775807\r\n", 0 }, "that is no Redis" },
	};
	struct hf_store *s;
	long before;
	size_t i;

	for (i = 0; i < HF__ARRAY_N(of); i++) {
		redis_start_false(&server, lie, &of[i].says);
		s = store_open(server.uri);
		hf_port_deadline(s->port,
		    strcmp(of[i].words, SILENT) == 0 ? 300 : 20000);
		before = peak();
		assert_err(store_swap(s, "k", NULL, "v"), HF_E_STORE);
		assert_string_equal(hf_store_reason(s), of[i].words);
		assert_in_range(peak() - before, 0, LITTLE_KIB);
		hf_store_close(s);
		assert_int_equal(leave(state), 0);
	}
}

/* --- listings ------------------------------------------------------------------------------ */

static int
none(void *arg, struct hf_span key, struct hf_span value)
{
	(void)arg;
	(void)key;
	(void)value;
	fail();
	return 0;
}

/* Each answer gets on, and none is the last: that goes on for five minutes, and
 * no longer. Here the time is set to be nearly over. */
static void
endless_scan(void **state)
{
	static const struct says says = { "*2\r\n$1\r\n7\r\n*0\r\n", "", 0 };
	struct hf__page *page = calloc(1, sizeof(*page));
	struct hf_op *op = calloc(1, sizeof(*op));
	struct hf_store *s;
	uint64_t began;

	(void)state;
	memset(&seen, 0, sizeof(seen));
	redis_start_false(&server, lie, &says);
	s = store_open(server.uri);
	op->ask.kind = HF__OP_PAGE;
	op->ask.page = page;
	op->done = answered;
	assert_non_null(hf__port_submit(s->port, op));
	assert_int_equal(op->until - op->by + HF_STORE_DEADLINE_MS, 300000);
	began = ms();
	op->until = hf__store_ms() + 300;
	while (seen.answers == 0 && ms() - began < 5000)
		(void)uv_run(&s->loop, UV_RUN_ONCE);
	assert_int_equal(seen.answers, 1);
	assert_err(seen.err, HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store's listing does not end");
	assert_in_range(ms() - began, 300, 2000);
	/* The connection is as good as before. */
	assert_err(store_get(s, "calm"), HF_E_NO_SESSION);
	hf_store_close(s);
	free(page);
}

static void
endless_names(void **state)
{
	static const char head[] = "*2\r\n$1\r\n7\r\n*10000\r\n";
	struct says says = { NULL, "", 0 };
	struct hf_store *s;
	char *page = malloc(sizeof(head) + NAMES * 160), *at;
	long before;
	int i;

	(void)state;
	assert_non_null(page);
	at = page + sprintf(page, "%s", head);
	for (i = 0; i < NAMES; i++)
		at += sprintf(at, "$139\r\nhandfast:e:m/%0126d\r\n", i);
	says.scan = page;
	redis_start_false(&server, lie, &says);
	s = store_open(server.uri);
	before = peak();
	assert_err(hf_store_list(s, store_text("m/"), none, NULL), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store has more names than can be listed");
	assert_err(store_get(s, "calm"), HF_E_NO_SESSION);
	hf_store_close(s);
	assert_in_range(peak() - before, 0, 600 << 10);
	free(page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(claimed_arrays, leave),
		cmocka_unit_test_teardown(claimed_lengths, leave),
		cmocka_unit_test_teardown(endless_scan, leave),
		cmocka_unit_test_teardown(endless_names, leave),
	};
	char why[HF_STORE_REASON_MAX];

	(void)signal(SIGPIPE, SIG_IGN);
	if (hf_init() != HF_OK)
		return 1;
	if (hf_store_known("redis:///sock", why) == HF_E_UNSUPPORTED) {
		(void)printf("note: no hiredis in this build\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
