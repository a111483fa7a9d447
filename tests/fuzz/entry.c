/* SPDX-License-Identifier: ISC */
/*
 * A session's entry in a store (spec section 18), its box as it is. Of an
 * entry and of the state in it exactly those are opened that have the shape,
 * for the keys that are held; what is said of it is what stands there; a
 * state that was opened is sealed again as it was.
 */
#include "takeover.h"

static bool
is_text(const struct hf_name *name, struct hf_span text)
{
	return name->len == text.len && strlen(name->text) == text.len &&
	    memcmp(name->text, text.ptr, text.len) == 0;
}

static void
check_info(const struct hf_entry_info *info, struct hf_span entry)
{
	CLAIM(is_text(&info->cluster, shape_item(entry, 1)));
	CLAIM(is_text(&info->scope, shape_item(entry, 2)));
	CLAIM(is_text(&info->owner, shape_item(entry, ENTRY_OWNER)));
	CLAIM(info->generation == shape_number(entry, ENTRY_GENERATION));
	CLAIM(info->epoch == shape_number(entry, ENTRY_EPOCH));
	CLAIM(info->expires == shape_number(entry, ENTRY_EXPIRES));
	CLAIM(memcmp(info->sid, shape_item(entry, ENTRY_SID).ptr, 16) == 0);
	CLAIM(
	    memcmp(info->token, shape_item(entry, ENTRY_TOKEN).ptr, 16) == 0);
}

static void
check_again(struct hf_span entry)
{
	uint8_t again[HF_ENTRY_MAX];
	struct hf__stored st, back;
	struct hf_span sealed = { again, 0 }, is, was;

	MUST(
	    hf__state_open(&st, moving.vault, entry.ptr, entry.len, FUZZ_NOW));
	MUST(hf__state_seal(again, &sealed.len, moving.vault, &st, FUZZ_NOW));
	is = take_plain(sealed, ENTRY_BOX);
	was = take_plain(entry, ENTRY_BOX);
	CLAIM(is.len == was.len && memcmp(is.ptr, was.ptr, is.len) == 0);
	MUST(hf__state_open(&back, moving.vault, again, sealed.len, FUZZ_NOW));
	CLAIM(memcmp(&st, &back, sizeof(st)) == 0);
}

static void
check(struct hf_span entry)
{
	struct hf_entry_info info;
	bool fits = entry_fits(entry), opens = entry_opens(entry);

	CLAIM(hf_entry_read(&info, entry.ptr, entry.len) ==
	    (fits ? HF_OK : HF_E_ENTRY));
	if (fits)
		check_info(&info, entry);
	CLAIM(hf_entry_open(&info, moving.vault, entry.ptr, entry.len,
		  FUZZ_NOW) == (opens ? HF_OK : HF_E_ENTRY));
	if (opens)
		check_again(entry);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };
	struct act a = { .admission = HF_ADMIT };
	unsigned choice;

	fuzz_skip = SKIP_SEALS;
	fuzz_people();
	moving_make();
	choice = in_byte(&in);
	if (choice & GENUINE) {
		moving_leave(&a, choice);
		hf_session_free(a.i);
		hf_session_free(a.r);
		a.said = fuzz_entry;
		in = act_bytes(&a, in, choice);
	}
	if (in.len > 0)
		check(in);
	return 0;
}
