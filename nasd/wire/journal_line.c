/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "json_field.h"

enum { CRC_DIGITS = 8, PREFIX_LEN = CRC_DIGITS + 1 };

#define J(member, kind) JF_ROW(journal_rec, member, #member, kind)
static const struct jf rec_rows[] = {
	J(seq, JF_U64),
	J(kind, JF_NAME),
	J(group, JF_NAME0),
	J(epoch, JF_U64),
	J(owner, JF_NODE),
	J(step, JF_NAME0),
	J(boot_id, JF_NAME0),
	J(wall_us, JF_I64),
	J(text, JF_TEXT),
};
#undef J
static const struct jf_table rec_table = JF_TABLE(rec_rows);

static uint32_t text_crc(const char *text, size_t len)
{
	return (uint32_t)crc32(0, (const Bytef *)text, (uInt)len);
}

int journal_line_encode(const struct journal_rec *rec, char *buf, size_t size, struct err *err)
{
	char json[JOURNAL_LINE_MAX];
	struct err own = { 0 };
	json_t *obj = rec->seq ? jf_write(&rec_table, rec, &own) : NULL;
	size_t len;

	if (!rec->seq)
		err_set(&own, ERR_INTERNAL, EINVAL, "seq", "is 0");
	if (!obj) {
		own.cls = own.cls == ERR_INPUT ? ERR_INTERNAL : own.cls;
		jf_err_prefix(&own, "journal record", ": ");
		if (err)
			*err = own;
		return -own.errnum;
	}
	len = json_dumpb(obj, json, sizeof(json), JSON_COMPACT);
	json_decref(obj);
	if (!len || PREFIX_LEN + len + 1 > JOURNAL_LINE_MAX || PREFIX_LEN + len + 1 > size)
		return err_set(err, ERR_INTERNAL, EMSGSIZE, "journal record", "%zu bytes do not fit", len);
	snprintf(buf, size, "%08x ", (unsigned)text_crc(json, len));
	memcpy(buf + PREFIX_LEN, json, len);
	buf[PREFIX_LEN + len] = '\n';
	return (int)(PREFIX_LEN + len + 1);
}

static int read_crc(const char *line, size_t len, uint32_t *crc)
{
	*crc = 0;
	if (len < PREFIX_LEN || line[CRC_DIGITS] != ' ')
		return -1;
	for (int i = 0; i < CRC_DIGITS; i++) {
		char c = line[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			return -1;
		*crc = *crc << 4 | digit;
	}
	return 0;
}

int journal_line_decode(const char *line, size_t len, struct journal_rec *rec, struct err *err)
{
	uint32_t want, got;
	json_t *obj;
	int r;

	memset(rec, 0, sizeof(*rec));
	if (len >= JOURNAL_LINE_MAX)
		return err_set(err, ERR_INPUT, EBADMSG, "journal", "a line of %zu bytes, the limit is %d", len,
			       JOURNAL_LINE_MAX - 1);
	if (len && memchr(line, '\n', len))
		return err_set(err, ERR_INPUT, EBADMSG, "journal", "a newline inside the line");
	if (read_crc(line, len, &want))
		return err_set(err, ERR_INPUT, EBADMSG, "journal",
			       "the line does not begin with 8 hex digits and a space");
	got = text_crc(line + PREFIX_LEN, len - PREFIX_LEN);
	if (got != want)
		return err_set(err, ERR_INPUT, EBADMSG, "journal", "the line's CRC is %08x, it says %08x",
			       (unsigned)got, (unsigned)want);
	obj = jf_parse_object(line + PREFIX_LEN, len - PREFIX_LEN, "journal", EBADMSG, err);
	if (!obj)
		return -EBADMSG;
	r = jf_read(&rec_table, obj, rec, err);
	json_decref(obj);
	if (!r && !rec->seq)
		r = err_set(err, ERR_INPUT, EBADMSG, "seq", "is 0");
	if (!r)
		return 0;
	memset(rec, 0, sizeof(*rec));
	jf_err_prefix(err, "journal", ": ");
	if (err)
		err->errnum = EBADMSG;
	return -EBADMSG;
}

void journal_scan_init(struct journal_scan *scan, const char *text, size_t len)
{
	*scan = (struct journal_scan){ .text = text, .len = len };
}

/* The line's error as the scan's: with its number, and the field if it had one. */
static int bad_line(const struct journal_scan *scan, const struct err *line, struct err *err)
{
	const char *field = strstr(line->where, ": ");

	if (!err)
		return -EBADMSG;
	*err = *line;
	snprintf(err->where, sizeof(err->where), "journal line %lu%.64s", scan->line, field ? field : "");
	err_remedy(err, "the journal was damaged, not only cut short: keep a copy of it, then take the history "
			"from the other node (nasctl history there) and remove this node's journal while "
			"nasd is stopped here and the other node is active");
	return -EBADMSG;
}

static int torn_tail(struct journal_scan *scan, size_t at)
{
	scan->torn = true;
	scan->torn_at = at;
	scan->off = scan->len;
	return 0;
}

int journal_scan_next(struct journal_scan *scan, struct journal_rec *rec, struct err *err)
{
	size_t at = scan->off, left = scan->len - at;
	struct err own = { 0 };
	const char *nl;
	size_t len;
	int r;

	if (!left)
		return 0;
	scan->line++;
	nl = memchr(scan->text + at, '\n', left);
	if (!nl)
		return torn_tail(scan, at);
	len = (size_t)(nl - (scan->text + at));
	r = journal_line_decode(scan->text + at, len, rec, &own);
	if (r && len + 1 == left)
		return torn_tail(scan, at);
	if (!r && rec->seq <= scan->last_seq)
		r = err_set(&own, ERR_INPUT, EBADMSG, "", "sequence number %llu follows %llu",
			    (unsigned long long)rec->seq, (unsigned long long)scan->last_seq);
	if (r) {
		memset(rec, 0, sizeof(*rec));
		return bad_line(scan, &own, err);
	}
	scan->last_seq = rec->seq;
	scan->off = at + len + 1;
	return 1;
}
