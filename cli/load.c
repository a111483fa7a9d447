/* SPDX-License-Identifier: ISC */
/*
 * Paths to objects of the library and back: identities, chains, trust, rings,
 * tickets. It knows which files are secret and how text blocks stack up in
 * them; every judgement on what they say is the library's.
 */
#include <sys/stat.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define PEM_IDENTITY "HANDFAST IDENTITY"
#define PEM_CERT "HANDFAST CERTIFICATE"
#define PEM_LIST "HANDFAST REVOCATION LIST"
#define PEM_SEALED "HANDFAST ENCRYPTED IDENTITY"

enum { LABEL_MAX = 64, PORT_MAX = 5 };

/* The line -----BEGIN or -----END LABEL-----. */
static void
edge_of(char line[LABEL_MAX], const char *word, const char *label)
{
	(void)snprintf(line, LABEL_MAX, "-----%s %s-----", word, label);
}

static int
has_block(const char *text, const char *label)
{
	char begin[LABEL_MAX];

	edge_of(begin, "BEGIN", label);
	return strstr(text, begin) != NULL;
}

/* How many blocks of one label there are; 0 where there is anything else, which
 * may be a private key, and would be lost. */
static int
only_blocks(const char *text, const char *label)
{
	char begin[LABEL_MAX], end[LABEL_MAX];
	const char *at = text, *last;
	int n;

	edge_of(begin, "BEGIN", label);
	edge_of(end, "END", label);
	for (n = 0;; n++) {
		at += strspn(at, " \t\r\n");
		if (*at == '\0')
			return n;
		if (strncmp(at, begin, strlen(begin)) != 0 ||
		    (last = strstr(at + 1, "-----")) == NULL ||
		    (last = strstr(last + 5, "-----")) == NULL ||
		    strncmp(last, end, strlen(end)) != 0)
			return 0;
		at = last + strlen(end);
	}
}

/* One line, with a port or the path of a socket. */
static int
is_port_file(const char *text)
{
	size_t digits = strspn(text, "0123456789"), line = strcspn(text, "\n");

	return text[line] == '\n' && text[line + 1] == '\0' &&
	    (strncmp(text, "unix:", 5) == 0 ||
		(digits == line && digits > 0 && digits <= PORT_MAX));
}

/* Of a chain there are several; of anything else the first alone counts. */
static int
is_kind(const char *text, size_t len, const char *label)
{
	int n;

	if (len == 0)
		return 1;
	if (strlen(text) != len)
		return 0;
	if (label == NULL)
		return is_port_file(text);
	n = only_blocks(text, label);
	return n == 1 || (n > 1 && strcmp(label, PEM_CERT) == 0);
}

int
cli_may_replace(const char *path, const char *label, const char *hint)
{
	struct stat st;
	char *text;
	size_t len;
	int is = 0, r;

	if (strcmp(path, "-") == 0)
		return CLI_OK;
	if (stat(path, &st) == -1)
		return errno == ENOENT ? CLI_OK : cli_errno("%s", path);
	if (S_ISREG(st.st_mode) && st.st_size <= CLI_LIST_TEXT) {
		r = cli_read_file(path, CLI_LIST_TEXT, &text, &len);
		if (r != CLI_OK)
			return r;
		is = is_kind(text, len, label);
		cli_free_file(text, len);
	}
	if (is)
		return CLI_OK;
	(void)cli_error(CLI_POLICY, "%s: holds something else, not replaced",
	    path);
	cli_hint("%s", hint);
	return CLI_POLICY;
}

int
cli_fail_file(enum hf_err e, const char *path, const char *text,
    const char *label)
{
	int result = cli_fail(e, "%s", path);
	const char *found = strstr(text, "-----BEGIN ");
	size_t len;

	if (e != HF_E_OBJECT || has_block(text, label))
		return result;
	if (found == NULL) {
		cli_hint("there is no %s in it", label);
		return result;
	}
	found += strlen("-----BEGIN ");
	len = strcspn(found, "-\r\n");
	cli_hint("there is no %s in it, but a %.*s", label,
	    (int)(len < LABEL_MAX ? len : LABEL_MAX), found);
	return result;
}

int
cli_load_identity(struct hf_identity **id, const char *path,
    const struct cli_pass *pass)
{
	struct cli_secret secret = { NULL, 0 };
	char *text;
	size_t len;
	enum hf_err e = HF_OK;
	int result;

	*id = NULL;
	result = cli_read_secret_file(path, CLI_TEXT_MAX, &text, &len);
	if (result != CLI_OK)
		return result;
	if (has_block(text, PEM_SEALED)) {
		if (!cli_pass_available(pass)) {
			result = cli_refuse(HF_E_PASSPHRASE,
			    "%s: sealed under a passphrase, and none was "
			    "given",
			    path);
			cli_hint("give it by --passphrase-file or "
				 "--passphrase-fd");
			goto out;
		}
		result = cli_pass_read(&secret, pass, "Passphrase: ", 0);
		if (result != CLI_OK)
			goto out;
	}
	e = hf_identity_decode(id, text, len, secret.text, secret.len);
	if (e != HF_OK) {
		*id = NULL;
		result = cli_fail_file(e, path, text, PEM_IDENTITY);
	}
out:
	cli_secret_free(&secret);
	cli_free_file(text, len);
	return result;
}

int
cli_save_identity(const struct hf_identity *id, const char *path,
    const struct cli_secret *secret)
{
	char text[1024];
	size_t len;
	enum hf_err e;
	int result;

	e = hf_identity_encode(text, sizeof(text), &len, id, secret->text,
	    secret->len);
	if (e != HF_OK)
		result = cli_fail(e, "%s", path);
	else
		result = cli_write_file(path, text, len, 0600, CLI_NEW);
	sodium_memzero(text, sizeof(text));
	return result;
}

int
cli_load_chain(struct cli_chain *chain, const char *path)
{
	char *text;
	size_t at = 0, used, cert_len, len;
	enum hf_err e;
	int result;

	chain->n = 0;
	result = cli_read_file(path, CLI_TEXT_MAX, &text, &len);
	if (result != CLI_OK)
		return result;
	do {
		if (chain->n == HF_CHAIN_MAX) {
			result = cli_error(CLI_FORMAT,
			    "%s: more than %d certificates", path,
			    HF_CHAIN_MAX);
			break;
		}
		e = hf_pem_decode(chain->store[chain->n], HF_CERT_MAX,
		    &cert_len, &used, PEM_CERT, text + at, len - at);
		if (e != HF_OK) {
			if (e == HF_E_SPACE)
				e = HF_E_TOO_BIG;
			result = chain->n == 0 ?
			    cli_fail_file(e, path, text, PEM_CERT) :
			    cli_fail(e, "%s: certificate %zu", path,
				chain->n + 1);
			break;
		}
		chain->spans[chain->n].ptr = chain->store[chain->n];
		chain->spans[chain->n++].len = cert_len;
		at += used;
		/* One past the last there is HF_E_OBJECT, as for a broken
		 * one: the marker tells them apart. */
	} while (has_block(text + at, PEM_CERT));
	cli_free_file(text, len);
	return result;
}

int
cli_is_root(const struct hf_cert_info *info)
{
	return strcmp(info->issuer.text, info->subject.text) == 0;
}

int
cli_load_leaf(struct hf_cert_info *info, const struct cli_chain *chain,
    const char *path)
{
	enum hf_err e;

	e = hf_cert_read(info, chain->spans[0].ptr, chain->spans[0].len);
	if (e != HF_OK)
		return cli_fail(e, "%s", path);
	return CLI_OK;
}

/* A file of CAs, read twice: roots are believed; then those below them are
 * made known, so that their lists can be added. The chain of such a file
 * begins at the lowest. */
static int
add_cas(struct hf_trust *trust, const char *path, int roots, uint64_t at)
{
	struct cli_chain chain;
	struct hf_cert_info info;
	enum hf_err e = HF_OK;
	size_t i;
	int result;

	if ((result = cli_load_chain(&chain, path)) != CLI_OK)
		return result;
	for (i = chain.n; e == HF_OK && i > 0; i--) {
		const struct hf_span *cert = &chain.spans[i - 1];

		if ((e = hf_cert_read(&info, cert->ptr, cert->len)) != HF_OK)
			break;
		if (cli_is_root(&info) != roots)
			continue;
		if (roots)
			e = hf_trust_add_ca(trust, cert->ptr, cert->len);
		else
			e = hf_trust_add_issuer(trust, cert->ptr, cert->len,
			    at);
	}
	if (e == HF_E_USAGE) {
		result =
		    cli_refuse(e, "%s: not the certificate of a CA", path);
		cli_hint("--trust takes the ca.cert at the top of a chain");
		return result;
	}
	return e != HF_OK ? cli_fail(e, "%s", path) : CLI_OK;
}

int
cli_load_list(uint8_t **list, size_t *len, const char *path)
{
	char *text;
	size_t text_len, used;
	enum hf_err e;
	int result;

	*list = NULL;
	*len = 0;
	result = cli_read_file(path, CLI_LIST_TEXT, &text, &text_len);
	if (result != CLI_OK)
		return result;
	if ((*list = malloc(HF_LIST_MAX)) == NULL) {
		result = cli_errno("%s", path);
	} else {
		e = hf_pem_decode(*list, HF_LIST_MAX, len, &used, PEM_LIST,
		    text, text_len);
		if (e != HF_OK)
			result =
			    cli_fail_file(e == HF_E_SPACE ? HF_E_TOO_BIG : e,
				path, text, PEM_LIST);
	}
	cli_free_file(text, text_len);
	if (result != CLI_OK) {
		free(*list);
		*list = NULL;
	}
	return result;
}

static int
add_list(struct hf_trust *trust, const char *path)
{
	uint8_t *list;
	size_t len;
	enum hf_err e;
	int result;

	if ((result = cli_load_list(&list, &len, path)) != CLI_OK)
		return result;
	e = hf_trust_add_list(trust, list, len);
	free(list);
	if (e == HF_E_ISSUER)
		return cli_refuse(e,
		    "%s: a revocation list of "
		    "none of the CAs given by --trust",
		    path);
	if (e == HF_E_STALE_LIST)
		return cli_refuse(e,
		    "%s: an older list than "
		    "another one given for the same CA",
		    path);
	if (e != HF_OK)
		return cli_fail(e, "%s", path);
	return CLI_OK;
}

int
cli_load_trust(struct hf_trust **trust, const char *const *cas, size_t cas_n,
    const char *const *lists, size_t lists_n, uint64_t at)
{
	size_t i;
	enum hf_err e;
	int result = CLI_OK;

	*trust = NULL;
	if ((e = hf_trust_new(trust)) != HF_OK)
		return cli_fail(e, "trust");
	for (i = 0; result == CLI_OK && i < cas_n; i++)
		result = add_cas(*trust, cas[i], 1, at);
	for (i = 0; result == CLI_OK && i < cas_n; i++)
		result = add_cas(*trust, cas[i], 0, at);
	for (i = 0; result == CLI_OK && i < lists_n; i++)
		result = add_list(*trust, lists[i]);
	if (result != CLI_OK) {
		hf_trust_free(*trust);
		*trust = NULL;
	}
	return result;
}

int
cli_load_ring(struct hf_ring **ring, const char *path)
{
	char *text;
	size_t len;
	enum hf_err e;
	int result;

	*ring = NULL;
	result = cli_read_secret_file(path, CLI_TEXT_MAX, &text, &len);
	if (result != CLI_OK)
		return result;
	if ((e = hf_ring_decode(ring, text, len)) != HF_OK) {
		*ring = NULL;
		result = cli_fail_file(e, path, text, PEM_RING);
	}
	cli_free_file(text, len);
	return result;
}

int
cli_load_ticket(uint8_t file[CLI_TICKET_FILE], size_t *len, const char *path)
{
	char *text;
	size_t text_len, used;
	enum hf_err e;
	int result;

	*len = 0;
	result = cli_read_secret_file(path, CLI_TEXT_MAX, &text, &text_len);
	if (result != CLI_OK)
		return result;
	e = hf_pem_decode(file, CLI_TICKET_FILE, len, &used, PEM_TICKET, text,
	    text_len);
	if (e != HF_OK) {
		sodium_memzero(file, CLI_TICKET_FILE);
		result = cli_fail_file(e == HF_E_SPACE ? HF_E_TOO_BIG : e,
		    path, text, PEM_TICKET);
	}
	cli_free_file(text, text_len);
	return result;
}
