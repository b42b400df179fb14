# nasd: build, test, install. `make help` lists the targets.
#
# One static archive per folder ("room"), each compiled with only the -I it may
# use (the rows RULES below); programs link the archives they need.

.DEFAULT_GOAL := all
prefix ?= /usr/local
sysconfdir ?= $(if $(filter /usr,$(prefix)),/etc,$(prefix)/etc)
DESTDIR ?=
DEPS ?= tests/install-deps
CC = gcc
B ?= build
VERSION := 0.1.0

WARN = -Wall -Wextra -Wshadow -Wvla -Wconversion -Wswitch-enum -Wno-unknown-warning-option -Wno-format-truncation -Werror
OPT ?= -O2 -g -fstack-protector-strong
SAN ?=
CPPFLAGS += -D_GNU_SOURCE -DNASD_VERSION='"$(VERSION)"' -DNASD_SYSCONFDIR='"/etc/nasd"'
CFLAGS += -std=c11 $(WARN) $(OPT) $(SAN) -pthread -fPIC
LDFLAGS += $(SAN) -pthread

# Headers and libraries of Debian packages, asked for once and only when built.
PKGS = libnl-3.0 libnl-route-3.0 libnl-genl-3.0 libsystemd jansson libconfuse gnutls blkid mount zlib
-include $(B)/pkgs.mk
$(B)/pkgs.mk: Makefile
	@mkdir -p $(B)
	@$(DEPS) build >&2
	@printf 'PKG_CFLAGS := %s\nPKG_LIBS := %s\n' "$$(pkg-config --cflags $(PKGS))" "$$(pkg-config --libs $(PKGS))" >$@

# room: the rooms whose headers it may include besides its own
RULES = \
	nasd/base: \
	nasd/core:nasd/base,fence \
	nasd/wire:nasd/base \
	nasd/conf:nasd/base \
	netlink:nasd/base \
	fence:nasd/base \
	nasd/sys:nasd/base,nasd/core,nasd/wire,nasd/conf,netlink,fence \
	nasd/ctl:nasd/base,nasd/wire,nasd/conf \
	tests/sim:nasd/base,nasd/core,fence \
	tests/lab/guest:
comma := ,
room_of = $(firstword $(subst :, ,$(1)))
uses_of = $(subst $(comma), ,$(word 2,$(subst :, ,$(1))))

# Main programs live beside their room's code but not in its archive.
MAINS = tests/lab/guest/main.c nasd/ctl/main.c
ROOMS := $(foreach r,$(RULES),$(call room_of,$(r)))

define room_rule
$(B)/$(call room_of,$(1)).a: $$(patsubst %.c,$(B)/%.o,$$(filter-out $(MAINS),$$(wildcard $(call room_of,$(1))/*.c)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
$(B)/$(call room_of,$(1))/%.o: CPPFLAGS += -I$(call room_of,$(1)) $(addprefix -I,$(call uses_of,$(1)))
endef
$(foreach r,$(RULES),$(eval $(call room_rule,$(r))))

$(B)/%.o: %.c Makefile | $(B)/pkgs.mk
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

ALL_INC = -Inasd/base -Inasd/core -Inasd/wire -Inasd/conf -Inetlink -Ifence -Inasd/sys -Itests/lab/guest -Itests/sim -iquote nasd/ctl
ARCHIVES = $(B)/nasd/ctl.a $(B)/nasd/sys.a $(B)/nasd/core.a $(B)/nasd/wire.a $(B)/nasd/conf.a $(B)/netlink.a $(B)/fence.a $(B)/nasd/base.a
GROUPED = -Wl,--start-group $(ARCHIVES) -Wl,--end-group
DAEMON_ARCHIVES = $(filter-out $(B)/nasd/ctl.a,$(ARCHIVES))

PROGRAMS = $(B)/sbin/nasd $(B)/bin/nasctl

.PHONY: all
all: $(PROGRAMS)

$(B)/nasd/main.o: CPPFLAGS += $(ALL_INC)
$(B)/sbin/nasd: $(B)/nasd/main.o $(DAEMON_ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(LDFLAGS) -o $@ $(B)/nasd/main.o -Wl,--start-group $(DAEMON_ARCHIVES) -Wl,--end-group $(PKG_LIBS)

$(B)/bin/nasctl: $(B)/nasd/ctl/main.o $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(LDFLAGS) -o $@ $(B)/nasd/ctl/main.o $(GROUPED) $(PKG_LIBS)

# ---- unit tests: every tests/unit/test_*.c is a program of its own (check)
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
$(B)/tests/unit/%.o: CPPFLAGS += $(ALL_INC) -Itests/unit
$(UNIT): $(B)/unit/%: $(B)/tests/unit/%.o $(ARCHIVES) $(B)/tests/sim.a $(B)/tests/lab/guest.a
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $< $(B)/tests/sim.a $(B)/tests/lab/guest.a $(GROUPED) $(PKG_LIBS) $$(pkg-config --libs check)

.PHONY: check
check: $(UNIT) $(ARCHIVES) $(B)/sbin/nasd
	@tests/check-purity $(B)
	@tests/unit/run $(UNIT)

# ---- everything that must pass; prints what it skipped and why
.PHONY: test
test: all
	@tests/install-deps all
	@tests/run-all

# ---- the lab, with nasd in it; see tests/lab/README.md
.PHONY: lab
lab: all fsal
	@tests/lab/lab up

# ---- a guest keeps running while its storage moves there and back
.PHONY: demo
demo:
	@tests/install-deps all
	@$(MAKE) --no-print-directory all fsal
	@tests/demo

# ---- longer runs
.PHONY: bench fuzz asan clang soak soak-sim mutations
bench: all fsal
	@tests/install-deps all
	@tests/bench/run
	@tests/bench/fsal/run || [ $$? -ge 2 ] # 1: it costs more than it may
	@tests/bench/growth/run
fuzz:
	@tests/install-deps build
	@tests/fuzz/run $(SECONDS_EACH)
soak: all fsal
	@tests/install-deps all
	@tests/lab/t/run
	@tests/lab/t/fsal-gate.sh
	@tests/lab/t/fsal-move.sh
# storms of the simulated pair, without end: the first failure ends it
soak-sim: $(B)/unit/test_core_storm
	@SEEDS=0 FROM=$$(date +%s)000000 $(B)/unit/test_core_storm
mutations:
	@tests/sim/mutations.sh
asan:
	@ASAN_OPTIONS=detect_leaks=1 $(MAKE) --no-print-directory B=build-asan OPT='-O1 -g -fno-omit-frame-pointer' \
		SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' check
clang:
	@$(MAKE) --no-print-directory CC=clang B=build-clang all $(UNIT:$(B)/unit/%=build-clang/unit/%)

.PHONY: help
help:
	@echo 'make            build nasd and nasctl into build/'
	@echo 'make demo       install what is missing, build, boot the lab, move a guest'"'"'s storage'
	@echo 'make test       everything that must pass (under 15 minutes)'
	@echo 'make check      unit tests only'
	@echo 'make lab        boot the lab with nasd and leave it running'
	@echo 'make bench      switchovers against the floor and a script; what the module costs; growth'
	@echo 'make soak       the long form of the lab tests'
	@echo 'make soak-sim   the simulated pair, without end'
	@echo 'make mutations  does the simulated pair notice a broken core?'
	@echo 'make fsal       the ganesha module (demo, test, bench and soak build it too)'
	@echo 'make fuzz       each parser, SECONDS_EACH=60'
	@echo 'make asan       unit tests under AddressSanitizer and UBSan'
	@echo 'make clang      build with clang as well'
	@echo 'make install    DESTDIR=, prefix='
	@echo 'make deb        Debian packages, into build/deb'
	@echo 'make clean'

# ---- install: what a NAS node needs. Pacemaker looks for resource agents in one place.
ocfdir ?= /usr/lib/ocf/resource.d
DIRS = sbin bin share/man/man5 share/man/man8 share/bash-completion/completions share/doc/nasd lib/systemd/system
# The ganesha module goes along where it was built (make fsal).
.PHONY: install
install: all
	@for d in $(DIRS); do install -d $(DESTDIR)$(prefix)/$$d; done
	@install -d $(DESTDIR)$(sysconfdir)/nasd
	install -m 755 $(B)/sbin/nasd $(DESTDIR)$(prefix)/sbin/nasd
	install -m 755 $(B)/bin/nasctl $(DESTDIR)$(prefix)/bin/nasctl
	@[ ! -f $(B)/fsal/libfsalnasd.so ] || { install -d $(DESTDIR)$(prefix)/lib/nasd/ganesha && \
		echo install -m 644 $(B)/fsal/libfsalnasd.so $(DESTDIR)$(prefix)/lib/nasd/ganesha/ && \
		install -m 644 $(B)/fsal/libfsalnasd.so $(DESTDIR)$(prefix)/lib/nasd/ganesha/; }
	install -m 644 configs/man/*.5 $(DESTDIR)$(prefix)/share/man/man5/
	install -m 644 configs/man/*.8 $(DESTDIR)$(prefix)/share/man/man8/
	sed 's,/usr/sbin/nasd,$(prefix)/sbin/nasd,g' configs/systemd/nasd.service >$(B)/nasd.service
	install -m 644 $(B)/nasd.service $(DESTDIR)$(prefix)/lib/systemd/system/
	install -d $(DESTDIR)$(sysconfdir)/logrotate.d
	install -m 644 configs/logrotate/nasd $(DESTDIR)$(sysconfdir)/logrotate.d/nasd
	install -m 644 configs/bash-completion/nasctl $(DESTDIR)$(prefix)/share/bash-completion/completions/
	install -m 644 configs/nasd.conf.example README.md $(DESTDIR)$(prefix)/share/doc/nasd/
	install -d $(DESTDIR)$(prefix)/lib/nasd
	install -m 755 configs/keepalived/nasd-keepalived-notify configs/hypervisor/nasd-hypervisor-check configs/fence/fence_nasd_client $(DESTDIR)$(prefix)/lib/nasd/
	install -m 644 configs/keepalived/keepalived.conf.example $(DESTDIR)$(prefix)/share/doc/nasd/
	install -m 644 configs/drbd/r0.res $(DESTDIR)$(prefix)/share/doc/nasd/drbd-r0.res
	install -m 644 configs/ganesha/README $(DESTDIR)$(prefix)/share/doc/nasd/ganesha.README
	install -d $(DESTDIR)$(ocfdir)/nasd $(DESTDIR)/usr/sbin $(DESTDIR)$(prefix)/share/man/man7
	install -m 755 configs/ocf/nasd $(DESTDIR)$(ocfdir)/nasd/nasd
	install -m 755 configs/fence/fence_nasd_pacemaker $(DESTDIR)/usr/sbin/fence_nasd_pacemaker
	install -m 644 configs/man/*.7 $(DESTDIR)$(prefix)/share/man/man7/
	install -m 644 configs/pacemaker/nasd.crm $(DESTDIR)$(prefix)/share/doc/nasd/pacemaker.crm
	install -m 644 configs/pacemaker/hypervisors.crm $(DESTDIR)$(prefix)/share/doc/nasd/hypervisors.crm

# ---- Debian packages, into build/deb
.PHONY: deb
deb:
	@$(DEPS) build
	@$(DEPS) deb
	@configs/debian/make-deb $(B)/deb

.PHONY: clean
clean:
	rm -rf $(B) build-asan build-clang

-include fsal/build.mk
-include fence/build.mk
-include nasd/hyper/build.mk
-include tests/tools/nfs41load/build.mk
-include $(shell find $(B) -path $(B)/deb -prune -o -type f -name '*.d' -print 2>/dev/null)
