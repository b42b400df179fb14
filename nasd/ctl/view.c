/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values and tones, for all views. */
#include "view.h"

#include <inttypes.h>
#include <string.h>

const char *view_on(const struct view *v, enum view_tone tone)
{
	if (!v->colour)
		return "";
	switch (tone) {
	case TONE_PLAIN: return "";
	case TONE_GOOD: return "\033[32m";
	case TONE_WARN: return "\033[33m";
	case TONE_BAD: return "\033[1;31m";
	case TONE_DIM: return "\033[2m";
	case TONE_STRONG: return "\033[1m";
	case TONE_FIRST: return "\033[36m";
	case TONE_SECOND: return "\033[35m";
	}
	return "";
}

const char *view_off(const struct view *v)
{
	return v->colour ? "\033[0m" : "";
}

const char *js_text(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

int64_t js_int(const json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

bool js_true(const json_t *obj, const char *key)
{
	return json_is_true(json_object_get(obj, key));
}

const char *view_duration(int64_t us, char buf[VIEW_VALUE_MAX])
{
	int64_t s = us / 1000000;

	if (us < 0)
		snprintf(buf, VIEW_VALUE_MAX, "-");
	else if (us < 1000)
		snprintf(buf, VIEW_VALUE_MAX, "%d us", (int)us);
	else if (us < 99950)
		snprintf(buf, VIEW_VALUE_MAX, "%.1f ms", (double)us / 1e3);
	else if (us < 999500)
		snprintf(buf, VIEW_VALUE_MAX, "%.0f ms", (double)us / 1e3);
	else if (s < 100)
		snprintf(buf, VIEW_VALUE_MAX, s < 10 ? "%.2f s" : "%.1f s", (double)us / 1e6);
	else if (s < 3600)
		snprintf(buf, VIEW_VALUE_MAX, "%d min %d s", (int)(s / 60), (int)(s % 60));
	else if (s < 86400)
		snprintf(buf, VIEW_VALUE_MAX, "%d h %d min", (int)(s / 3600), (int)(s % 3600 / 60));
	else
		snprintf(buf, VIEW_VALUE_MAX, "%" PRId64 " d %d h", s / 86400, (int)(s % 86400 / 3600));
	return buf;
}

const char *view_bytes(int64_t bytes, char buf[VIEW_VALUE_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, VIEW_VALUE_MAX, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

const char *view_time(const char *iso, char buf[VIEW_VALUE_MAX])
{
	int y, mo, d, h, mi, s, end = 0;

	if (sscanf(iso, "%4d-%2d-%2dT%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &s, &end) == 6 && end == 19)
		snprintf(buf, VIEW_VALUE_MAX, "%.10s %.8s UTC", iso, iso + 11);
	else
		snprintf(buf, VIEW_VALUE_MAX, "%s", iso);
	return buf;
}
