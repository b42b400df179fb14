/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single values of the configuration: text to value and back. Pure.
 *
 * Every parser returns NULL on success, else a constant sentence that says what
 * is wanted ("must be a duration such as ..."), and then leaves *out alone.
 */
#ifndef NASD_CONF_VALUE_H
#define NASD_CONF_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "conf.h"

/* Decimal digits without sign or leading zeros. */
const char *value_number(const char *text, uint64_t *out);
/* "200ms", "15s", "2min", "50us": microseconds. */
const char *value_duration(const char *text, uint64_t *us);
/* "512B", "64KiB", "16MiB", "1GiB": bytes. */
const char *value_size(const char *text, uint64_t *bytes);
/* A unicast address, without prefix or scope. */
const char *value_ip(const char *text, struct conf_ip *out);
/* "address/prefix"; host bits may be set. */
const char *value_net(const char *text, struct conf_net *out);
/* "key=value" for a fence agent; the value may be empty. By the rules of
 * fence_device_check (fence/agent_call.h), for one option by itself. */
const char *value_pair(const char *text, struct conf_fence_option *out);

/* [a-z0-9][a-z0-9_-]*: becomes part of file names. */
const char *value_check_name(const char *text);
/* As value_check_name, with capitals and dots: what DRBD calls its resources. */
const char *value_check_resource(const char *text);
const char *value_check_host(const char *text);
/* "scheme://..." */
const char *value_check_uri(const char *text);
const char *value_check_ifname(const char *text);
/* Absolute, no empty, "." or ".." component, no slash at the end, not "/". */
const char *value_check_path(const char *text);
const char *value_check_options(const char *text);
/* In lower case, 8-4-4-4-12. */
const char *value_check_uuid(const char *text);
/* "/dev/drbdN" */
const char *value_device(const char *text, uint32_t *minor);

/* The shortest exact form; buf holds at least VALUE_MAX bytes. Return buf. */
enum { VALUE_MAX = 32 };
char *value_print_duration(uint64_t us, char *buf);
char *value_print_size(uint64_t bytes, char *buf);

/* Bytes of the address: 4 or 16. */
size_t value_ip_len(const struct conf_ip *ip);
/* Are the bits beyond the prefix all zero (ones)? */
int value_host_bits(const struct conf_net *net, int ones);

#endif
