/* SPDX-License-Identifier: ISC */
/*
 * Files of identities and rings, as text and as contents that are put into a
 * well-formed block: what is read is what is written again. Stretching a
 * passphrase costs nothing here, and a sealed seed is there as it is.
 */
#include "shape.h"

static const char phrase[] = "correct horse";

static void
check_again(const struct hf_identity *id, const char *pass)
{
	struct hf_identity *back;
	char again[512];
	size_t used, len = pass == NULL ? 0 : strlen(pass);

	MUST(hf_identity_encode(again, sizeof(again), &used, id, pass, len));
	MUST(hf_identity_decode(&back, again, used, pass, len));
	CLAIM(memcmp(back->seed, id->seed, sizeof(id->seed)) == 0);
	CLAIM(memcmp(back->kem.pk, id->kem.pk, 32) == 0);
	hf_identity_free(back);
	if (pass != NULL)
		CLAIM(hf_identity_decode(&back, again, used, NULL, 0) ==
			HF_E_PASSPHRASE &&
		    back == NULL);
}

/* What stands in a block has the form of its file, and costs what it may. */
static void
check_contents(struct hf_span file, unsigned way)
{
	struct shape_at at;
	uint64_t mib, passes;
	unsigned major;

	if (way == 0) {
		CLAIM(shape_fits("[ =1 b32-32 ]", file) == file.len);
		return;
	}
	CLAIM(shape_fits("[ =2 b16-16 u1024 u10 b24-24 b48-48 ]", file) ==
	    file.len);
	at = (struct shape_at){ file.ptr, file.len, 19 };
	CLAIM(shape_head(&at, &major, &mib) && mib >= 8);
	CLAIM(shape_head(&at, &major, &passes) && passes >= 1);
}

/* A plain file is read with and without a passphrase, a sealed one with it
 * alone. */
static bool
fuzz_identity_file(const char *text, size_t len)
{
	struct hf_identity *id, *with;
	enum hf_err e = hf_identity_decode(&id, text, len, NULL, 0), sealed;

	CLAIM((id != NULL) == (e == HF_OK));
	CLAIM(e == HF_OK || e == HF_E_OBJECT || e == HF_E_PASSPHRASE);
	fuzz_refused = 0;
	sealed = hf_identity_decode(&with, text, len, phrase, strlen(phrase));
	CLAIM((with != NULL) == (sealed == HF_OK));
	if (e != HF_E_PASSPHRASE)
		CLAIM(sealed == e);
	else
		CLAIM(sealed == (fuzz_refused > 0 ? HF_E_PASSPHRASE : HF_OK));
	if (sealed == HF_OK) {
		check_again(with, NULL);
		check_again(with, phrase);
	}
	hf_identity_free(with);
	hf_identity_free(id);
	return sealed == HF_OK;
}

static void
fuzz_ring_file(const char *text, size_t len)
{
	struct hf_ring *ring, *back;
	char again[1024];
	size_t used;
	enum hf_err e = hf_ring_decode(&ring, text, len);

	CLAIM((ring != NULL) == (e == HF_OK));
	CLAIM(e == HF_OK || e == HF_E_OBJECT);
	if (e != HF_OK)
		return;
	CLAIM(hf_ring_count(ring) <= HF_RING_MAX);
	MUST(hf_ring_encode(again, sizeof(again), &used, ring));
	MUST(hf_ring_decode(&back, again, used));
	CLAIM(memcmp(back->keys, ring->keys,
		  ring->n * sizeof(ring->keys[0])) == 0);
	hf_ring_free(back);
	hf_ring_free(ring);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const label[] = { "HANDFAST IDENTITY",
		"HANDFAST ENCRYPTED IDENTITY", "HANDFAST TICKET RING" };
	struct hf_span in = { data, len };
	char text[2048];
	unsigned way;
	size_t n;

	fuzz_skip = SKIP_SEALS | SKIP_STRETCH;
	fuzz_people();
	fuzz_random(NULL, 0);
	way = in_byte(&in) % 4;
	if (way == 3) {
		(void)fuzz_identity_file((const char *)in.ptr, in.len);
		fuzz_ring_file((const char *)in.ptr, in.len);
	} else if (in.len > 0 && in.len < 1024) {
		MUST(hf_pem_encode(text, sizeof(text), &n, label[way], in.ptr,
		    in.len));
		if (fuzz_identity_file(text, n))
			check_contents(in, way);
		fuzz_ring_file(text, n);
	}
	return 0;
}
