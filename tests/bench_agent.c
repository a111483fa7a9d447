/* SPDX-License-Identifier: ISC */
/*
 * bench-agent PROGRAM FILE.json: what an application waits for until it has a
 * channel of a session that is shared, against what it waits for a session of
 * its own; and how many bytes eight processes that share a session send and
 * get back in a second, against one with a session of its own. A real agent, a
 * real responder that echoes, each a process, over sockets, in turns. Medians.
 * And how long one waits for a small answer while another floods, against what
 * he waits in silence, the best of three: the slowest hundredth, and the half.
 */
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "real.h"

enum {
	OPENS = 200,
	ROUNDS = 7,
	PROCESSES = 8,
	TOTAL = 64 << 20, /* bytes of a round, there and back */
	BLOCK = 1 << 16,
	ASKED = 3000, /* small answers of a run */
	RUNS = 3,
	CHANNELS = 8
};

/* How one floods. */
enum flood { BULK, BULK_CHANNELS, BULK_PROCESSES, WORDS, OPENS_ONLY, FLOODS };
static const char *const flood_name[FLOODS] = { "bulk", "channels",
	"processes", "words", "opens" };

static struct real real;
static pid_t responder, agent;
static char socket_path[128], file_path[128];

static const char agent_file[] = "socket = \"%s/run/agent\"\n"
				 "peer a {\n"
				 "  address = {\"unix:%s/a.sock\"}\n"
				 "  trust = {\"ca/ca.cert\"}\n"
				 "  expect = \"a\"\n"
				 "  responder-certificate = \"a.cert\"\n"
				 "  identity = \"alice.key\"\n"
				 "  certificate = \"alice.cert\"\n"
				 "}\n";

/* Starts the program in the directory. */
static pid_t
start(const char *const *words, const char *log)
{
	pid_t pid = fork();
	int fd;

	real_must(pid != -1, "fork");
	if (pid != 0)
		return pid;
	if (chdir(real.dir) != 0 ||
	    (fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600)) == -1 ||
	    dup2(fd, 2) == -1)
		_exit(126);
	(void)execv("./handfast", (char **)(uintptr_t)words);
	_exit(127);
}

static void
wait_for(const char *path)
{
	uint64_t until = real_ns() + REAL_WAIT_MS * (uint64_t)1000000;

	while (access(path, F_OK) != 0) {
		real_must(real_ns() < until, path);
		(void)usleep(5000);
	}
}

static void
start_all(void)
{
	static const char *const respond[] = { "handfast", "respond",
		"--listen", "unix:a.sock", "--identity", "a.key", "--cert",
		"a.cert", "--trust", "ca/ca.cert", "--max-unopened", "1000000",
		"--max-sessions", "65535", "--echo", NULL };
	static const char *const hold[] = { "handfast", "agent", "--config",
		"agent.conf", NULL };
	char path[128];
	FILE *f;

	(void)snprintf(file_path, sizeof(file_path), "%s/agent.conf",
	    real.dir);
	(void)snprintf(socket_path, sizeof(socket_path), "%s/run/agent",
	    real.dir);
	real_must((f = fopen(file_path, "w")) != NULL, file_path);
	(void)fprintf(f, agent_file, real.dir, real.dir);
	real_must(fclose(f) == 0, file_path);
	responder = start(respond, "a.log");
	(void)snprintf(path, sizeof(path), "%s/a.sock", real.dir);
	wait_for(path);
	agent = start(hold, "agent.log");
	wait_for(socket_path);
}

static void
stop(pid_t pid)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGTERM);
	(void)waitpid(pid, NULL, 0);
}

static struct hf_conn *
open_one(unsigned mode)
{
	struct hf_conn *c = NULL;

	REAL_OK(hf_conn_open_at(&c, "a", mode,
	    mode == HF_SHARED ? socket_path : file_path));
	return c;
}

/* Both ends have finished. */
static void
finish(struct hf_conn *c)
{
	size_t n = 1;
	char one;

	hf_conn_wait(c, -1);
	REAL_OK(hf_conn_finish(c));
	REAL_OK(hf_conn_recv(c, &n, &one, 1));
	real_must(n == 0, "the end");
	REAL_OK(hf_conn_close(c));
}

static double
open_us(unsigned mode)
{
	uint64_t began = real_ns();
	struct hf_conn *c = open_one(mode);
	double us = (double)(real_ns() - began) / 1e3;

	finish(c);
	(void)usleep(1000); /* what was before is over */
	return us;
}

/* Sends so many bytes and gets them back. */
static void
exchange(struct hf_conn *c, size_t total)
{
	static uint8_t out[BLOCK], in[BLOCK];
	size_t sent = 0, heard = 0, n;
	enum hf_err s, r;
	struct pollfd p;

	hf_conn_wait(c, 0);
	while (heard < total) {
		s = HF_E_AGAIN;
		if (sent < total) {
			s = hf_conn_send(c, &n, out,
			    total - sent < BLOCK ? total - sent : BLOCK);
			sent += n;
		}
		r = hf_conn_recv(c, &n, in, BLOCK);
		heard += n;
		real_must((s == HF_OK || s == HF_E_AGAIN) &&
			(r == HF_OK || r == HF_E_AGAIN),
		    "an exchange");
		if (s == HF_OK || r == HF_OK)
			continue;
		p.fd = hf_conn_poll_fd(c, &p.events);
		real_must(poll(&p, 1, REAL_WAIT_MS) == 1, "an answer in time");
	}
}

/* Opens, tells that it is ready, waits, and works. */
static _Noreturn void
worker(unsigned mode, size_t total, int ready, int go)
{
	struct hf_conn *c = open_one(mode);
	char one = 0;

	real_must(write(ready, &one, 1) == 1 && read(go, &one, 1) == 0,
	    "a start");
	exchange(c, total);
	real_must(write(ready, &one, 1) == 1, "an end");
	finish(c);
	_exit(0);
}

/* MiB a second, each byte counted once, by n processes. */
static double
throughput(unsigned mode, int n)
{
	int ready[2], go[2], i, status;
	pid_t pid[PROCESSES];
	uint64_t began;
	double s;
	char one;

	real_must(pipe(ready) == 0 && pipe(go) == 0, "pipe");
	for (i = 0; i < n; i++) {
		real_must((pid[i] = fork()) != -1, "fork");
		if (pid[i] == 0) {
			(void)close(go[1]);
			worker(mode, TOTAL / (size_t)n, ready[1], go[0]);
		}
	}
	for (i = 0; i < n; i++)
		real_must(read(ready[0], &one, 1) == 1, "a process");
	began = real_ns();
	(void)close(go[1]);
	for (i = 0; i < n; i++)
		real_must(read(ready[0], &one, 1) == 1, "a process");
	s = (double)(real_ns() - began) / 1e9;
	(void)close(ready[0]);
	(void)close(ready[1]);
	(void)close(go[0]);
	for (i = 0; i < n; i++)
		real_must(waitpid(pid[i], &status, 0) == pid[i] && status == 0,
		    "a process that ends well");
	return TOTAL / s / (1 << 20);
}

/* --- floods ------------------------------------------------------------------------ */

/* As much as goes, there and back. */
static void
pass_on(struct hf_conn *c, size_t at_once)
{
	static uint8_t block[BLOCK];
	enum hf_err s, r;
	size_t n;

	s = hf_conn_send(c, &n, block, at_once);
	r = hf_conn_recv(c, &n, block, sizeof(block));
	real_must((s == HF_OK || s == HF_E_AGAIN) &&
		(r == HF_OK || r == HF_E_AGAIN),
	    "a flood");
}

static void
flood_data(int n, size_t at_once)
{
	struct pollfd p[CHANNELS];
	struct hf_conn *c[CHANNELS];
	int i;

	for (i = 0; i < n; i++) {
		c[i] = open_one(HF_SHARED);
		hf_conn_wait(c[i], 0);
	}
	for (;;) {
		for (i = 0; i < n; i++) {
			pass_on(c[i], at_once);
			p[i].fd = hf_conn_poll_fd(c[i], &p[i].events);
		}
		real_must(poll(p, (nfds_t)n, REAL_WAIT_MS) > 0, "a flood");
	}
}

static void
flood_opens(void)
{
	struct hf_conn *c;

	for (;;) {
		c = NULL;
		if (hf_conn_open_at(&c, "a", HF_SHARED | HF_NONBLOCK,
			socket_path) == HF_OK)
			(void)!hf_conn_close(c);
	}
}

static pid_t
flood(enum flood how)
{
	pid_t pid;
	int i;

	(void)fflush(stdout);
	real_must((pid = fork()) != -1, "fork");
	if (pid != 0) {
		(void)setpgid(pid, pid);
		(void)usleep(300000); /* it is at its height */
		return pid;
	}
	(void)setpgid(0, 0);
	if (how == OPENS_ONLY)
		flood_opens();
	for (i = 1; how == BULK_PROCESSES && i < PROCESSES; i++)
		if (fork() == 0)
			break;
	flood_data(how == BULK_CHANNELS ? CHANNELS : 1,
	    how == WORDS ? 1 : BLOCK);
	_exit(1);
}

/* Half of its answers, and all but the slowest hundredth, came within so
 * many microseconds. */
static void
ask(double *half, double *most)
{
	static double us[ASKED];
	struct hf_conn *c = open_one(HF_SHARED);
	uint8_t text[100] = { 0 };
	uint64_t began;
	size_t n, at;
	int i;

	for (i = -ASKED / 10; i < ASKED; i++) {
		began = real_ns();
		REAL_OK(hf_conn_send(c, &n, text, sizeof(text)));
		for (at = 0; at < sizeof(text); at += n)
			REAL_OK(hf_conn_recv(c, &n, text, sizeof(text) - at));
		if (i >= 0)
			us[i] = (double)(real_ns() - began) / 1e3;
	}
	finish(c);
	*half = real_percentile(us, ASKED, 50);
	*most = real_percentile(us, ASKED, 99);
}

/* The best of a few runs. */
static void
beside(double *half, double *most, enum flood how)
{
	double p50[2], p99[2];
	int i, status;
	pid_t pid;

	for (i = 0; i < RUNS; i++) {
		ask(&p50[0], &p99[0]);
		pid = flood(how);
		ask(&p50[1], &p99[1]);
		real_must(waitpid(pid, &status, WNOHANG) == 0, "a flood");
		(void)kill(-pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		(void)usleep(200000);
		(void)printf("%s: p50 %.0f and p99 %.0f us, in silence %.0f "
			     "and %.0f\n",
		    flood_name[how], p50[1], p99[1], p50[0], p99[0]);
		if (i == 0 || p99[1] / p99[0] < *most)
			*most = p99[1] / p99[0];
		if (i == 0 || p50[1] / p50[0] < *half)
			*half = p50[1] / p50[0];
	}
}

static double
median(double *v, size_t n)
{
	return real_percentile(v, n, 50);
}

static double
greatest(const double *v)
{
	double most = v[0];
	int i;

	for (i = 1; i < FLOODS; i++)
		most = v[i] > most ? v[i] : most;
	return most;
}

/* Nothing of it is left where it does not come to its end. */
static void
write_figures(const char *path, const double *us, const double *rate,
    const double *half, const double *most)
{
	const struct {
		const char *name;
		double value;
	} figures[] = { { "agent_open_us", us[0] },
		{ "unshared_open_us", us[1] },
		{ "agent_open_over_handshake", us[0] / us[1] },
		{ "agent_throughput_mib_s", rate[0] },
		{ "unshared_throughput_mib_s", rate[1] },
		{ "agent_throughput_over_unshared", rate[0] / rate[1] },
		{ "agent_flood_p50_over_silence", greatest(half) },
		{ "agent_flood_p99_over_silence", greatest(most) } };
	FILE *f = fopen(path, "w");
	size_t i;

	real_must(f != NULL, path);
	for (i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		(void)fprintf(f, "%s\n  \"%s\": %.4g", i == 0 ? "{" : ",",
		    figures[i].name, figures[i].value);
		(void)printf("%s %.4g\n", figures[i].name, figures[i].value);
	}
	(void)fprintf(f, "\n}\n");
	real_must(fclose(f) == 0, path);
}

int
main(int argc, char **argv)
{
	static double shared[OPENS], own[OPENS], many[ROUNDS], one[ROUNDS];
	double us[2], rate[2], half[FLOODS], most[FLOODS];
	struct hf_conn *held;
	int i;

	if (argc != 3) {
		(void)fprintf(stderr,
		    "usage: bench-agent PROGRAM FILE.json\n");
		return 2;
	}
	real_make(&real, argv[1],
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	start_all();
	/* The session is there, and somebody else uses it. */
	held = open_one(HF_SHARED);
	for (i = 0; i < OPENS; i++) {
		own[i] = open_us(HF_UNSHARED);
		shared[i] = open_us(HF_SHARED);
	}
	for (i = 0; i < ROUNDS; i++) {
		one[i] = throughput(HF_UNSHARED, 1);
		many[i] = throughput(HF_SHARED, PROCESSES);
	}
	for (i = 0; i < FLOODS; i++)
		beside(&half[i], &most[i], (enum flood)i);
	us[0] = median(shared, OPENS);
	us[1] = median(own, OPENS);
	rate[0] = median(many, ROUNDS);
	rate[1] = median(one, ROUNDS);
	write_figures(argv[2], us, rate, half, most);
	finish(held);
	stop(agent);
	stop(responder);
	real_free(&real);
	return us[0] / us[1] > 0.1 || rate[0] / rate[1] < 0.55 ||
	    greatest(most) > 2;
}
