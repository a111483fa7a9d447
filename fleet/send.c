/* SPDX-License-Identifier: ISC */
/*
 * What a link sends and how it ends: data beyond what the peer has acked waits,
 * and the close record does until all is said and stored. It does not know
 * what the data means.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "link.h"

/* --- data that waits for the peer's acks --------------------------------------- */

static int
wait(struct hf_link *l, const uint8_t *data, size_t len)
{
	size_t cap = l->waiting_len + len;
	uint8_t *more;

	if (cap > l->waiting_cap) {
		if ((more = malloc(2 * cap)) == NULL)
			return 0;
		if (l->waiting_len > 0)
			memcpy(more, l->waiting, l->waiting_len);
		if (l->waiting != NULL)
			sodium_memzero(l->waiting, l->waiting_cap);
		free(l->waiting);
		l->waiting = more;
		l->waiting_cap = 2 * cap;
	}
	memcpy(l->waiting + l->waiting_len, data, len);
	l->waiting_len += len;
	l->full = 1;
	return 1;
}

/* Seals what the session takes now. Returns how many bytes it took. */
static size_t
seal_some(struct hf_link *l, const uint8_t *data, size_t len)
{
	size_t n, done = 0;
	enum hf_err e;

	for (; done < len; done += n) {
		n = len - done < HF_LINK_RECORD ? len - done : HF_LINK_RECORD;
		/* The session's output is bounded. */
		if (hf_session_output(l->session).len >= HF_LINK_LOW &&
		    (e = hf__link_flush(l)) != HF_OK) {
			hf__link_end(l, e, 1);
			break;
		}
		if ((e = hf_session_send(l->session, data + done, n)) !=
		    HF_OK) {
			/* Too far ahead of the peer's acks. */
			if (e != HF_E_SPACE &&
			    hf_session_want(l->session) != HF_WANT_FAILED)
				hf__link_end(l, e, 1);
			break;
		}
		l->bytes_out += n;
	}
	return done;
}

void
hf__link_send_waiting(struct hf_link *l)
{
	size_t done;

	if (l->waiting_len == 0 || l->phase != RUNNING)
		return;
	done = seal_some(l, l->waiting, l->waiting_len);
	memmove(l->waiting, l->waiting + done, l->waiting_len - done);
	l->waiting_len -= done;
	if (l->waiting_len > 0 || l->phase != RUNNING)
		return;
	sodium_memzero(l->waiting, l->waiting_cap);
	if (l->close_wanted)
		hf_link_close(l);
	else if (l->full &&
	    uv_stream_get_write_queue_size(&l->io.stream) < HF_LINK_LOW) {
		l->full = 0;
		l->hooks->drained(l->owner, l);
	}
}

void
hf_link_send(struct hf_link *l, const uint8_t *data, size_t len)
{
	size_t done = 0;

	if (l->phase != RUNNING || !l->opened)
		return;
	if ((l->closing || l->close_wanted) && len > 0) {
		hf__link_end(l, HF_E_TRUNCATED, 1);
		return;
	}
	if (l->waiting_len == 0)
		done = seal_some(l, data, len);
	if (done < len && l->phase == RUNNING &&
	    hf_session_want(l->session) != HF_WANT_FAILED &&
	    !wait(l, data + done, len - done))
		hf__link_end(l, HF_E_MEMORY, 1);
	hf__link_run(l);
}

int
hf_link_busy(const struct hf_link *l)
{
	return l->paused || l->next_len > 0 || l->waiting_len > 0 ||
	    hf__link_mux_waits(l) ||
	    uv_stream_get_write_queue_size(&l->io.stream) > 0;
}

size_t
hf_link_queued(const struct hf_link *l)
{
	return l->waiting_len + uv_stream_get_write_queue_size(&l->io.stream) +
	    (l->running ? hf_session_output(l->session).len : 0);
}

/* --- another server on the same connection ------------------------------------ */

enum hf_err
hf_link_reroute(struct hf_link *l, const char *target)
{
	enum hf_err e;

	if (l->phase != RUNNING || !l->opened)
		return HF_E_STATE;
	e = hf_session_reroute(l->session, target, hf__link_ms(),
	    (uint64_t)time(NULL));
	if (e != HF_OK && hf_session_want(l->session) != HF_WANT_FAILED)
		return e;
	if (l->waiting != NULL)
		sodium_memzero(l->waiting, l->waiting_cap);
	l->waiting_len = l->partial = 0;
	l->mux = NULL;
	l->opened = l->asked = l->closing = l->close_wanted = 0;
	hf__link_run(l);
	return HF_OK;
}

/* --- the end ---------------------------------------------------------------- */

/* Whether the end must wait for a checkpoint. */
static int
must_store(const struct hf_link *l)
{
	return l->hooks->store != NULL &&
	    hf_session_checkpoint_due(l->session) != 0;
}

static void
close_now(struct hf_link *l)
{
	enum hf_err e;

	l->close_wanted = 0;
	l->closing = 1;
	/* HF_E_STATE: a session that moved had said it, and it was stored. */
	if ((e = hf_session_close(l->session)) != HF_OK && e != HF_E_STATE &&
	    hf_session_want(l->session) != HF_WANT_FAILED) {
		hf__link_end(l, e, 1);
		return;
	}
	hf__link_run(l);
}

/* Not before all is said, and what was taken is stored. */
void
hf_link_close(struct hf_link *l)
{
	if (l->phase == FRESH || (l->phase == RUNNING && !l->opened)) {
		hf_link_abort(l, HF_E_GONE);
		return;
	}
	if (l->phase != RUNNING || l->closing)
		return;
	l->close_wanted =
	    l->waiting_len > 0 || hf__link_mux_waits(l) || must_store(l);
	if (l->close_wanted)
		hf__link_run(l);
	else
		close_now(l);
}

int
hf_link_wants_store(const struct hf_link *l)
{
	return l->close_wanted && l->waiting_len == 0 &&
	    !hf__link_mux_waits(l);
}

void
hf_link_finish(struct hf_link *l, uint64_t ms)
{
	if (l->finish_at == 0)
		l->finish_at = hf__link_ms() + ms;
	hf_link_close(l);
	if (l->phase == RUNNING && !l->running)
		hf__link_settle(l);
}

void
hf_link_cut(struct hf_link *l, enum hf_err err, uint64_t ms)
{
	if (l->phase != RUNNING || !l->opened || l->closing) {
		hf_link_abort(l, err);
		return;
	}
	l->cut = err;
	l->closing = 1;
	if (l->finish_at == 0)
		l->finish_at = hf__link_ms() + ms;
	l->paused = 0;
	hf__link_run(l);
}

/* What was to be closed is, also where the store does not answer. */
void
hf_link_checkpointed(struct hf_link *l, enum hf_err verdict)
{
	if (l->phase != RUNNING ||
	    hf_session_checkpointed(l->session, verdict) == HF_E_STATE)
		return;
	if (hf_link_wants_store(l) &&
	    hf_session_want(l->session) != HF_WANT_FAILED) {
		if (verdict == HF_OK)
			hf_link_close(l);
		else
			close_now(l);
	}
	hf__link_run(l);
}
