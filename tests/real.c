/* SPDX-License-Identifier: ISC */
/*
 * See real.h. Files are made by the program itself, as a user would make
 * them; a client's session is driven message by message.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "real.h"

enum {
	WORDS_MAX = 40,
	FILE_MAX = 1 << 14,
	CONFIRM = 5 /* a message's type */
};

static const char *const names[REAL_SERVERS] = { "a", "b", "d", "c" };

void
real_must(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "FAIL: %s\n", what);
	exit(1);
}

void
real_ok(enum hf_err e, const char *what)
{
	if (e != HF_OK)
		(void)fprintf(stderr, "%s: ", hf_error_name((int)e));
	real_must(e == HF_OK, what);
}

uint64_t
real_ns(void)
{
	struct timespec t;

	real_must(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock");
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- files ---------------------------------------------------------------------- */

static void
setup(struct real *r, const char *program)
{
	static const char script[] =
	    "set -e; cd '%s'; hf='%s'; k() { n=$1; shift;\n"
	    "$hf keygen -o $n.key; $hf cert request --identity $n.key "
	    "--subject $n -o $n.req; $hf cert issue --ca ca --request $n.req "
	    "-o $n.cert \"$@\"; }\n"
	    "ln -s \"$hf\" handfast\n"
	    "{ $hf ca init ca --name CA; $hf cluster init --ca ca --name web "
	    "--store '%s' -o web.cert; k alice --usage initiator\n"
	    "for s in a b c; do k $s --usage responder,server --cluster web\n"
	    "$hf cluster admit --key web.key --store '%s' --cert $s.cert\n"
	    "done; } >setup.log 2>&1 || { cat setup.log; exit 1; }\n";
	char command[sizeof(script) + 4 * 4096];
	int n;

	n = snprintf(command, sizeof(command), script, r->dir, program,
	    r->store, r->store);
	real_must(n > 0 && (size_t)n < sizeof(command), "a long path");
	real_must(system(command) == 0, "setup");
}

static void
path_of(char path[256], const struct real *r, const char *name)
{
	(void)snprintf(path, 256, "%s/%s", r->dir, name);
}

static size_t
load(char text[FILE_MAX], const struct real *r, const char *name)
{
	char path[256];
	ssize_t n;
	int fd;

	path_of(path, r, name);
	real_must((fd = open(path, O_RDONLY)) != -1, path);
	real_must((n = read(fd, text, FILE_MAX)) > 0, path);
	(void)close(fd);
	return (size_t)n;
}

static struct hf_span
certificate(uint8_t cert[HF_CERT_MAX], const struct real *r, const char *name)
{
	char text[FILE_MAX];
	size_t n = load(text, r, name), len, used;

	REAL_OK(hf_pem_decode(cert, HF_CERT_MAX, &len, &used,
	    "HANDFAST CERTIFICATE", text, n));
	return (struct hf_span){ cert, len };
}

static void
client(struct real *r)
{
	uint8_t ca[HF_CERT_MAX];
	struct hf_span anchor = certificate(ca, r, "ca/ca.cert");
	char text[FILE_MAX];
	size_t n = load(text, r, "alice.key");

	REAL_OK(hf_identity_decode(&r->id, text, n, NULL, 0));
	REAL_OK(hf_trust_new(&r->trust));
	REAL_OK(hf_trust_add_ca(r->trust, anchor.ptr, anchor.len));
	real_client(&r->client, r, 0);
}

void
real_client(struct hf_config **config, const struct real *r, int n)
{
	uint8_t own[HF_CERT_MAX], server[HF_CERT_MAX];
	struct hf_span chain = certificate(own, r, "alice.cert");
	struct hf_span known;
	char name[16];

	REAL_OK(hf_config_new(config, HF_INITIATOR));
	REAL_OK(hf_config_trust(*config, r->trust));
	REAL_OK(hf_config_identity(*config, r->id, &chain, 1));
	REAL_OK(hf_config_expect(*config, "web"));
	REAL_OK(hf_config_fallback(*config, 0));
	if (n == -1)
		return;
	(void)snprintf(name, sizeof(name), "%s.cert", names[n]);
	known = certificate(server, r, name);
	REAL_OK(hf_config_responder(*config, &known, 1));
}

void
real_make(struct real *r, const char *program, const char *under)
{
	real_make_on(r, program, under, "lmdb:db");
}

void
real_make_on(struct real *r, const char *program, const char *under,
    const char *store)
{
	memset(r, 0, sizeof(*r));
	(void)snprintf(r->store, sizeof(r->store), "%s", store);
	REAL_OK(hf_init());
	(void)snprintf(r->dir, sizeof(r->dir), "%s/handfast-real.XXXXXX",
	    under);
	real_must(mkdtemp(r->dir) != NULL, r->dir);
	setup(r, program);
	client(r);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* --- servers ---------------------------------------------------------------------- */

static _Noreturn void
become(const struct real *r, int n, const char *const *words)
{
	char log[16];
	int fd;

	(void)snprintf(log, sizeof(log), "%s.log", names[n]);
	if (chdir(r->dir) != 0 ||
	    (fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600)) == -1 ||
	    dup2(fd, 2) == -1 || dup2(fd, 1) == -1)
		_exit(126);
	(void)execv("./handfast", (char **)(uintptr_t)words);
	_exit(127);
}

static int
try_connect(const struct real *r, int n)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	real_must(fd != -1, "socket");
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s.sock", r->dir,
	    names[n]);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

void
real_serve(struct real *r, int n, const char *const *more)
{
	char listen[16], key[16], cert[16];
	const char *words[WORDS_MAX] = { "handfast", "respond", "--listen",
		listen, "--identity", key, "--cert", cert, "--trust",
		"ca/ca.cert", "--store", r->store, "--cluster", "web.cert",
		"--max-unopened", "1000000", "--max-sessions", "65535" };
	size_t at = 0;

	(void)snprintf(listen, sizeof(listen), "unix:%s.sock", names[n]);
	(void)snprintf(key, sizeof(key), "%s.key", names[n]);
	(void)snprintf(cert, sizeof(cert), "%s.cert", names[n]);
	while (words[at] != NULL)
		at++;
	while (*more != NULL && at + 1 < WORDS_MAX)
		words[at++] = *more++;
	real_start(r, n, words);
}

void
real_start(struct real *r, int n, const char *const *words)
{
	uint64_t until = real_ns() + REAL_WAIT_MS * (uint64_t)1000000;
	int fd;

	real_must((r->server[n] = fork()) != -1, "fork");
	if (r->server[n] == 0)
		become(r, n, words);
	while ((fd = try_connect(r, n)) == -1) {
		real_must(real_ns() < until &&
			waitpid(r->server[n], NULL, WNOHANG) == 0,
		    "a server that listens");
		(void)usleep(5000);
	}
	(void)close(fd);
}

int
real_connect(const struct real *r, int n)
{
	int fd = try_connect(r, n);

	real_must(fd != -1, "connect");
	return fd;
}

void
real_free(struct real *r)
{
	char command[128];
	int n;

	for (n = 0; n < REAL_SERVERS; n++)
		if (r->server[n] > 0) {
			(void)kill(r->server[n], SIGCONT);
			(void)kill(r->server[n], SIGKILL);
			(void)waitpid(r->server[n], NULL, 0);
		}
	hf_config_free(r->client);
	hf_trust_free(r->trust);
	hf_identity_free(r->id);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", r->dir);
	real_must(system(command) == 0, "rm");
}

/* --- sessions ----------------------------------------------------------------------- */

int
real_send(int fd, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	while (len > 0) {
		if ((n = send(fd, bytes, len, MSG_NOSIGNAL)) <= 0)
			return 0;
		bytes += n;
		len -= (size_t)n;
	}
	return 1;
}

void
real_flush(struct real_end *e)
{
	struct hf_span out = hf_session_output(e->s);

	if (out.len == 0)
		return;
	(void)real_send(e->fd, out.ptr, out.len);
	REAL_OK(hf_session_drained(e->s, out.len));
}

/* What came, if it is data, goes behind what was heard before. */
static void
take_record(struct real_end *e)
{
	enum hf_content content;
	struct hf_span data;

	REAL_OK(hf_session_recv(e->s, &content, &data));
	if (content != HF_CONTENT_DATA)
		return;
	real_must(data.len <= sizeof(e->heard) - e->heard_len, "few words");
	memcpy(e->heard + e->heard_len, data.ptr, data.len);
	e->heard_len += data.len;
}

void
real_hear(struct real_end *e)
{
	static uint8_t buffer[1 << 17];
	struct pollfd p = { .fd = e->fd, .events = POLLIN };
	size_t used, at = 0;
	ssize_t n;

	real_must(poll(&p, 1, REAL_WAIT_MS) == 1, "an answer in time");
	n = recv(e->fd, buffer, sizeof(buffer), 0);
	if (n <= 0) {
		(void)!hf_session_eof(e->s);
		return;
	}
	for (; at < (size_t)n; at += used) {
		if (hf_session_feed(e->s, &used, buffer + at,
			(size_t)n - at) != HF_OK)
			return;
		if (hf_session_want(e->s) == HF_WANT_RECV)
			take_record(e);
	}
}

/* What waits to be said is a confirm: all else has been done. */
static int
confirms(const struct real_end *e)
{
	struct hf_span out = hf_session_output(e->s);

	return out.len > 1 && out.ptr[1] == CONFIRM;
}

void
real_open(struct real_end *e)
{
	for (;;) {
		switch (hf_session_want(e->s)) {
		case HF_WANT_TRUST:
			REAL_OK(hf_session_trust(e->s, HF_OK));
			break;
		case HF_WANT_WRITE:
			if (confirms(e))
				return;
			real_flush(e);
			break;
		case HF_WANT_READ:
			real_hear(e);
			break;
		default:
			return;
		}
	}
}

struct hf_span
real_receive(struct real_end *e)
{
	e->heard_len = 0;
	while (e->heard_len == 0 && hf_session_error(e->s) == HF_OK) {
		real_flush(e);
		real_hear(e);
	}
	return (struct hf_span){ e->heard, e->heard_len };
}

void
real_begin(const struct real *r, struct real_end *e, int n)
{
	e->fd = real_connect(r, n);
	REAL_OK(hf_session_new(&e->s, r->client, real_ns() / 1000000,
	    (uint64_t)time(NULL)));
}

void
real_close(struct real_end *e)
{
	if (e->fd != -1)
		(void)close(e->fd);
	e->fd = -1;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
real_percentile(double *values, size_t n, unsigned percent)
{
	qsort(values, n, sizeof(*values), by_size);
	return values[n * percent / 100];
}
