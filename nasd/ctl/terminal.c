/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool cli_take_number(const char *text, unsigned long most, unsigned *out)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || value < 1 || value > most)
		return false;
	*out = (unsigned)value;
	return true;
}

void view_look_at_terminal(struct view *v)
{
	const char *columns = getenv("COLUMNS"), *term = getenv("TERM");
	struct winsize w = { 0 };
	unsigned width;
	bool tty = isatty(STDOUT_FILENO) != 0;

	setlocale(LC_CTYPE, "");
	v->width = 100;
	if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col)
		v->width = w.ws_col;
	else if (columns && cli_take_number(columns, 1000, &width))
		v->width = (int)width;
	v->colour = tty && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
	v->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
}
