/* SPDX-License-Identifier: ISC */
/*
 * Whose turn it is to write to a directory of LMDB's. LMDB's own lock can only
 * be waited for, and its holder may be a process that is stopped. So another
 * stands before it that can be tried: a mutex for this process's threads, and
 * a file's lock for its processes, which the kernel lets go when one is
 * killed. Who writes without it, as LMDB's own tools do, is seen by the word
 * of LMDB's lock that names its holder; where that word was not found every
 * write waits. It knows nothing of what is written.
 */
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store_lmdb_turn.h"

enum {
	PATH_BYTES = 4096,
	LOOKED_AT = 4096, /* bytes at the beginning of LMDB's file of locks */
	HOLDER = 0x3fffffff /* of a lock's word: the thread's number */
};

static int
open_own(const char *dir)
{
	char path[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s/turn.lock", dir);

	if (n < 0 || (size_t)n >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Nothing where there is not so much of the file. It stays open: to close it
 * would give up what LMDB has locked in it, for a process's locks of a file go
 * with any of its descriptors, and the next who opens the environment would
 * think that he is alone. */
static void
map_words(struct hf__turn *t, int locks)
{
	void *at = MAP_FAILED;
	struct stat st;

	t->locks = locks;
	if (fstat(locks, &st) == 0 && st.st_size >= LOOKED_AT)
		at = mmap(NULL, LOOKED_AT, PROT_READ, MAP_SHARED, t->locks, 0);
	t->words = at == MAP_FAILED ? NULL : at;
}

int
hf__turn_open(struct hf__turn *t, const char *dir, int locks)
{
	int r;

	memset(t, 0, sizeof(*t));
	if ((t->fd = open_own(dir)) == -1)
		return errno;
	if ((r = uv_mutex_init(&t->mutex)) != 0) {
		(void)close(t->fd);
		return -r;
	}
	map_words(t, locks);
	return 0;
}

void
hf__turn_close(struct hf__turn *t)
{
	if (t->words != NULL)
		(void)munmap((void *)(uintptr_t)t->words, LOOKED_AT);
	(void)close(t->locks);
	uv_mutex_destroy(&t->mutex);
	(void)close(t->fd);
}

void
hf__turn_learn(struct hf__turn *t)
{
	size_t i, n = sizeof(t->guess) / sizeof(t->guess[0]);
	uint32_t self;

	if (t->words == NULL || t->known)
		return;
	self = (uint32_t)syscall(SYS_gettid);
	t->guesses = 0;
	for (i = 0; i < LOOKED_AT / sizeof(uint32_t) && t->guesses < n; i++)
		if ((t->words[i] & HOLDER) == self)
			t->guess[t->guesses++] = i;
}

/* LMDB's lock is free again: one of the guesses shows it. */
static void
choose(struct hf__turn *t)
{
	size_t i;

	for (i = 0; i < t->guesses && !t->known; i++)
		if (t->words[t->guess[i]] == 0) {
			t->guess[0] = t->guess[i];
			t->known = 1;
		}
}

static int
lock_file(int fd, int wait)
{
	while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0)
		if (errno != EINTR)
			return errno == EWOULDBLOCK ? EBUSY : errno;
	return 0;
}

int
hf__turn_take(struct hf__turn *t, int wait)
{
	int r;

	if (wait)
		uv_mutex_lock(&t->mutex);
	else if (uv_mutex_trylock(&t->mutex) != 0)
		return EBUSY;
	if (!wait && !t->known) {
		uv_mutex_unlock(&t->mutex);
		return EBUSY;
	}
	if ((r = lock_file(t->fd, wait)) != 0) {
		uv_mutex_unlock(&t->mutex);
		return r;
	}
	/* Somebody who takes no turns, or died with the lock. */
	if (!wait && t->words[t->guess[0]] != 0) {
		hf__turn_pass(t);
		return EBUSY;
	}
	return 0;
}

void
hf__turn_pass(struct hf__turn *t)
{
	choose(t);
	(void)flock(t->fd, LOCK_UN);
	uv_mutex_unlock(&t->mutex);
}
