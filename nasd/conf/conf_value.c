/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf_value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first: printing takes the first that divides. */
static const struct unit time_units[] = {
	{ "min", 60000000 }, { "s", 1000000 }, { "ms", 1000 }, { "us", 1 },
};
static const struct unit size_units[] = {
	{ "GiB", 1ULL << 30 }, { "MiB", 1ULL << 20 }, { "KiB", 1ULL << 10 }, { "B", 1 },
};

/* Reads digits; returns what follows, or NULL. */
static const char *digits(const char *text, uint64_t *out)
{
	uint64_t v = 0;

	if (*text < '0' || *text > '9' || (*text == '0' && text[1] >= '0' && text[1] <= '9'))
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (v > (UINT64_MAX >> 8) / 10)
			return NULL;
		v = v * 10 + (uint64_t)(*text - '0');
	}
	*out = v;
	return text;
}

const char *value_number(const char *text, uint64_t *out)
{
	uint64_t v;
	const char *end = digits(text, &v);

	if (!end || *end)
		return "must be a decimal number without unit, sign or leading zero";
	*out = v;
	return NULL;
}

static bool with_unit(const char *text, const struct unit *units, size_t n, uint64_t *out)
{
	uint64_t v;
	const char *end = digits(text, &v);

	for (size_t i = 0; end && i < n; i++) {
		if (strcmp(end, units[i].name) || v > (1ULL << 50) / units[i].factor)
			continue;
		*out = v * units[i].factor;
		return true;
	}
	return false;
}

const char *value_duration(const char *text, uint64_t *us)
{
	if (!with_unit(text, time_units, sizeof(time_units) / sizeof(*time_units), us))
		return "must be a duration: a whole number and its unit us, ms, s or min, as in 200ms";
	return NULL;
}

const char *value_size(const char *text, uint64_t *bytes)
{
	if (!with_unit(text, size_units, sizeof(size_units) / sizeof(*size_units), bytes))
		return "must be a size: a whole number and its unit B, KiB, MiB or GiB, as in 16MiB";
	return NULL;
}

static char *print_unit(uint64_t v, const struct unit *u, char *buf)
{
	while (v % u->factor || (v == 0 && u->factor > 1))
		u++;
	snprintf(buf, VALUE_MAX, "%" PRIu64 "%s", v / u->factor, u->name);
	return buf;
}

char *value_print_duration(uint64_t us, char *buf)
{
	return print_unit(us, time_units, buf);
}

char *value_print_size(uint64_t bytes, char *buf)
{
	return print_unit(bytes, size_units, buf);
}

size_t value_ip_len(const struct conf_ip *ip)
{
	return ip->family == AF_INET6 ? 16 : 4;
}

static const char *parse_ip(const char *text, struct conf_ip *out)
{
	struct conf_ip ip = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(ip.family, text, ip.bytes) != 1)
		return "must be an IPv4 or IPv6 address";
	if (ip.family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((struct in6_addr *)(void *)ip.bytes))
		return "must not be an IPv4-mapped IPv6 address: write the IPv4 address";
	inet_ntop(ip.family, ip.bytes, ip.text, sizeof(ip.text));
	*out = ip;
	return NULL;
}

static const char *check_unicast(const struct conf_ip *ip)
{
	static const uint8_t zero[16];

	if (!memcmp(ip->bytes, zero, value_ip_len(ip)))
		return "must not be the unspecified address";
	if (ip->family == AF_INET6 ? ip->bytes[0] == 0xff : ip->bytes[0] >= 224)
		return "must not be a multicast or reserved address";
	if (ip->family == AF_INET6 ? ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80
				   : ip->bytes[0] == 169 && ip->bytes[1] == 254)
		return "must not be a link-local address";
	return NULL;
}

const char *value_ip(const char *text, struct conf_ip *out)
{
	struct conf_ip ip;
	const char *bad = parse_ip(text, &ip);

	if (!bad)
		bad = check_unicast(&ip);
	if (!bad)
		*out = ip;
	return bad;
}

const char *value_net(const char *text, struct conf_net *out)
{
	static const char form[] = "must be an address and a prefix length, as in 10.0.0.1/24";
	struct conf_net net = { 0 };
	char addr[CONF_IP_MAX];
	uint64_t prefix;
	const char *slash = strchr(text, '/');

	if (!slash || (size_t)(slash - text) >= sizeof(addr) || value_number(slash + 1, &prefix))
		return form;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	const char *bad = parse_ip(addr, &net.ip);
	if (bad)
		return form;
	if (prefix > value_ip_len(&net.ip) * 8)
		return "has a prefix longer than the address";
	net.prefix = (uint8_t)prefix;
	snprintf(net.text, sizeof(net.text), "%.45s/%u", net.ip.text, (unsigned)net.prefix);
	*out = net;
	return NULL;
}

int value_host_bits(const struct conf_net *net, int ones)
{
	size_t bits = value_ip_len(&net->ip) * 8;

	for (size_t i = net->prefix; i < bits; i++)
		if (((net->ip.bytes[i / 8] >> (7 - i % 8)) & 1) != ones)
			return 0;
	return 1;
}

static bool only(const char *text, const char *allowed)
{
	return *text && text[strspn(text, allowed)] == '\0';
}

const char *value_pair(const char *text, struct conf_fence_option *out)
{
	struct conf_fence_option o = { 0 };
	size_t n = strcspn(text, "=");

	if (!text[n])
		return "has no `=': must be \"option=value\"";
	if (n >= sizeof(o.key))
		return "has an option's name of more than 31 characters";
	memcpy(o.key, text, n);
	if (!only(o.key, LOWER UPPER DIGITS "_-"))
		return "has no option's name of letters, digits, _ and - before the `='";
	if (!strcasecmp(o.key, "action") || !strcasecmp(o.key, "option") || !strcasecmp(o.key, "nodename"))
		return "is not possible: nasd itself sets action, option and nodename";
	text += n + 1;
	n = strlen(text);
	if (n >= sizeof(o.value))
		return "has a value of more than 127 characters";
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return "has a control character in its value";
	memcpy(o.value, text, n);
	*out = o;
	return NULL;
}

const char *value_check_name(const char *text)
{
	if (!only(text, LOWER DIGITS "_-") || strlen(text) >= CONF_NAME_MAX || strchr("_-", *text))
		return "must be a name: 1 to 31 of a-z, 0-9, _ and -, beginning with a letter or digit";
	return NULL;
}

const char *value_check_resource(const char *text)
{
	if (!only(text, LOWER UPPER DIGITS "_.-") || strlen(text) >= CONF_NAME_MAX || strchr("_.-", *text))
		return "must be the name of a DRBD resource: 1 to 31 letters, digits, _, . and -";
	return NULL;
}

const char *value_check_host(const char *text)
{
	if (!only(text, LOWER UPPER DIGITS ".-") || strlen(text) >= CONF_HOST_MAX || strchr(".-", *text))
		return "must be a host name: 1 to 31 letters, digits, . and -";
	return NULL;
}

const char *value_check_uri(const char *text)
{
	size_t scheme = strspn(text, LOWER DIGITS "+");

	if (strlen(text) >= CONF_URI_MAX)
		return "is longer than 255 characters";
	if (!scheme || strncmp(text + scheme, "://", 3) || !text[scheme + 3])
		return "must be a URI, as \"qemu+ssh://root@vnode2/system\"";
	for (; *text; text++)
		if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f || *text == '"' || *text == '\\')
			return "has a space, a quote or another character that no URI has";
	return NULL;
}

const char *value_check_ifname(const char *text)
{
	if (!only(text, LOWER UPPER DIGITS "_.-@") || strlen(text) >= CONF_IFNAME_MAX ||
	    !strcmp(text, ".") || !strcmp(text, ".."))
		return "must be the name of a network interface: 1 to 15 letters, digits, _, ., @ and -";
	return NULL;
}

const char *value_check_path(const char *text)
{
	if (*text != '/')
		return "must be an absolute path";
	if (strlen(text) >= CONF_PATH_MAX)
		return "must be shorter than 256 bytes";
	if (!only(text, LOWER UPPER DIGITS "._+@:,=%~/-"))
		return "must be a path of letters, digits and ._+@:,=%~/-";
	if (!text[1])
		return "must not be / itself";
	for (const char *p = text; *p; p += strcspn(p + 1, "/") + 1) {
		size_t n = strcspn(p + 1, "/");

		if (n == 0 || (n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return "must be normalised: no //, /./, /../ and no / at the end";
	}
	return NULL;
}

const char *value_check_options(const char *text)
{
	if (!*text)
		return NULL;
	if (!only(text, LOWER UPPER DIGITS "_.:=,+/-") || strlen(text) >= CONF_OPTIONS_MAX ||
	    *text == ',' || text[strlen(text) - 1] == ',' || strstr(text, ",,"))
		return "must be mount options separated by commas";
	return NULL;
}

const char *value_check_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	for (i = 0; form[i] && text[i]; i++)
		if (form[i] == '-' ? text[i] != '-' : !strchr(DIGITS "abcdef", text[i]))
			break;
	if (form[i] || text[i])
		return "must be a UUID in lower case, as blkid prints it";
	return NULL;
}

const char *value_device(const char *text, uint32_t *minor)
{
	uint64_t v;

	if (strncmp(text, "/dev/drbd", 9) || value_number(text + 9, &v) || v >= 1U << 20)
		return "must be a DRBD device by its number, as in /dev/drbd0";
	*minor = (uint32_t)v;
	return NULL;
}
