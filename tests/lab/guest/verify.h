/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judge a disk after the fact, from anywhere that can read it:
 *
 *   probe verify --file F --run RUN --acked N --blocks B [--newest M]
 *
 * Every block of the ring must hold the newest number up to N (from the last
 * heartbeat or summary that was seen; M, when the writer may have gone on
 * unseen, is the newest number it can have written).  Exit status 0 when all
 * of them do, 1 when not, 2 for wrong usage or a file that cannot be read.
 */
#ifndef PROBE_VERIFY_H
#define PROBE_VERIFY_H

int verify_main(int argc, char **argv);

#endif
