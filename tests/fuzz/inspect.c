/* SPDX-License-Identifier: ISC */
/*
 * What `handfast inspect` reads, as text and as JSON: it ends well, both forms
 * come to the same, JSON is JSON, no output drives a terminal, and of a secret
 * file nothing secret is shown.
 */
#include "inspect.h"
#include "program.h"

/* No hex of these bytes, nor any half of them, is in what was said. */
static void
check_hidden(const uint8_t *secret, size_t len)
{
	char hex[80], *half;
	size_t k;

	sodium_bin2hex(hex, sizeof(hex), secret, len);
	for (k = 0; k < 2; k++) {
		half = hex + k * len;
		half[len] = '\0';
		CLAIM(memmem(said_out.text, said_out.len, half, len) == NULL);
		CLAIM(memmem(said_err.text, said_err.len, half, len) == NULL);
		sodium_bin2hex(hex, sizeof(hex), secret, len);
	}
}

/* One that repeats a byte may stand there by chance. */
static void
check_secret(const uint8_t *secret, size_t len)
{
	size_t k, differ = 0;

	for (k = 1; k < len; k++)
		differ += secret[k] != secret[k - 1];
	if (differ > 12)
		check_hidden(secret, len);
}

static void
check_secrets(const char *text, size_t len)
{
	struct hf__ticket_file file;
	struct hf_identity *id;
	struct hf_ring *ring;
	static uint8_t ticket[4096];
	size_t k, ticket_len, used;

	if (hf_identity_decode(&id, text, len, NULL, 0) == HF_OK) {
		check_secret(id->seed, sizeof(id->seed));
		hf_identity_free(id);
	}
	if (hf_ring_decode(&ring, text, len) == HF_OK) {
		for (k = 0; k < ring->n; k++)
			check_secret(ring->keys[k].key, 32);
		hf_ring_free(ring);
	}
	if (hf_pem_decode(ticket, sizeof(ticket), &ticket_len, &used,
		"HANDFAST TICKET", text, len) == HF_OK &&
	    hf__ticket_file_read(&file, ticket, ticket_len) == HF_OK)
		check_secret(file.key.ptr, 32);
}

static void
check_json(void)
{
	json_error_t error;
	json_t *root =
	    json_loadb(said_out.text, said_out.len, JSON_ALLOW_NUL, &error);

	CLAIM(json_is_object(root));
	CLAIM(json_is_false(json_object_get(root, "verified")));
	CLAIM(json_is_string(json_object_get(root, "type")));
	json_decref(root);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *path = program_file(data, len);
	const char *plain[] = { "inspect", path, NULL };
	const char *json[] = { "inspect", "--json", path, NULL };
	int result, again;

	MUST(hf_init());
	result = program_run(cmd_inspect, plain);
	CLAIM(result == CLI_OK || result == CLI_PEER || result == CLI_FORMAT);
	CLAIM(result == CLI_OK || said_err.len > 0);
	program_safe(&said_out);
	program_safe(&said_err);
	check_secrets((const char *)data, len);
	program_forget();
	again = program_run(cmd_inspect, json);
	CLAIM(again == result);
	program_safe(&said_out);
	program_safe(&said_err);
	check_secrets((const char *)data, len);
	if (said_out.len > 0)
		check_json();
	program_forget();
	return 0;
}
