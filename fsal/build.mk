# SPDX-License-Identifier: LGPL-3.0-or-later
# The nfs-ganesha module: make fsal -> $(B)/fsal/libfsalnasd.so. Included by the
# top Makefile. Skipped, with the reason, where ganesha's headers or library are
# not to be had; nothing else depends on it but the unit tests of its pure parts.

FSAL_PURE = fsal/fault.c fsal/scan.c fsal/gate.c fsal/msg.c fsal/fds.c fsal/conns.c fsal/warm.c fsal/state_write.c fsal/state_read.c fsal/hold.c fsal/giveup.c fsal/patience.c
FSAL_GLUE := $(filter-out $(FSAL_PURE),$(wildcard fsal/*.c))
FSAL_OUT = $(B)/fsal
FSAL_SO = $(FSAL_OUT)/libfsalnasd.so

# The headers are others' code: system headers, whose warnings are not ours.
FSAL_SYSTEM = $(FSAL_OUT)/include $(FSAL_OUT)/src/include $(FSAL_OUT)/src/include/os/linux /usr/include/ntirpc
FSAL_CFLAGS = -Ifsal -I$(FSAL_OUT) $(addprefix -isystem ,$(FSAL_SYSTEM)) -std=gnu11 $(WARN) $(OPT) -fPIC \
	-fno-strict-aliasing -fvisibility=hidden -pthread -DNDEBUG -DHAS_DOFF -D_GNU_SOURCE -D__USE_GNU -DLINUX \
	-D_FILE_OFFSET_BITS=64 -D_LARGEFILE64_SOURCE -DNASD_VERSION='"$(VERSION)"'

# The pure parts, for unit tests; they need nothing of ganesha.
$(B)/fsal.a: $(FSAL_PURE:%.c=$(B)/%.o)
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^
$(FSAL_PURE:%.c=$(B)/%.o): CPPFLAGS += -Ifsal
$(B)/tests/unit/test_fsal_%.o: CPPFLAGS += -Ifsal
$(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_fsal_*.c)): ARCHIVES += $(B)/fsal.a
$(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_fsal_*.c)): $(B)/fsal.a

.PHONY: fsal
fsal:
	@$(DEPS) fsal
	@fsal/headers.sh $(FSAL_OUT) || { [ $$? = 77 ] && exit 0; exit 1; }
	@[ ! -f $(FSAL_OUT)/src/include/fsal_api.h ] || $(MAKE) --no-print-directory $(FSAL_SO)

$(FSAL_OUT)/known_builds.h: fsal/known-builds
	@mkdir -p $(@D)
	@sed -e '/^#/d' -e '/^$$/d' -e 's/.*/"&\\n"/' $< >$@

$(FSAL_OUT)/glue/%.o: fsal/%.c Makefile fsal/build.mk fsal/ganesha_config.h $(FSAL_OUT)/known_builds.h
	@mkdir -p $(@D)
	@echo "  CC    $< (ganesha)"
	@$(CC) $(FSAL_CFLAGS) $$(pkg-config --cflags krb5 dbus-1 jansson | sed 's/-I/-isystem /g') -MMD -MP -c -o $@ $<

# RTLD_DEEPBIND and -z defs: all that it uses is named here.
$(FSAL_SO): $(FSAL_GLUE:fsal/%.c=$(FSAL_OUT)/glue/%.o) $(FSAL_PURE:fsal/%.c=$(FSAL_OUT)/glue/%.o)
	@echo "  LD    $@"
	@$(CC) -shared -Wl,-z,defs -Wl,-rpath,/usr/lib/ganesha $(LDFLAGS) -o $@ $^ -L/usr/lib/ganesha \
		-lganesha_nfsd -l:libntirpc.so.4.3 $$(pkg-config --libs dbus-1 jansson)

# ganesha's time(2): needs nothing of ganesha, so it is built and installed always.
STEADY_SO = $(FSAL_OUT)/libnasdtime.so
$(STEADY_SO): fsal/steady/time.c Makefile
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -std=c11 -D_GNU_SOURCE $(WARN) $(OPT) -fPIC -shared -Wl,-z,defs -o $@ $<

all: $(STEADY_SO)

.PHONY: install-steady
install: install-steady
install-steady: $(STEADY_SO)
	@install -d $(DESTDIR)$(prefix)/lib/nasd/ganesha
	install -m 644 $(STEADY_SO) $(DESTDIR)$(prefix)/lib/nasd/ganesha/
