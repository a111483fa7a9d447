/* SPDX-License-Identifier: ISC */
/*
 * dispatch --check: what a dispatcher of this file would meet when it begins.
 * It binds, connects and changes nothing, so another one may run meanwhile.
 */
#include <string.h>

#include "confine.h"
#include "dispatching.h"
#include "stores.h"

static int
check_listen(const struct dispatch_file *f)
{
	struct hf_address at[HF_ADDRESSES_MAX];
	size_t i, n;
	int r = CLI_OK;

	for (i = 0; r == CLI_OK && i < f->listen_n; i++) {
		r = dispatch_address(at, &n, "listen", f->listen[i]);
		if (r == CLI_OK && at[0].at.ss_family == AF_UNIX)
			r = confine_look("listen", f->listen[i] + 5);
	}
	return r;
}

static int
check_metrics(const char *text)
{
	struct hf_address at;
	int r;

	if (text[0] == '\0')
		return CLI_OK;
	if ((r = http_where(&at, text)) != CLI_OK ||
	    (r = http_load()) != CLI_OK)
		return r;
	return at.at.ss_family == AF_UNIX ? confine_look("metrics", text + 5) :
					    CLI_OK;
}

static int
check_store(const char *uri)
{
	int r;

	if (uri[0] == '\0')
		return CLI_OK;
	if ((r = cli_store_check(uri)) != CLI_OK)
		return r == CLI_USAGE ? CLI_FORMAT : r;
	return strncmp(uri, "lmdb:", 5) == 0 ? confine_look("store", uri + 5) :
					       CLI_OK;
}

int
dispatch_check(const struct dispatch_file *f)
{
	int r;

	/* In the order of the start: some may be for that user alone. */
	if ((r = check_listen(f)) != CLI_OK ||
	    (r = confine_user(f->user)) != CLI_OK ||
	    (r = check_store(f->store)) != CLI_OK ||
	    (f->control[0] != '\0' &&
		(r = confine_look("control", f->control)) != CLI_OK))
		return r;
	return check_metrics(f->metrics);
}
