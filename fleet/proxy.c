/* SPDX-License-Identifier: ISC */
/*
 * The PROXY protocol, version 2, as far as TCP has it: whoever stands before a
 * server says in a header whose connection it is. It also knows from where
 * such a header is taken. It reads bytes and touches no socket.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include "fleet.h"

enum { HEAD = 16, FOUR = 12, SIX = 36, LOCAL = 0x20, PROXY = 0x21 };

static const uint8_t signature[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a,
	0x51, 0x55, 0x49, 0x54, 0x0a };

size_t
hf_proxy_write(uint8_t out[HF_PROXY_WRITTEN], const struct hf_address *from,
    const struct hf_address *to)
{
	const struct sockaddr_in *a = (const struct sockaddr_in *)&from->at;
	const struct sockaddr_in *b = (const struct sockaddr_in *)&to->at;
	const struct sockaddr_in6 *x = (const struct sockaddr_in6 *)&from->at;
	const struct sockaddr_in6 *y = (const struct sockaddr_in6 *)&to->at;
	int family = from->at.ss_family;

	memset(out, 0, HF_PROXY_WRITTEN);
	memcpy(out, signature, sizeof(signature));
	out[12] = LOCAL;
	if (family != to->at.ss_family ||
	    (family != AF_INET && family != AF_INET6))
		return HEAD;
	out[12] = PROXY;
	if (family == AF_INET) {
		out[13] = 0x11;
		out[15] = FOUR;
		memcpy(out + 16, &a->sin_addr, 4);
		memcpy(out + 20, &b->sin_addr, 4);
		memcpy(out + 24, &a->sin_port, 2);
		memcpy(out + 26, &b->sin_port, 2);
		return HEAD + FOUR;
	}
	out[13] = 0x21;
	out[15] = SIX;
	memcpy(out + 16, &x->sin6_addr, 16);
	memcpy(out + 32, &y->sin6_addr, 16);
	memcpy(out + 48, &x->sin6_port, 2);
	memcpy(out + 50, &y->sin6_port, 2);
	return HEAD + SIX;
}

static void
read_address(struct hf_address *from, const uint8_t *ptr, int six)
{
	struct sockaddr_in6 *x = (struct sockaddr_in6 *)&from->at;
	struct sockaddr_in *a = (struct sockaddr_in *)&from->at;

	if (six) {
		x->sin6_family = AF_INET6;
		memcpy(&x->sin6_addr, ptr, 16);
		memcpy(&x->sin6_port, ptr + 32, 2);
		from->len = sizeof(*x);
	} else {
		a->sin_family = AF_INET;
		memcpy(&a->sin_addr, ptr, 4);
		memcpy(&a->sin_port, ptr + 8, 2);
		from->len = sizeof(*a);
	}
}

enum hf_err
hf_proxy_read(struct hf_address *from, size_t *len, const uint8_t *ptr,
    size_t have)
{
	size_t n = have < sizeof(signature) ? have : sizeof(signature), body;

	memset(from, 0, sizeof(*from));
	*len = HEAD;
	if (memcmp(ptr, signature, n) != 0)
		return HF_E_SHAPE;
	if (have < HEAD)
		return HF_OK;
	if (ptr[12] != LOCAL && ptr[12] != PROXY)
		return HF_E_SHAPE;
	body = (size_t)ptr[14] << 8 | ptr[15];
	if (body > HF_PROXY_MAX - HEAD)
		return HF_E_TOO_BIG;
	*len = HEAD + body;
	if (have < *len || ptr[12] == LOCAL)
		return HF_OK;
	/* Only TCP; what follows the addresses is passed over. */
	if ((ptr[13] != 0x11 || body < FOUR) &&
	    (ptr[13] != 0x21 || body < SIX))
		return HF_E_SHAPE;
	read_address(from, ptr + HEAD, ptr[13] == 0x21);
	return HF_OK;
}

/* --- from where -------------------------------------------------------------------- */

enum hf_err
hf_cidr_parse(struct hf_cidr *cidr, const char *text)
{
	char host[INET6_ADDRSTRLEN + 1], *end;
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	unsigned long bits;

	memset(cidr, 0, sizeof(*cidr));
	if (strcmp(text, "unix") == 0) {
		cidr->family = AF_UNIX;
		return HF_OK;
	}
	if (len == 0 || len >= sizeof(host))
		return HF_E_ARG;
	memcpy(host, text, len);
	host[len] = '\0';
	cidr->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	cidr->bits = cidr->family == AF_INET6 ? 128 : 32;
	if (inet_pton(cidr->family, host, cidr->bytes) != 1)
		return HF_E_ARG;
	if (slash == NULL)
		return HF_OK;
	bits = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end != '\0' ||
	    bits > cidr->bits)
		return HF_E_ARG;
	cidr->bits = (unsigned)bits;
	return HF_OK;
}

static int
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	unsigned mask = rest == 0 ? 0 : 0xffU << (8 - rest);

	return memcmp(a, b, whole) == 0 &&
	    (rest == 0 || ((a[whole] ^ b[whole]) & mask & 0xff) == 0);
}

int
hf_cidr_holds(const struct hf_cidr *cidr, size_t n, const struct hf_address *a)
{
	const struct in6_addr *six =
	    &((const struct sockaddr_in6 *)&a->at)->sin6_addr;
	const uint8_t *bytes = six->s6_addr;
	int family = a->at.ss_family;
	size_t i;

	if (family == AF_INET)
		bytes = (const uint8_t *)&((const struct sockaddr_in *)&a->at)
			    ->sin_addr;
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six)) {
		family = AF_INET;
		bytes += 12;
	}
	for (i = 0; i < n; i++)
		if (cidr[i].family == family &&
		    (family == AF_UNIX ||
			same_bits(cidr[i].bytes, bytes, cidr[i].bits)))
			return 1;
	return 0;
}
