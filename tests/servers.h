/* SPDX-License-Identifier: ISC */
/*
 * Real servers of stores for tests: in a folder of their own under /tmp, on a
 * unix socket and, where asked for, a port; stopped with the test, whatever
 * becomes of it. And a relay that fails when it is told to.
 */
#ifndef TESTS_SERVERS_H
#define TESTS_SERVERS_H

#include <stddef.h>
#include <sys/types.h>

struct server {
	pid_t pid;
	int port; /* on 127.0.0.1, 0: none */
	char dir[40], socket[80];
	char uri[256]; /* for who may do everything */
};

/* 1 where the programs are there. */
int have_redis(void);
int have_postgres(void);
/* With more options, up to a NULL. They end the test where they fail. */
void redis_start(struct server *server, const char *const *more);
/* On a port too; as a replica of another's port, where that is not NULL. */
void redis_start_at(struct server *server, int port, const char *master);
/* A Sentinel of a master that it calls `web`; one vote is enough. */
void redis_start_sentinel(struct server *server, int port, int master);
/* One that is no Redis, on a socket: each who connects is given to `serve`, in a
 * process of its own, which ends when that returns. */
void redis_start_false(struct server *server,
    void (*serve)(int fd, const void *arg), const void *arg);
/* A port that was free just now. */
int server_free_port(void);
/* A cluster with TLS on the port and the role `postgres`, trusted on the
 * socket; on the port who has a client certificate. */
void postgres_start(struct server *server);
/* Runs SQL as `postgres`; the exit code of psql. */
int postgres_run(const struct server *server, const char *sql);
/* The same in a process of its own, until it is in its pg_sleep(); the second
 * waits for its end, which is to be a good one. */
pid_t postgres_aside(const struct server *server, const char *sql);
void postgres_over(pid_t pid);
/* To the server and its children. */
void server_signal(const struct server *server, int signal);
void server_stop(struct server *server);

enum relay_mode {
	RELAY_PASS,
	RELAY_EAT,    /* nothing arrives any more, on either side */
	RELAY_REFUSE, /* connections are closed, old and new */
	/* The next answer is eaten, and the connection cut; then it passes. */
	RELAY_CUT
};
struct relay {
	pid_t pid;
	int port;
	volatile enum relay_mode *mode;
	volatile int *cuts;
};
void relay_start(struct relay *relay, const char *to_socket);
void relay_stop(struct relay *relay);

#endif
