/* SPDX-License-Identifier: ISC */
/*
 * From the files that a peer's entry names to what a session is made with:
 * trust, a token, the peer's certificate. Files are judged by what was opened.
 * Whatever is wrong is said in words; nothing is printed.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peers.h"

#define PEM_CERT "HANDFAST CERTIFICATE"
#define PEM_LIST "HANDFAST REVOCATION LIST"
#define PEM_TICKET "HANDFAST TICKET"

enum { TEXT_MAX = 1 << 16, LIST_TEXT = 3 << 19, TICKET_FILE = 4096 };

enum hf_err
hf__why(char why[HF_WHY_MAX], enum hf_err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, HF_WHY_MAX, fmt, ap);
	va_end(ap);
	return e;
}

static enum hf_err
judge(const struct stat *st, const char *path, int secret,
    char why[HF_WHY_MAX])
{
	unsigned mode = (unsigned)(st->st_mode & 07777);

	if (secret && st->st_uid != geteuid())
		return hf__why(why, HF_E_POLICY,
		    "%s: a secret that belongs to another user (uid %lu)",
		    path, (unsigned long)st->st_uid);
	if (secret && (mode & 077) != 0)
		return hf__why(why, HF_E_POLICY,
		    "%s: a secret that others can read (mode %04o)", path,
		    mode);
	if (!secret && st->st_uid != geteuid() && st->st_uid != 0)
		return hf__why(why, HF_E_POLICY,
		    "%s: belongs to another user (uid %lu)", path,
		    (unsigned long)st->st_uid);
	if (!secret && (mode & 022) != 0)
		return hf__why(why, HF_E_POLICY,
		    "%s: others can change it (mode %04o)", path, mode);
	return HF_OK;
}

static enum hf_err
read_all(char *buf, size_t *len, int fd, size_t max, const char *path,
    char why[HF_WHY_MAX])
{
	ssize_t got;

	*len = 0;
	while (*len <= max) {
		got = read(fd, buf + *len, max + 1 - *len);
		if (got == 0)
			return HF_OK;
		if (got > 0)
			*len += (size_t)got;
		else if (errno != EINTR)
			return hf__why(why, HF_E_IO, "%s: %s", path,
			    strerror(errno));
	}
	return hf__why(why, HF_E_TOO_BIG, "%s: longer than %zu bytes", path,
	    max);
}

enum hf_err
hf__file_read(char **buf, size_t *len, const char *path, size_t max,
    int secret, char why[HF_WHY_MAX])
{
	struct stat st;
	enum hf_err e;
	int fd;

	*buf = NULL;
	*len = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1 || fstat(fd, &st) != 0) {
		e = hf__why(why, HF_E_IO, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		e = hf__why(why, HF_E_POLICY, "%s: not a file", path);
		goto out;
	}
	if ((e = judge(&st, path, secret, why)) != HF_OK)
		goto out;
	if (st.st_size > 0 && (uint64_t)st.st_size < max)
		max = (size_t)st.st_size;
	/* One allocation: growing would leave copies of a secret behind. */
	if ((*buf = malloc(max + 2)) == NULL)
		e = hf__why(why, HF_E_MEMORY, "%s: out of memory", path);
	else if ((e = read_all(*buf, len, fd, max, path, why)) == HF_OK)
		(*buf)[*len] = '\0';
out:
	if (fd != -1)
		(void)close(fd);
	if (e == HF_OK && *buf != NULL)
		return HF_OK;
	hf__file_free(*buf, *len);
	*buf = NULL;
	*len = 0;
	return e == HF_OK ? HF_E_IO : e;
}

void
hf__file_free(char *buf, size_t len)
{
	if (buf == NULL)
		return;
	sodium_memzero(buf, len);
	free(buf);
}

/* --- objects ------------------------------------------------------------------------ */

/* The room for what a file holds is all that there may be. */
static enum hf_err
object(char why[HF_WHY_MAX], enum hf_err e, const char *path)
{
	if (e == HF_E_SPACE)
		e = HF_E_TOO_BIG;
	return hf__why(why, e, "%s: %s (%s)", path, hf_error_text((int)e),
	    hf_error_name((int)e));
}

struct chain {
	uint8_t store[HF_CHAIN_MAX][HF_CERT_MAX];
	struct hf_span spans[HF_CHAIN_MAX]; /* leaf first */
	size_t n;
};

static enum hf_err
load_chain(struct chain *chain, const char *path, char why[HF_WHY_MAX])
{
	size_t at = 0, used, len, text_len;
	enum hf_err e;
	char *text;

	chain->n = 0;
	if ((e = hf__file_read(&text, &text_len, path, TEXT_MAX, 0, why)) !=
	    HF_OK)
		return e;
	do {
		if (chain->n == HF_CHAIN_MAX) {
			e = HF_E_TOO_BIG;
			break;
		}
		e = hf_pem_decode(chain->store[chain->n], HF_CERT_MAX, &len,
		    &used, PEM_CERT, text + at, text_len - at);
		if (e != HF_OK)
			break;
		chain->spans[chain->n].ptr = chain->store[chain->n];
		chain->spans[chain->n++].len = len;
		at += used;
	} while (strstr(text + at, "-----BEGIN " PEM_CERT) != NULL);
	hf__file_free(text, text_len);
	return e == HF_OK ? HF_OK : object(why, e, path);
}

/* Read twice: roots are believed; then those below them are made known. */
static enum hf_err
add_cas(struct hf_trust *trust, const char *path, int roots,
    char why[HF_WHY_MAX])
{
	struct hf_cert_info info;
	struct chain chain;
	enum hf_err e;
	size_t i;

	if ((e = load_chain(&chain, path, why)) != HF_OK)
		return e;
	for (i = chain.n; e == HF_OK && i > 0; i--) {
		const struct hf_span *cert = &chain.spans[i - 1];

		if ((e = hf_cert_read(&info, cert->ptr, cert->len)) != HF_OK)
			break;
		if ((strcmp(info.issuer.text, info.subject.text) == 0) !=
		    roots)
			continue;
		if (roots)
			e = hf_trust_add_ca(trust, cert->ptr, cert->len);
		else
			e = hf_trust_add_issuer(trust, cert->ptr, cert->len,
			    (uint64_t)time(NULL));
	}
	return e == HF_OK ? HF_OK : object(why, e, path);
}

static enum hf_err
add_list(struct hf_trust *trust, const char *path, char why[HF_WHY_MAX])
{
	size_t len, used, text_len;
	uint8_t *list;
	enum hf_err e;
	char *text;

	if ((e = hf__file_read(&text, &text_len, path, LIST_TEXT, 0, why)) !=
	    HF_OK)
		return e;
	if ((list = malloc(HF_LIST_MAX)) == NULL)
		e = HF_E_MEMORY;
	else if ((e = hf_pem_decode(list, HF_LIST_MAX, &len, &used, PEM_LIST,
		      text, text_len)) == HF_OK)
		e = hf_trust_add_list(trust, list, len);
	free(list);
	hf__file_free(text, text_len);
	return e == HF_OK ? HF_OK : object(why, e, path);
}

static enum hf_err
load_trust(struct hf__entry *p, char why[HF_WHY_MAX])
{
	enum hf_err e;
	size_t i;

	if ((e = hf_trust_new(&p->trusted)) != HF_OK)
		return object(why, e, p->name);
	for (i = 0; e == HF_OK && i < p->trust_n; i++)
		e = add_cas(p->trusted, p->trust[i], 1, why);
	for (i = 0; e == HF_OK && i < p->trust_n; i++)
		e = add_cas(p->trusted, p->trust[i], 0, why);
	for (i = 0; e == HF_OK && i < p->revoked_n; i++)
		e = add_list(p->trusted, p->revoked[i], why);
	return e;
}

static enum hf_err
load_key(struct hf__entry *p, char why[HF_WHY_MAX])
{
	struct chain chain;
	enum hf_err e;
	size_t len;
	char *text;

	if ((e = hf__file_read(&text, &len, p->identity, TEXT_MAX, 1, why)) !=
	    HF_OK)
		return e;
	e = hf_identity_decode(&p->key, text, len, NULL, 0);
	hf__file_free(text, len);
	if (e != HF_OK) {
		p->key = NULL;
		return object(why, e, p->identity);
	}
	if ((e = load_chain(&chain, p->certificate, why)) != HF_OK)
		return e;
	e = hf_config_identity(p->config, p->key, chain.spans, chain.n);
	return e == HF_OK ? HF_OK : object(why, e, p->certificate);
}

static enum hf_err
load_user(struct hf__entry *p, char why[HF_WHY_MAX])
{
	enum hf_err e;
	size_t len, n;
	char *text;

	if ((e = hf__file_read(&text, &len, p->password_file, TEXT_MAX, 1,
		 why)) != HF_OK)
		return e;
	n = strcspn(text, "\r\n");
	if (n == 0 || n > HF_PASSWORD_MAX)
		e = hf__why(why, HF_E_CONFIG, "%s: not 1 to %d bytes",
		    p->password_file, HF_PASSWORD_MAX);
	else if ((p->password.text = sodium_malloc(n + 1)) == NULL)
		e = object(why, HF_E_MEMORY, p->password_file);
	if (e == HF_OK && p->password.text != NULL) {
		memcpy(p->password.text, text, n);
		p->password.text[n] = '\0';
		p->password.len = n;
		e = hf_config_user(p->config, p->user, HF_METHOD_PASSWORD);
		if (e != HF_OK)
			e = object(why, e, p->user);
	}
	hf__file_free(text, len);
	return e;
}

static enum hf_err
load_ticket(struct hf__entry *p, char why[HF_WHY_MAX])
{
	uint8_t file[TICKET_FILE];
	size_t len, used, text_len;
	enum hf_err e;
	char *text;

	if ((e = hf__file_read(&text, &text_len, p->ticket, TEXT_MAX, 1,
		 why)) != HF_OK)
		return e;
	e = hf_pem_decode(file, sizeof(file), &len, &used, PEM_TICKET, text,
	    text_len);
	if (e == HF_OK)
		e = hf_config_ticket(p->config, file, len);
	sodium_memzero(file, sizeof(file));
	hf__file_free(text, text_len);
	return e == HF_OK ? HF_OK : object(why, e, p->ticket);
}

static enum hf_err
load_token(struct hf__entry *p, char why[HF_WHY_MAX])
{
	if (p->identity != NULL)
		return load_key(p, why);
	return p->user != NULL ? load_user(p, why) : load_ticket(p, why);
}

static enum hf_err
load_known(struct hf__entry *p, char why[HF_WHY_MAX])
{
	struct chain chain;
	enum hf_err e;

	if (p->known == NULL)
		return HF_OK;
	if ((e = load_chain(&chain, p->known, why)) != HF_OK)
		return e;
	e = hf_config_responder(p->config, chain.spans, chain.n);
	return e == HF_OK ? HF_OK : object(why, e, p->known);
}

enum hf_err
hf__entry_load(struct hf__entry *p, char why[HF_WHY_MAX])
{
	struct hf_session *session = NULL;
	enum hf_err e;

	if ((e = load_trust(p, why)) != HF_OK)
		return e;
	if ((e = hf_config_new(&p->config, HF_INITIATOR)) != HF_OK ||
	    (e = hf_config_trust(p->config, p->trusted)) != HF_OK ||
	    (e = hf_config_channels(p->config, 1)) != HF_OK ||
	    (e = hf_config_dispatched(p->config, p->dispatched)) != HF_OK ||
	    (e = hf_config_grease(p->config, randombytes_uniform(8) == 0)) !=
		HF_OK ||
	    (p->expect != NULL &&
		(e = hf_config_expect(p->config, p->expect)) != HF_OK) ||
	    (p->realm != NULL &&
		(e = hf_config_realm(p->config, p->realm)) != HF_OK) ||
	    (p->target != NULL &&
		(e = hf_config_target(p->config, p->target)) != HF_OK))
		return object(why, e, p->name);
	if ((e = load_token(p, why)) != HF_OK ||
	    (e = load_known(p, why)) != HF_OK)
		return e;
	/* What is wrong with one's own files is said before connecting; what
	 * has expired is said when it is needed. */
	e = hf_session_new(&session, p->config, 0, (uint64_t)time(NULL));
	hf_session_free(session);
	return e == HF_OK || e == HF_E_OWN_EXPIRED ? HF_OK :
						     object(why, e, p->name);
}

void
hf__entry_unload(struct hf__entry *p)
{
	hf_config_free(p->config);
	hf_identity_free(p->key);
	hf_trust_free(p->trusted);
	sodium_free(p->password.text);
	p->config = NULL;
	p->key = NULL;
	p->trusted = NULL;
	p->password.text = NULL;
}
