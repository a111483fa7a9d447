/* SPDX-License-Identifier: ISC */
/*
 * The frames of the agent's own protocol: what is written is read again, at
 * every split; each fault gives its error at the byte that shows it; nobody
 * says what the other side alone may say.
 */
#include <string.h>

#include "agent_wire.h"
#include "testing.h"

static const uint8_t sid[HF_SID_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
	12, 13, 14, 15, 16 };

/* Written, then read byte by byte: nothing before its end, all of it there. */
static void
again(const struct hf__wire *w, enum hf__wire_side side)
{
	uint8_t out[HF__WIRE_SMALL];
	size_t len = hf__wire_write(out, w), used, k;
	struct hf__wire got;

	for (k = 0; k < len; k++) {
		assert_ok(hf__wire_read(&got, &used, out, k, side));
		assert_int_equal(used, 0);
	}
	assert_ok(hf__wire_read(&got, &used, out, len, side));
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
	again(&w, HF__WIRE_APPLICATION);
	w.type = HF__WIRE_CLOSE;
	again(&w, HF__WIRE_APPLICATION);
	w = wire(HF__WIRE_STATUS);
	w.number[0] = 1;
	again(&w, HF__WIRE_APPLICATION);
	w = wire(HF__WIRE_END);
	again(&w, HF__WIRE_APPLICATION);
	again(&w, HF__WIRE_AGENT);
	w = wire(HF__WIRE_OVER);
	w.number[HF__OVER_ERROR] = HF_E_AGENT_GONE;
	w.number[HF__OVER_REASON] = 255;
	again(&w, HF__WIRE_AGENT);
	again(&w, HF__WIRE_APPLICATION);
	w = wire(HF__WIRE_INFO);
	w.bytes[HF__INFO_SID] = (struct hf_span){ sid, sizeof(sid) };
	w.number[HF__INFO_SUITE] = 65535;
	w.number[HF__INFO_EPOCH] = UINT64_MAX;
	w.number[HF__INFO_STRENGTH] = 2;
	w.bytes[HF__INFO_RESPONDER] = text("server.example");
	w.number[HF__INFO_BROKEN] = 1;
	again(&w, HF__WIRE_AGENT);
	w = wire(HF__WIRE_PEER);
	w.bytes[HF__PEER_NAME] = text("x");
	again(&w, HF__WIRE_AGENT);
	w.bytes[HF__PEER_SID] = (struct hf_span){ sid, sizeof(sid) };
	for (i = HF__PEER_EPOCH; i < HF__PEER_ERROR; i++)
		w.number[i] = (uint64_t)1 << (8 * (i - HF__PEER_EPOCH));
	again(&w, HF__WIRE_AGENT);
	w = wire(HF__WIRE_DONE);
	again(&w, HF__WIRE_AGENT);
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
		    HF__WIRE_AGENT));
		assert_int_equal(used, 0);
		assert_ok(hf__wire_read(&w, &used, frame, head + sizes[i],
		    HF__WIRE_APPLICATION));
		assert_int_equal(used, head + sizes[i]);
		assert_int_equal(w.bytes[0].len, sizes[i]);
		assert_ptr_equal(w.bytes[0].ptr, frame + head);
	}
}

/* At its last byte and not before it. */
static void
refused(const char *bytes, size_t len, enum hf__wire_side side,
    enum hf_err expected)
{
	struct hf__wire w;
	size_t used, k;

	for (k = 0; k < len; k++)
		assert_ok(
		    hf__wire_read(&w, &used, (const uint8_t *)bytes, k, side));
	assert_err(hf__wire_read(&w, &used, (const uint8_t *)bytes, len, side),
	    expected);
	assert_int_equal(used, 0);
}
#define REFUSED(bytes, side, e) \
	refused(bytes, sizeof(bytes) - 1, HF__WIRE_##side, e)

static void
faults(void **state)
{
	(void)state;
	/* no array, one of nothing, of too much, without an end */
	REFUSED("\x00", APPLICATION, HF_E_SHAPE);
	REFUSED("\xa1", APPLICATION, HF_E_SHAPE);
	REFUSED("\x80", APPLICATION, HF_E_SHAPE);
	REFUSED("\x8d", APPLICATION, HF_E_SHAPE);
	REFUSED("\x9f", APPLICATION, HF_E_CBOR);
	REFUSED("\x9c", APPLICATION, HF_E_CBOR);
	REFUSED("\x9b\xff\xff\xff\xff\xff\xff\xff\xff", APPLICATION,
	    HF_E_SHAPE);
	/* longer than it must be */
	REFUSED("\x98\x02", APPLICATION, HF_E_CBOR);
	REFUSED("\x82\x18\x01", APPLICATION, HF_E_CBOR);
	REFUSED("\x82\x01\x58\x17", APPLICATION, HF_E_CBOR);
	REFUSED("\x82\x01\x59\x00\xff", APPLICATION, HF_E_CBOR);
	REFUSED("\x82\x01\x5a\x00\x00\xff\xff", APPLICATION, HF_E_CBOR);
	/* types: of nobody, of the other side */
	REFUSED("\x81\x06", APPLICATION, HF_E_UNEXPECTED);
	REFUSED("\x81\x18\x63", APPLICATION, HF_E_UNEXPECTED);
	REFUSED("\x87\x10", APPLICATION, HF_E_UNEXPECTED);
	REFUSED("\x83\x00", AGENT, HF_E_UNEXPECTED);
	REFUSED("\x82\x04", AGENT, HF_E_UNEXPECTED);
	REFUSED("\x81\x20", APPLICATION, HF_E_SHAPE);
	/* another version, whatever follows */
	REFUSED("\x83\x00\x02", APPLICATION, HF_E_VERSION);
	REFUSED("\x85\x00\x00", APPLICATION, HF_E_VERSION);
	REFUSED("\x82\x04\x19\x01\x00", APPLICATION, HF_E_VERSION);
	/* fields: too many, too few, of another kind, too long, too short */
	REFUSED("\x82\x02", APPLICATION, HF_E_SHAPE);
	REFUSED("\x82\x00\x01", APPLICATION, HF_E_SHAPE);
	REFUSED("\x83\x01\x41x", APPLICATION, HF_E_SHAPE);
	REFUSED("\x82\x01\x61", APPLICATION, HF_E_SHAPE);
	REFUSED("\x82\x01\x40", APPLICATION, HF_E_SHAPE);
	REFUSED("\x82\x01\x59\x40\x01", APPLICATION, HF_E_TOO_BIG);
	REFUSED("\x82\x01\x5b\xff\xff\xff\xff\xff\xff\xff\xff", AGENT,
	    HF_E_TOO_BIG);
	REFUSED("\x83\x00\x01\x60", APPLICATION, HF_E_SHAPE);
	REFUSED("\x83\x00\x01\x78\x41", APPLICATION, HF_E_TOO_BIG);
	REFUSED("\x83\x00\x01\x61/", APPLICATION, HF_E_SHAPE);
	REFUSED("\x83\x00\x01\x62-\x00", APPLICATION, HF_E_SHAPE);
	REFUSED("\x83\x00\x01\x41", APPLICATION, HF_E_SHAPE);
	REFUSED("\x83\x03\x00", AGENT, HF_E_SHAPE);
	REFUSED("\x83\x03\x18\x60", AGENT, HF_E_SHAPE);
	REFUSED("\x83\x03\x01\x19\x01\x00", AGENT, HF_E_SHAPE);
	REFUSED("\x87\x10\x4f", AGENT, HF_E_SHAPE);
	REFUSED("\x87\x10\x51", AGENT, HF_E_TOO_BIG);
	REFUSED("\x8c\x11\x61"
		"a\x00\x4f",
	    AGENT, HF_E_SHAPE);
	REFUSED("\x8c\x11\x61"
		"a\x04",
	    AGENT, HF_E_SHAPE);
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
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
