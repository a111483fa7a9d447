/* SPDX-License-Identifier: ISC */
/*
 * The inside of an agent, where a process would have to be unlucky: a channel
 * that cannot be opened, two agents that make one key.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_own.h"
#include "testing.h"

enum { MANY = 1 << 20 };

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
	app = LIST_FIRST(&agent->apps);
	assert_non_null(app);
	held = (struct hf__held){ .agent = agent, .apps = 1 };
	assert_ok(hf_mux_new(&held.mux, HF_INITIATOR, &limits));
	app->held = &held;
	app->phase = HF__APP_WAITING;
}

static void
end(void)
{
	if (!LIST_EMPTY(&agent->apps))
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

/* Room for some more in a socket that has all that it takes. */
static void
take_some(void)
{
	uint8_t in[1 << 16];

	assert_true(read(his, in, sizeof(in)) > 0);
}

/* One whose socket has all that it takes, with words behind that. */
static void
begin_full(void)
{
	uint8_t some[4096] = { 0 };

	begin(1);
	while (send(app->fd, some, sizeof(some), MSG_DONTWAIT) > 0)
		continue;
	app->words = calloc(1, MANY);
	assert_non_null(app->words);
	app->words_len = app->words_cap = MANY;
	app->phase = HF__APP_CARRIED;
}

/* Of a lost session what came goes on as long as any of it is taken, be it the
 * rest of one frame; a last word has its time, and no more. */
static void
taken_slowly(void **state)
{
	(void)state;
	begin_full();
	app->finished = 1;
	app->lost = HF_E_GONE;
	app->said_ms = 1;
	hf__app_write(app);
	assert_int_equal(app->said_ms, 1);
	assert_int_equal(app->words_len, MANY);
	take_some();
	hf__app_write(app);
	assert_in_range(app->words_len, 1, MANY - 1);
	assert_int_not_equal(app->said_ms, 1);
	app->phase = HF__APP_SAYING;
	app->said_ms = 1;
	take_some();
	hf__app_write(app);
	assert_int_equal(app->said_ms, 1);
	end();
}

/* The next look at all times. */
static void
look(void)
{
	uint64_t begun = hf__agent_ms();

	while (hf__agent_ms() < begun + 2 * HF__LOOK_MS)
		(void)uv_run(&loop, UV_RUN_ONCE);
}

/* Who has heard his peer's end and goes is read on, however long that takes: not
 * by an agent of his own, for which he would have waited. */
static void
gone_alone(void **state)
{
	static const uint8_t some[HF__APP_SEND];
	size_t taken;
	int alone;

	(void)state;
	for (alone = 0; alone < 2; alone++) {
		begin(1);
		assert_ok(hf_channel_open(&app->channel, held.mux, "", 0));
		assert_ok(
		    hf_channel_send(app->channel, &taken, some, sizeof(some)));
		assert_int_equal(taken, sizeof(some));
		app->phase = HF__APP_CARRIED;
		app->end_told = 1;
		agent->alone = alone;
		hf__app_watch(app);
		assert_int_equal(shutdown(his, SHUT_RDWR), 0);
		look();
		assert_int_equal(LIST_EMPTY(&agent->apps), alone);
		end();
	}
}

/* Who forked since has both ends in a child as well, which lives on: it ends all
 * the same, and what was said before is still there. */
static void
gone_forked(void **state)
{
	char last[2];
	pid_t pid;

	(void)state;
	begin(1);
	assert_int_equal(write(app->fd, "x", 1), 1);
	if ((pid = fork()) == 0) {
		(void)pause();
		_exit(0);
	}
	assert_true(pid != -1);
	hf__app_drop(app);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(read(his, last, sizeof(last)), 1);
	assert_int_equal(read(his, last, sizeof(last)), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	end();
}

/* The peer broke the rules of channels: all of them are over, and their
 * applications hear of that and not of a cut, also who asks before its session
 * has ended. */
static void
broken_rules(void **state)
{
	static const uint8_t never_opened[] = { 0x82, 3, 7 };

	(void)state;
	begin(1);
	assert_ok(hf_channel_open(&app->channel, held.mux, "", 0));
	app->phase = HF__APP_CARRIED;
	assert_err(hf_mux_feed(held.mux, never_opened, sizeof(never_opened)),
	    HF_E_UNEXPECTED);
	assert_int_equal(hf_channel_reason(app->channel), HF_REASON_LOST);
	hf__app_write(app);
	assert_int_equal(app->phase, HF__APP_CARRIED);
	hf__app_lose(app, HF_E_UNEXPECTED);
	told(HF_E_UNEXPECTED, HF_REASON_LOST);
	end();
}

/* However little is taken at a time, a minute after the loss it is over; not
 * before. */
static void
lost_slowly(void **state)
{
	enum { MINUTE_MS = 60000 };

	(void)state;
	begin_full();
	assert_ok(hf_channel_open(&app->channel, held.mux, "", 0));
	assert_ok(hf_mux_restart(held.mux, HF_REASON_LOST));
	hf__app_lose(app, HF_E_GONE);
	assert_int_equal(app->lost, HF_E_GONE);
	assert_in_range(hf__agent_ms() - app->lost_ms, 0, 1000);
	app->lost_ms -= MINUTE_MS - 5000;
	take_some();
	look();
	assert_int_equal(app->phase, HF__APP_CARRIED);
	assert_in_range(hf__agent_ms() - app->said_ms, 0, 1000);
	app->lost_ms -= 5000;
	take_some();
	look();
	assert_int_equal(app->phase, HF__APP_SAYING);
	assert_int_equal(app->err, HF_E_GONE);
	assert_int_equal(app->reason, HF_REASON_LOST);
	end();
}

static struct hf__flow *paid;
static uint64_t paid_ms;

/* What is told is written somewhere; meanwhile somebody pays. */
static void
tell_slowly(void *owner, const struct hf_agent_event *event)
{
	uint64_t begun = hf__agent_ms();

	(void)owner;
	(void)event;
	while (hf__agent_ms() == begun)
		continue;
	paid->at_ms = paid_ms = hf__agent_ms();
}

/* A look that takes a while: a session that nobody uses since then stays as
 * long as it may, and who paid since then is forgiven nothing yet. */
static void
looked_slowly(void **state)
{
	static struct hf_peers file;
	static struct hf__entry entry = { .file = &file, .idle_ms = 60000 };
	const struct hf__who who = { .pid = 7 };
	struct hf__held *broken;

	(void)state;
	file.refs = 1;
	paid_ms = 0;
	begin(1);
	agent->told = tell_slowly;
	assert_non_null(broken = hf__held_find(agent, &entry));
	assert_non_null(paid = hf__flow_of(agent, &who));
	broken->state = HF_AGENT_BROKEN;
	broken->apps = 1;
	app->held = broken;
	app->entry = &entry;
	app->phase = HF__APP_SAYING;
	app->said_ms = hf__agent_ms() - 5000;
	while (paid_ms == 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	assert_ptr_equal(LIST_FIRST(&agent->held), broken);
	assert_int_equal(broken->apps, 0);
	assert_true(paid->at_ms >= paid_ms);
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
	char command[160], there[128];
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

/* --- a socket that cannot be made as it should be ---------------------------------- */

static int bad_chmod, bad_lstat;

int
chmod(const char *path, mode_t mode)
{
	int (*real)(const char *, mode_t);

	*(void **)&real = dlsym(RTLD_NEXT, "chmod");
	errno = EIO;
	return bad_chmod ? -1 : real(path, mode);
}

/* Not before there is a socket. */
int
lstat(const char *path, struct stat *st)
{
	int (*real)(const char *, struct stat *), r;

	*(void **)&real = dlsym(RTLD_NEXT, "lstat");
	r = real(path, st);
	if (r != 0 || !bad_lstat || !S_ISSOCK(st->st_mode))
		return r;
	errno = EIO;
	return -1;
}

/* None is left. */
static void
no_socket(void **state)
{
	struct stat made;
	int fd, n;

	(void)state;
	strcpy(dir, "/tmp/handfast-agent.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(key, sizeof(key), "%s/agent", dir);
	for (n = 0; n < 2; n++) {
		bad_chmod = n == 0;
		bad_lstat = n == 1;
		assert_err(hf_agent_bind(&fd, &made, key, 1), HF_E_IO);
		assert_int_equal(errno, EIO);
		assert_int_equal(access(key, F_OK), -1);
	}
	bad_lstat = 0;
	assert_ok(hf_agent_bind(&fd, &made, key, 1));
	(void)close(fd);
	assert_int_equal(unlink(key), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_carried),
		cmocka_unit_test(taken_slowly),
		cmocka_unit_test(gone_alone),
		cmocka_unit_test(gone_forked),
		cmocka_unit_test(broken_rules),
		cmocka_unit_test(lost_slowly),
		cmocka_unit_test(looked_slowly),
		cmocka_unit_test(one_key),
		cmocka_unit_test(no_socket),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
