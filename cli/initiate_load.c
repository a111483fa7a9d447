/* SPDX-License-Identifier: ISC */
/*
 * What `initiate` begins with: its files, and the configuration that they
 * make. What is wrong with them is said before anything is connected.
 */
#include <sodium.h>
#include <stdlib.h>

#include "initiate.h"

/* The token: what this side authenticates with. */
static int
load_token(struct loaded *l, const struct initiate *a)
{
	uint8_t file[CLI_TICKET_FILE];
	struct cli_chain *chain;
	enum hf_err e = HF_OK;
	size_t len = 0;
	int r;

	if (a->user != NULL) {
		r = cli_pass_read(&l->password, &a->pass, "Password: ", 0);
		if (r != CLI_OK)
			return r;
		e = hf_config_user(l->config, a->user,
		    a->plain ? HF_METHOD_PLAIN_PASSWORD : HF_METHOD_PASSWORD);
		if (e == HF_OK)
			e = hf_config_without_prekey(l->config, a->no_prekey);
		return e == HF_OK ? CLI_OK : cli_fail(e, "--user %s", a->user);
	}
	if (a->ticket != NULL) {
		r = cli_load_ticket(file, &len, a->ticket);
		if (r == CLI_OK &&
		    (e = hf_config_ticket(l->config, file, len)) != HF_OK)
			r = cli_fail(e, "%s", a->ticket);
		sodium_memzero(file, sizeof(file));
		return r;
	}
	if ((chain = malloc(sizeof(*chain))) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", a->cert);
	r = cli_load_identity(&l->identity, a->identity, &a->pass);
	if (r == CLI_OK)
		r = cli_load_chain(chain, a->cert);
	if (r == CLI_OK &&
	    (e = hf_config_identity(l->config, l->identity, chain->spans,
		 chain->n)) != HF_OK)
		r = cli_fail(e, "%s", a->cert);
	free(chain);
	return r;
}

static int
load_responder(struct loaded *l, const struct initiate *a)
{
	struct cli_chain *chain;
	enum hf_err e;
	int r;

	if (a->responder_cert == NULL)
		return CLI_OK;
	if ((chain = malloc(sizeof(*chain))) == NULL)
		return cli_fail(HF_E_MEMORY, "--responder-cert");
	r = cli_load_chain(chain, a->responder_cert);
	if (r == CLI_OK &&
	    (e = hf_config_responder(l->config, chain->spans, chain->n)) !=
		HF_OK)
		r = cli_fail(e, "%s", a->responder_cert);
	l->known = r == CLI_OK;
	free(chain);
	return r;
}

int
initiate_load(struct loaded *l, const struct initiate *a)
{
	struct hf_session *session = NULL;
	enum hf_err e;
	int r;

	if (a->ticket_out != NULL &&
	    (r = cli_may_replace(a->ticket_out, PEM_TICKET,
		 "--ticket-out replaces only tickets")) != CLI_OK)
		return r;
	if ((r = cli_load_trust(&l->trust, a->trust, a->trust_n, a->revoked,
		 a->revoked_n, cli_now())) != CLI_OK)
		return r;
	if ((e = hf_config_new(&l->config, HF_INITIATOR)) != HF_OK ||
	    (e = hf_config_trust(l->config, l->trust)) != HF_OK ||
	    (e = hf_config_deadline(l->config, (uint32_t)a->deadline_ms)) !=
		HF_OK ||
	    (e = hf_config_fallback(l->config, !a->no_fallback)) != HF_OK ||
	    (e = hf_config_dispatched(l->config, a->dispatched)) != HF_OK ||
	    /* Now and then, so that nobody depends on its absence. */
	    (e = hf_config_grease(l->config, randombytes_uniform(8) == 0)) !=
		HF_OK)
		return cli_fail(e, "configuration");
	if (a->expect != NULL &&
	    (e = hf_config_expect(l->config, a->expect)) != HF_OK)
		return cli_fail(e, "--expect");
	if (a->realm != NULL &&
	    (e = hf_config_realm(l->config, a->realm)) != HF_OK)
		return cli_fail(e, "--realm");
	if (a->target_n > 0 &&
	    (e = hf_config_target(l->config, a->target[0])) != HF_OK)
		return cli_fail(e, "--target");
	if ((r = load_token(l, a)) != CLI_OK ||
	    (r = load_responder(l, a)) != CLI_OK)
		return r;
	/* What is wrong with one's own files is said before connecting. */
	e = hf_session_new(&session, l->config, 0, cli_now());
	hf_session_free(session);
	return e == HF_OK ? CLI_OK :
			    cli_fail(e, "%s",
				a->ticket != NULL   ? a->ticket :
				    a->cert != NULL ? a->cert :
						      "configuration");
}

int
initiate_addresses(struct hf_address *out, const char **names, size_t *n,
    const struct initiate *a)
{
	size_t i, k, found;
	int r;

	*n = 0;
	for (i = 0; i < a->connect_n; i++) {
		if ((r = cli_address(out + *n, &found, "initiate", "--connect",
			 a->connect[i])) != CLI_OK)
			return r;
		for (k = 0; k < found; k++)
			names[*n + k] = a->connect[i];
		*n += found;
	}
	return CLI_OK;
}
