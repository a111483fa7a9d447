/* SPDX-License-Identifier: ISC */
/*
 * The frames of the agent's own protocol: what is written is read again, at
 * every split; each fault gives its error at the byte that shows it; nobody
 * says what has no place there, or what the other side alone may say.
 */
#include <string.h>

#include "agent_wire.h"
#include "testing.h"

static const uint8_t sid[HF_SID_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
	12, 13, 14, 15, 16 };

/* Written, then read byte by byte: nothing before its end, all of it there. */
static void
again(const struct hf__wire *w, enum hf__wire_stage stage)
{
	uint8_t out[HF__WIRE_SMALL];
	size_t len = hf__wire_write(out, w), used, k;
	struct hf__wire got;

	for (k = 0; k < len; k++) {
		assert_ok(hf__wire_read(&got, &used, out, k, stage));
		assert_int_equal(used, 0);
	}
	assert_ok(hf__wire_read(&got, &used, out, len, stage));
	assert_int_equal(used, len);
	assert_int_equal(got.type, w->type);
	assert_memory_equal(got.number, w->number, sizeof(got.number));
	for (k = 0; k < HF__WIRE_FIELDS; k++) {
		assert_int_equal(got.bytes[k].len, w->bytes[k].len);
		if (w->bytes[k].len > 0)
			assert_memory_equal(got.bytes[k].ptr, w->bytes[k].ptr,
			    w->bytes[k].len);
	}
}

static struct hf__wire
wire(enum hf__wire_type type)
{
	struct hf__wire w = { .type = type };

	return w;
}

static struct hf_span
text(const char *s)
{
	return (struct hf_span){ (const uint8_t *)s, strlen(s) };
}

static void
read_again(void **state)
{
	struct hf__wire w = wire(HF__WIRE_OPEN);
	size_t i;

	(void)state;
	w.number[HF__OPEN_VERSION] = 1;
	w.bytes[HF__OPEN_PEER] = text("a.Peer-1_");
	again(&w, HF__WIRE_ASKS);
	w.type = HF__WIRE_CLOSE;
	again(&w, HF__WIRE_ASKS);
	w = wire(HF__WIRE_STATUS);
	w.number[0] = 1;
	again(&w, HF__WIRE_ASKS);
	w = wire(HF__WIRE_END);
	again(&w, HF__WIRE_SENDS);
	again(&w, HF__WIRE_CARRIES);
	w = wire(HF__WIRE_OVER);
	w.number[HF__OVER_ERROR] = HF_E_AGENT_GONE;
	w.number[HF__OVER_REASON] = 255;
	again(&w, HF__WIRE_SENT);
	again(&w, HF__WIRE_TELLS);
	w = wire(HF__WIRE_INFO);
	w.bytes[HF__INFO_SID] = (struct hf_span){ sid, sizeof(sid) };
	w.number[HF__INFO_SUITE] = 65535;
	w.number[HF__INFO_EPOCH] = UINT64_MAX;
	w.number[HF__INFO_STRENGTH] = 2;
	w.bytes[HF__INFO_RESPONDER] = text("server.example");
	w.number[HF__INFO_BROKEN] = 1;
	again(&w, HF__WIRE_ANSWERS);
	w = wire(HF__WIRE_PEER);
	w.bytes[HF__PEER_NAME] = text("x");
	again(&w, HF__WIRE_TELLS);
	w.bytes[HF__PEER_SID] = (struct hf_span){ sid, sizeof(sid) };
	for (i = HF__PEER_EPOCH; i < HF__PEER_ERROR; i++)
		w.number[i] = (uint64_t)1 << (8 * (i - HF__PEER_EPOCH));
	again(&w, HF__WIRE_TELLS);
	w = wire(HF__WIRE_DONE);
	again(&w, HF__WIRE_AGREES);
}

static void
data(void **state)
{
	static uint8_t frame[HF__WIRE_MAX];
	static const size_t sizes[] = { 1, 23, 24, 255, 256, 16383, 16384 };
	struct hf__wire w;
	size_t i, head, used;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		head = hf__wire_data(frame, sizes[i]);
		assert_in_range(head, 3, HF__WIRE_HEAD);
		assert_ok(hf__wire_read(&w, &used, frame, head + sizes[i] - 1,
		    HF__WIRE_CARRIES));
		assert_int_equal(used, 0);
		assert_ok(hf__wire_read(&w, &used, frame, head + sizes[i],
		    HF__WIRE_SENDS));
		assert_int_equal(used, head + sizes[i]);
		assert_int_equal(w.bytes[0].len, sizes[i]);
		assert_ptr_equal(w.bytes[0].ptr, frame + head);
	}
}

/* At its last byte and not before it. */
static void
refused(const char *bytes, size_t len, enum hf__wire_stage stage,
    enum hf_err expected)
{
	struct hf__wire w;
	size_t used, k;

	for (k = 0; k < len; k++)
		assert_ok(hf__wire_read(&w, &used, (const uint8_t *)bytes, k,
		    stage));
	assert_err(hf__wire_read(&w, &used, (const uint8_t *)bytes, len,
		       stage),
	    expected);
	assert_int_equal(used, 0);
}
#define REFUSED(bytes, stage, e) \
	refused(bytes, sizeof(bytes) - 1, HF__WIRE_##stage, e)

static void
faults(void **state)
{
	(void)state;
	/* no array, one of nothing, of too much, without an end */
	REFUSED("\x00", ASKS, HF_E_SHAPE);
	REFUSED("\xa1", ASKS, HF_E_SHAPE);
	REFUSED("\xf4", ASKS, HF_E_SHAPE);
	REFUSED("\x80", ASKS, HF_E_SHAPE);
	REFUSED("\x8d", ASKS, HF_E_SHAPE);
	REFUSED("\x9f", ASKS, HF_E_CBOR);
	REFUSED("\x9c", ASKS, HF_E_CBOR);
	REFUSED("\x9b\xff\xff\xff\xff\xff\xff\xff\xff", ASKS, HF_E_SHAPE);
	/* longer than it must be, and what is never encoded so */
	REFUSED("\x98\x02", ASKS, HF_E_CBOR);
	REFUSED("\x82\x18\x01", SENDS, HF_E_CBOR);
	REFUSED("\x82\x01\x58\x17", SENDS, HF_E_CBOR);
	REFUSED("\x82\x01\x59\x00\xff", SENDS, HF_E_CBOR);
	REFUSED("\x82\x01\x5a\x00\x00\xff\xff", SENDS, HF_E_CBOR);
	REFUSED("\x82\x01\x5f", SENDS, HF_E_CBOR);
	REFUSED("\x82\x01\xc0", SENDS, HF_E_CBOR);
	REFUSED("\x82\x01\xf3", SENDS, HF_E_CBOR);
	REFUSED("\x82\x01\xf7", SENDS, HF_E_CBOR);
	REFUSED("\x82\xf9", SENDS, HF_E_CBOR);
	REFUSED("\xff", SENDS, HF_E_CBOR);
	/* types: of nobody, of the other side */
	REFUSED("\x81\x06", ASKS, HF_E_UNEXPECTED);
	REFUSED("\x81\x18\x63", ASKS, HF_E_UNEXPECTED);
	REFUSED("\x87\x10", ASKS, HF_E_UNEXPECTED);
	REFUSED("\x83\x00", ANSWERS, HF_E_UNEXPECTED);
	REFUSED("\x82\x04", TELLS, HF_E_UNEXPECTED);
	REFUSED("\x81\x20", ASKS, HF_E_SHAPE);
	/* another version, whatever follows */
	REFUSED("\x83\x00\x02", ASKS, HF_E_VERSION);
	REFUSED("\x85\x00\x00", ASKS, HF_E_VERSION);
	REFUSED("\x82\x04\x19\x01\x00", ASKS, HF_E_VERSION);
	/* fields: too many, too few, of another kind, too long, too short */
	REFUSED("\x82\x02", SENDS, HF_E_SHAPE);
	REFUSED("\x81\x00", ASKS, HF_E_SHAPE);
	REFUSED("\x82\x00\x01", ASKS, HF_E_SHAPE);
	REFUSED("\x84\x00\x01", ASKS, HF_E_SHAPE);
	REFUSED("\x83\x01", SENDS, HF_E_SHAPE);
	REFUSED("\x82\x01\x61", SENDS, HF_E_SHAPE);
	REFUSED("\x82\x01\x40", SENDS, HF_E_SHAPE);
	REFUSED("\x82\x01\x59\x40\x01", SENDS, HF_E_TOO_BIG);
	REFUSED("\x82\x01\x5b\xff\xff\xff\xff\xff\xff\xff\xff", CARRIES,
	    HF_E_TOO_BIG);
	REFUSED("\x83\x00\x01\x60", ASKS, HF_E_SHAPE);
	REFUSED("\x83\x00\x01\x78\x41", ASKS, HF_E_TOO_BIG);
	REFUSED("\x83\x00\x01\x61/", ASKS, HF_E_SHAPE);
	REFUSED("\x83\x00\x01\x62-\x00", ASKS, HF_E_SHAPE);
	REFUSED("\x83\x00\x01\x78\x40-/", ASKS, HF_E_SHAPE);
	REFUSED("\x83\x00\x01\x41", ASKS, HF_E_SHAPE);
	REFUSED("\x83\x03\x00", CARRIES, HF_E_SHAPE);
	REFUSED("\x83\x03\x18\x60", CARRIES, HF_E_SHAPE);
	REFUSED("\x83\x03\x18\x50", ANSWERS, HF_E_SHAPE);
	REFUSED("\x83\x03\x01\x19\x01\x00", CARRIED, HF_E_SHAPE);
	REFUSED("\x82\x12\x18\x50", AGREES, HF_E_SHAPE);
	REFUSED("\x87\x10\x4f", ANSWERS, HF_E_SHAPE);
	REFUSED("\x87\x10\x51", ANSWERS, HF_E_TOO_BIG);
	REFUSED("\x8c\x11\x61"
		"a\x00\x4f",
	    TELLS, HF_E_SHAPE);
	REFUSED("\x8c\x11\x61"
		"a\x04",
	    TELLS, HF_E_SHAPE);
}

/* Of each stage what may come, and what the stage is then. */
static void
order(void **state)
{
	static const struct {
		enum hf__wire_stage stage, then;
		enum hf__wire_type type;
	} steps[] = {
		{ HF__WIRE_ASKS, HF__WIRE_SENDS, HF__WIRE_OPEN },
		{ HF__WIRE_ASKS, HF__WIRE_LAST, HF__WIRE_STATUS },
		{ HF__WIRE_ASKS, HF__WIRE_LAST, HF__WIRE_CLOSE },
		{ HF__WIRE_SENDS, HF__WIRE_SENDS, HF__WIRE_DATA },
		{ HF__WIRE_SENDS, HF__WIRE_SENT, HF__WIRE_END },
		{ HF__WIRE_SENDS, HF__WIRE_LAST, HF__WIRE_OVER },
		{ HF__WIRE_SENT, HF__WIRE_LAST, HF__WIRE_OVER },
		{ HF__WIRE_ANSWERS, HF__WIRE_CARRIES, HF__WIRE_INFO },
		{ HF__WIRE_ANSWERS, HF__WIRE_LAST, HF__WIRE_OVER },
		{ HF__WIRE_CARRIES, HF__WIRE_CARRIES, HF__WIRE_INFO },
		{ HF__WIRE_CARRIES, HF__WIRE_CARRIES, HF__WIRE_DATA },
		{ HF__WIRE_CARRIES, HF__WIRE_CARRIED, HF__WIRE_END },
		{ HF__WIRE_CARRIES, HF__WIRE_LAST, HF__WIRE_OVER },
		{ HF__WIRE_CARRIED, HF__WIRE_CARRIED, HF__WIRE_INFO },
		{ HF__WIRE_CARRIED, HF__WIRE_LAST, HF__WIRE_OVER },
		{ HF__WIRE_TELLS, HF__WIRE_TELLS, HF__WIRE_PEER },
		{ HF__WIRE_TELLS, HF__WIRE_LAST, HF__WIRE_DONE },
		{ HF__WIRE_TELLS, HF__WIRE_LAST, HF__WIRE_OVER },
		{ HF__WIRE_AGREES, HF__WIRE_LAST, HF__WIRE_DONE },
		{ HF__WIRE_AGREES, HF__WIRE_LAST, HF__WIRE_OVER },
		{ HF__WIRE_ANY, HF__WIRE_CARRIES, HF__WIRE_INFO },
		{ HF__WIRE_ANY, HF__WIRE_TELLS, HF__WIRE_PEER },
		{ HF__WIRE_ANY, HF__WIRE_LAST, HF__WIRE_DONE },
		{ HF__WIRE_ANY, HF__WIRE_LAST, HF__WIRE_OVER },
	};
	size_t i, n = 0;
	unsigned stage, type;

	(void)state;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(hf__wire_may(steps[i].stage, steps[i].type),
		    1);
		assert_int_equal(hf__wire_next(steps[i].stage, steps[i].type),
		    steps[i].then);
	}
	for (stage = HF__WIRE_ASKS; stage <= HF__WIRE_LAST; stage++)
		for (type = 0; type < 32; type++)
			n += hf__wire_may((enum hf__wire_stage)stage,
			    (enum hf__wire_type)type);
	assert_int_equal(n, i);
}

static void
names(void **state)
{
	char longest[HF__WIRE_PEER_MAX + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(hf__wire_peer("azAZ09.-_", 9), 1);
	assert_int_equal(hf__wire_peer(longest, HF__WIRE_PEER_MAX), 1);
	assert_int_equal(hf__wire_peer(longest, sizeof(longest)), 0);
	assert_int_equal(hf__wire_peer("", 0), 0);
	assert_int_equal(hf__wire_peer("a b", 3), 0);
	assert_int_equal(hf__wire_peer("\xc3\xa4", 2), 0);
	assert_int_equal(hf__wire_peer("@", 1), 0);
	assert_int_equal(hf__wire_peer("[", 1), 0);
	assert_int_equal(hf__wire_peer("`", 1), 0);
	assert_int_equal(hf__wire_peer("{", 1), 0);
	assert_int_equal(hf__wire_peer(":", 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_again),
		cmocka_unit_test(data),
		cmocka_unit_test(faults),
		cmocka_unit_test(order),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
