/* SPDX-License-Identifier: ISC */
/*
 * A whole session in memory: an authority certifies alice and a server; they
 * meet, greet and part. C11, C++17, and nothing but the public interface:
 *
 *     cc -std=c11 handshake.c $(pkg-config --cflags --libs handfast)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <handfast.h>

struct person {
	struct hf_identity *id;
	uint8_t cert[HF_CERT_MAX];
	struct hf_span chain; /* of one certificate */
	struct hf_config *config;
	struct hf_session *session;
	const char *word;	      /* to say */
	uint8_t wire[HF_MESSAGE_MAX]; /* on its way to this one */
	size_t arrived;
};

static uint64_t now; /* seconds since the epoch */

static void
must(enum hf_err e, const char *what)
{
	if (e == HF_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, hf_error_text(e));
	exit(1);
}

static struct hf_cert_info
terms(const char *name, unsigned usage)
{
	struct hf_cert_info t;

	memset(&t, 0, sizeof(t));
	t.subject.len = strlen(name);
	memcpy(t.subject.text, name, t.subject.len + 1);
	t.usage = usage;
	t.issued = t.not_before = now;
	t.not_after = now + 3600;
	t.path_length = -1;
	if (usage != HF_USAGE_CA)
		t.suites[t.suites_n++] = 1;
	return t;
}

/* What a person does, and what the authority does for him. */
static void
make(struct person *p, enum hf_role role, const char *name,
    const struct person *ca, const struct hf_trust *trust)
{
	struct hf_cert_info t = terms(name,
	    role == HF_INITIATOR ? HF_USAGE_INITIATOR : HF_USAGE_RESPONDER);
	uint8_t request[HF_CERT_MAX];
	size_t len;

	must(hf_identity_new(&p->id, NULL), "identity");
	must(hf_request_make(request, sizeof(request), &len, p->id, &t, now),
	    "request");
	must(hf_cert_issue(p->cert, sizeof(p->cert), &p->chain.len, ca->id,
		 ca->cert, ca->chain.len, &t, request, len),
	    "certificate");
	p->chain.ptr = p->cert;
	must(hf_config_new(&p->config, role), "config");
	must(hf_config_trust(p->config, trust), "trust");
	must(hf_config_identity(p->config, p->id, &p->chain, 1), "identity");
	if (role == HF_INITIATOR)
		must(hf_config_expect(p->config, "server"), "expect");
	must(hf_session_new(&p->session, p->config, 0, now), "session");
}

static void
greet(struct person *p)
{
	struct hf_peer peer;

	must(hf_session_peer(&peer, p->session), "peer");
	printf("%s, by %s\n", peer.name,
	    hf_suite_name(hf_session_suite(p->session)));
	must(hf_session_send(p->session, (const uint8_t *)p->word,
		 strlen(p->word)),
	    "send");
	must(hf_session_close(p->session), "close");
	p->word = NULL;
}

/* What has arrived, from its beginning: at most one message is taken. */
static void
feed(struct person *p)
{
	size_t used;

	if (p->arrived == 0)
		return;
	must(hf_session_feed(p->session, &used, p->wire, p->arrived), "feed");
	p->arrived -= used;
	memmove(p->wire, p->wire + used, p->arrived);
}

/* One want of p. With sockets, WRITE writes and READ reads. */
static void
step(struct person *p, struct person *q)
{
	enum hf_content content;
	struct hf_span data;
	size_t len;

	switch (hf_session_want(p->session)) {
	case HF_WANT_WRITE:
		must(hf_session_drain(p->session, q->wire + q->arrived,
			 sizeof(q->wire) - q->arrived, &len),
		    "drain");
		q->arrived += len;
		break;
	case HF_WANT_READ:
		feed(p);
		break;
	case HF_WANT_ADMIT: /* a stranger: a replay cache is asked here */
		must(hf_session_admit(p->session, HF_ADMIT), "admit");
		break;
	case HF_WANT_TRUST: /* certificates are verified: is he welcome? */
		must(hf_session_trust(p->session, HF_OK), "trust");
		break;
	case HF_WANT_DONE:
		if (p->word != NULL)
			greet(p);
		else
			feed(p);
		break;
	case HF_WANT_RECV:
		must(hf_session_recv(p->session, &content, &data), "recv");
		if (content == HF_CONTENT_DATA)
			printf("%.*s\n", (int)data.len,
			    (const char *)data.ptr);
		break;
	case HF_WANT_FAILED:
		must(hf_session_error(p->session), "session");
		break;
	default:
		break;
	}
}

static void
free_person(struct person *p)
{
	hf_session_free(p->session);
	hf_config_free(p->config);
	hf_identity_free(p->id);
}

int
main(void)
{
	static struct person ca, alice, server;
	struct hf_cert_info t;
	struct hf_trust *trust;
	int i;

	now = (uint64_t)time(NULL);
	must(hf_init(), "init");
	must(hf_identity_new(&ca.id, NULL), "authority");
	t = terms("My CA", HF_USAGE_CA);
	must(hf_cert_self(ca.cert, sizeof(ca.cert), &ca.chain.len, ca.id, &t),
	    "authority");
	must(hf_trust_new(&trust), "trust");
	must(hf_trust_add_ca(trust, ca.cert, ca.chain.len), "trust");
	make(&alice, HF_INITIATOR, "alice", &ca, trust);
	make(&server, HF_RESPONDER, "server", &ca, trust);
	alice.word = "hello from alice";
	server.word = "hello from the server";
	for (i = 0; i < 100; i++) {
		step(&alice, &server);
		step(&server, &alice);
	}
	i = hf_session_want(alice.session) == HF_WANT_CLOSED &&
	    hf_session_want(server.session) == HF_WANT_CLOSED;
	free_person(&alice);
	free_person(&server);
	hf_trust_free(trust);
	hf_identity_free(ca.id);
	return i ? 0 : 1;
}
