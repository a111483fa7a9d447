/* SPDX-License-Identifier: ISC */
/*
 * make bench-stores: what a checkpoint and a takeover cost at each store, by
 * real servers on unix sockets, with few sessions in it and with many; and the
 * bytes that a session takes. A takeover asks three times: it reads, claims
 * and confirms. What it computes beside that does not depend on the store.
 *
 *     bench_stores N FILE.json [lmdb|redis|postgres]
 */
#include <sys/stat.h>

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "filling.h"
#include "servers.h"

enum { FEW = 1000, RUNS = 3000 };

static uv_loop_t loop;
static struct hf_store *store, *other;
static struct hf_port *port, *other_port;
static struct server server;
static char dir[] = "/dev/shm/handfast-bench.XXXXXX";
static FILE *json;
static size_t rows;

static void
must(int good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "bench_stores: %s failed: %s\n", what,
	    hf_store_reason(store));
	exit(1);
}

static void
row(const char *name, const char *engine, double value)
{
	(void)fprintf(json, "%s\n  \"%s%s%s\": %.4g", rows++ == 0 ? "{" : ",",
	    name, *engine == '\0' ? "" : "_", engine, value);
	(void)printf("%s%s%s %.4g\n", name, *engine == '\0' ? "" : "_", engine,
	    value);
}

static unsigned long waiting;
static enum hf_err last;

static void
done(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	(void)arg;
	(void)value;
	(void)len;
	waiting--;
	last = e;
}

static void
wait_for(unsigned long n)
{
	while (waiting > n)
		(void)uv_run(&loop, UV_RUN_ONCE);
	must(last == HF_OK, "an operation");
}

static void
swap(struct hf_port *p, unsigned long n, unsigned long from,
    unsigned long version)
{
	uint8_t key[18], old[FILLING_ENTRY], next[FILLING_ENTRY];

	waiting++;
	must(hf_port_swap(p, filling_key(key, n),
		 from == 0 ? (struct hf_span){ NULL, 0 } :
			     filling_entry(old, n, from),
		 filling_entry(next, n, version), (uint64_t)time(NULL) + 86400,
		 done, NULL) != NULL,
	    "a swap");
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median, in microseconds, of what is done to sessions of their own. */
static double
measure(unsigned long of, unsigned long begin, int takeover)
{
	static double us[RUNS];
	uint8_t key[18];
	uint64_t at;
	size_t i;

	for (i = 0; i < RUNS; i++) {
		unsigned long n = (begin + i) % of;

		at = uv_hrtime();
		if (takeover) {
			waiting++;
			must(hf_port_get(other_port, filling_key(key, n), done,
				 NULL) != NULL,
			    "a get");
			wait_for(0);
			swap(other_port, n, 1, 2);
			wait_for(0);
			swap(other_port, n, 2, 1);
		} else
			swap(port, n, 1, 1);
		wait_for(0);
		us[i] = (double)(uv_hrtime() - at) / 1000;
	}
	qsort(us, RUNS, sizeof(us[0]), compare);
	return us[RUNS / 2];
}

/* Bytes on its disk or in its memory. */
static double
size_of(const char *engine)
{
	char command[512], line[64] = "";
	FILE *f;

	if (strcmp(engine, "redis") == 0)
		(void)snprintf(command, sizeof(command),
		    "redis-cli -s %s info memory | "
		    "sed -n 's/^used_memory:\\([0-9]*\\).*/\\1/p'",
		    server.socket);
	else if (strcmp(engine, "postgres") == 0)
		(void)snprintf(command, sizeof(command),
		    "psql -qtA -c \"SELECT pg_total_relation_size("
		    "'handfast.entry')\" '%s'",
		    server.uri);
	else
		(void)snprintf(command, sizeof(command),
		    "du -s -B1 %s | cut -f1", dir);
	must((f = popen(command, "r")) != NULL &&
		fgets(line, sizeof(line), f) != NULL && pclose(f) == 0,
	    command);
	return strtod(line, NULL);
}

static void
run(const char *engine, const char *uri, unsigned long many)
{
	uint64_t began;
	double size, few, lots;

	must(hf_store_open(&store, uri) == HF_OK, "opening");
	must(hf_store_open(&other, uri) == HF_OK, "opening");
	must(hf_port_open(&port, store, &loop) == HF_OK &&
		hf_port_open(&other_port, other, &loop) == HF_OK,
	    "a port");
	hf_port_deadline(port, 60000);
	hf_port_deadline(other_port, 60000);
	size = size_of(engine);
	filling(port, &loop, 0, FEW);
	row("checkpoint_us", engine, measure(FEW, 0, 0));
	few = measure(FEW, 0, 1);
	row("takeover_store_us", engine, few);
	began = uv_hrtime();
	filling(port, &loop, FEW, many);
	row("session_fill_us", engine,
	    (double)(uv_hrtime() - began) / 1000 / (double)(many - FEW));
	row("session_bytes", engine, (size_of(engine) - size) / (double)many);
	row("checkpoint_us_many", engine, measure(many, many / 3, 0));
	lots = measure(many, many / 2, 1);
	row("takeover_store_us_many", engine, lots);
	row("takeover_store_many_over_1k", engine, lots / few);
	hf_port_close(port);
	hf_port_close(other_port);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	hf_store_close(store);
	hf_store_close(other);
}

static void
run_lmdb(unsigned long many)
{
	char uri[80], command[80];

	must(mkdtemp(dir) != NULL, dir);
	(void)snprintf(uri, sizeof(uri), "lmdb:%s", dir);
	run("lmdb", uri, many);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	must(system(command) == 0, command);
}

static int
wanted(const char *only, const char *engine)
{
	return only == NULL || strcmp(only, engine) == 0;
}

int
main(int argc, char **argv)
{
	unsigned long many = argc >= 3 ? strtoul(argv[1], NULL, 10) : 0;
	const char *only = argc == 4 ? argv[3] : NULL;
	char why[HF_STORE_REASON_MAX];

	if (many < FEW + RUNS) {
		(void)fprintf(stderr,
		    "usage: bench_stores N FILE.json "
		    "[lmdb|redis|postgres]\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	must(hf_init() == HF_OK && uv_loop_init(&loop) == 0, "init");
	must((json = fopen(argv[2], "w")) != NULL, argv[2]);
	row("store_sessions_many", "", (double)many);
	if (wanted(only, "lmdb"))
		run_lmdb(many);
	if (wanted(only, "redis") && have_redis()) {
		redis_start(&server, NULL);
		run("redis", server.uri, many);
		server_stop(&server);
	}
	if (wanted(only, "postgres") && have_postgres()) {
		postgres_start(&server);
		must(hf_store_init(server.uri, NULL, 60000, why) == HF_OK,
		    why);
		run("postgres", server.uri, many);
		server_stop(&server);
	}
	(void)fprintf(json, "\n}\n");
	return fclose(json) != 0;
}
