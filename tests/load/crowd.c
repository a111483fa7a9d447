/* SPDX-License-Identifier: ISC */
/*
 * A crowd: many peers of a `handfast respond` on this machine, in one process
 * and from many addresses of the loopback, as tests/load wants them.
 *
 *     crowd --port N [options] KIND...
 *
 * KINDs take turns: serve:TOKEN, hold:TOKEN, bare:TOKEN, hello, box, silent,
 * drip, crawl, touch, garbage, reset, finish; TOKEN is certificate:NAME,
 * password:USER:FILE or ticket:FILE, and the files lie here. It begins peers,
 * counts what became of them and says it as lines of JSON; whether that is
 * good it does not know.
 */
#include <sys/resource.h>

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"

enum { TICK_MS = 1, GRACE_MS = 20000, MS = 1000000 };

struct crowd crowd = { .first_source = 1, .sources = 1 };

static struct kind kinds[KINDS_MAX];
static unsigned kinds_n;
static uint64_t count = UINT64_MAX, begun, began, over;
static unsigned at_once = 1000, rate, held, asked, echoed;
static double seconds = 10;
static int stay, background, ending, beginning;
static uv_timer_t timer;
static uv_pipe_t input;

void
give_up(const char *what, const char *why)
{
	(void)fprintf(stderr, "crowd: %s: %s\n", what, why);
	exit(1);
}

void
must(enum hf_err e, const char *what)
{
	if (e != HF_OK)
		give_up(what, hf_error_name((int)e));
}

static void
event(const char *name, uint64_t n)
{
	(void)printf("{\"event\": \"%s\", \"n\": %llu}\n", name,
	    (unsigned long long)n);
	(void)fflush(stdout);
}

void
count_time(struct kind *k, uint64_t ns)
{
	if (k->us_n < HIST_MAX)
		k->us[k->us_n++] = (uint32_t)(ns / 1000);
}

void
count_error(struct kind *k, enum hf_err e)
{
	size_t i;

	for (i = 0; i < ERRORS_MAX && k->error[i].n > 0; i++)
		if (k->error[i].err == e)
			break;
	if (i == ERRORS_MAX)
		return;
	k->error[i].err = e;
	k->error[i].n++;
}

void
peer_held(struct kind *k)
{
	k->held++;
	if (++held == at_once)
		event("held", held);
}

void
peer_echoed(void)
{
	if (++echoed == asked)
		event("again", echoed);
}

/* How many should have begun by now. */
static uint64_t
due(void)
{
	uint64_t n = UINT64_MAX;

	if (rate != 0)
		n = (uint64_t)((double)(uv_hrtime() - began) * rate / 1e9);
	return n < count ? n : count;
}

static void
begin(void)
{
	uint64_t n = due();

	if (ending || beginning)
		return;
	beginning = 1;
	while (begun < n && crowd.live < at_once)
		peer_begin(&kinds[begun++ % kinds_n]);
	beginning = 0;
}

/* Those that were told to go have some time for it. */
static void
leave(void)
{
	if (ending)
		return;
	ending = 1;
	over = uv_hrtime();
	peers_leave();
}

static void
settle(void)
{
	if (crowd.live > 0 || (!ending && begun < count))
		return;
	leave();
	uv_stop(crowd.loop);
}

void
peer_gone(void)
{
	begin();
	settle();
}

static void
tick(uv_timer_t *t)
{
	if (!ending && (double)(uv_hrtime() - began) / 1e9 >= seconds)
		leave();
	begin();
	settle();
	if (ending && uv_hrtime() - over > (uint64_t)GRACE_MS * MS)
		uv_stop(t->loop);
}

static void
alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char room[256];

	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(room, sizeof(room));
}

/* Whoever started it says `again`, or goes. */
static void
told(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	if (n < 0) {
		(void)uv_read_stop(stream);
		leave();
		settle();
	} else if (n > 0 && memchr(buf->base, '\n', (size_t)n) != NULL) {
		echoed = 0;
		asked = peers_again();
	}
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t
percentile(const struct kind *k, unsigned percent)
{
	size_t i = k->us_n * percent / 100;

	if (k->us_n == 0)
		return 0;
	return k->us[i < k->us_n ? i : k->us_n - 1];
}

static void
report(struct kind *k, const char *separator)
{
	size_t i;

	qsort(k->us, k->us_n, sizeof(*k->us), compare);
	(void)printf("\"%s\": {\"begun\": %llu, \"good\": %llu, "
		     "\"held\": %llu, \"again\": %llu, \"refused\": %llu, "
		     "\"closed\": %llu, \"unconnected\": %llu, ",
	    k->name, (unsigned long long)k->begun, (unsigned long long)k->good,
	    (unsigned long long)k->held, (unsigned long long)k->again,
	    (unsigned long long)k->refused, (unsigned long long)k->closed,
	    (unsigned long long)k->unconnected);
	(void)printf("\"times\": %zu, \"min_us\": %u, \"p50_us\": %u, "
		     "\"p99_us\": %u, \"max_us\": %u, \"errors\": {",
	    k->us_n, percentile(k, 0), percentile(k, 50), percentile(k, 99),
	    percentile(k, 100));
	if (k->why != 0)
		(void)printf("\"%s\": %llu%s", uv_err_name(k->why),
		    (unsigned long long)k->unconnected,
		    k->error[0].n > 0 ? ", " : "");
	for (i = 0; i < ERRORS_MAX && k->error[i].n > 0; i++)
		(void)printf("%s\"%s\": %llu", i == 0 ? "" : ", ",
		    hf_error_name((int)k->error[i].err),
		    (unsigned long long)k->error[i].n);
	(void)printf("}}%s", separator);
}

static void
report_all(void)
{
	unsigned i;

	(void)printf("{\"event\": \"end\", \"seconds\": %.3f, "
		     "\"left\": %u, \"kinds\": {",
	    (double)(over - began) / 1e9, crowd.live);
	for (i = 0; i < kinds_n; i++)
		report(&kinds[i], i + 1 < kinds_n ? ", " : "}}\n");
}

static void
options(int argc, char **argv)
{
	static const struct option list[] = { { "port", 1, NULL, 'p' },
		{ "from", 1, NULL, 'f' }, { "sources", 1, NULL, 's' },
		{ "seconds", 1, NULL, 't' }, { "count", 1, NULL, 'n' },
		{ "at-once", 1, NULL, 'm' }, { "rate", 1, NULL, 'r' },
		{ "stay", 0, NULL, 'i' }, { "background", 0, NULL, 'b' },
		{ NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", list, NULL)) != -1)
		switch (c) {
		case 'p':
			crowd.port = atoi(optarg);
			break;
		case 'f':
			crowd.first_source = atoi(optarg);
			break;
		case 's':
			crowd.sources = atoi(optarg);
			break;
		case 't':
			seconds = atof(optarg);
			break;
		case 'n':
			count = strtoull(optarg, NULL, 10);
			break;
		case 'm':
			at_once = (unsigned)atoi(optarg);
			break;
		case 'r':
			rate = (unsigned)atoi(optarg);
			break;
		case 'i':
			stay = 1;
			break;
		case 'b':
			background = 1;
			break;
		default:
			exit(2);
		}
	if (crowd.port <= 0 || crowd.sources <= 0 || optind == argc ||
	    argc - optind > KINDS_MAX)
		give_up("usage", "crowd --port N [options] KIND...");
}

/* A crowd in the background stands for machines elsewhere: of this one it gets
 * the time that nobody else wants. */
static void
step_back(void)
{
	const struct sched_param param = { .sched_priority = 0 };

	if (background && sched_setscheduler(0, SCHED_IDLE, &param) != 0)
		give_up("scheduler", "no background");
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	options(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	must(hf_init(), "init");
	crowd.loop = uv_default_loop();
	while (optind < argc)
		kind_make(&kinds[kinds_n++], argv[optind++]);
	(void)uv_timer_init(crowd.loop, &timer);
	(void)uv_timer_start(&timer, tick, TICK_MS, TICK_MS);
	if (stay &&
	    (uv_pipe_init(crowd.loop, &input, 0) != 0 ||
		uv_pipe_open(&input, STDIN_FILENO) != 0 ||
		uv_read_start((uv_stream_t *)&input, alloc, told) != 0))
		give_up("cannot read", "standard input");
	event("ready", kinds_n);
	step_back();
	began = uv_hrtime();
	(void)uv_run(crowd.loop, UV_RUN_DEFAULT);
	report_all();
	return 0;
}
