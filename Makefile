# SPDX-License-Identifier: GPL-2.0-or-later
# outbind: one Makefile, no configure. `make help` lists the targets; FLAVOUR=asan builds with
# sanitizers into build/asan/; V=1 shows the commands.

VERSION  := 0.1.0
FLAVOUR  ?= release
PREFIX   ?= /usr
SYSCONFDIR ?= /etc
LIBDIR   ?= $(PREFIX)/lib/$(shell $(CC) -print-multiarch)
CC       ?= cc
ifeq ($(origin CC),default)
CC       := gcc
endif
BUILD    := $(if $(filter release,$(FLAVOUR)),build,build/$(FLAVOUR))
OBJ      := $(BUILD)/obj
Q        := $(if $(V),,@)

PACKAGES_BUILD := gcc make pkg-config flex bison libc6-dev libnl-3-dev libnl-route-3-dev libmnl-dev \
	libnftnl-dev libnftables-dev libsystemd-dev libjansson-dev libxxhash-dev libcmocka-dev
PACKAGES_TEST := python3 nftables iproute2 conntrack tcpdump curl netcat-openbsd iputils-ping procps \
	util-linux clang clang-format mandoc binutils

PKGS     := libnl-3.0 libnl-route-3.0 libmnl libnftnl libnftables libsystemd jansson libxxhash
WARN     := -Wall -Wextra -Wformat=2 -Wshadow -Wconversion -Wswitch-enum -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wcast-qual $(if $(findstring gcc,$(CC)),-Wnull-dereference) $(if $(CI),-Werror)
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	-ftrivial-auto-var-init=zero -fPIE
ifeq ($(FLAVOUR),asan)
OPTIMISE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else
OPTIMISE := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
CPPFLAGS_ALL = -D_GNU_SOURCE -DOUTBIND_VERSION='"$(VERSION)"' -Iagent -I$(OBJ)/agent $(CPPFLAGS)
CFLAGS_ALL = -std=gnu17 $(OPTIMISE) $(WARN) $(HARDEN) $(CFLAGS) $(shell pkg-config --cflags $(PKGS))
LDFLAGS_ALL = $(OPTIMISE) -pie -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)
LIBS     = $(shell pkg-config --libs $(PKGS))

# Sources by layer; what each may include is checked by tests/lint.
BASE     := $(wildcard agent/base/*.c)
MODEL    := $(wildcard agent/model/*.c)
PLAN     := $(wildcard agent/plan/*.c)
KERNEL   := $(wildcard agent/kernel/*.c)
PROTO    := $(wildcard agent/proto/*.c)
DAEMON   := $(filter-out agent/daemon/main.c,$(wildcard agent/daemon/*.c))
CTL      := $(filter-out ctl/main.c,$(wildcard ctl/*.c))
GRAMMAR  := $(OBJ)/agent/model/conf_parse.o $(OBJ)/agent/model/conf_scan.o
objects   = $(patsubst %.c,$(OBJ)/%.o,$(1))

CORE_OBJ   := $(call objects,$(BASE) $(MODEL) $(PLAN) $(PROTO)) $(GRAMMAR)
KERNEL_OBJ := $(call objects,$(KERNEL)) $(OBJ)/nft-templates/embed.o
DAEMON_OBJ := $(call objects,$(DAEMON))
CTL_OBJ    := $(call objects,$(CTL))
UNIT_TESTS := $(patsubst tests/unit/%_test.c,$(BUILD)/unit/%_test,$(wildcard tests/unit/*_test.c))
FUZZERS    := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))

.PHONY: all
all: $(BUILD)/outbindd $(BUILD)/outbindctl $(BUILD)/liboutbind.so $(BUILD)/liboutbind.a

$(BUILD)/outbindd: $(CORE_OBJ) $(KERNEL_OBJ) $(DAEMON_OBJ) $(OBJ)/agent/daemon/main.o
$(BUILD)/outbindctl: $(CORE_OBJ) $(KERNEL_OBJ) $(CTL_OBJ) $(OBJ)/ctl/main.o
$(BUILD)/outbindd $(BUILD)/outbindctl:
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(OBJ)/%.o: %.c | $(OBJ)/agent/model/conf_parse.h
	@mkdir -p $(@D); echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
# Generated code answers to fewer warnings than ours.
$(OBJ)/agent/model/conf_%.o: $(OBJ)/agent/model/conf_%.c
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS_ALL) -Iagent/model $(CFLAGS_ALL) -Wno-conversion -Wno-switch-enum \
		-Wno-null-dereference -Wno-cast-qual -Wno-unused-function -MMD -MP -c -o $@ $<
$(OBJ)/agent/model/conf_parse.c $(OBJ)/agent/model/conf_parse.h &: agent/model/conf.y
	@mkdir -p $(@D); echo "  YACC  $<"
	$(Q)bison -Werror --defines=$(OBJ)/agent/model/conf_parse.h -o $(OBJ)/agent/model/conf_parse.c $<
$(OBJ)/agent/model/conf_scan.c: agent/model/conf.l $(OBJ)/agent/model/conf_parse.h
	@mkdir -p $(@D); echo "  LEX   $<"
	$(Q)flex -o $@ $<
$(OBJ)/nft-templates/embed.o: nft-templates/embed.S $(wildcard nft-templates/*.nft)
	@mkdir -p $(@D); echo "  AS    $<"
	$(Q)$(CC) -Inft-templates -c -o $@ $<

# Findings as file:line: text; `tests/lint/lint.py NAME` runs one check, --fix mends blanks.
.PHONY: lint headers fmt
lint: all
	$(Q)python3 tests/lint/lint.py
headers: $(OBJ)/agent/model/conf_parse.h
	$(Q)python3 tests/lint/lint.py headers
fmt:
	$(Q)python3 tests/lint/lint.py --fix

# liboutbind (MIT): one source, position-independent; only outbind_tag is exported.
LIB_SONAME := liboutbind.so.0
$(OBJ)/lib/outbind.o: CFLAGS_ALL += -fPIC
$(BUILD)/$(LIB_SONAME): $(OBJ)/lib/outbind.o lib/outbind.map
	@echo "  LD    $@"
	$(Q)$(CC) $(filter-out -pie,$(LDFLAGS_ALL)) -shared -Wl,-soname,$(LIB_SONAME) \
		-Wl,--version-script=lib/outbind.map -o $@ $<
$(BUILD)/liboutbind.so: $(BUILD)/$(LIB_SONAME)
	$(Q)ln -sf $(LIB_SONAME) $@
$(BUILD)/liboutbind.a: $(OBJ)/lib/outbind.o
	@echo "  AR    $@"
	$(Q)$(AR) rcs $@ $<

# make install DESTDIR= PREFIX=; an outbind.conf that is there already is left alone.
INSTALL_MAN = $(foreach s,1 5 7 8,$(addprefix $(s)/,$(notdir $(wildcard docs/*.$(s)))))
.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(PREFIX)/include $(DESTDIR)$(SYSCONFDIR)/outbind/conf.d
	install -m 755 $(BUILD)/outbindd $(wildcard $(BUILD)/outbind-relay) $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(BUILD)/outbindctl $(DESTDIR)$(PREFIX)/bin/
	install -m 644 lib/outbind.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(BUILD)/liboutbind.a $(BUILD)/$(LIB_SONAME) $(DESTDIR)$(LIBDIR)/
	ln -sf $(LIB_SONAME) $(DESTDIR)$(LIBDIR)/liboutbind.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' lib/liboutbind.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/liboutbind.pc
	install -D -m 644 ctl/completion/outbindctl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/outbindctl
	install -D -m 644 ctl/completion/_outbindctl \
		$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_outbindctl
	set -e; for page in $(INSTALL_MAN); do install -D -m 644 docs/$${page#*/} \
		$(DESTDIR)$(PREFIX)/share/man/man$${page%/*}/$${page#*/}; done
	set -e; for unit in $(wildcard systemd/*.service systemd/*.socket systemd/*.slice); do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $$unit; done
	set -e; for kind in sysusers tmpfiles; do for file in systemd/*.$$kind systemd/$$kind.conf; do \
		test ! -e $$file || install -D -m 644 $$file \
			$(DESTDIR)$(PREFIX)/lib/$$kind.d/outbind.conf; done; done
	test ! -e docs/outbind.conf -o -e $(DESTDIR)$(SYSCONFDIR)/outbind/outbind.conf || \
		install -m 644 docs/outbind.conf $(DESTDIR)$(SYSCONFDIR)/outbind/

.PRECIOUS: $(OBJ)/%.o
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
