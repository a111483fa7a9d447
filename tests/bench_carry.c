/* SPDX-License-Identifier: ISC */
/*
 * bench-carry PROGRAM FILE.json: how a dispatcher carries bytes, beside HAProxy
 * in TCP mode, as it is and with splice: bytes a second, what a round trip
 * takes longer than without anybody between, connections a second, and memory
 * of one connection. All have one thread, on the first processor; this client
 * and the server, which do no cryptography, are on the second. They take turns,
 * and the best turn of each counts.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carry.h"

enum { TURNS = 9, IDLE = 1000, CONNECT_WAIT_MS = 10000, FILES = 8192 };

enum { DIRECT, DISPATCHER, HAPROXY, SPLICE, WAYS };

static const char *const names[WAYS] = { "direct", "dispatch", "haproxy",
	"haproxy_splice" };
static struct {
	int port;
	pid_t pid;
	double bytes, trip_us, conns, memory;
} way[WAYS];
static char dir[] = "/tmp/handfast-carry.XXXXXX";

/* --- processes ------------------------------------------------------------------ */

/* On a machine of one processor all share it. */
static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void
write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	carry_must((f = fopen(path, "w")) != NULL && fputs(text, f) >= 0 &&
		fclose(f) == 0,
	    path);
}

static void
begin(int which, const char *const *words)
{
	int fd;

	carry_must((way[which].pid = fork()) != -1, "fork");
	if (way[which].pid == 0) {
		pin(0);
		if (chdir(dir) != 0 || freopen("log", "a", stdout) == NULL ||
		    dup2(STDOUT_FILENO, STDERR_FILENO) == -1)
			_exit(126);
		(void)execvp(words[0], (char **)(uintptr_t)words);
		_exit(127);
	}
	fd = carry_connect_wait(way[which].port, CONNECT_WAIT_MS);
	(void)close(fd);
}

static void
begin_dispatcher(const char *program, int to)
{
	const char *const words[] = { program, "dispatch", "--config",
		"d.conf", NULL };
	char text[512];

	way[DISPATCHER].port = carry_free_port();
	(void)snprintf(text, sizeof(text),
	    "listen = {\"127.0.0.1:%d\"}\nhealth-ms = 3600000\n"
	    "source-connections = 100000\n"
	    "server s {\n  address = \"127.0.0.1:%d\"\n}\n",
	    way[DISPATCHER].port, to);
	write_file("d.conf", text);
	begin(DISPATCHER, words);
}

static void
begin_haproxy(int which, int to)
{
	char name[32], text[512];
	const char *const words[] = { "haproxy", "-db", "-f", name, NULL };

	(void)snprintf(name, sizeof(name), "%s.conf", names[which]);
	way[which].port = carry_free_port();
	(void)snprintf(text, sizeof(text),
	    "global\n  nbthread 1\n  maxconn 3000\n"
	    "defaults\n  mode tcp\n  timeout connect 5s\n"
	    "  timeout client 60s\n  timeout server 60s\n%s"
	    "listen l\n  bind 127.0.0.1:%d\n  server s 127.0.0.1:%d\n",
	    which == SPLICE ?
		"  option splice-request\n  option splice-response\n" :
		"",
	    way[which].port, to);
	write_file(name, text);
	begin(which, words);
}

static void
end(void)
{
	char command[64];
	int i;

	for (i = 0; i < WAYS; i++)
		if (way[i].pid > 0) {
			(void)kill(way[i].pid, SIGKILL);
			(void)waitpid(way[i].pid, NULL, 0);
		}
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	carry_must(system(command) == 0, "rm");
}

/* --- turns ---------------------------------------------------------------------------- */

static double
resident(pid_t pid)
{
	long all, pages = 0;
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
	carry_must((f = fopen(path, "r")) != NULL &&
		fscanf(f, "%ld %ld", &all, &pages) == 2 && fclose(f) == 0,
	    path);
	return (double)(pages * sysconf(_SC_PAGESIZE));
}

static void
memory(int i)
{
	static int fds[IDLE];
	double before = resident(way[i].pid);
	int n;

	for (n = 0; n < IDLE; n++)
		fds[n] = carry_open(way[i].port, 'e');
	for (n = 0; n < IDLE; n++)
		carry_trip(fds[n]);
	way[i].memory = (resident(way[i].pid) - before) / IDLE;
	for (n = 0; n < IDLE; n++)
		(void)close(fds[n]);
}

static void
turn(int i)
{
	double bytes = carry_bytes(way[i].port);
	double trip = carry_trips_us(way[i].port);
	double conns = carry_connections(way[i].port);

	if (bytes > way[i].bytes)
		way[i].bytes = bytes;
	if (way[i].trip_us == 0 || trip < way[i].trip_us)
		way[i].trip_us = trip;
	if (conns > way[i].conns)
		way[i].conns = conns;
}

/* --- figures ---------------------------------------------------------------------------- */

static FILE *json;
static int rows;

static void
row(const char *name, const char *more, double value)
{
	(void)fprintf(json, "%s\n  \"%s%s\": %.4g", rows++ == 0 ? "{" : ",",
	    name, more, value);
	(void)printf("%s%s %.4g\n", name, more, value);
}

static double
added(int i)
{
	return way[i].trip_us - way[DIRECT].trip_us;
}

static void
write_figures(const char *path)
{
	int i;

	carry_must((json = fopen(path, "w")) != NULL, path);
	row(names[DIRECT], "_trip_us", way[DIRECT].trip_us);
	for (i = DISPATCHER; i < WAYS; i++) {
		row(names[i], "_bytes_per_s", way[i].bytes);
		row(names[i], "_added_us", added(i));
		row(names[i], "_connections_per_s", way[i].conns);
		row(names[i], "_connection_bytes", way[i].memory);
	}
	row("dispatch_throughput_over_haproxy_splice", "",
	    way[DISPATCHER].bytes / way[SPLICE].bytes);
	row("dispatch_latency_over_haproxy_splice", "",
	    added(DISPATCHER) / added(SPLICE));
	row("dispatch_throughput_over_haproxy", "",
	    way[DISPATCHER].bytes / way[HAPROXY].bytes);
	row("dispatch_latency_over_haproxy", "",
	    added(DISPATCHER) / added(HAPROXY));
	(void)fprintf(json, "\n}\n");
	carry_must(fclose(json) == 0, path);
}

static void
raise_files(void)
{
	struct rlimit limit;

	carry_must(getrlimit(RLIMIT_NOFILE, &limit) == 0, "files");
	limit.rlim_cur = limit.rlim_max < FILES ? limit.rlim_max : FILES;
	carry_must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "files");
}

int
main(int argc, char **argv)
{
	int i, t;

	if (argc != 3) {
		(void)fprintf(stderr,
		    "usage: bench-carry PROGRAM FILE.json\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	raise_files();
	carry_must(mkdtemp(dir) != NULL && atexit(end) == 0, dir);
	pin(1);
	way[DIRECT].port = carry_serve(&way[DIRECT].pid);
	begin_dispatcher(argv[1], way[DIRECT].port);
	begin_haproxy(HAPROXY, way[DIRECT].port);
	begin_haproxy(SPLICE, way[DIRECT].port);
	for (i = DISPATCHER; i < WAYS; i++)
		memory(i);
	for (t = 0; t < TURNS; t++)
		for (i = DIRECT; i < WAYS; i++)
			turn(i);
	write_figures(argv[2]);
	return 0;
}
