/* SPDX-License-Identifier: ISC */
/*
 * A file of peers, with good and bad objects for it to name: what is read has
 * all that a session needs, within its limits; what is not read says why. The
 * objects are files in memory, whose paths are numbers beside the file's own.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "fuzzing.h"
#include "peers.h"

/* Where the objects are: "40" is the CA, and so on. */
enum { CA = 40, KEY, CERT, SERVER, TICKET, PASSWORD, LIST, OPEN_KEY, INPUT };

time_t
time(time_t *out)
{
	if (out != NULL)
		*out = FUZZ_NOW;
	return FUZZ_NOW;
}

static void
put(int at, const void *data, size_t len, unsigned mode)
{
	int fd = memfd_create("object", MFD_CLOEXEC);

	CLAIM(fd != -1 && fchmod(fd, mode) == 0);
	CLAIM(pwrite(fd, data, len, 0) == (ssize_t)len);
	CLAIM(dup2(fd, at) == at && close(fd) == 0);
}

static void
put_pem(int at, const char *label, const uint8_t *data, size_t len,
    unsigned mode)
{
	static char text[16384];
	size_t n;

	MUST(hf_pem_encode(text, sizeof(text), &n, label, data, len));
	put(at, text, n, mode);
}

static void
put_objects(void)
{
	uint8_t list[HF_CERT_MAX];
	char text[1024];
	size_t len;

	put_pem(CA, "HANDFAST CERTIFICATE", fuzz.ca_bytes, fuzz.ca_len, 0644);
	put_pem(CERT, "HANDFAST CERTIFICATE", fuzz.alice_cert.ptr,
	    fuzz.alice_cert.len, 0644);
	put_pem(SERVER, "HANDFAST CERTIFICATE", fuzz.server_cert.ptr,
	    fuzz.server_cert.len, 0644);
	put_pem(TICKET, "HANDFAST TICKET", fuzz.ticket, fuzz.ticket_len, 0600);
	MUST(hf_list_make(list, sizeof(list), &len, fuzz.ca, fuzz.ca_bytes,
	    fuzz.ca_len, 1, NULL, 0, FUZZ_NOW, FUZZ_NOW + 1000));
	put_pem(LIST, "HANDFAST REVOCATION LIST", list, len, 0644);
	MUST(
	    hf_identity_encode(text, sizeof(text), &len, fuzz.alice, NULL, 0));
	put(KEY, text, len, 0600);
	put(OPEN_KEY, text, len, 0640);
	put(PASSWORD, "correct horse\n", 14, 0600);
	put(INPUT, "", 0, 0600);
}

static void
check_entry(const struct hf__entry *p)
{
	size_t i;

	CLAIM(hf__wire_peer(p->name, strlen(p->name)));
	CLAIM(p->addresses_n >= 1 && p->addresses_n <= HF__ADDRESSES);
	for (i = 0; i < p->addresses_n; i++)
		CLAIM(strncmp(p->address[i], "unix:", 5) != 0 ||
		    p->address[i][5] == '/');
	CLAIM(p->trust_n >= 1 && p->trust_n <= HF__FILES);
	CLAIM(p->revoked_n <= HF__FILES);
	CLAIM(p->config != NULL && p->trusted != NULL);
	CLAIM(
	    (p->identity != NULL) + (p->user != NULL) + (p->ticket != NULL) ==
	    1);
	CLAIM((p->identity != NULL) == (p->key != NULL));
	CLAIM((p->user != NULL) == (p->password.text != NULL));
	CLAIM(p->user == NULL || p->expect != NULL || p->realm != NULL);
	CLAIM(p->uids_n <= HF__ALLOWED && p->gids_n <= HF__ALLOWED);
	CLAIM(p->channels >= 1 && p->channels <= HF_CHANNELS_MAX);
	CLAIM(p->user_channels >= 1 && p->user_channels <= HF_CHANNELS_MAX);
	CLAIM(p->connect_ms >= 10 && p->connect_ms <= 3600000);
	CLAIM(p->idle_ms <= 604800000 && p->retry_ms <= 3600000);
	/* A secret that others can read is never one's own. */
	CLAIM(p->identity == NULL || strstr(p->identity, "/47") == NULL);
}

/* Each by its name is read as all of them are. */
static void
check_each(const struct hf_peers *all, const char *path)
{
	char why[HF_WHY_MAX] = "";
	struct hf_peers *one;
	size_t i;

	for (i = 0; i < all->n; i++) {
		check_entry(&all->entry[i]);
		MUST(hf_peers_read(&one, path, all->entry[i].name, why));
		CLAIM(one->n == 1);
		CLAIM(strcmp(one->entry[0].name, all->entry[i].name) == 0);
		CLAIM(hf__peers_find(one, all->entry[i].name,
			  strlen(all->entry[i].name)) == &one->entry[0]);
		hf_peers_free(one);
	}
}

static void
check_top(const struct hf_peers *all, const char *path)
{
	char why[HF_WHY_MAX] = "";
	struct hf_peers *top;

	MUST(hf_peers_read_top(&top, path, why));
	CLAIM(top->n == 0);
	CLAIM(strcmp(hf_peers_socket(top), hf_peers_socket(all)) == 0);
	CLAIM(strcmp(hf_peers_user(top), hf_peers_user(all)) == 0);
	CLAIM(hf_peers_sandbox(top) == hf_peers_sandbox(all));
	hf_peers_free(top);
}

/* Whatever is taken ends outside of all blocks, strings and comments: there a
 * brace more is refused. */
static void
check_end(const char *path, size_t len)
{
	char why[HF_WHY_MAX] = "";
	struct hf_peers *more;

	CLAIM(pwrite(INPUT, "\n}\n", 3, (off_t)len) == 3);
	CLAIM(hf_peers_read(&more, path, NULL, why) != HF_OK);
	CLAIM(ftruncate(INPUT, (off_t)len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char path[64];
	char why[HF_WHY_MAX] = "";
	struct hf_peers *peers = NULL;
	enum hf_err e;

	if (*path == '\0') {
		fuzz_people();
		put_objects();
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", INPUT);
	}
	fuzz_random(data, len);
	CLAIM(ftruncate(INPUT, 0) == 0);
	CLAIM(pwrite(INPUT, data, len, 0) == (ssize_t)len);
	e = hf_peers_read(&peers, path, NULL, why);
	if (e != HF_OK) {
		CLAIM(peers == NULL && why[0] != '\0');
		CLAIM(memchr(why, '\0', sizeof(why)) != NULL);
		return 0;
	}
	CLAIM(peers->n >= 1);
	CLAIM(peers->n <= HF_PEERS_MAX);
	CLAIM(
	    *hf_peers_socket(peers) == '\0' || *hf_peers_socket(peers) == '/');
	check_each(peers, path);
	check_top(peers, path);
	check_end(path, len);
	hf_peers_free(peers);
	return 0;
}
