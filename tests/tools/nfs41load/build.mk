# SPDX-License-Identifier: GPL-2.0-or-later
# The load client's pure parts, for their unit test. Included by the top Makefile;
# the program itself is built by build.sh.

NFS41LOAD = tests/tools/nfs41load
NFS41LOAD_PURE = $(addprefix $(NFS41LOAD)/,xdr.c rpc.c nfs41.c client.c client_request.c load_options.c)

$(B)/$(NFS41LOAD).a: $(NFS41LOAD_PURE:%.c=$(B)/%.o)
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^
$(NFS41LOAD_PURE:%.c=$(B)/%.o): CPPFLAGS += -I$(NFS41LOAD)
$(B)/tests/unit/test_nfs41load.o: CPPFLAGS += -I$(NFS41LOAD)
$(B)/unit/test_nfs41load: ARCHIVES += $(B)/$(NFS41LOAD).a
$(B)/unit/test_nfs41load: $(B)/$(NFS41LOAD).a
