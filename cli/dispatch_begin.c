/* SPDX-License-Identifier: ISC */
/*
 * How a dispatcher begins: it listens, where only root may, or is given what
 * listens; then it becomes another user and gives up what it does not need.
 * What goes through its sockets it does not know.
 */
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confine.h"
#include "dispatching.h"

/* --- where it listens --------------------------------------------------------------- */

int
dispatch_address(struct hf_address at[HF_ADDRESSES_MAX], size_t *n,
    const char *what, const char *text)
{
	int r = cli_address(at, n, "dispatch", what, text);

	return r == CLI_USAGE ? CLI_FORMAT : r;
}

static int
bind_at(struct doors *d, const char *text)
{
	struct hf_address a[HF_ADDRESSES_MAX];
	enum hf_err e = HF_E_IO;
	size_t k, n;
	int r;

	if ((r = dispatch_address(a, &n, "listen", text)) != CLI_OK)
		return r;
	for (k = 0; e != HF_OK && k < n; k++)
		e = hf_address_listen(&d->fd[d->n], &d->bound[d->n], &a[k]);
	if (e == HF_E_POLICY)
		return cli_error(CLI_POLICY, "listen %s: not safe there",
		    text);
	if (e != HF_OK)
		return cli_errno("listen %s", text);
	d->n++;
	return CLI_OK;
}

int
doors_bind(struct doors *d, const struct dispatch_file *file)
{
	size_t i;
	int r;

	switch (
	    hf_given_sockets(d->fd, d->bound, &d->n, DISPATCH_LISTEN_MAX)) {
	case HF_OK:
		d->given = d->n > 0;
		break;
	case HF_E_SPACE:
		return cli_error(CLI_IO, "more than %d sockets were given",
		    DISPATCH_LISTEN_MAX);
	default:
		return cli_error(CLI_IO,
		    "what was given as socket %zu is none that listens", d->n);
	}
	for (i = 0; !d->given && i < file->listen_n; i++)
		if ((r = bind_at(d, file->listen[i])) != CLI_OK)
			return r;
	return CLI_OK;
}

int
doors_open(struct doors *d, struct hf_dispatch *dispatch)
{
	char shown[HF_ADDRESS_TEXT];
	enum hf_err e;
	size_t i;

	for (i = 0; i < d->n; i++) {
		(void)hf_address_text(shown, &d->bound[i]);
		e = hf_dispatch_listen(dispatch, d->fd[i],
		    d->bound[i].at.ss_family);
		if (e != HF_OK)
			return cli_fail(e, "listen %s", shown);
		(void)fprintf(stderr, "handfast: listening on %s\n", shown);
	}
	return CLI_OK;
}

/* A socket that was given belongs to whoever gave it. */
void
doors_remove(struct doors *d)
{
	if (!d->given)
		bound_remove(d->bound, d->n);
	d->n = 0;
}

/* --- what it gives up ------------------------------------------------------------------ */

static int
list_dirs(struct confine *c, const struct dispatch_file *f,
    const char *port_file)
{
	int r = CLI_OK;

	if (strncmp(f->store, "lmdb:", 5) == 0) {
		/* As the store would make it. */
		(void)mkdir(f->store + 5, 0700);
		r = confine_dir(c, f->store + 5);
	}
	if (r == CLI_OK && f->control[0] != '\0')
		r = confine_beside(c, f->control);
	if (r == CLI_OK && strncmp(f->metrics, "unix:", 5) == 0)
		r = confine_beside(c, f->metrics + 5);
	if (r == CLI_OK && port_file != NULL)
		r = confine_beside(c, port_file);
	return r;
}

int
dispatch_confine(const struct dispatch_file *f, const char *port_file)
{
	struct confine confine = { .n = 0 };
	int r;

	if ((r = confine_user(f->user)) != CLI_OK || !f->sandbox)
		return r;
	r = list_dirs(&confine, f, port_file);
	return r == CLI_OK ? confine_files(&confine) : r;
}

void
dispatch_confine_calls(const struct dispatch_file *f)
{
	if (f->sandbox)
		confine_calls();
}
