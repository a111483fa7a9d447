/* SPDX-License-Identifier: ISC */
/*
 * What the README's example leaves out: two configurations, made of the files
 * that `handfast ca init`, `keygen` and `cert issue` write.
 *
 *     readme_driver CA-CERT ALICE-KEY ALICE-CERT ECHO-KEY ECHO-CERT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <handfast.h>

/* The README's. */
enum hf_err meet(struct hf_config *alice, struct hf_config *echo,
    uint64_t now);

static void
must(enum hf_err e, const char *what)
{
	if (e == HF_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, hf_error_text(e));
	exit(hf_error_exit(e));
}

static size_t
read_text(char *text, size_t cap, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t len;

	if (f == NULL) {
		perror(path);
		exit(3);
	}
	len = fread(text, 1, cap, f);
	fclose(f);
	return len;
}

static struct hf_span
read_cert(uint8_t cert[HF_CERT_MAX], const char *path)
{
	char text[2 * HF_CERT_MAX];
	struct hf_span span = { cert, 0 };
	size_t used, len = read_text(text, sizeof(text), path);

	must(hf_pem_decode(cert, HF_CERT_MAX, &span.len, &used,
		 "HANDFAST CERTIFICATE", text, len),
	    path);
	return span;
}

static struct hf_config *
configure(struct hf_identity **id, enum hf_role role,
    const struct hf_trust *trust, const char *key_path, const char *cert_path)
{
	struct hf_config *config;
	uint8_t cert[HF_CERT_MAX];
	struct hf_span chain = read_cert(cert, cert_path);
	char text[1024]; /* secret: a program that lives on would wipe it */
	size_t len = read_text(text, sizeof(text), key_path);

	must(hf_identity_decode(id, text, len, NULL, 0), key_path);
	must(hf_config_new(&config, role), "config");
	must(hf_config_trust(config, trust), "trust");
	must(hf_config_identity(config, *id, &chain, 1), cert_path);
	return config;
}

int
main(int argc, char **argv)
{
	struct hf_trust *trust;
	struct hf_identity *id[2];
	struct hf_config *alice, *echo;
	uint8_t cert[HF_CERT_MAX];
	struct hf_span ca;

	if (argc != 6)
		return 2;
	must(hf_init(), "init");
	ca = read_cert(cert, argv[1]);
	must(hf_trust_new(&trust), "trust");
	must(hf_trust_add_ca(trust, ca.ptr, ca.len), argv[1]);
	alice = configure(&id[0], HF_INITIATOR, trust, argv[2], argv[3]);
	must(hf_config_expect(alice, "echo"), "expect");
	echo = configure(&id[1], HF_RESPONDER, trust, argv[4], argv[5]);
	must(meet(alice, echo, (uint64_t)time(NULL)), "meet");
	hf_config_free(alice);
	hf_config_free(echo);
	hf_identity_free(id[0]);
	hf_identity_free(id[1]);
	hf_trust_free(trust);
	return 0;
}
