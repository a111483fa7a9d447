/* SPDX-License-Identifier: ISC */
/*
 * What a kind of peer shows: a token read from files as the program's own
 * commands wrote them, good or spoilt by whoever runs the crowd, and first
 * messages made of it beforehand, so that a flood costs its sender less than
 * its receiver. It judges no token.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crowd.h"

static const struct {
	const char *name;
	enum act act;
} acts[] = { { "serve", SERVE }, { "hold", HOLD }, { "bare", BARE },
	{ "hello", HELLO }, { "box", BOX }, { "silent", SILENT },
	{ "drip", DRIP }, { "crawl", CRAWL }, { "touch", TOUCH },
	{ "garbage", GARBAGE }, { "reset", RESET }, { "finish", FINISH } };

static size_t
read_file(char *out, size_t cap, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (f == NULL)
		give_up("cannot read", path);
	n = fread(out, 1, cap - 1, f);
	(void)fclose(f);
	out[n] = '\0';
	return n;
}

static size_t
read_block(uint8_t *out, size_t cap, const char *path, const char *label)
{
	char text[4 * HF_CERT_MAX];
	size_t used, len, n = read_file(text, sizeof(text), path);

	must(hf_pem_decode(out, cap, &len, &used, label, text, n), path);
	return len;
}

static void
read_trust(void)
{
	uint8_t cert[HF_CERT_MAX];

	if (crowd.trust != NULL)
		return;
	must(hf_trust_new(&crowd.trust), "trust");
	must(hf_trust_add_ca(crowd.trust, cert,
		 read_block(cert, sizeof(cert), "ca/ca.cert",
		     "HANDFAST CERTIFICATE")),
	    "ca/ca.cert");
}

static void
take_certificate(struct kind *k, const char *name)
{
	char path[128], text[4096];
	uint8_t cert[HF_CERT_MAX];
	struct hf_span chain = { cert, 0 };

	(void)snprintf(path, sizeof(path), "%s.key", name);
	must(hf_identity_decode(&k->identity, text,
		 read_file(text, sizeof(text), path), NULL, 0),
	    path);
	(void)snprintf(path, sizeof(path), "%s.cert", name);
	chain.len =
	    read_block(cert, sizeof(cert), path, "HANDFAST CERTIFICATE");
	must(hf_config_identity(k->config, k->identity, &chain, 1), path);
}

/* The stretching is the client's own work: it is done once, here. */
static void
take_password(struct kind *k, const char *user, const char *path)
{
	size_t n;

	must(hf_config_user(k->config, user, HF_METHOD_PASSWORD), user);
	n = read_file(k->password, sizeof(k->password), path);
	while (n > 0 && k->password[n - 1] == '\n')
		k->password[--n] = '\0';
	must(hf_password_stretch(k->stretched, k->password, n, "example", user,
		 0, 0),
	    path);
}

static void
take_ticket(struct kind *k, const char *path)
{
	uint8_t file[HF_CERT_MAX];

	must(hf_config_ticket(k->config, file,
		 read_block(file, sizeof(file), path, "HANDFAST TICKET")),
	    path);
}

/* The responder is known beforehand, but for a password that is served: its
 * usual path has a prekey. */
static void
know_responder(struct kind *k)
{
	uint8_t cert[HF_CERT_MAX];
	struct hf_span chain = { cert, 0 };

	chain.len = read_block(cert, sizeof(cert), "server.cert",
	    "HANDFAST CERTIFICATE");
	must(hf_config_responder(k->config, &chain, 1), "server.cert");
	must(hf_config_without_prekey(k->config, 1), "prekey");
}

/* All that a session says before it hears anything, or to the last retry. */
static struct blob
first_message(struct kind *k)
{
	struct hf_session *s;
	struct hf_span out;
	struct blob b;
	size_t used;

	must(hf_session_new(&s, k->config, 0, (uint64_t)time(NULL)), k->name);
	if (hf_session_want(s) == HF_WANT_TRUST)
		must(k->password[0] == '\0' ?
			hf_session_trust(s, HF_OK) :
			hf_session_stretched(s, k->stretched),
		    k->name);
	if (k->retry_len > 0) {
		must(hf_session_drained(s, hf_session_output(s).len), "drain");
		must(hf_session_feed(s, &used, k->retry, k->retry_len),
		    "retry");
	}
	out = hf_session_output(s);
	if (out.len == 0 || (b.ptr = malloc(out.len)) == NULL)
		give_up("no first message", k->name);
	memcpy(b.ptr, out.ptr, out.len);
	b.len = out.len;
	hf_session_free(s);
	return b;
}

struct blob
kind_message(struct kind *k)
{
	struct blob b;
	unsigned i;

	if (k->pool_n == 0)
		return (struct blob){ NULL, 0 };
	i = k->pool_next++ % k->pool_n;
	if (k->pool_made[i] != k->retries) {
		/* Whoever has the old one may still say it: it stays. */
		k->pool[i] = first_message(k);
		k->pool_made[i] = k->retries;
	}
	b = k->pool[i];
	/* The end of a box is its tag. */
	if (k->act == BOX || k->act == GARBAGE)
		randombytes_buf(b.ptr + b.len - b.len / 8, b.len / 8);
	return b;
}

void
kind_heard(struct kind *k, const uint8_t *bytes, size_t len)
{
	time_t now = time(NULL);

	if (len < 2 || len > RETRY_MAX || bytes[0] != 0x82 || bytes[1] != 2 ||
	    now - k->retried < COOKIE_S)
		return;
	k->retried = now;
	memcpy(k->retry, bytes, len);
	k->retry_len = len;
	k->retries++;
}

static void
fill_pool(struct kind *k)
{
	unsigned n = k->act == BARE ? POOL : 1;

	if (k->act == SERVE || k->act == HOLD || k->act == SILENT ||
	    k->act == TOUCH)
		return;
	for (; k->pool_n < n; k->pool_n++)
		k->pool[k->pool_n] = first_message(k);
	/* A head of 64 items is no message's. */
	if (k->act == GARBAGE)
		memset(k->pool[0].ptr, 0x98, k->pool[0].len);
	if (k->act == CRAWL) {
		know_responder(k);
		k->request = first_message(k);
	}
}

void
kind_make(struct kind *k, char *word)
{
	const char *act, *token, *what;
	size_t i;

	k->name = strdup(word);
	act = strtok(word, ":");
	token = strtok(NULL, ":");
	what = strtok(NULL, ":");
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (act != NULL && strcmp(act, acts[i].name) == 0)
			break;
	if (k->name == NULL || i == sizeof(acts) / sizeof(acts[0]))
		give_up("no such kind", word);
	k->act = acts[i].act;
	k->us = malloc(HIST_MAX * sizeof(*k->us));
	read_trust();
	must(hf_config_new(&k->config, HF_INITIATOR), "configuration");
	must(hf_config_trust(k->config, crowd.trust), "trust");
	must(hf_config_expect(k->config, "server"), "expect");
	must(hf_config_deadline(k->config, 60000), "deadline");
	if (token != NULL && what == NULL)
		give_up("which token?", k->name);
	if (token == NULL || strcmp(token, "ticket") == 0)
		take_ticket(k, token == NULL ? "carol.ticket" : what);
	else if (strcmp(token, "certificate") == 0)
		take_certificate(k, what);
	else
		take_password(k, what, strtok(NULL, ":"));
	if (k->act == BOX || k->act == BARE ||
	    ((k->act == SERVE || k->act == HOLD) && k->password[0] == '\0'))
		know_responder(k);
	fill_pool(k);
}
