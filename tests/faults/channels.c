/* SPDX-License-Identifier: ISC */
/*
 * Channels with each allocation refused, one by one and all from there on. The
 * call says HF_E_MEMORY; one that an application made spoils nothing, one that
 * takes what the peer sent ends every channel. Nothing leaks, and the next time
 * all goes well.
 */
#include "heap.h"

#include "testing.h"

#ifdef HAVE_HEAP

#include "case.h"
#include "channel.h"
#include "whole.h"

enum { CHANNELS = 3, SIZE = 40000 };

static struct talk {
	struct hf_mux *mux[2]; /* the one that opens, the one that echoes */
	struct hf_channel *mine[CHANNELS], *theirs[CHANNELS];
	size_t sent[CHANNELS], heard[CHANNELS], opened;
} t;

/* What one says goes to the other, in records. Where that fails it has no
 * channel any more. */
static enum hf_err
carry(struct hf_mux *to, struct hf_mux *from)
{
	static uint8_t record[HF_QUANTUM + 64];
	struct hf_channel *ch;
	size_t len;
	enum hf_err e;

	while (hf_mux_pending(from)) {
		assert_ok(hf_mux_output(from, record, sizeof(record), &len));
		if ((e = hf_mux_feed(to, record, len)) == HF_OK)
			continue;
		assert_err(hf_mux_feed(to, record, len), e);
		assert_int_equal(hf_mux_pending(to), 0);
		while (hf_mux_next(to, &ch) != 0) {
			assert_int_equal(hf_channel_ended(ch), 1);
			assert_int_equal(hf_channel_reason(ch),
			    HF_REASON_LOST);
		}
		return e;
	}
	return HF_OK;
}

static void
take_news(void)
{
	struct hf_channel *ch;
	unsigned news;

	while ((news = hf_mux_next(t.mux[1], &ch)) != 0)
		if ((news & HF_NEWS_OPENED) != 0)
			t.theirs[t.opened++] = ch;
	while (hf_mux_next(t.mux[0], &ch) != 0)
		continue;
}

static enum hf_err
send_all(struct hf_channel *ch, size_t *sent)
{
	static const uint8_t data[SIZE] = { 1 };
	size_t n, room = hf_channel_room(ch);
	enum hf_err e;

	if (*sent == SIZE || room == 0)
		return HF_OK;
	e = hf_channel_send(ch, &n, data, SIZE - *sent);
	*sent += n;
	if (e == HF_OK)
		return HF_OK;
	/* Nothing of it was taken, and the channel is as it was. */
	assert_int_equal(n, 0);
	assert_int_equal(hf_channel_ended(ch), 0);
	assert_int_equal(hf_channel_room(ch), room);
	return e;
}

static enum hf_err
echo(struct hf_channel *ch)
{
	struct hf_span data = hf_channel_data(ch);
	size_t n;
	enum hf_err e;

	if (data.len == 0)
		return HF_OK;
	if ((e = hf_channel_send(ch, &n, data.ptr, data.len)) != HF_OK) {
		assert_int_equal(hf_channel_data(ch).len, data.len);
		return e;
	}
	return hf_channel_taken(ch, n);
}

/* One round of both. */
static enum hf_err
go_on(void)
{
	enum hf_err e;
	size_t i, n;

	for (i = 0; i < CHANNELS; i++)
		if ((e = send_all(t.mine[i], &t.sent[i])) != HF_OK)
			return e;
	if ((e = carry(t.mux[1], t.mux[0])) != HF_OK)
		return e;
	take_news();
	for (i = 0; i < t.opened; i++)
		if ((e = echo(t.theirs[i])) != HF_OK)
			return e;
	if ((e = carry(t.mux[0], t.mux[1])) != HF_OK)
		return e;
	take_news();
	for (i = 0; i < CHANNELS; i++) {
		n = hf_channel_data(t.mine[i]).len;
		t.heard[i] += n;
		assert_ok(hf_channel_taken(t.mine[i], n));
	}
	return HF_OK;
}

static enum hf_err
talk(void)
{
	enum hf_err e;
	size_t i;

	if ((e = hf_mux_new(&t.mux[0], HF_INITIATOR, NULL)) != HF_OK ||
	    (e = hf_mux_new(&t.mux[1], HF_RESPONDER, NULL)) != HF_OK)
		return e;
	for (i = 0; i < CHANNELS; i++)
		if ((e = hf_channel_open(&t.mine[i], t.mux[0], "c", 1)) !=
		    HF_OK) {
			assert_int_equal(hf_mux_count(t.mux[0]), i);
			return e;
		}
	while (t.heard[CHANNELS - 1] < SIZE)
		if ((e = go_on()) != HF_OK)
			return e;
	for (i = 0; i < CHANNELS; i++) {
		assert_int_equal(t.heard[i], SIZE);
		assert_ok(hf_channel_finish(t.mine[i]));
		assert_ok(hf_channel_finish(t.theirs[i]));
	}
	if ((e = carry(t.mux[1], t.mux[0])) != HF_OK)
		return e;
	return carry(t.mux[0], t.mux[1]);
}

static enum hf_err
in_memory(void)
{
	enum hf_err e;

	memset(&t, 0, sizeof(t));
	e = talk();
	hf_mux_free(t.mux[0]);
	hf_mux_free(t.mux[1]);
	return e;
}

/* What one end of a session has to say goes to the other's mux. */
static enum hf_err
sealed(struct hf_mux *to, struct hf_session *b, struct hf_mux *from,
    struct hf_session *a)
{
	enum hf_content content;
	static uint8_t out[2 * HF_RECORD_MAX];
	struct hf_span data;
	enum hf_err e;
	size_t len;

	while (hf_mux_pending(from)) {
		if ((e = hf_mux_seal(from, a, 1)) != HF_OK) {
			assert_err(hf_session_error(a), e);
			/* its alert */
			assert_ok(hf_session_drain(a, out, sizeof(out), &len));
			return e;
		}
		assert_ok(hf_session_drain(a, out, sizeof(out), &len));
		if ((e = give(b, out, len)) != HF_OK)
			return e;
		assert_ok(hf_session_recv(b, &content, &data));
		assert_int_equal(content, HF_CONTENT_CHANNEL);
		if ((e = hf_mux_feed(to, data.ptr, data.len)) != HF_OK) {
			assert_err(hf_session_fail(b, e), e);
			assert_ok(hf_session_drain(b, out, sizeof(out), &len));
			return e;
		}
	}
	return HF_OK;
}

static enum hf_err
one_channel(void)
{
	enum hf_err e;
	size_t sent = 0;

	if ((e = handshake()) != HF_OK ||
	    (e = hf_mux_new(&t.mux[0], HF_INITIATOR, NULL)) != HF_OK ||
	    (e = hf_mux_new(&t.mux[1], HF_RESPONDER, NULL)) != HF_OK ||
	    (e = hf_channel_open(&t.mine[0], t.mux[0], "c", 1)) != HF_OK ||
	    (e = send_all(t.mine[0], &sent)) != HF_OK ||
	    (e = sealed(t.mux[1], p.r, t.mux[0], p.i)) != HF_OK)
		return e;
	take_news();
	assert_int_equal(hf_channel_data(t.theirs[0]).len, SIZE);
	if ((e = echo(t.theirs[0])) != HF_OK ||
	    (e = sealed(t.mux[0], p.i, t.mux[1], p.r)) != HF_OK)
		return e;
	assert_int_equal(hf_channel_data(t.mine[0]).len, SIZE);
	return HF_OK;
}

static enum hf_err
in_a_session(void)
{
	enum hf_err e;

	memset(&t, 0, sizeof(t));
	e = one_channel();
	hf_mux_free(t.mux[0]);
	hf_mux_free(t.mux[1]);
	return e;
}

struct flow {
	enum hf_err (*run)(void);
	int all;
	unsigned long least; /* allocations there are at the least */
};

static void
refuse_each(const void *arg)
{
	static const struct meeting m = { .method = HF_METHOD_CERTIFICATE,
		.known = 1 };
	const struct flow *f = arg;
	unsigned long n;

	world_make(&w, &m);
	assert_ok(hf_config_channels(w.i, 1));
	assert_ok(hf_config_channels(w.r, 1));
	for (n = 1; refuse(f->run, n, f->all); n++)
		continue;
	assert_in_range(n - 1, f->least, 200);
	assert_false(refuse(f->run, (unsigned long)-1, 0));
	world_free(&w);
	case_count("n", n - 1);
}

int
main(void)
{
	static const struct {
		const char *name;
		struct flow flow;
	} cases[] = { { "mux/one", { in_memory, 0, 12 } },
		{ "mux/all-from", { in_memory, 1, 12 } },
		{ "session/one", { in_a_session, 0, 15 } },
		{ "session/all-from", { in_a_session, 1, 15 } } };
	size_t i;

	assert_ok(hf_init());
	for (i = 0; i < HF__ARRAY_N(cases); i++)
		run_case("channels", cases[i].name, refuse_each,
		    &cases[i].flow);
	return case_total();
}

#else

int
main(void)
{
	print_message("a sanitizer has malloc for itself\n");
	return 77;
}

#endif
