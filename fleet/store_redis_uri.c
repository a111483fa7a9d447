/* SPDX-License-Identifier: ISC */
/*
 * Where a Redis is, and who we are there:
 *
 *     redis://[USER[:PASSWORD]@]HOST[:PORT][,...][/DB][?passfile=FILE]
 *     redis://[USER[:PASSWORD]@]SENTINEL[:PORT][,...][/DB]?sentinel=MASTER
 *     redis://[USER[:PASSWORD]@]/SOCKET[?db=DB][&passfile=FILE]
 *
 * USER, PASSWORD, SOCKET and FILE may be percent-encoded. A command's words
 * can be read by all: a password comes from a file that nobody else can read,
 * or from HANDFAST_STORE_PASSWORD. And what a Redis says when it refuses.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_redis.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns 0 when it is too long, or wrongly encoded. */
static int
decode(char out[HF__REDIS_TEXT], const char *in, size_t len)
{
	size_t i, n = 0;
	int hi, lo;

	for (i = 0; i < len; i++, n++) {
		if (n == HF__REDIS_TEXT - 1)
			return 0;
		out[n] = in[i];
		if (in[i] != '%')
			continue;
		if (len - i < 3 || (hi = hex_digit(in[i + 1])) < 0 ||
		    (lo = hex_digit(in[i + 2])) < 0 || hi + lo == 0)
			return 0;
		out[n] = (char)(hi << 4 | lo);
		i += 2;
	}
	out[n] = '\0';
	return 1;
}

/* A number up to `most`, of all the bytes. */
static int
number(unsigned long *out, const char *in, size_t len, unsigned long most)
{
	size_t i;

	*out = 0;
	for (i = 0; i < len; i++) {
		if (in[i] < '0' || in[i] > '9')
			return 0;
		*out = *out * 10 + (unsigned long)(in[i] - '0');
		if (*out > most)
			return 0;
	}
	return len > 0;
}

static int
set_db(struct hf__redis_uri *u, const char *in, size_t len)
{
	unsigned long db;

	if (!number(&db, in, len, 1000000))
		return 0;
	u->db = (unsigned)db;
	return 1;
}

/* HOST, HOST:PORT, [HOST]:PORT; no port is 0, for now. */
static int
set_host(struct hf__redis_host *h, const char *in, size_t len)
{
	const char *end = in + len, *at = in, *close;
	unsigned long port = 0;

	if (len > 0 && *in == '[') {
		if ((close = memchr(in, ']', len)) == NULL)
			return 0;
		at = close + 1;
		if (!decode(h->name, in + 1, (size_t)(close - in - 1)))
			return 0;
	} else {
		while (at < end && *at != ':')
			at++;
		if (!decode(h->name, in, (size_t)(at - in)))
			return 0;
	}
	if (at < end &&
	    (*at != ':' ||
		!number(&port, at + 1, (size_t)(end - at - 1), 65535) ||
		port == 0))
		return 0;
	h->port = (uint16_t)port;
	return h->name[0] != '\0';
}

/* HOST,... */
static int
set_hosts(struct hf__redis_uri *u, const char *in, size_t len)
{
	const char *end = in + len, *comma;

	for (;; in = comma + 1) {
		if ((comma = memchr(in, ',', (size_t)(end - in))) == NULL)
			comma = end;
		if (u->host_n == HF__REDIS_HOSTS ||
		    !set_host(&u->host[u->host_n++], in, (size_t)(comma - in)))
			return 0;
		if (comma == end)
			return 1;
	}
}

static void
usual_ports(struct hf__redis_uri *u)
{
	size_t i;

	for (i = 0; i < u->host_n; i++)
		if (u->host[i].port == 0)
			u->host[i].port = u->master[0] != '\0' ? 26379 : 6379;
}

/* @return HF_OK; HF_E_POLICY; HF_E_STORE; *reason says why */
static enum hf_err
read_password(struct hf__redis_uri *u, const char *path, const char **reason)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum hf_err e = HF_OK;
	struct stat st;
	ssize_t n = 0;

	if (fd == -1 || fstat(fd, &st) != 0) {
		*reason = "cannot read the password's file";
		e = HF_E_STORE;
	} else if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
		*reason = "others can read the password's file";
		e = HF_E_POLICY;
	} else if ((n = read(fd, u->password, sizeof(u->password))) <= 0 ||
	    (size_t)n == sizeof(u->password)) {
		*reason = "there is no password in its file";
		e = HF_E_STORE;
	} else {
		u->password[n] = '\0';
		u->password[strcspn(u->password, "\r\n")] = '\0';
	}
	if (fd != -1)
		(void)close(fd);
	return e;
}

static int
is(const char *in, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(in, word, len) == 0;
}

/* NAME=VALUE&... */
static enum hf_err
set_query(struct hf__redis_uri *u, const char *in, const char **reason)
{
	char path[HF__REDIS_TEXT];
	enum hf_err e = HF_OK;
	size_t name, len;

	while (e == HF_OK && *in != '\0') {
		name = strcspn(in, "=&");
		if (in[name] != '=')
			return HF_E_ARG;
		len = strcspn(in + name + 1, "&");
		if (is(in, name, "db"))
			e = set_db(u, in + name + 1, len) ? HF_OK : HF_E_ARG;
		else if (is(in, name, "passfile"))
			e = decode(path, in + name + 1, len) ?
			    read_password(u, path, reason) :
			    HF_E_ARG;
		else if (is(in, name, "sentinel"))
			e = u->host_n > 0 && len > 0 &&
				decode(u->master, in + name + 1, len) ?
			    HF_OK :
			    HF_E_ARG;
		else
			e = HF_E_ARG;
		in += name + 1 + len;
		in += *in == '&';
	}
	return e;
}

/* USER[:PASSWORD] */
static int
set_login(struct hf__redis_uri *u, const char *in, size_t len)
{
	const char *colon = memchr(in, ':', len);
	size_t name = colon == NULL ? len : (size_t)(colon - in);

	return decode(u->user, in, name) &&
	    (colon == NULL || decode(u->password, colon + 1, len - name - 1));
}

/* A password in the URI, or in its file, comes after it. */
static enum hf_err
read_environment(struct hf__redis_uri *u, const char **reason)
{
	const char *secret = getenv("HANDFAST_STORE_PASSWORD");
	size_t n;

	if (secret == NULL)
		return HF_OK;
	n = strlen(secret) + 1;
	if (n > sizeof(u->password)) {
		*reason = "the password in HANDFAST_STORE_PASSWORD is too "
			  "long";
		return HF_E_ARG;
	}
	memcpy(u->password, secret, n);
	return HF_OK;
}

static enum hf_err
read_uri(struct hf__redis_uri *u, const char *at, const char **reason)
{
	size_t len = strcspn(at, "?"), login = len, host;
	enum hf_err e;

	if ((e = read_environment(u, reason)) != HF_OK)
		return e;
	while (login > 0 && at[login - 1] != '@')
		login--;
	if (login > 0 && !set_login(u, at, login - 1))
		return HF_E_ARG;
	at += login;
	len -= login;
	host = 0;
	while (host < len && at[host] != '/')
		host++;
	if (host == 0) {
		if (len < 2 || !decode(u->path, at, len))
			return HF_E_ARG;
	} else if (!set_hosts(u, at, host) ||
	    (len - host > 1 && !set_db(u, at + host + 1, len - host - 1)))
		return HF_E_ARG;
	at += len;
	return *at == '\0' ? HF_OK : set_query(u, at + 1, reason);
}

enum hf_err
hf__redis_uri(struct hf__redis_uri *out, const char *uri, const char **reason)
{
	static const char scheme[] = "redis://";
	enum hf_err e;

	memset(out, 0, sizeof(*out));
	if (strncmp(uri, "rediss:", 7) == 0) {
		*reason = "hiredis has no TLS here; stunnel does it, "
			  "see handfast-store(7)";
		return HF_E_UNSUPPORTED;
	}
	if (strncmp(uri, scheme, strlen(scheme)) != 0)
		return HF_E_ARG;
	e = read_uri(out, uri + strlen(scheme), reason);
	usual_ports(out);
	return e;
}

/* --- what it says ------------------------------------------------------------------------ */

const char *
hf__redis_words(const char *reply)
{
	static const struct {
		const char *begins, *words;
	} known[] = {
		{ "OOM ", "the store is full: its maxmemory is reached" },
		{ "WRONGPASS ", "the store refuses the user or password" },
		{ "NOAUTH ", "the store asks for a password" },
		{ "NOPERM ", "the user has no right to do that in the store" },
		{ "READONLY ", "the store is a replica that takes no writes" },
		{ "LOADING ", "the store is still loading" },
		{ "MASTERDOWN ", "the store is a replica without its master" },
		{ "NOREPLICAS ", "the store has too few replicas to write" },
		{ "MISCONF ", "the store cannot save, and takes no writes" },
		{ "BUSY ", "the store is busy with a script" },
		{ "CLUSTERDOWN ", "the store's cluster is down" },
		{ "MOVED ",
		    "the store is a Redis Cluster, which is not "
		    "supported" },
		{ "ASK ",
		    "the store is a Redis Cluster, which is not "
		    "supported" },
		{ "CROSSSLOT ",
		    "the store is a Redis Cluster, which is not "
		    "supported" },
		{ "WRONGTYPE ",
		    "something else is in the store under our "
		    "names" },
		{ "ERR AUTH ", "the store has no password, one was given" },
		{ "ERR Client sent AUTH",
		    "the store has no password, one was "
		    "given" },
		{ "ERR max number of clients",
		    "the store has too many "
		    "clients" },
		{ "ERR DB index", "the store has no such database" },
		{ "ERR invalid DB", "the store has no such database" },
		{ "ERR unknown command", "the store is too old" },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(reply, known[i].begins, strlen(known[i].begins)) ==
		    0)
			return known[i].words;
	return "the store refuses what it was asked";
}
