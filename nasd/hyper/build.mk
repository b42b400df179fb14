# SPDX-License-Identifier: GPL-2.0-or-later
# nasd-hyper, which is built where libvirt's headers are. Nothing else of nasd needs
# libvirt; without it nasctl says that guests and migrate are not installed.

HYPER_PKGS = libvirt libxml-2.0
HYPER = $(B)/lib/nasd/nasd-hyper

$(B)/nasd/hyper/%.o: CPPFLAGS += -Inasd/hyper -Inasd/base -Inasd/wire -Inasd/conf -Inasd/ctl $(shell pkg-config --cflags $(HYPER_PKGS) 2>/dev/null)

$(HYPER): $(patsubst %.c,$(B)/%.o,$(wildcard nasd/hyper/*.c)) $(B)/nasd/ctl.a $(B)/nasd/wire.a $(B)/nasd/conf.a $(B)/nasd/base.a
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) $$(pkg-config --libs $(HYPER_PKGS))

ifeq ($(shell pkg-config --exists $(HYPER_PKGS) && echo yes),yes)
all: $(HYPER)

.PHONY: install-hyper
install: install-hyper
install-hyper: $(HYPER)
	@install -d $(DESTDIR)$(prefix)/lib/nasd
	install -m 755 $(HYPER) $(DESTDIR)$(prefix)/lib/nasd/
endif
