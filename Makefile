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

PACKAGES_BUILD := gcc make pkg-config flex bison libc6-dev libnl-3-dev libmnl-dev \
	libnftnl-dev libnftables-dev libsystemd-dev libjansson-dev libxxhash-dev libcmocka-dev \
	libev-dev libc-ares-dev libssl-dev libcrypt-dev libpcap-dev libcap-ng-dev libncurses-dev libarchive-dev \
	libmicrohttpd-dev libseccomp-dev
PACKAGES_DEMO := python3 nftables iproute2 curl netcat-openbsd iputils-ping util-linux
PACKAGES_TEST := $(PACKAGES_DEMO) conntrack iptables systemd procps strace openssl perl libnsl2 libdb5.3 libicu72 libsasl2-2 \
	libidn12 libgnutls-dane0 tcpdump tshark tmux git
PACKAGES_TEST += libevent-2.1-7 libprotobuf-c1 libpython3.11 libnghttp2-14
PACKAGES_BENCH := liblua5.3-0 libopentracing-c-wrapper0 libpcre2-8-0
# Mail programs, a resolver and proxies that tests and benchmarks talk to: fetched, unpacked, not installed.
PEERS    := postfix exim4-daemon-light swaks unbound npm:nodemailer prometheus
PEERS_BENCH := postfix haproxy nginx libnginx-mod-stream npm:Haraka
PACKAGES_DEB := debhelper dpkg-dev lintian
PACKAGES_VM := mmdebstrap util-linux nftables iproute2 qemu-system-x86 kmod cpio busybox-static e2fsprogs
PACKAGES_LINT := clang clang-format mandoc binutils

PKGS     := libnl-3.0 libmnl libnftnl libnftables libsystemd jansson libxxhash
PKGS_CTL := ncursesw libpcap libcap-ng libarchive
PKGS_DAEMON := libseccomp libcap-ng
PKGS_RELAY := libsystemd jansson libxxhash libcares openssl
LIBS_DNS = $(shell pkg-config --libs libcares) -lev
PKGS_EXPORTER := libmicrohttpd libseccomp libcap-ng
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
LIBS_CTL  = $(shell pkg-config --libs $(PKGS_CTL)) $(LIBS_DNS)
LIBS_DAEMON = $(shell pkg-config --libs $(PKGS_DAEMON))
LIBS_EXPORTER = $(shell pkg-config --libs $(PKGS_EXPORTER))
# libasan has a crypt_r of its own, which calls the library's: so that must not be left out as not needed.
LIBS_RELAY = $(shell pkg-config --libs $(PKGS_RELAY)) -lev -Wl,--no-as-needed -lcrypt -Wl,--as-needed

# Sources by layer; what each may include is checked by tests/lint.
BASE     := $(wildcard agent/base/*.c)
MODEL    := $(wildcard agent/model/*.c)
PLAN     := $(wildcard agent/plan/*.c)
KERNEL   := $(wildcard agent/kernel/*.c)
PROTO    := $(wildcard agent/proto/*.c)
DNS      := $(wildcard agent/dns/*.c)
SMTP     := $(wildcard agent/smtp/*.c)
RELAY    := $(filter-out agent/relay/main.c,$(wildcard agent/relay/*.c))
CONFINE  := $(wildcard agent/confine/*.c)
GATE     := $(wildcard agent/gate/*.c)
DAEMON   := $(filter-out agent/daemon/main.c,$(wildcard agent/daemon/*.c))
EXPORTER := $(wildcard agent/exporter/*.c)
CTL      := $(filter-out ctl/main.c,$(wildcard ctl/*.c))
GRAMMAR  := $(OBJ)/agent/model/conf_parse.o $(OBJ)/agent/model/conf_scan.o
objects   = $(patsubst %.c,$(OBJ)/%.o,$(1))

CORE_OBJ   := $(call objects,$(BASE) $(MODEL) $(PLAN) $(PROTO)) $(GRAMMAR) \
	$(OBJ)/agent/proto/description.o
KERNEL_OBJ := $(call objects,$(KERNEL)) $(OBJ)/nft-templates/embed.o
DAEMON_OBJ := $(call objects,$(DAEMON) $(GATE) $(CONFINE))
DNS_OBJ    := $(call objects,$(DNS))
SMTP_OBJ   := $(call objects,$(SMTP))
RELAY_OBJ  := $(call objects,$(RELAY))
CTL_OBJ    := $(call objects,$(CTL))
UNIT_TESTS := $(patsubst tests/unit/%_test.c,$(BUILD)/unit/%_test,$(wildcard tests/unit/*_test.c))
FUZZERS    := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))

.PHONY: all
all: $(BUILD)/outbindd $(BUILD)/outbindctl $(BUILD)/liboutbind.so $(BUILD)/liboutbind.a \
	$(if $(wildcard agent/relay/main.c),$(BUILD)/outbind-relay) $(BUILD)/outbind-exporter

$(BUILD)/outbindd: $(CORE_OBJ) $(KERNEL_OBJ) $(DAEMON_OBJ) $(OBJ)/agent/daemon/main.o
$(BUILD)/outbindctl: $(CORE_OBJ) $(KERNEL_OBJ) $(DNS_OBJ) $(CTL_OBJ) $(OBJ)/ctl/main.o
$(BUILD)/outbindd $(BUILD)/outbindctl:
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) $(if $(findstring ctl,$@),$(LIBS_CTL),$(LIBS_DAEMON))
$(BUILD)/outbind-relay: $(CORE_OBJ) $(SMTP_OBJ) $(DNS_OBJ) $(RELAY_OBJ) $(OBJ)/agent/relay/main.o
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -Wl,--as-needed -o $@ $^ $(LIBS_RELAY)

# Only what it needs: it parses what anybody sends.
$(BUILD)/outbind-exporter: $(call objects,$(EXPORTER) $(CONFINE))
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_EXPORTER)

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

# Install what is missing, with apt-get, and only then; DEPS narrows it to what a target needs.
.PHONY: deps
deps: DEPS ?= $(PACKAGES_BUILD) $(PACKAGES_TEST) $(PACKAGES_LINT)
deps:
	@missing=; for package in $(DEPS); do \
		case $$(dpkg-query -W -f='$${db:Status-Abbrev}' $$package 2>/dev/null) in \
		ii*) ;; *) missing="$$missing $$package" ;; esac; done; \
	test -z "$$missing" && exit 0; \
	command -v apt-get >/dev/null || { echo "please install:$$missing"; exit 1; }; \
	test $$(id -u) = 0 || { echo "as root: apt-get install$$missing"; exit 1; }; \
	echo "  APT  $$missing"; export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null

# Unit tests link what they use: all objects stand in one archive, helpers of tests/unit with them.
UNIT_HELP := $(call objects,$(filter-out %_test.c,$(wildcard tests/unit/*.c)))
UNIT_OBJ   = $(OBJ)/lib/outbind.o $(CORE_OBJ) $(KERNEL_OBJ) $(DAEMON_OBJ) $(CTL_OBJ) $(SMTP_OBJ) \
	$(DNS_OBJ) $(RELAY_OBJ) $(UNIT_HELP)
$(OBJ)/tests/unit/%.o: CPPFLAGS_ALL += -Itests/unit
$(BUILD)/unit/all.a: $(UNIT_OBJ)
	@mkdir -p $(@D); rm -f $@; echo "  AR    $@"
	$(Q)$(AR) --thin rcs $@ $^
$(UNIT_TESTS): $(BUILD)/unit/%_test: $(OBJ)/tests/unit/%_test.o $(BUILD)/unit/all.a
	@mkdir -p $(@D); echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -Wl,--as-needed -o $@ $^ $(LIBS) $(LIBS_CTL) $(LIBS_DAEMON) $(LIBS_RELAY) -lcmocka
.PHONY: unit
unit: $(UNIT_TESTS)

# make check: everything that runs without a virtual machine. TESTS="word ..." selects, JOBS=N.
RUN_TESTS = tests/run --build $(BUILD) $(if $(JOBS),--jobs $(JOBS)) $(addprefix --unit ,$(UNIT_TESTS)) $(TESTS)
.PHONY: check demo asan fuzz check-vm
check:
	@$(MAKE) --no-print-directory deps DEPS='$(PACKAGES_BUILD) $(PACKAGES_TEST)'
	@tests/peers.sh build/peers $(PEERS)
	@$(MAKE) --no-print-directory all unit
	@$(RUN_TESTS)
asan:
	@$(MAKE) --no-print-directory FLAVOUR=asan check
demo:
	@$(MAKE) --no-print-directory deps DEPS='$(PACKAGES_BUILD) $(PACKAGES_DEMO)'
	@$(MAKE) --no-print-directory all
	@tests/demo
# The package under a real systemd, and another kernel; cached in build/vm. VM="--boots 3 units" for less.
check-vm:
	@$(MAKE) --no-print-directory deps DEPS='$(PACKAGES_BUILD) $(PACKAGES_DEB) $(PACKAGES_VM)'
	@$(MAKE) --no-print-directory all unit
	@rm -rf build/vm/debs build/vm/debs-newer
	@$(MAKE) --no-print-directory deb DEB_DIR=build/vm/debs >/dev/null
	@$(MAKE) --no-print-directory deb DEB_DIR=build/vm/debs-newer DEB_VERSION=$(VERSION)+newer >/dev/null
	@tests/vm/run $(VM)

# Faults under live traffic; SEED=N for the same order again.
SECONDS ?= 60
.PHONY: faults
faults:
	@$(MAKE) --no-print-directory deps DEPS='$(PACKAGES_BUILD) $(PACKAGES_TEST)'
	@$(MAKE) --no-print-directory all $(BUILD)/faults/clock.so
	@OUTBIND_BUILD=$(BUILD) tests/faults/run --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))
$(BUILD)/faults/clock.so: tests/faults/clock.c
	@mkdir -p $(@D); echo "  CC    $@"
	$(Q)$(CC) -D_GNU_SOURCE -O2 $(WARN) -shared -fPIC -o $@ $<

# libFuzzer, FUZZ_SECONDS for each target, as many at once as there are processors; what they find is
# kept below build/fuzz/. They link what they use, as the unit tests do.
FUZZ_SECONDS ?= 30
FUZZ_FLAGS   := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_SOURCES := $(BASE) $(MODEL) $(PLAN) $(PROTO) $(SMTP) $(DNS) $(OBJ)/agent/model/conf_parse.c \
	$(OBJ)/agent/model/conf_scan.c tests/unit/smtp_pair.c \
	$(addprefix agent/gate/,gate_message.c gate_methods.c) \
	$(addprefix agent/relay/,proxy_parse.c socks_parse.c sts.c socketmap.c pending.c)
FUZZ_OBJ     := $(patsubst %.c,build/fuzz/obj/%.o,$(FUZZ_SOURCES))
build/fuzz/obj/%.o: %.c | $(OBJ)/agent/model/conf_parse.h
	@mkdir -p $(@D); echo "  CC    $@"
	$(Q)clang $(CPPFLAGS_ALL) -Iagent/model -std=gnu17 -w $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link \
		$(shell pkg-config --cflags $(PKGS)) -MMD -MP -c -o $@ $<
build/fuzz/all.a: $(FUZZ_OBJ)
	@rm -f $@; echo "  AR    $@"
	$(Q)$(AR) --thin rcs $@ $^
.SECONDARY: $(FUZZERS:build/fuzz/%=build/fuzz/obj/tests/fuzz/%.o)
$(FUZZERS): build/fuzz/%: build/fuzz/obj/tests/fuzz/%.o build/fuzz/all.a
	@echo "  FUZZ  $@"
	$(Q)clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) $(LIBS_DNS)
.PHONY: fuzzers
fuzzers: $(FUZZERS)
fuzz:
	@$(MAKE) --no-print-directory deps DEPS='$(PACKAGES_BUILD) clang'
	@$(MAKE) --no-print-directory -j$$(nproc) fuzzers
	@printf '%s\n' $(FUZZERS) | xargs -P $$(nproc) -n 1 tests/fuzz/run $(FUZZ_SECONDS)

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
INSTALL_MAN = $(foreach s,1 3 5 7 8,$(addprefix $(s)/,$(notdir $(wildcard docs/*.$(s)))))
.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(PREFIX)/include $(DESTDIR)$(SYSCONFDIR)/outbind/conf.d
	install -m 755 $(BUILD)/outbindd $(BUILD)/outbind-exporter $(wildcard $(BUILD)/outbind-relay) \
		$(DESTDIR)$(PREFIX)/sbin/
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
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/outbind docs/outbind-grafana.json docs/outbind.rules.yml
	set -e; for unit in $(wildcard systemd/*.service systemd/*.socket systemd/*.target systemd/*.timer); do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $$unit; done
	set -e; for kind in sysusers tmpfiles; do for file in systemd/*.$$kind; do \
		name=$${file##*/}; install -D -m 644 $$file \
			$(DESTDIR)$(PREFIX)/lib/$$kind.d/$${name%.*}.conf; done; done
	test ! -e docs/outbind.conf -o -e $(DESTDIR)$(SYSCONFDIR)/outbind/outbind.conf || \
		install -m 644 docs/outbind.conf $(DESTDIR)$(SYSCONFDIR)/outbind/

$(OBJ)/agent/proto/description.o: agent/proto/description.S $(wildcard agent/proto/*.varlink)
	@mkdir -p $(@D); echo "  AS    $<"
	$(Q)$(CC) -Iagent/proto -c -o $@ $<

# Ratios of us to a peer or to the bare kernel; BENCH="--only load --million 0" runs a part.
.PHONY: bench deb help
bench:
	@$(MAKE) --no-print-directory deps DEPS='$(PACKAGES_BUILD) $(PACKAGES_DEMO)'
	@$(MAKE) --no-print-directory all
	@python3 tests/bench/bench.py $(BENCH)
# The relay beside other ways through; BENCH="--rounds 2 --sessions 10 --only haproxy" runs a part.
.PHONY: bench-relay
bench-relay:
	@$(MAKE) --no-print-directory deps DEPS='$(PACKAGES_BUILD) $(PACKAGES_TEST) $(PACKAGES_BENCH)'
	@tests/peers.sh build/peers $(PEERS_BENCH)
	@$(MAKE) --no-print-directory all
	@python3 tests/bench/relay.py $(BENCH)
# Debian packages, in DEB_DIR; DEB_VERSION=... for another version than the changelog's.
DEB_DIR ?= build
deb:
	@$(MAKE) --no-print-directory deps DEPS='$(PACKAGES_BUILD) $(PACKAGES_DEB)'
	@$(MAKE) --no-print-directory all
	@mkdir -p $(DEB_DIR)
	@debian/rules binary DEB_DIR=$(DEB_DIR) $(if $(DEB_VERSION),DEB_VERSION=$(DEB_VERSION)) \
		$(if $(V),,>$(BUILD)/deb.log 2>&1) || { tail -n 40 $(BUILD)/deb.log; exit 1; }
	@dh_clean
	@ls $(DEB_DIR)/*.deb
help:
	@printf '%-11s %s\n' \
		all 'the programs and the library, in build/' \
		demo 'the main job on real traffic, in network namespaces of its own' \
		check 'every test that needs no virtual machine; TESTS=WORD for some of them' \
		asan 'the same with address and undefined behaviour sanitizers' \
		fuzz 'every fuzzer for FUZZ_SECONDS=30' \
		faults 'faults under live traffic for SECONDS=60, in the order of SEED=N' \
		bench 'ratios to the bare kernel and to nft; BENCH=OPTIONS' \
		bench-relay 'the relay beside haproxy, nginx, Postfix, Haraka; BENCH=OPTIONS' \
		lint 'layers, names, lengths, manuals; fmt mends blanks' \
		check-vm 'the package under systemd in a container, and another kernel; VM=OPTIONS' \
		deb 'Debian packages, in DEB_DIR=build' \
		install 'DESTDIR= PREFIX=/usr' \
		deps 'install with apt-get what is missing'

.PRECIOUS: $(OBJ)/%.o
-include $(shell find $(OBJ) build/fuzz/obj -name '*.d' 2>/dev/null)
