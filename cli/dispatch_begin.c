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

#include "dispatching.h"

enum { DIRS = 4, DIR_MAX = 512 };

/* --- where it listens --------------------------------------------------------------- */

static int
bind_at(struct doors *d, const char *text)
{
	struct hf_address a[HF_ADDRESSES_MAX];
	enum hf_err e = HF_E_IO;
	size_t k, n;
	int r;

	if ((r = cli_address(a, &n, "dispatch", "listen", text)) != CLI_OK)
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
become(const char *user)
{
	switch (hf_user_become(user)) {
	case HF_OK:
		return CLI_OK;
	case HF_E_ARG:
		return cli_error(CLI_POLICY, "user %s: there is none", user);
	default:
		return cli_errno("user %s", user);
	}
}

/* The directory that a file is in. */
static void
add_parent(char dirs[DIRS][DIR_MAX], size_t *n, const char *path)
{
	const char *slash = strrchr(path, '/');
	int len = slash == NULL ? 1 : (int)(slash - path);

	(void)snprintf(dirs[(*n)++], DIR_MAX, "%.*s", len == 0 ? 1 : len,
	    slash == NULL ? "." : path);
}

static size_t
list_dirs(char dirs[DIRS][DIR_MAX], const struct dispatch_file *f,
    const char *port_file)
{
	size_t n = 0;

	if (strncmp(f->store, "lmdb:", 5) == 0) {
		/* As the store would make it. */
		(void)mkdir(f->store + 5, 0700);
		(void)snprintf(dirs[n++], DIR_MAX, "%s", f->store + 5);
	}
	if (f->control[0] != '\0')
		add_parent(dirs, &n, f->control);
	if (strncmp(f->metrics, "unix:", 5) == 0)
		add_parent(dirs, &n, f->metrics + 5);
	if (port_file != NULL)
		add_parent(dirs, &n, port_file);
	return n;
}

int
dispatch_confine(const struct dispatch_file *f, const char *port_file)
{
	char dirs[DIRS][DIR_MAX];
	const char *list[DIRS];
	int files = 0, r;
	size_t i, n;

	if (f->user[0] != '\0' && (r = become(f->user)) != CLI_OK)
		return r;
	if (!f->sandbox)
		return CLI_OK;
	n = list_dirs(dirs, f, port_file);
	for (i = 0; i < n; i++)
		list[i] = dirs[i];
	if ((files = hf_sandbox_files(list, n)) == -1)
		return cli_errno("sandbox");
	if (files == 0)
		cli_warn("this kernel has no Landlock");
	return CLI_OK;
}

void
dispatch_confine_calls(const struct dispatch_file *f)
{
	if (f->sandbox && !hf_sandbox_calls())
		cli_warn("no seccomp here");
}
