/* SPDX-License-Identifier: ISC */
/*
 * What the program's servers give up, and how they say that they live.
 */
#ifndef CLI_CONFINE_H
#define CLI_CONFINE_H

#include "serve.h"

enum { CONFINE_DIRS = 6, CONFINE_DIR = 4096 };

/* Directories beneath which files may still be changed. */
struct confine {
	char dir[CONFINE_DIRS][CONFINE_DIR];
	size_t n;
};

/* Becomes that user, for good; "": stays the one that it is. Before there are
 * threads. Returns an exit code. */
int confine_user(const char *user);
/* That directory; that of a file. Return an exit code. */
int confine_dir(struct confine *confine, const char *dir);
int confine_beside(struct confine *confine, const char *path);
/* Whether there is a directory for a file of that path; one that is missing is
 * warned about, as it may be made before the start. Returns an exit code. */
int confine_look(const char *what, const char *path);
/* From now on no other files are changed, and no programs run. Before there are
 * threads. Returns an exit code. */
int confine_files(const struct confine *confine);
/* Most system calls, of all threads; when all is open. */
void confine_calls(void);

/* Says as often as it was asked to that this loop goes round, and that the rest
 * lives. */
struct watchdog {
	uv_timer_t timer;
	int (*look)(void); /* 1: so does the rest of it; or NULL */
	int begun;
};
int watchdog_begin(struct watchdog *watchdog, uv_loop_t *loop,
    int (*look)(void));
/* Closes it; the loop has to go round once more. */
void watchdog_end(struct watchdog *watchdog);

#endif
