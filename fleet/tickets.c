/* SPDX-License-Identifier: ISC */
/*
 * The single-use tickets that were used, until they expire: an open-addressed
 * table, and where wanted a file to which each is appended and synced before
 * it counts as burnt. What has expired leaves the file when it is opened; of
 * what was forgotten the latest expiry stays, under an id of zeros, so that a
 * clock that is set back revives nothing. It knows ids and times, nothing of
 * tickets. What it cannot remember it refuses, and a file of something else
 * too, as it is.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"

enum { ENTRY = HF_CTI_BYTES + 8 }; /* in the file: id, expiry big-endian */

/* No ticket expires later (spec section 13): a text, a key or a certificate
 * has later times where an entry has its own. */
#define EXPIRES_MAX (UINT64_C(1) << 53)

struct entry {
	uint8_t cti[HF_CTI_BYTES];
	uint64_t expires; /* 0: free */
};

struct hf_used {
	struct entry *slot;
	size_t slots; /* a power of two, twice the entries */
	size_t n, max;
	uint64_t swept; /* when last, in vain or not */
	uint64_t floor; /* all that expires by then may have been used */
	int fd;
	uint8_t key[crypto_shorthash_KEYBYTES];
};

enum hf_err
hf_used_new(struct hf_used **used, size_t n)
{
	struct hf_used *u;
	size_t slots = 2;

	if (n == 0 || n > SIZE_MAX / 4 / sizeof(struct entry))
		return HF_E_ARG;
	while (slots < 2 * n)
		slots *= 2;
	if ((u = calloc(1, sizeof(*u))) == NULL)
		return HF_E_MEMORY;
	if ((u->slot = calloc(slots, sizeof(*u->slot))) == NULL) {
		free(u);
		return HF_E_MEMORY;
	}
	u->slots = slots;
	u->max = n;
	u->fd = -1;
	randombytes_buf(u->key, sizeof(u->key));
	*used = u;
	return HF_OK;
}

void
hf_used_free(struct hf_used *u)
{
	if (u == NULL)
		return;
	if (u->fd != -1)
		(void)close(u->fd);
	free(u->slot);
	sodium_memzero(u, sizeof(*u));
	free(u);
}

/* The slot of an id: its own, or the free one where it belongs. */
static struct entry *
find(const struct hf_used *u, const uint8_t cti[HF_CTI_BYTES])
{
	uint8_t h[crypto_shorthash_BYTES];
	uint64_t i;

	/* Keyed: whoever chooses ids must not choose where they fall. */
	(void)crypto_shorthash(h, cti, HF_CTI_BYTES, u->key);
	memcpy(&i, h, sizeof(i));
	for (i &= u->slots - 1; u->slot[i].expires != 0;
	     i = (i + 1) & (u->slots - 1))
		if (memcmp(u->slot[i].cti, cti, HF_CTI_BYTES) == 0)
			break;
	return &u->slot[i];
}

static void
put(struct hf_used *u, const uint8_t cti[HF_CTI_BYTES], uint64_t expires)
{
	struct entry *e = find(u, cti);

	if (e->expires == 0)
		u->n++;
	memcpy(e->cti, cti, HF_CTI_BYTES);
	e->expires = expires;
}

/* Forgets one that has expired. */
static void
forget(struct hf_used *u, uint64_t expires)
{
	if (expires > u->floor)
		u->floor = expires;
}

/* Forgets all that has expired, by filling a new table. */
static enum hf_err
sweep(struct hf_used *u, uint64_t now)
{
	struct entry *old = u->slot;
	size_t i;

	if ((u->slot = calloc(u->slots, sizeof(*u->slot))) == NULL) {
		u->slot = old;
		return HF_E_STORE;
	}
	u->n = 0;
	for (i = 0; i < u->slots; i++) {
		if (old[i].expires >= now && old[i].expires != 0)
			put(u, old[i].cti, old[i].expires);
		else
			forget(u, old[i].expires);
	}
	free(old);
	return HF_OK;
}

static void
encode(uint8_t out[ENTRY], const uint8_t cti[HF_CTI_BYTES], uint64_t expires)
{
	int i;

	memcpy(out, cti, HF_CTI_BYTES);
	for (i = 0; i < 8; i++)
		out[HF_CTI_BYTES + i] = (uint8_t)(expires >> (56 - 8 * i));
}

/* The next entry. Returns its bytes, fewer at the end, or -1. */
static ssize_t
read_entry(int fd, uint8_t e[ENTRY])
{
	size_t have = 0;
	ssize_t n;

	while (have < ENTRY) {
		n = read(fd, e + have, ENTRY - have);
		if (n == 0 || (n < 0 && errno != EINTR))
			return n < 0 ? -1 : (ssize_t)have;
		have += n > 0 ? (size_t)n : 0;
	}
	return ENTRY;
}

static uint64_t
expiry(const uint8_t e[ENTRY])
{
	uint64_t expires = 0;
	int i;

	for (i = 0; i < 8; i++)
		expires = expires << 8 | e[HF_CTI_BYTES + i];
	return expires;
}

/* Cuts n bytes off the end. */
static int
cut(int fd, ssize_t n)
{
	return ftruncate(fd, lseek(fd, -n, SEEK_END)) == 0;
}

static enum hf_err
load(struct hf_used *u, int *stale, uint64_t now)
{
	uint8_t e[ENTRY];
	uint64_t expires;
	size_t whole = 0;
	ssize_t n;

	*stale = 0;
	for (; (n = read_entry(u->fd, e)) == ENTRY; whole++) {
		expires = expiry(e);
		if (expires > EXPIRES_MAX)
			return HF_E_OBJECT;
		if (sodium_is_zero(e, HF_CTI_BYTES)) {
			forget(u, expires);
			continue;
		}
		if (expires < now || expires == 0) {
			forget(u, expires);
			*stale = 1;
			continue;
		}
		if (u->n == u->max)
			return HF_E_STORE;
		put(u, e, expires);
	}
	if (n < 0)
		return HF_E_IO;
	if (n == 0)
		return HF_OK;
	/* Without a whole entry nothing says that they are ours. A torn last
	 * one was never answered for. */
	if (whole == 0)
		return HF_E_OBJECT;
	return cut(u->fd, n) ? HF_OK : HF_E_IO;
}

/* Two programs on one file would each miss what the other burns. */
static int
lock(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &whole) == 0;
}

static int
write_entries(const struct hf_used *u, int fd)
{
	static const uint8_t forgotten[HF_CTI_BYTES];
	size_t i, at = ENTRY, len = (u->n + 1) * ENTRY;
	uint8_t *all;
	ssize_t n = 1;

	if ((all = malloc(len)) == NULL)
		return 0;
	encode(all, forgotten, u->floor);
	for (i = 0; i < u->slots; i++)
		if (u->slot[i].expires != 0) {
			encode(all + at, u->slot[i].cti, u->slot[i].expires);
			at += ENTRY;
		}
	for (at = 0; at < len && n > 0; at += (size_t)n)
		n = write(fd, all + at, len - at);
	free(all);
	return n > 0 && fsync(fd) == 0;
}

static int
open_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];
	int n;

	n = snprintf(dir, sizeof(dir), "%.*s.",
	    slash == NULL ? 0 : (int)(slash - path) + 1, path);
	if (n < 0 || (size_t)n >= sizeof(dir))
		return -1;
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Puts a file with what still counts in the old one's place. Where that is
 * not allowed the old one stays. */
static void
compact(struct hf_used *u, const char *path)
{
	char temp[4096];
	int fd, n = snprintf(temp, sizeof(temp), "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof(temp))
		return;
	/* One that is there was left behind: who holds the lock makes it. */
	(void)unlink(temp);
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return;
	if (!write_entries(u, fd) || !lock(fd) || rename(temp, path) != 0) {
		(void)close(fd);
		(void)unlink(temp);
		return;
	}
	(void)close(u->fd);
	u->fd = fd;
}

enum hf_err
hf_used_open(struct hf_used *u, const char *path, uint64_t now)
{
	struct stat st, there;
	int dir, stale;
	enum hf_err e;

	u->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (u->fd == -1)
		return HF_E_IO;
	if (fstat(u->fd, &st) != 0)
		return HF_E_IO;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return HF_E_OBJECT;
	if (!lock(u->fd))
		return HF_E_IO;
	/* It was replaced between opening and locking. */
	if (lstat(path, &there) != 0 || there.st_ino != st.st_ino ||
	    there.st_dev != st.st_dev) {
		errno = EAGAIN;
		return HF_E_IO;
	}
	if ((e = load(u, &stale, now)) != HF_OK)
		return e;
	if ((dir = open_directory(path)) == -1)
		return HF_E_IO;
	if (stale)
		compact(u, path);
	/* What is burnt from now on must not be lost with the file's name. */
	e = fsync(dir) != 0 || lseek(u->fd, 0, SEEK_END) == -1 ? HF_E_IO :
								 HF_OK;
	(void)close(dir);
	return e;
}

/* Appends an entry for good. After a failure the file's end is unknown: no
 * more tickets are burnt with it. What is torn goes if it can: were it all
 * that is there, nobody could tell it from something else. */
static enum hf_err
append(struct hf_used *u, const uint8_t cti[HF_CTI_BYTES], uint64_t expires)
{
	uint8_t e[ENTRY];
	ssize_t n;

	encode(e, cti, expires);
	do {
		n = write(u->fd, e, sizeof(e));
	} while (n == -1 && errno == EINTR);
	if (n > 0 && n < (ssize_t)sizeof(e))
		(void)cut(u->fd, n);
	if (n != (ssize_t)sizeof(e) || fdatasync(u->fd) != 0) {
		u->max = 0;
		return HF_E_STORE;
	}
	return HF_OK;
}

enum hf_err
hf_used_burn(struct hf_used *u, const uint8_t cti[HF_CTI_BYTES],
    uint64_t expires, uint64_t now)
{
	enum hf_err e;

	if (find(u, cti)->expires != 0)
		return HF_E_TICKET_USED;
	if (u->floor != 0 && expires <= u->floor)
		return HF_E_STORE;
	if (u->n >= u->max && u->max > 0 && u->swept != now) {
		u->swept = now;
		if ((e = sweep(u, now)) != HF_OK)
			return e;
	}
	if (u->n >= u->max)
		return HF_E_STORE;
	if (u->fd != -1 && (e = append(u, cti, expires)) != HF_OK)
		return e;
	put(u, cti, expires == 0 ? 1 : expires);
	return HF_OK;
}
