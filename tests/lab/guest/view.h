/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The viewer: the far end of the report channels of one payload, running
 * outside of the lab's nodes.
 *
 *   probe view --listen ADDR:PORT --out FILE --control FIFO [--beat MS]
 *
 * Everything that connects is the same payload (a guest's QEMU, and after a
 * live move the other host's QEMU).  Each line that comes in is written to the
 * log with "rx_us=<wall clock> " before it.  Heartbeats are measured as a
 * watcher sees them: a gap in their arrival (gaps.h) of more than 20 ms is
 * "ev=view-gap", a number missing is "ev=view-lost", a number seen again is
 * "ev=view-repeat".  Lines written to the FIFO go to every connection; "mark"
 * also ends the viewer's own section, "report" shows it without ending it, and
 * "quit" ends the viewer.  A section's figures are one line of JSON,
 * {"ev":"view",...}.
 */
#ifndef PROBE_VIEW_H
#define PROBE_VIEW_H

int view_main(int argc, char **argv);

#endif
