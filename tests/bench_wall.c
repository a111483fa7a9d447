/* SPDX-License-Identifier: ISC */
/*
 * bench-wall PROGRAM FILE.json [lmdb|redis|postgres [N]]: what a client waits
 * for until it hears the first byte back, from connecting on, by a handshake
 * and by a takeover, in turns: real responders that echo, each a process, on
 * one store, over unix sockets; Redis and PostgreSQL are real servers on unix
 * sockets too. The path of one round trip and known certificates, so the
 * shortest handshake there is. Medians; adds to the figures that bench wrote. A
 * client that rests makes its next reply key beforehand, as handfast initiate
 * does: that is measured by itself, and the first figures are without it.
 *
 * With N: takeovers of sessions that were stored before all others, while a
 * thousand stand in the store and then N, and no other figure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"
#include "filling.h"
#include "real.h"
#include "servers.h"

enum {
	MOVES = 8,
	SAMPLES = 50 * MOVES,
	REST_US = 3000, /* what was before is over */
	WORD = 16,
	WORDS = MOVES + 1,
	TRIES = 5,
	OLD = 400, /* sessions */
	FEW = 1000
};

static struct real real;
static struct server server;
static const char *engine;
static const uint8_t word[WORD] = "first echoed b.";

/* One word more than `sent`, and its echo. What the server had not for good
 * goes with it once more, as it must. Returns 0 where it was refused, or, by a
 * server whose claim came too late, hung up without a word. */
static int
echo(struct real_end *e, uint64_t sent)
{
	static uint8_t out[WORDS * WORD];
	struct hf_bases bases = { 0 };
	struct hf_span data;
	size_t len, at;

	real_open(e);
	if (hf_session_error(e->s) == HF_E_REFUSED ||
	    hf_session_error(e->s) == HF_E_GONE)
		return 0;
	REAL_OK(hf_session_error(e->s));
	if (hf_session_bases(&bases, e->s) != HF_OK)
		bases.own_bytes = sent;
	len = (size_t)(sent + WORD - bases.own_bytes);
	real_must(len % WORD == 0 && len <= sizeof(out), "whole words");
	for (at = 0; at < len; at += WORD)
		memcpy(out + at, word, WORD);
	REAL_OK(hf_session_send(e->s, out, len));
	data = real_receive(e);
	real_must(data.len == WORD && memcmp(data.ptr, word, WORD) == 0,
	    "an echo");
	return 1;
}

static double
handshake(void)
{
	struct real_end e;
	uint64_t began = real_ns();
	double us;

	real_begin(&real, &e, 0);
	real_must(echo(&e, 0), "a session");
	us = (double)(real_ns() - began) / 1e3;
	real_close(&e);
	hf_session_free(e.s);
	(void)usleep(REST_US);
	return us;
}

/* The connection breaks, and the client goes to the other server. Where the
 * one that was left has just written once more that is refused, once in a while,
 * and tried again, as handfast initiate does. */
static double
takeover(struct real_end *e, int to, uint64_t sent, int prepared)
{
	uint64_t began;
	int tries = 0;
	double us;

	if (prepared)
		REAL_OK(hf_session_prepare(e->s));
	do {
		real_must(tries++ < TRIES, "no owner");
		real_close(e);
		(void)!hf_session_eof(e->s);
		(void)usleep(REST_US);
		began = real_ns();
		e->fd = real_connect(&real, to);
		REAL_OK(hf_session_reconnect(e->s, real_ns() / 1000000,
		    (uint64_t)time(NULL)));
	} while (!echo(e, sent));
	us = (double)(real_ns() - began) / 1e3;
	(void)usleep(REST_US);
	return us;
}

static const char *
uri_of(char uri[80])
{
	(void)snprintf(uri, 80, "lmdb:%s/db", real.dir);
	return *server.uri != '\0' ? server.uri : uri;
}

/* Once, to the end: an LMDB is not opened twice by one process. */
static struct hf_store *
the_store(void)
{
	static struct hf_store *store;
	char uri[80];

	if (store == NULL)
		REAL_OK(hf_store_open(&store, uri_of(uri)));
	return store;
}

/* Until its server has stored it, which may take longer than a rest. */
static void
await_stored(const struct real_end *e)
{
	static uint8_t value[HF_STORE_VALUE_MAX];
	uint8_t key[2 + HF_SID_BYTES] = { 's', '/' };
	enum hf_err err = HF_E_NO_SESSION;
	struct hf_store *store = the_store();
	size_t len;
	int n;

	memcpy(key + 2, hf_session_id(e->s).ptr, HF_SID_BYTES);
	for (n = 0; n < 5000 && err == HF_E_NO_SESSION; n++) {
		(void)usleep(1000);
		err = hf_store_get(store, (struct hf_span){ key, sizeof(key) },
		    value, &len);
	}
	REAL_OK(err);
}

/* One session, and MOVES takeovers of it between as many handshakes. */
static void
round_of(double *shakes, double *moves, int prepared)
{
	struct real_end e;
	int n;

	real_begin(&real, &e, 0);
	real_must(echo(&e, 0), "a session");
	await_stored(&e);
	for (n = 0; n < MOVES; n++) {
		shakes[n] = handshake();
		moves[n] = takeover(&e, n % 2 == 0, WORD * (uint64_t)(n + 1),
		    prepared);
	}
	real_close(&e);
	hf_session_free(e.s);
}

static double
median(double *v, size_t n)
{
	return real_percentile(v, n, 50);
}

static void
add(FILE *f, const char *before, const char *after, double value)
{
	static const char *comma = "";

	if (ftell(f) > 1)
		comma = ",";
	(void)fprintf(f, "%s\n  \"%s_%s%s\": %.4g", comma, before, engine,
	    after, value);
}

/* Where the next figure goes: before the brace that ends the file. */
static FILE *
open_figures(const char *path)
{
	FILE *f;

	if (access(path, F_OK) != 0) {
		real_must((f = fopen(path, "w")) != NULL &&
			fputc('{', f) == '{',
		    path);
		return f;
	}
	f = fopen(path, "r+");
	real_must(f != NULL && fseek(f, -3, SEEK_END) == 0 &&
		fgetc(f) == '\n' && fseek(f, -3, SEEK_END) == 0,
	    path);
	return f;
}

static void
write_figures(const char *path, double shake, double move, double prepared,
    double store)
{
	FILE *f = open_figures(path);

	add(f, "handshake_wall", "_us", shake);
	add(f, "takeover_wall", "_us", move);
	add(f, "takeover_wall_over_handshake", "", move / shake);
	add(f, "takeover_prepared_wall", "_us", prepared);
	add(f, "takeover_prepared_wall_over_handshake", "", prepared / shake);
	add(f, "checkpoint_write", "_us", store);
	(void)fprintf(f, "\n}\n");
	real_must(fclose(f) == 0, path);
}

/* One compare-and-set of a sealed state's size. */
static double
checkpoint_write(void)
{
	static double took[SAMPLES];
	uint8_t value[2][367];
	struct hf_span was = { NULL, 0 };
	struct hf_store *store = the_store();
	uint64_t began;
	size_t i;

	memset(value, 1, sizeof(value));
	for (i = 0; i < SAMPLES; i++) {
		value[i % 2][0] = (uint8_t)i;
		began = real_ns();
		REAL_OK(hf_store_swap(store,
		    (struct hf_span){ (const uint8_t *)"b", 1 }, was,
		    (struct hf_span){ value[i % 2], sizeof(value[0]) },
		    (uint64_t)time(NULL) + 60));
		took[i] = (double)(real_ns() - began) / 1e3;
		was = (struct hf_span){ value[i % 2], sizeof(value[0]) };
	}
	return median(took, SAMPLES);
}

/* Each of the first half at first, then each of the others. */
static double
old_ones(struct real_end *old, double *us)
{
	size_t n;

	for (n = 0; n < OLD / 2; n++) {
		us[n] = takeover(&old[n], 1, WORD, 0);
		real_close(&old[n]);
	}
	return median(us, OLD / 2);
}

static void
among_many(const char *path, unsigned long many)
{
	static struct real_end old[OLD];
	static double us[OLD];
	struct hf_port *port;
	double few, lots;
	uv_loop_t loop;
	FILE *f;
	int n;

	for (n = 0; n < OLD; n++) {
		real_begin(&real, &old[n], 0);
		real_must(echo(&old[n], 0), "a session");
		await_stored(&old[n]);
	}
	real_must(uv_loop_init(&loop) == 0, "a loop");
	REAL_OK(hf_port_open(&port, the_store(), &loop));
	hf_port_deadline(port, 60000);
	filling(port, &loop, 0, FEW);
	few = old_ones(old, us);
	filling(port, &loop, FEW, many);
	lots = old_ones(old + OLD / 2, us);
	hf_port_close(port);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	for (n = 0; n < OLD; n++)
		hf_session_free(old[n].s);
	f = open_figures(path);
	add(f, "takeover_wall_1k", "_us", few);
	add(f, "takeover_wall_many", "_us", lots);
	add(f,
	    many == 1000000 ? "takeover_1m_over_1k" : "takeover_many_over_1k",
	    "", lots / few);
	(void)fprintf(f, "\n}\n");
	real_must(fclose(f) == 0, path);
}

/* Returns 0 where its programs are not here. */
static int
start_store(void)
{
	char why[HF_STORE_REASON_MAX];

	if (strcmp(engine, "redis") == 0) {
		if (!have_redis())
			return 0;
		redis_start(&server, NULL);
	} else if (strcmp(engine, "postgres") == 0) {
		if (!have_postgres())
			return 0;
		postgres_start(&server);
		real_must(hf_store_init(server.uri, NULL, 60000, why) == HF_OK,
		    why);
	}
	return 1;
}

static void
against_handshakes(const char *path)
{
	static double shakes[2 * SAMPLES], moves[SAMPLES], prepared[SAMPLES];
	int i;

	round_of(shakes, moves, 0); /* to warm up */
	for (i = 0; i < SAMPLES; i += MOVES) {
		round_of(shakes + i, moves + i, 0);
		round_of(shakes + SAMPLES + i, prepared + i, 1);
	}
	write_figures(path, median(shakes, 2 * SAMPLES),
	    median(moves, SAMPLES), median(prepared, SAMPLES),
	    checkpoint_write());
}

int
main(int argc, char **argv)
{
	static const char *const does[] = { "--echo", NULL };
	engine = argc >= 4 ? argv[3] : "lmdb";
	if (argc < 3 || argc > 5) {
		(void)fprintf(stderr,
		    "usage: bench-wall PROGRAM FILE.json [STORE [N]]\n");
		return 2;
	}
	if (!start_store())
		return 0;
	/* Where sessions are by default: in memory. */
	real_make_on(&real, argv[1],
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
	    *server.uri != '\0' ? server.uri : "lmdb:db");
	real_serve(&real, 0, does);
	real_serve(&real, 1, does);
	if (argc == 5)
		among_many(argv[2], strtoul(argv[4], NULL, 10));
	else
		against_handshakes(argv[2]);
	real_free(&real);
	server_stop(&server);
	return 0;
}
