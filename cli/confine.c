/* SPDX-License-Identifier: ISC */
/*
 * What the program's servers give up before they serve, and how they say that
 * they live: in one way for all of them. Which directories one needs it is
 * told; what goes through its sockets it does not know.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "confine.h"

/* --- what is given up ---------------------------------------------------------------- */

int
confine_user(const char *user)
{
	if (user[0] == '\0')
		return CLI_OK;
	switch (hf_user_become(user)) {
	case HF_OK:
		return CLI_OK;
	case HF_E_ARG:
		return cli_error(CLI_POLICY, "user %s: there is none", user);
	default:
		return cli_errno("user %s", user);
	}
}

int
confine_dir(struct confine *c, const char *dir)
{
	size_t len = strlen(dir);

	if (c->n == CONFINE_DIRS || len >= sizeof(c->dir[0]))
		return cli_error(CLI_FORMAT, "%s: too long", dir);
	memcpy(c->dir[c->n++], dir, len + 1);
	return CLI_OK;
}

int
confine_beside(struct confine *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[CONFINE_DIR];
	int n;

	if (slash == NULL)
		return confine_dir(c, ".");
	if (slash == path)
		return confine_dir(c, "/");
	n = snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	if (n < 0 || (size_t)n >= sizeof(dir))
		return cli_error(CLI_FORMAT, "%s: too long", path);
	return confine_dir(c, dir);
}

/* 1 where it is there, and a directory; else errno says why not. */
static int
is_dir(const char *dir)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return 0;
	(void)close(fd);
	return 1;
}

int
confine_look(const char *what, const char *path)
{
	struct confine c = { .n = 0 };
	int r;

	if ((r = confine_beside(&c, path)) != CLI_OK || is_dir(c.dir[0]))
		return r;
	if (errno != ENOENT)
		return cli_errno("%s: %s", what, c.dir[0]);
	cli_warn("%s: there is no %s: it must be made before the start "
		 "(RuntimeDirectory= of a unit does)",
	    what, c.dir[0]);
	return CLI_OK;
}

int
confine_files(const struct confine *c)
{
	const char *list[CONFINE_DIRS];
	size_t i;

	for (i = 0; i < c->n; i++)
		if (!is_dir(list[i] = c->dir[i])) {
			(void)cli_errno("sandbox: %s", c->dir[i]);
			cli_hint("make it, or say sandbox = false");
			return CLI_IO;
		}
	switch (hf_sandbox_files(list, c->n)) {
	case -1:
		return cli_errno("sandbox");
	case 0:
		cli_warn("this kernel has no Landlock");
		return CLI_OK;
	default:
		return CLI_OK;
	}
}

void
confine_calls(void)
{
	if (!hf_sandbox_calls())
		cli_warn("no seccomp here");
}

/* --- that it lives -------------------------------------------------------------------- */

static void
lives(uv_timer_t *timer)
{
	const struct watchdog *w = timer->data;

	if (w->look == NULL || w->look())
		hf_notify("WATCHDOG=1");
}

int
watchdog_begin(struct watchdog *w, uv_loop_t *loop, int (*look)(void))
{
	uint64_t ms = hf_watchdog_ms();

	if (uv_timer_init(loop, &w->timer) != 0)
		return cli_error(CLI_IO, "cannot make a timer");
	w->timer.data = w;
	w->look = look;
	w->begun = 1;
	if (ms > 0)
		(void)uv_timer_start(&w->timer, lives, ms, ms);
	return CLI_OK;
}

void
watchdog_end(struct watchdog *w)
{
	if (w->begun)
		uv_close((uv_handle_t *)&w->timer, NULL);
	w->begun = 0;
}
