/* SPDX-License-Identifier: ISC */
/*
 * Where an agent's sessions rest (spec sections 21.4 and 21.5): one file for
 * each peer in a directory, sealed under a key that is elsewhere. An object is
 * there only while its session has sent nothing since, and is removed before
 * it is used. Whose the directory is agent_place.c knows.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent_own.h"

enum {
	NAME_ROOM = HF__WIRE_PEER_MAX + 16,
	QUIET_MS = 500 /* without a channel, before it is put to rest */
};

/* --- files --------------------------------------------------------------------------- */

static enum hf_err
write_all(int fd, const uint8_t *ptr, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, ptr, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return HF_E_IO;
		ptr += n;
		len -= (size_t)n;
	}
	return HF_OK;
}

enum hf_err
hf__rest_file(int dir, const char *name, const uint8_t *ptr, size_t len)
{
	enum hf_err e;
	int fd;

	if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
		return HF_E_IO;
	fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return HF_E_IO;
	e = write_all(fd, ptr, len);
	if (close(fd) != 0 && e == HF_OK)
		e = HF_E_IO;
	if (e != HF_OK)
		(void)unlinkat(dir, name, 0);
	return e;
}

static enum hf_err
read_file(uint8_t out[HF_REST_MAX], size_t *len, int dir, const char *name)
{
	struct stat st;
	ssize_t n = 0;
	int fd;

	*len = 0;
	fd = openat(dir, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return errno == ENOENT ? HF_E_NO_SESSION : HF_E_IO;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		n = -1;
	while (n >= 0 && *len < HF_REST_MAX) {
		n = read(fd, out + *len, HF_REST_MAX - *len);
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	(void)close(fd);
	return n >= 0 ? HF_OK : HF_E_ENTRY;
}

static void
name_of(char name[NAME_ROOM], const char *peer, const char *more)
{
	(void)snprintf(name, NAME_ROOM, "%s.rest%s", peer, more);
}

/* --- objects --------------------------------------------------------------------------- */

static uint64_t
sent_by(const struct hf__held *held)
{
	uint8_t digest[HF_KEY_BYTES];
	uint64_t count;

	return hf_session_digest(digest, &count, held->session,
		   HF_INITIATOR) == HF_OK ?
	    count :
	    0;
}

/* All that was sent has been stored. */
static int
settled(const struct hf__held *held)
{
	uint64_t acked, bytes;

	hf_session_acked(&acked, &bytes, held->session);
	return !held->dirty && acked == sent_by(held);
}

int
hf__rest_put(struct hf__held *held)
{
	struct hf_agent *agent = held->agent;
	char name[NAME_ROOM], made[NAME_ROOM];
	uint8_t object[HF_REST_MAX];
	size_t len;
	enum hf_err e;

	if (held->session == NULL || agent->rest_key == NULL)
		return 0;
	name_of(name, held->entry->name, "");
	name_of(made, held->entry->name, ".new");
	e = hf_session_rest(object, sizeof(object), &len, held->session,
	    held->entry->name, agent->rest_key);
	if (e == HF_OK)
		e = hf__rest_file(agent->rest_dir, made, object, len);
	if (e == HF_OK &&
	    renameat(agent->rest_dir, made, agent->rest_dir, name) != 0)
		e = HF_E_IO;
	if (e != HF_OK) /* one from before is out of date */
		hf__rest_remove(agent, held->entry->name);
	held->rested = e == HF_OK ? HF__RESTS : HF__RESTS_NOT;
	held->rested_at = sent_by(held);
	hf__reach_tell(held, HF_AGENT_RESTED, e);
	return e == HF_OK;
}

void
hf__rest_remove(struct hf_agent *agent, const char *peer)
{
	char name[NAME_ROOM];

	if (agent->rest_key == NULL)
		return;
	name_of(name, peer, "");
	(void)unlinkat(agent->rest_dir, name, 0);
}

void
hf__rest_drop(struct hf__held *held)
{
	if (held->rested == HF__RESTS)
		hf__rest_remove(held->agent, held->entry->name);
	held->rested = HF__RESTS_NO_MORE;
}

void
hf__rest_take(struct hf__held *held)
{
	struct hf_agent *agent = held->agent;
	uint8_t object[HF_REST_MAX];
	char name[NAME_ROOM];
	struct hf_span id;
	size_t len;
	enum hf_err e;

	if (agent->rest_key == NULL)
		return;
	name_of(name, held->entry->name, "");
	e = read_file(object, &len, agent->rest_dir, name);
	if (e == HF_E_NO_SESSION)
		return;
	/* What cannot be taken away is not used. */
	if (unlinkat(agent->rest_dir, name, 0) != 0 && e == HF_OK)
		e = HF_E_IO;
	if (e == HF_OK)
		e = hf_session_wake(&held->session, held->entry->config,
		    held->entry->name, object, len, agent->rest_key,
		    (uint64_t)time(NULL));
	if (e != HF_OK) {
		held->session = NULL;
		hf__reach_tell(held, HF_AGENT_DISCARDED, e);
		return;
	}
	id = hf_session_id(held->session);
	memcpy(held->sid, id.ptr, sizeof(held->sid));
}

/* --- what nobody takes ----------------------------------------------------------------- */

/* The bytes of the peer's name in that of a file; 0: it is another file. */
static size_t
peer_of(int *whole, const char *name)
{
	static const char rest[] = ".rest", new[] = ".new";
	size_t len = strlen(name);

	*whole = len < sizeof(new) ||
	    strcmp(name + len - (sizeof(new) - 1), new) != 0;
	if (!*whole)
		len -= sizeof(new) - 1;
	if (len < sizeof(rest))
		return 0;
	len -= sizeof(rest) - 1;
	return memcmp(name + len, rest, sizeof(rest) - 1) == 0 &&
		hf__wire_peer(name, len) ?
	    len :
	    0;
}

/* Bytes behind the peer's name: the session id, and when it ends. */
enum { BEHIND = 1 + HF_SID_BYTES + 9 };

/* Seconds; 0 where there is no such number. */
static uint64_t
expiry(const uint8_t behind[BEHIND])
{
	enum { SID = 0x50, BYTES4 = 0x1a, BYTES8 = 0x1b };
	const uint8_t *at = behind + 1 + HF_SID_BYTES;
	size_t i, n = at[0] == BYTES4 ? 4 : at[0] == BYTES8 ? 8 : 0;
	uint64_t seconds = 0;

	for (i = 1; behind[0] == SID && i <= n; i++)
		seconds = seconds << 8 | at[i];
	return seconds;
}

/* Whether it begins as an object for that peer does (section 21.5). What was
 * being written may end anywhere. */
static int
is_object(uint64_t *expires, int dir, const char *name, size_t peer_len,
    int whole)
{
	enum { SHORT = 24, TEXT = 0x60 };
	uint8_t head[4 + HF__WIRE_PEER_MAX] = { 0x86, 0x01 };
	uint8_t found[sizeof(head) + BEHIND] = { 0 };
	size_t len = 2;
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (peer_len >= SHORT)
		head[len++] = TEXT | SHORT;
	head[len++] = (uint8_t)(peer_len < SHORT ? TEXT | peer_len : peer_len);
	memcpy(head + len, name, peer_len);
	len += peer_len;
	fd = openat(dir, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == geteuid() && st.st_size <= HF_REST_MAX)
		n = read(fd, found, len + BEHIND);
	(void)close(fd);
	*expires = n == (ssize_t)len + BEHIND ? expiry(found + len) : 0;
	if (n > (ssize_t)len)
		n = (ssize_t)len;
	return n >= 0 && ((size_t)n == len || !whole) &&
	    memcmp(found, head, (size_t)n) == 0;
}

/* expires: 0, or it stays, and that is past. */
static void
tell_found(struct hf_agent *agent, const char *name, size_t peer_len,
    uint64_t expires)
{
	struct hf_agent_event event = { .what = expires != 0 ?
		    HF_AGENT_EXPIRED :
		    HF_AGENT_DISCARDED,
		.err = expires != 0 ? HF_E_EXPIRED : HF_E_POLICY,
		.expires = expires,
		.pid = -1 };
	char peer[HF__WIRE_PEER_MAX + 1];

	memcpy(peer, name, peer_len);
	peer[peer_len] = '\0';
	event.peer = peer;
	hf__agent_tell(agent, &event);
}

void
hf__rest_tidy(struct hf_agent *agent)
{
	const struct dirent *at;
	DIR *dir = NULL;
	uint64_t expires;
	size_t len;
	int fd, whole;

	if (agent->rest_key == NULL)
		return;
	fd = openat(agent->rest_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			(void)close(fd);
		return; /* the next one does it */
	}
	while ((at = readdir(dir)) != NULL) {
		if ((len = peer_of(&whole, at->d_name)) == 0 ||
		    !is_object(&expires, agent->rest_dir, at->d_name, len,
			whole))
			continue;
		if (whole &&
		    hf__peers_find(agent->peers, at->d_name, len) != NULL) {
			/* The clock may be wrong: who asks finds out. */
			if (expires != 0 && expires <= (uint64_t)time(NULL))
				tell_found(agent, at->d_name, len, expires);
			continue;
		}
		if (unlinkat(agent->rest_dir, at->d_name, 0) == 0 && whole)
			tell_found(agent, at->d_name, len, 0);
	}
	(void)closedir(dir);
}

/* --- when --------------------------------------------------------------------------------- */

void
hf__rest_moved(struct hf__held *held)
{
	if (held->rested == HF__RESTS && held->rested_at != sent_by(held))
		hf__rest_drop(held);
}

static int
quiet(const struct hf__held *held, uint64_t now)
{
	return held->listed && !held->ending && held->apps == 0 &&
	    held->session != NULL && held->rested == HF__RESTS_NO_MORE &&
	    now - held->quiet_ms >= QUIET_MS &&
	    (held->state == HF_AGENT_BROKEN ||
		(held->state == HF_AGENT_OPEN && settled(held)));
}

int
hf__rest_look(struct hf__held *held, uint64_t now)
{
	if (held->agent->rest_key == NULL)
		return 0;
	if (held->rest_by == 0) {
		if (quiet(held, now))
			(void)hf__rest_put(held);
		return 0;
	}
	/* It is put to rest when its link has ended. */
	if (held->link != NULL && hf_link_opened(held->link) &&
	    ((held->apps == 0 && settled(held)) || now >= held->rest_by))
		hf_link_abort(held->link, HF_E_GONE);
	return 1;
}
