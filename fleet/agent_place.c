/* SPDX-License-Identifier: ISC */
/*
 * The place where an agent's sessions rest (spec section 21.4): a directory
 * that is one agent's at a time, and the key that seals, which is in a file
 * elsewhere. What rests there is agent_rest.c's.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent_own.h"

#define DRAFT ".new-"
enum {
	/* Longer than an agent takes to end: the next one may wait for it. */
	PLACE_MS = HF__END_MS + 1000,
	DRAFT_S = 60, /* and nobody makes a key for that long */
	DRAFT_DIGITS = 8
};

static int
is_draft(const char *name, const char *key)
{
	size_t len = strlen(key);

	if (strncmp(name, key, len) != 0 ||
	    strncmp(name + len, DRAFT, strlen(DRAFT)) != 0)
		return 0;
	name += len + strlen(DRAFT);
	return strlen(name) == DRAFT_DIGITS &&
	    strspn(name, "0123456789abcdef") == DRAFT_DIGITS;
}

/* Who was killed as he made the key has left a draft, or the key under both
 * names; a draft that is young somebody makes just now. */
static void
sweep_drafts(const char *path)
{
	const char *name = strrchr(path, '/');
	char where[HF_AGENT_PATH];
	const struct dirent *at;
	struct stat key, st;
	DIR *dir;

	name = name == NULL ? path : name + 1;
	(void)snprintf(where, sizeof(where), "%.*s.", (int)(name - path),
	    path);
	if (stat(path, &key) != 0)
		memset(&key, 0, sizeof(key)); /* no file is that one */
	if ((dir = opendir(where)) == NULL)
		return; /* the next one does it */
	while ((at = readdir(dir)) != NULL)
		if (is_draft(at->d_name, name) &&
		    fstatat(dirfd(dir), at->d_name, &st,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
		    (st.st_mtime < time(NULL) - DRAFT_S ||
			(st.st_dev == key.st_dev && st.st_ino == key.st_ino)))
			(void)unlinkat(dirfd(dir), at->d_name, 0);
	(void)closedir(dir);
}

/* Made where there is none, at once as a whole, and one that is there stays:
 * of agents that make it at the same time each has a draft of its own, one puts
 * it in place, and all read that. */
static enum hf_err
make_key(const char *path, char why[HF_WHY_MAX])
{
	uint8_t key[HF_KEY_BYTES];
	char made[HF_AGENT_PATH + 24];
	enum hf_err e = HF_OK;
	struct stat there;

	if (stat(path, &there) == 0)
		return HF_OK;
	(void)snprintf(made, sizeof(made), "%s" DRAFT "%0*x", path,
	    DRAFT_DIGITS, (unsigned)randombytes_random());
	randombytes_buf(key, sizeof(key));
	if (hf__rest_file(AT_FDCWD, made, key, sizeof(key)) != HF_OK ||
	    (link(made, path) != 0 && errno != EEXIST))
		e = hf__why(why, HF_E_IO, "%s: %s", path, strerror(errno));
	(void)unlink(made);
	sodium_memzero(key, sizeof(key));
	return e;
}

static enum hf_err
read_key(uint8_t **key, const char *path, char why[HF_WHY_MAX])
{
	enum hf_err e;
	size_t len;
	char *bytes;

	if ((e = hf__file_read(&bytes, &len, path, HF_KEY_BYTES, 1, why)) !=
	    HF_OK)
		return e;
	if (len != HF_KEY_BYTES)
		e = hf__why(why, HF_E_OBJECT, "%s: not 32 bytes", path);
	else if ((*key = sodium_malloc(HF_KEY_BYTES)) == NULL)
		e = hf__why(why, HF_E_MEMORY, "%s: out of memory", path);
	else
		memcpy(*key, bytes, HF_KEY_BYTES);
	hf__file_free(bytes, len);
	return e;
}

#define LOCK "agent.lock"

static enum hf_err
open_lock(struct hf_agent *agent, const char *dir, int how,
    char why[HF_WHY_MAX])
{
	struct stat st;
	int fd;

	fd = openat(agent->rest_dir, LOCK,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | how,
	    0600);
	agent->rest_lock = fd;
	if (fd == -1 || fstat(fd, &st) != 0)
		return hf__why(why, HF_E_IO, "%s/" LOCK ": %s", dir,
		    strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return hf__why(why, HF_E_POLICY,
		    "%s/" LOCK ": not a file of this user's alone", dir);
	return HF_OK;
}

/* Two agents would take each other's objects away. A file's lock goes with the
 * process that has it, and a file of mode 0600 nobody else can lock. */
static enum hf_err
lock_place(struct hf_agent *agent, const char *dir, char why[HF_WHY_MAX])
{
	enum hf_err e = open_lock(agent, dir, O_CREAT, why);

	if (e != HF_OK || hf__lock_within(agent->rest_lock, PLACE_MS) == 0)
		return e;
	return errno == EWOULDBLOCK ?
	    hf__why(why, HF_E_AGAIN, "%s: another agent's sessions rest there",
		dir) :
	    hf__why(why, HF_E_IO, "%s/" LOCK ": %s", dir, strerror(errno));
}

/* `e` is what was found of the directory. */
static enum hf_err
open_dir(struct hf_agent *agent, const char *dir, enum hf_err e,
    char why[HF_WHY_MAX])
{
	if (e == HF_E_POLICY)
		return hf__why(why, e,
		    "%s: not this user's directory, or others can change it",
		    dir);
	if (e == HF_OK)
		agent->rest_dir =
		    open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return agent->rest_dir == -1 ?
	    hf__why(why, HF_E_IO, "%s: %s", dir, strerror(errno)) :
	    HF_OK;
}

static enum hf_err
open_place(struct hf_agent *agent, const char *dir, const char *key,
    char why[HF_WHY_MAX])
{
	enum hf_err e;

	if (strlen(key) >= HF_AGENT_PATH)
		return hf__why(why, HF_E_CONFIG, "store-key: too long");
	if ((e = open_dir(agent, dir, hf__own_directory(dir, 0700), why)) !=
		HF_OK ||
	    (e = lock_place(agent, dir, why)) != HF_OK)
		return e;
	sweep_drafts(key);
	if ((e = make_key(key, why)) != HF_OK)
		return e;
	return read_key(&agent->rest_key, key, why);
}

/* What is not there yet is nothing to be judged. */
static enum hf_err
look_at_place(struct hf_agent *none, const char *dir, const char *key,
    char why[HF_WHY_MAX])
{
	enum hf_err e = hf__look_directory(dir);
	struct stat st;

	if (strlen(key) >= HF_AGENT_PATH)
		return hf__why(why, HF_E_CONFIG, "store-key: too long");
	if (e != HF_E_NO_SESSION &&
	    ((e = open_dir(none, dir, e, why)) != HF_OK ||
		(fstatat(none->rest_dir, LOCK, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    (e = open_lock(none, dir, 0, why)) != HF_OK)))
		return e;
	return stat(key, &st) != 0 && errno == ENOENT ?
	    HF_OK :
	    read_key(&none->rest_key, key, why);
}

enum hf_err
hf_agent_store_look(const char *dir, const char *key, char why[HF_WHY_MAX])
{
	struct hf_agent none = { .rest_dir = -1, .rest_lock = -1 };
	enum hf_err e = look_at_place(&none, dir, key, why);

	hf__rest_end(&none);
	return e;
}

enum hf_err
hf_agent_store(struct hf_agent *agent, const char *dir, const char *key,
    char why[HF_WHY_MAX])
{
	enum hf_err e = open_place(agent, dir, key, why);

	if (e == HF_OK)
		hf__rest_tidy(agent);
	else
		hf__rest_end(agent);
	return e;
}

void
hf__rest_end(struct hf_agent *agent)
{
	if (agent->rest_dir != -1)
		(void)close(agent->rest_dir);
	if (agent->rest_lock != -1)
		(void)close(agent->rest_lock);
	agent->rest_dir = agent->rest_lock = -1;
	sodium_free(agent->rest_key);
	agent->rest_key = NULL;
}
