/* SPDX-License-Identifier: ISC */
/*
 * For how long `initiate` tries to go on where its connection broke, and when:
 * --retry is over when nothing came of all that was tried for so long, whether
 * it was let in or not. To be let in and cut off at once, by a server whose
 * disk is full, is no help.
 */
#include <sodium.h>

#include "initiate.h"

enum {
	PAUSE_MS = 100,
	DOUBLED = 4,
	STEADY_MS = 5000 /* who stayed for so long was well received */
};

uint64_t
pace_ms(void)
{
	return uv_hrtime() / 1000000;
}

void
pace_opened(struct pace *p, const struct hf_link *link, int first)
{
	uint64_t count;

	p->useful = first;
	p->opened_ms = pace_ms();
	hf_session_acked(&count, &p->acked, hf_link_session(link));
}

void
pace_moved(struct pace *p, const struct hf_link *link)
{
	uint64_t count, bytes;

	hf_session_acked(&count, &bytes, hf_link_session(link));
	p->useful |= bytes > p->acked || hf_link_bytes_in(link) > 0;
}

void
pace_begin(struct pace *p)
{
	p->trying_ms = pace_ms();
	p->tried = 0;
	p->pauses = 0;
}

int
pace_goes_on(struct pace *p, int was_open, uint64_t retry_ms)
{
	uint64_t now = pace_ms();

	if (was_open && (p->useful || now - p->opened_ms >= STEADY_MS)) {
		pace_begin(p);
		return 1;
	}
	return now - p->trying_ms < retry_ms;
}

/* After all addresses: longer each time, and by chance, so that the many who
 * lost one server do not come back together. */
uint64_t
pace_wait(struct pace *p, size_t addresses)
{
	unsigned n = p->pauses < DOUBLED ? p->pauses : DOUBLED;
	uint32_t most = (uint32_t)PAUSE_MS << n;

	if (++p->tried < addresses)
		return 0;
	p->tried = 0;
	p->pauses += p->pauses < DOUBLED;
	return most / 2 + randombytes_uniform(most);
}
