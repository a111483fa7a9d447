/* SPDX-License-Identifier: ISC */
/*
 * What the tests of channels share: frames said to a mux by a peer that need
 * not be honest, and two honest ones that talk in memory.
 */
#ifndef HANDFAST_TEST_CHANNELS_H
#define HANDFAST_TEST_CHANNELS_H

#include <string.h>

#include "channel.h"
#include "testing.h"

enum { USUAL = 65536 };

/* One frame, as the peer says it. */
static inline enum hf_err
say(struct hf_mux *m, enum hf__frame_type type, uint32_t number,
    uint32_t value, size_t len)
{
	static uint8_t data[HF_PLAINTEXT_MAX], out[HF_PLAINTEXT_MAX + 64];
	struct hf__frame f = { type, number, { data, len }, value };
	struct hf__writer w;

	memset(data, 'd', len);
	hf__write_init(&w, out, sizeof(out));
	hf__frame_put(&w, &f);
	assert_ok(w.err);
	return hf_mux_feed(m, out, w.len);
}
#define say_open(m, number) say(m, HF__FRAME_OPEN, number, 0, 1)
#define say_data(m, number, len) say(m, HF__FRAME_DATA, number, 0, len)
#define say_credit(m, number, n) say(m, HF__FRAME_CREDIT, number, n, 0)
#define say_fin(m, number) say(m, HF__FRAME_FIN, number, 0, 0)
#define say_reset(m, number, reason) say(m, HF__FRAME_RESET, number, reason, 0)

/* Those bytes, in hex. */
static inline enum hf_err
say_hex(struct hf_mux *m, const char *hex)
{
	uint8_t raw[256];
	size_t len = unhex(raw, sizeof(raw), hex);

	return hf_mux_feed(m, raw, len);
}

/* The next frame that the mux sends; 0 when there is none. It is kept until
 * all of its record was asked for. */
struct heard {
	uint8_t record[HF_PLAINTEXT_MAX];
	struct hf__reader r;
};
static inline int
hear(struct hf__frame *f, struct heard *h, struct hf_mux *m)
{
	size_t len;

	if (h->r.off == h->r.len) {
		assert_ok(
		    hf_mux_output(m, h->record, sizeof(h->record), &len));
		if (len == 0)
			return 0;
		hf__read_init(&h->r, h->record, len);
	}
	assert_ok(hf__frame_get(f, &h->r));
	return 1;
}

/* The next frame is that one. */
static inline void
expect(struct heard *h, struct hf_mux *m, enum hf__frame_type type,
    uint32_t number, uint32_t value, size_t len)
{
	struct hf__frame f;

	assert_int_equal(hear(&f, h, m), 1);
	assert_int_equal(f.type, type);
	assert_int_equal(f.number, number);
	assert_int_equal(f.value, value);
	assert_int_equal(f.span.len, len);
}
static inline void
expect_silence(struct heard *h, struct hf_mux *m)
{
	struct hf__frame f;

	assert_int_equal(hf_mux_pending(m), 0);
	assert_int_equal(hear(&f, h, m), 0);
}

/* The next news are these, of one channel. */
static inline struct hf_channel *
news(struct hf_mux *m, unsigned expected)
{
	struct hf_channel *ch = NULL;

	assert_int_equal(hf_mux_next(m, &ch), expected);
	return ch;
}
static inline void
no_news(struct hf_mux *m)
{
	struct hf_channel *ch;

	assert_int_equal(hf_mux_next(m, &ch), 0);
}

static inline struct hf_mux *
mux_of(enum hf_role role, size_t own, size_t peers, size_t window, size_t send)
{
	struct hf_mux_limits limits = { own, peers, window, send };
	struct hf_mux *m;

	assert_ok(hf_mux_new(&m, role, &limits));
	return m;
}

/* A responder's mux: the peer is the initiator, with even numbers. */
static inline struct hf_mux *
responder(void)
{
	return mux_of(HF_RESPONDER, 4, 4, USUAL, USUAL);
}

/* It has failed so. */
static inline void
failed(struct hf_mux *m, enum hf_err e)
{
	struct hf_channel *ch;
	uint8_t out[HF_FRAMES_MIN];
	size_t len;

	/* the error sticks, and nothing is said any more */
	assert_err(say_hex(m, "8303006161"), e);
	assert_int_equal(hf_mux_pending(m), 0);
	assert_err(hf_mux_output(m, out, sizeof(out), &len), e);
	assert_err(hf_channel_open(&ch, m, "", 0), HF_E_STATE);
	hf_mux_free(m);
}

static inline struct hf_channel *
open_one(struct hf_mux *m, const char *label)
{
	struct hf_channel *ch;

	assert_ok(hf_channel_open(&ch, m, label, strlen(label)));
	return ch;
}

static inline size_t
put_in(struct hf_channel *ch, size_t len)
{
	static uint8_t data[1 << 18];
	size_t taken;

	memset(data, 'x', sizeof(data));
	assert_true(len <= sizeof(data));
	assert_ok(hf_channel_send(ch, &taken, data, len));
	return taken;
}

/* All that one has to say goes to the other, in records of that size. */
static inline size_t
carry(struct hf_mux *to, struct hf_mux *from, size_t record)
{
	uint8_t out[HF_PLAINTEXT_MAX];
	size_t len, all = 0;

	while (hf_mux_pending(from)) {
		assert_ok(hf_mux_output(from, out, record, &len));
		assert_true(len > 0 && len <= record);
		assert_ok(hf_mux_feed(to, out, len));
		all += len;
	}
	return all;
}

#endif
