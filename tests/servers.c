/* SPDX-License-Identifier: ISC */
/*
 * Real servers of stores, see servers.h.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "servers.h"

static void
must(int good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

static void
sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

static int
connect_to(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd != -1 && strlen(path) < sizeof(at.sun_path), path);
	(void)strcpy(at.sun_path, path);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* A port that was free just now; *fd listens on it. */
static int
free_port(int *fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(*fd != -1 && bind(*fd, (struct sockaddr *)&at, len) == 0 &&
		listen(*fd, 64) == 0 &&
		getsockname(*fd, (struct sockaddr *)&at, &len) == 0,
	    "a free port");
	return ntohs(at.sin_port);
}

int
server_free_port(void)
{
	int fd, port = free_port(&fd);

	(void)close(fd);
	return port;
}

/* The user that a server runs as: PostgreSQL refuses to be root. */
static const struct passwd *
user(void)
{
	const struct passwd *pw = NULL;

	if (geteuid() != 0)
		return NULL;
	if ((pw = getpwnam("postgres")) == NULL)
		pw = getpwnam("nobody");
	must(pw != NULL, "neither postgres nor nobody");
	return pw;
}

/* Never returns. What it says goes into a file of its folder. */
static void
become(const char *const *words, const struct passwd *pw, const char *dir)
{
	char path[80];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/log", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd == -1 || dup2(fd, 1) == -1 || dup2(fd, 2) == -1)
		_exit(126);
	if (pw != NULL &&
	    (setgroups(0, NULL) != 0 || setgid(pw->pw_gid) != 0 ||
		setuid(pw->pw_uid) != 0))
		_exit(126);
	/* With the test, whatever becomes of it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGQUIT, 0, 0, 0);
	/* What runs behind a shell's & begins without the last two. */
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGQUIT, SIG_DFL);
	if (chdir(dir) != 0)
		_exit(126);
	(void)execvp(words[0], (char *const *)(uintptr_t)words);
	_exit(127);
}

static int
run(const char *const *words, const struct passwd *pw, const char *dir)
{
	pid_t pid = fork();
	int status;

	must(pid != -1, "fork");
	if (pid == 0)
		become(words, pw, dir);
	must(waitpid(pid, &status, 0) == pid, words[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void
launch(struct server *s, const char *const *words, const struct passwd *pw)
{
	int fd = -1, n;

	must((s->pid = fork()) != -1, "fork");
	if (s->pid == 0)
		become(words, pw, s->dir);
	for (n = 0; n < 3000 && (fd = connect_to(s->socket)) == -1; n++) {
		must(waitpid(s->pid, NULL, WNOHANG) == 0, words[0]);
		sleep_ms(10);
	}
	must(fd != -1, s->socket);
	(void)close(fd);
}

static void
folder(struct server *s, const struct passwd *pw)
{
	(void)strcpy(s->dir, "/tmp/handfast-server.XXXXXX");
	must(mkdtemp(s->dir) != NULL, "a folder");
	must(pw == NULL || chown(s->dir, pw->pw_uid, pw->pw_gid) == 0, s->dir);
}

static void
put(const char *dir, const char *name, const char *text,
    const struct passwd *pw)
{
	char path[160];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	must((f = fopen(path, "w")) != NULL && fputs(text, f) >= 0 &&
		fclose(f) == 0 &&
		(pw == NULL || chown(path, pw->pw_uid, pw->pw_gid) == 0),
	    path);
}

/* --- Redis ------------------------------------------------------------------------------ */

int
have_redis(void)
{
	return system("command -v redis-server >/dev/null") == 0;
}

void
redis_start(struct server *s, const char *const *more)
{
	const char *words[40] = { "redis-server", "--port", "0",
		"--unixsocket", s->socket, "--save", "", "--appendonly", "no",
		"--dir", s->dir };
	size_t n = 11;

	memset(s, 0, sizeof(*s));
	folder(s, NULL);
	(void)snprintf(s->socket, sizeof(s->socket), "%s/redis.sock", s->dir);
	(void)snprintf(s->uri, sizeof(s->uri), "redis://%s", s->socket);
	while (more != NULL && *more != NULL && n < 39)
		words[n++] = *more++;
	launch(s, words, NULL);
}

void
redis_start_at(struct server *s, int port, const char *master)
{
	char text[8], of[40];
	const char *const more[] = { "--port", text, "--bind", "127.0.0.1",
		"--repl-diskless-sync-delay", "0",
		master == NULL ? NULL : "--replicaof", of, NULL };

	(void)snprintf(text, sizeof(text), "%d", port);
	(void)snprintf(of, sizeof(of), "127.0.0.1 %s",
	    master == NULL ? "" : master);
	redis_start(s, more);
	s->port = port;
}

void
redis_start_sentinel(struct server *s, int port, int master)
{
	const char *const words[] = { "redis-server", "sentinel.conf",
		"--sentinel", NULL };
	char text[600];

	memset(s, 0, sizeof(*s));
	folder(s, NULL);
	s->port = port;
	(void)snprintf(s->socket, sizeof(s->socket), "%s/redis.sock", s->dir);
	(void)snprintf(text, sizeof(text),
	    "port %d\nbind 127.0.0.1\nunixsocket %s\ndir %s\n"
	    "sentinel monitor web 127.0.0.1 %d 1\n"
	    "sentinel down-after-milliseconds web 300\n"
	    "sentinel failover-timeout web 3000\n",
	    port, s->socket, s->dir, master);
	put(s->dir, "sentinel.conf", text, NULL);
	launch(s, words, NULL);
}

/* --- PostgreSQL --------------------------------------------------------------------------- */

/* Where its programs are. */
static int
program(char out[160], const char *name)
{
	static char dir[128];
	FILE *f;

	if (dir[0] == '\0' &&
	    (f = popen("pg_config --bindir 2>/dev/null", "r")) != NULL) {
		if (fgets(dir, sizeof(dir), f) == NULL)
			dir[0] = '\0';
		dir[strcspn(dir, "\n")] = '\0';
		(void)pclose(f);
	}
	(void)snprintf(out, 160, "%s/%s", dir, name);
	return dir[0] != '\0' && access(out, X_OK) == 0;
}

int
have_postgres(void)
{
	char path[160];

	return program(path, "postgres") && program(path, "initdb") &&
	    program(path, "psql") &&
	    system("command -v openssl >/dev/null") == 0;
}

static void
configure(struct server *s, const struct passwd *pw)
{
	char text[1024];

	s->port = server_free_port();
	(void)snprintf(text, sizeof(text),
	    "listen_addresses = '127.0.0.1'\nport = %d\n"
	    "unix_socket_directories = '%s'\nfsync = off\n"
	    "shared_buffers = 16MB\nmax_connections = 40\nssl = on\n"
	    "ssl_ca_file = '%s/ca.crt'\nssl_cert_file = '%s/host.crt'\n"
	    "ssl_key_file = '%s/host.key'\nautovacuum = off\n",
	    s->port, s->dir, s->dir, s->dir, s->dir);
	put(s->dir, "db/postgresql.conf", text, pw);
	put(s->dir, "db/pg_hba.conf",
	    "local all password scram-sha-256\nlocal all all trust\n"
	    "hostssl all all 127.0.0.1/32 cert\n",
	    pw);
	(void)snprintf(s->socket, sizeof(s->socket), "%s/.s.PGSQL.%d", s->dir,
	    s->port);
	(void)snprintf(s->uri, sizeof(s->uri),
	    "postgresql:///postgres?host=%s&port=%d&user=postgres", s->dir,
	    s->port);
}

void
postgres_start(struct server *s)
{
	const struct passwd *pw = user();
	char path[160], data[80],
	    *script = realpath("tests/postgres.sh", NULL);
	const char *const make[] = { "sh", script, s->dir,
		pw == NULL ? NULL : pw->pw_name, NULL };
	const char *const words[] = { path, "-D", data, NULL };

	memset(s, 0, sizeof(*s));
	folder(s, pw);
	(void)snprintf(data, sizeof(data), "%s/db", s->dir);
	must(script != NULL && run(make, NULL, s->dir) == 0,
	    "tests/postgres.sh");
	free(script);
	configure(s, pw);
	must(program(path, "postgres"), "postgres");
	launch(s, words, pw);
	while (postgres_run(s, "SELECT 1") != 0)
		sleep_ms(50);
}

int
postgres_run(const struct server *s, const char *sql)
{
	char path[160];
	const char *const words[] = { path, "-q", "-v", "ON_ERROR_STOP=1",
		"-c", sql, s->uri, NULL };

	must(program(path, "psql"), "psql");
	return run(words, user(), s->dir);
}

pid_t
postgres_aside(const struct server *s, const char *sql)
{
	pid_t pid = fork();

	must(pid != -1, "fork");
	if (pid == 0)
		_exit(postgres_run(s, sql));
	while (postgres_run(s,
		   "DO $$ BEGIN ASSERT EXISTS (SELECT FROM pg_stat_activity "
		   "WHERE wait_event = 'PgSleep'); END $$") != 0)
		must(waitpid(pid, NULL, WNOHANG) == 0, sql);
	return pid;
}

void
postgres_over(pid_t pid)
{
	int status = -1;

	must(waitpid(pid, &status, 0) == pid && status == 0, "aside");
}

/* --- what is none -------------------------------------------------------------------------- */

void
redis_start_false(struct server *s, void (*serve)(int, const void *),
    const void *arg)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, client;

	*s = (struct server){ .dir = "/tmp/handfast-false.XXXXXX" };
	must(mkdtemp(s->dir) != NULL, "a folder in /tmp");
	(void)snprintf(s->socket, sizeof(s->socket), "%s/sock", s->dir);
	(void)snprintf(s->uri, sizeof(s->uri), "redis://%s", s->socket);
	(void)strcpy(at.sun_path, s->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		listen(fd, 8) == 0,
	    s->socket);
	must((s->pid = fork()) != -1, "fork");
	if (s->pid != 0) {
		(void)close(fd);
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGQUIT, 0, 0, 0);
	(void)signal(SIGQUIT, _exit); /* no core of it */
	(void)signal(SIGCHLD, SIG_IGN);
	while ((client = accept(fd, NULL, NULL)) != -1) {
		if (fork() == 0) {
			serve(client, arg);
			_exit(0);
		}
		(void)close(client);
	}
	_exit(1);
}

/* --- all ---------------------------------------------------------------------------------- */

void
server_signal(const struct server *s, int sig)
{
	char path[64], text[4096] = "", *at = text, *end;
	long pid;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)s->pid, (int)s->pid);
	must(kill(s->pid, sig) == 0, "kill");
	if ((f = fopen(path, "r")) == NULL)
		return;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	(void)fclose(f);
	while ((pid = strtol(at, &end, 10)) > 0 && end != at) {
		(void)kill((pid_t)pid, sig);
		at = end;
	}
}

void
server_stop(struct server *s)
{
	char command[80];

	if (s->pid <= 0)
		return;
	server_signal(s, SIGCONT);
	(void)kill(s->pid, SIGQUIT);
	(void)waitpid(s->pid, NULL, 0);
	s->pid = 0;
	(void)snprintf(command, sizeof(command), "rm -rf %s", s->dir);
	must(system(command) == 0, command);
}

/* --- a relay -------------------------------------------------------------------------------- */

enum { PAIRS_MAX = 64 };
struct pair {
	int client, server;
};

static void
part(struct pair *p)
{
	(void)close(p->client);
	(void)close(p->server);
	p->client = p->server = -1;
}

/* Returns 0 at an end. */
static int
carry(struct relay *r, int from, int to, int answer)
{
	char bytes[1 << 16];
	ssize_t n = read(from, bytes, sizeof(bytes)), sent = 0, m;

	if (n <= 0)
		return 0;
	if (*r->mode == RELAY_EAT)
		return 1;
	if (*r->mode == RELAY_CUT && answer) {
		*r->mode = RELAY_PASS;
		++*r->cuts;
		return 0;
	}
	for (; sent < n; sent += m)
		if ((m = write(to, bytes + sent, (size_t)(n - sent))) <= 0)
			return 0;
	return 1;
}

static void
take(struct pair pairs[PAIRS_MAX], int listener, const struct relay *r,
    const char *to)
{
	int fd = accept(listener, NULL, NULL), i = 0;

	if (fd == -1)
		return;
	while (i < PAIRS_MAX && pairs[i].client != -1)
		i++;
	if (i == PAIRS_MAX || *r->mode == RELAY_REFUSE) {
		(void)close(fd);
		return;
	}
	pairs[i].client = fd;
	if ((pairs[i].server = connect_to(to)) == -1)
		part(&pairs[i]);
}

static void
relay_work(struct relay *r, int listener, const char *to)
{
	struct pair pairs[PAIRS_MAX];
	struct pollfd fds[1 + 2 * PAIRS_MAX];
	int i;

	for (i = 0; i < PAIRS_MAX; i++)
		pairs[i].client = pairs[i].server = -1;
	for (;;) {
		fds[0] = (struct pollfd){ listener, POLLIN, 0 };
		for (i = 0; i < PAIRS_MAX; i++) {
			fds[1 + 2 * i] =
			    (struct pollfd){ pairs[i].client, POLLIN, 0 };
			fds[2 + 2 * i] =
			    (struct pollfd){ pairs[i].server, POLLIN, 0 };
		}
		(void)poll(fds, 1 + 2 * PAIRS_MAX, 20);
		for (i = 0; i < PAIRS_MAX; i++) {
			if (pairs[i].client == -1)
				continue;
			if (*r->mode == RELAY_REFUSE ||
			    (fds[1 + 2 * i].revents != 0 &&
				!carry(r, pairs[i].client, pairs[i].server,
				    0)) ||
			    (fds[2 + 2 * i].revents != 0 &&
				!carry(r, pairs[i].server, pairs[i].client,
				    1)))
				part(&pairs[i]);
		}
		if (fds[0].revents != 0)
			take(pairs, listener, r, to);
	}
}

void
relay_start(struct relay *r, const char *to)
{
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int listener;

	must(shared != MAP_FAILED, "mmap");
	r->mode = (volatile enum relay_mode *)(void *)shared;
	r->cuts = (volatile int *)(void *)(shared + 64);
	r->port = free_port(&listener);
	must((r->pid = fork()) != -1, "fork");
	if (r->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)signal(SIGPIPE, SIG_IGN);
		relay_work(r, listener, to);
	}
	(void)close(listener);
}

void
relay_stop(struct relay *r)
{
	(void)kill(r->pid, SIGKILL);
	(void)waitpid(r->pid, NULL, 0);
	(void)munmap((void *)(size_t)r->mode, 4096);
}
