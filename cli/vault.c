/* SPDX-License-Identifier: ISC */
/*
 * The keys by which a responder may hold its cluster's sessions: its grants
 * from the store, judged by the cluster's certificate; and the highest ring
 * serial that all of them had, kept on this machine's own disk so that no store
 * can bring older ones back.
 */
#include <stdlib.h>
#include <string.h>

#include "service.h"

enum { WARN_S = 12 * 3600 }; /* half of the longest grant's time */

/* Of the main thread. */
static char own_id[HF_MEMBER_ID_TEXT]; /* in the grants' keys */
static int admitted;		       /* this process has had grants */
static int unanswered;		       /* the store did not give them, last */

/* The cluster's certificate, as the same CAs as everybody else's believe. */
static int
load_cluster(struct generation *g, struct cli_chain *chain)
{
	enum hf_err e;
	int r;

	if ((r = cli_load_chain(chain, respond.cluster)) != CLI_OK)
		return r;
	if ((e = hf_trust_verify(NULL, g->trust, chain->spans, chain->n,
		 HF_USAGE_CLUSTER, g->leaf.cluster.text, cli_now())) != HF_OK)
		return cli_fail(e, "%s", respond.cluster);
	return CLI_OK;
}

int
vault_concerns(struct hf_span key)
{
	size_t len = strlen(own_id);

	return len > 0 && key.len > len + 3 && memcmp(key.ptr, "g/", 2) == 0 &&
	    memcmp(key.ptr + 2, own_id, len) == 0 && key.ptr[2 + len] == '/';
}

static void
hint_renew(void)
{
	cli_hint("handfast cluster renew --key X.key --store %s, by a timer",
	    respond.store);
}

static int
explain(enum hf_err e)
{
	int r;

	/* Its sessions go elsewhere; those that begin do not move. */
	if (e == HF_E_NO_SESSION && admitted) {
		cli_warn("%s is not admitted to the cluster any more",
		    respond.cert);
		return CLI_OK;
	}
	if (e == HF_E_NO_SESSION) {
		(void)cli_error(CLI_POLICY,
		    "%s is not admitted to the cluster in %s", respond.cert,
		    respond.store);
		cli_hint("handfast cluster admit --key %s --cert %s ...",
		    "X.key", respond.cert);
		return CLI_POLICY;
	}
	r = cli_store_fail(e, respond.server.store, "key grants");
	if (e == HF_E_EXPIRED)
		hint_renew();
	return r;
}

/* Whoever renews them by a timer does so before half of their time is over. */
void
vault_warn_expiry(const struct generation *g, uint64_t now)
{
	char text[CLI_TIME_TEXT];

	if (g->granted_until == 0 || g->granted_until >= now + WARN_S)
		return;
	cli_warn("the key grants of %s end on %s: no session moves from then",
	    respond.cert, cli_time_text(text, g->granted_until));
	hint_renew();
}

int
vault_unanswered(void)
{
	return unanswered;
}

int
vault_load(struct generation *g)
{
	struct cli_chain *chain;
	struct hf_keygrant_judge by = { .identity = g->identity,
		.member = g->chain.spans[0],
		.now = cli_now(),
		.tolerance = respond.server.tolerance };
	struct hf_granted granted = { 0 };
	struct cli_serial serial;
	enum hf_err e;
	int r;

	if (respond.server.store == NULL)
		return CLI_OK;
	if ((chain = malloc(sizeof(*chain))) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", respond.cluster);
	if ((r = cli_serial_read(&serial, respond.identity)) == CLI_OK &&
	    (r = load_cluster(g, chain)) == CLI_OK) {
		by.serial = serial.seen;
		by.cluster = chain->spans[0];
		hf_member_id(own_id, by.member);
		e = hf_vault_new(&g->vault, g->leaf.cluster.text,
		    g->leaf.subject.text);
		if (e == HF_OK)
			e = hf_member_grants(g->vault, respond.server.store,
			    &by, &granted);
		unanswered = e == HF_E_STORE;
		if (e != HF_OK)
			r = explain(e);
		else if (granted.serial > serial.seen) {
			serial.seen = granted.serial;
			r = cli_serial_write(respond.identity, &serial);
		}
		g->granted_until = granted.not_after;
		admitted |= e == HF_OK;
	}
	free(chain);
	return r;
}
