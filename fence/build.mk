# SPDX-License-Identifier: GPL-2.0-or-later
# The programs of the fence room: nasd-watchdog and nasd-fence-peer. Each has its
# main.c in a folder below fence/, and so is not in the room's archive, which the
# top Makefile makes.

FENCE_PROGRAMS = $(B)/sbin/nasd-watchdog $(B)/sbin/nasd-fence-peer
FENCE_ARCHIVES = $(B)/fence.a $(B)/nasd/base.a

$(B)/sbin/nasd-watchdog: $(B)/fence/watchdog/main.o $(FENCE_ARCHIVES)
$(B)/sbin/nasd-fence-peer: $(B)/fence/peer_handler/main.o $(FENCE_ARCHIVES)
$(FENCE_PROGRAMS):
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs jansson)

all: $(FENCE_PROGRAMS)

# The unit tests that run the programs, and the lab's agent.
FENCE_PROG_TESTS = $(B)/unit/test_fence_watchdog_prog $(B)/unit/test_fence_peer_prog
$(B)/tests/unit/test_fence_%.o: CPPFLAGS += -DFENCE_BIN='"$(abspath $(B))/sbin"' -DFENCE_SRC='"$(CURDIR)"'
$(FENCE_PROG_TESTS): $(FENCE_PROGRAMS)

.PHONY: install-fence
install: install-fence
install-fence: $(FENCE_PROGRAMS)
	@install -d $(DESTDIR)$(prefix)/sbin $(DESTDIR)$(prefix)/lib/systemd/system $(DESTDIR)$(prefix)/share/doc/nasd
	install -m 755 $(FENCE_PROGRAMS) $(DESTDIR)$(prefix)/sbin/
	sed 's,/usr/sbin/nasd,$(prefix)/sbin/nasd,g' configs/fence/nasd-watchdog.service >$(B)/nasd-watchdog.service
	install -m 644 $(B)/nasd-watchdog.service $(DESTDIR)$(prefix)/lib/systemd/system/
	install -m 644 configs/fence/drbd-fencing.res $(DESTDIR)$(prefix)/share/doc/nasd/drbd-fencing.res
