# handfast: `make demo` shows it, `make check` tests it, `make lint` reviews it.
#
# all lib       build; never install a package, but name what is missing
# check         deps-test, then all unit and shell tests
# unit sh       only the unit tests, only the shell tests
# san           the same tests under AddressSanitizer and UBSan, in build-san
# ct            constant time: valgrind over -O0 and -O2, Welch's test
# faults        memory, calls, randomness, limits that fail, one by one
# load          crowds, floods and exhaustion for five minutes, load.json
# vectors       the library and the second implementation against the vectors
# interop       and against each other, in both roles
# mutants       each security check removed in turn: the test that notices
# formal        the models of spec/model, by Spin, and by the proverif in PATH
# cov           lines and branches of proto that the tests reach, in build-cov
# fuzz          every fuzzer for SECONDS, two at a time, in build-fuzz
# fuzz-corpus   takes what they found into tests/fuzz, and measures it
# lint          the house rules and four static checkers
# format        clang-format over all C
# demo-cluster  a stream outlives five servers; STORE='lmdb redis postgres'
# demo-dispatch 200 sessions move about while servers come and go; STORE=...
#               too, and WORKERS=2
# bench         measures, writes build/bench.json; bench-lib: the library alone
# demo-agent    50 processes on one session; bench-agent: what sharing costs
# bench-stores  the three stores with MANY sessions, into build/bench.json
# bench-dispatch  transfers behind a dispatcher, and beside HAProxy
# man doc       manual pages; the library's interface in HTML, build/doc
# sim           SEEDS runs of sessions that move, and what they reached
# races         RACES of two servers for one session, an owner each time
# storm         STORM sessions of a killed server come to two others at once
# commits       what PostgreSQL's synchronous_commit costs, and KILLS lose
# failovers     RUNS of stores whose second server takes over, each kind
# stopped       stores that answer nothing: sessions go on, takeovers fail
# outages       lost packets, cut connections, owners stopped for 30 s
# cross         proto on s390x and i386 (qemu), by gcc and clang; with musl;
#               only one: make cross CROSS=s390x-gcc
# install uninstall             DESTDIR, PREFIX, LIBDIR
# dist clean                    a source archive
# deps deps-lib deps-demo deps-test deps-vectors deps-ct deps-faults deps-formal
#      deps-lint deps-doc deps-cross deps-bench-dispatch
#               apt-get what is missing, and only that
#
# Another compiler: make CC=clang BUILD=build-clang check

VERSION = 0.1.0
BUILD = build
PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
DATADIR = $(PREFIX)/share
SECONDS = 10
TEST_SECONDS = 900

ifeq ($(origin CC),default)
CC = gcc
endif
CLANG = clang
PYTHON = /usr/bin/python3
CFLAGS = -O2 -g
WERROR = -Werror
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wvla -Wwrite-strings \
	-Wpointer-arith -Wformat=2 -Wundef -Wunused-result $(WERROR)

ifdef SAN
HARDEN = -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
HARDEN_LD = -fsanitize=address,undefined
# There is less to relocate; and a program that ends looks for what is leaked
# through all that is loaded, of which libubsan.so is 6 MB.
PIE = -no-pie $(if $(findstring clang,$(CC)),,-static-libubsan)
else
HARDEN = -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
HARDEN_LD = -Wl,-z,relro,-z,now
PIE = -pie
endif

# A store is built where its client library is; without: make REDIS= POSTGRES=
has = $(shell printf '\043include <$(1)>' | $(CC) $(CPPFLAGS) -E -x c - \
    >/dev/null 2>&1 && echo yes)
REDIS := $(call has,hiredis/hiredis.h)
POSTGRES := $(call has,postgresql/libpq-fe.h)
SECCOMP := $(call has,seccomp.h)
STORES = $(if $(REDIS),-DHF_WITH_REDIS) $(if $(POSTGRES),-DHF_WITH_POSTGRES) \
	$(if $(SECCOMP),-DHF_WITH_SECCOMP)

# proto is plain C11; only what does I/O, and the tests, ask for more.
COMMON = -std=c11 -fPIC $(WARN)
SYSTEM = $(COMMON) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
FLAGS_proto = $(COMMON) -Iproto
FLAGS_fleet = $(SYSTEM) $(STORES) -Iproto -iquotefleet
FLAGS_cli = $(SYSTEM) $(STORES) -Iproto -iquotefleet -Icli
FLAGS_tests = $(SYSTEM) $(STORES) -Iproto -iquotefleet -Icli -Itests
# Where it was built stands in no object: the same sources, the same bytes.
HERE = -fdebug-prefix-map='$(CURDIR)'=.
COMPILE = $(CC) -MMD -MP $(CPPFLAGS) $(CFLAGS) $(HERE) $(HARDEN)
LINK = $(CC) $(CFLAGS) $(HARDEN_LD) $(PIE) $(LDFLAGS)

LIBS_proto = -lsodium -lcbor
# libpq and libmicrohttpd are loaded when they are wanted (fleet/library.h).
LIBS_fleet = -luv -llmdb -lconfuse $(if $(REDIS),-lhiredis) \
	$(if $(SECCOMP),-lseccomp) $(LIBS_proto) -lpthread -ldl
LIBS_cli = $(LIBS_fleet) -lbsd -ljansson -lm
LIBS_tests = -lcmocka -ljansson -lpthread -ldl

# What is there to build: whatever lies in the rooms.
PROTO = $(wildcard proto/*.c)
FLEET = $(filter-out $(if $(REDIS),,fleet/store_redis%) \
	$(if $(POSTGRES),,fleet/store_postgres% fleet/libpq.c),$(wildcard fleet/*.c))
CLI = $(wildcard cli/*.c)
UNIT = $(wildcard tests/unit/*.c)
FUZZ = $(wildcard tests/fuzz/*.c)
LOAD = $(wildcard tests/load/*.c)
PRELOAD = $(wildcard tests/preload/*.c)
EXAMPLES = $(wildcard tests/examples/*.c)
# There is nothing for a sanitizer in Python alone.
SHELL_TESTS = $(sort $(wildcard tests/sh/*.sh tests/sh/*.py)) \
	$(filter-out $(if $(SAN),vectors/check.py vectors/check_cddl.py), \
	$(sort $(wildcard vectors/check*.py)))
HEADERS = $(wildcard proto/*.h fleet/*.h cli/*.h tests/*.h tests/*/*.h)
SOURCES = $(PROTO) $(FLEET) $(CLI) $(UNIT) $(FUZZ) $(PRELOAD) $(EXAMPLES) \
	$(wildcard tests/*.c) $(wildcard tests/ct/*.c tests/sim/*.c) \
	$(wildcard tests/faults/*.c tests/agent/*.c) $(LOAD)
MAN = $(patsubst cli/man/%.scd,$(BUILD)/man/%,$(wildcard cli/man/*.scd))
DOC = $(BUILD)/doc-src
DIST = $(BUILD)/handfast-$(VERSION).tar.gz

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
PROTO_LIB = $(BUILD)/libhandfast.a
PROTO_SO = $(BUILD)/libhandfast.so
FLEET_LIB = $(BUILD)/libhandfast-fleet.a
FLEET_SO = $(BUILD)/libhandfast-fleet.so
PROGRAM = $(BUILD)/handfast
UNIT_BIN = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT))
UNIT_PROTO = $(filter-out $(BUILD)/tests/fleet_%,$(UNIT_BIN))
PRELOAD_SO = $(patsubst tests/preload/%.c,$(BUILD)/tests/%.so,$(PRELOAD))
FUZZ_NAMES = $(patsubst tests/fuzz/%.c,%,$(FUZZ))
FUZZ_REPLAY = $(FUZZ_NAMES:%=$(BUILD)/tests/fuzz_%)
CLI_LIB = $(BUILD)/libhandfast-cli.a
TESTERS = $(wildcard $(patsubst %,tests/%.c,testing honest judge misbehave* \
	servers storing store_cases))
TESTING = $(BUILD)/libtesting.a

# Commands are shown with V=1.
say = $(if $(V),,@echo '  $(1)'; )

# Sub-makes run on all processors unless the user chose a number.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
SUBMAKE = +@$(MAKE) --no-print-directory

.PHONY: all lib check unit unit-proto sh unit-and-sh tests san fuzz lint bench demo \
	man doc cross install uninstall dist format clean deps deps-test \
	deps-lib deps-lint deps-doc deps-cross need-lib need-all need-tests \
	need-man
.DELETE_ON_ERROR:
.SECONDARY:

all: | need-all
all: lib $(if $(FLEET),$(FLEET_LIB) $(FLEET_SO)) $(if $(CLI),$(PROGRAM))
lib: $(PROTO_LIB) $(PROTO_SO)
tests: all $(UNIT_BIN) $(FUZZ_REPLAY) $(PRELOAD_SO) $(BUILD)/sim \
    $(BUILD)/crowd $(BUILD)/races $(BUILD)/storm $(BUILD)/agent-app \
    $(BUILD)/history

# Build ----------------------------------------------------------------------

$(BUILD)/proto/%.o: proto/%.c Makefile | need-lib
	@mkdir -p $(@D)
	$(call say,cc $<)$(COMPILE) $(FLAGS_proto) -c -o $@ $<
$(BUILD)/fleet/%.o: fleet/%.c Makefile | need-all
	@mkdir -p $(@D)
	$(call say,cc $<)$(COMPILE) $(FLAGS_fleet) -c -o $@ $<
$(BUILD)/cli/%.o: cli/%.c Makefile | need-all
	@mkdir -p $(@D)
	$(call say,cc $<)$(COMPILE) $(FLAGS_cli) -c -o $@ $<
# To compile a unit test takes much longer than to run it. What a compiler
# warns of only where it optimizes it does not see there.
QUICK =
$(BUILD)/tests/unit/%.o: QUICK = -O0 -U_FORTIFY_SOURCE
$(BUILD)/tests/%.o: tests/%.c Makefile | need-tests
	@mkdir -p $(@D)
	$(call say,cc $<)$(COMPILE) $(FLAGS_tests) $(QUICK) -c -o $@ $<

$(PROTO_LIB): $(call objects,$(PROTO))
$(FLEET_LIB): $(call objects,$(FLEET))
$(TESTING): $(call objects,$(TESTERS))
$(CLI_LIB): $(filter-out %/handfast.o,$(call objects,$(CLI)))
$(PROTO_LIB) $(FLEET_LIB) $(TESTING) $(CLI_LIB):
	@rm -f $@
	$(call say,ar $@)$(AR) rcs $@ $^

$(PROTO_SO): $(call objects,$(PROTO)) proto/libhandfast.map
	$(call say,ld $@)$(CC) $(CFLAGS) $(HARDEN_LD) $(LDFLAGS) -shared \
	    -Wl,-soname,libhandfast.so.0 \
	    -Wl,--version-script=proto/libhandfast.map \
	    -o $@.$(VERSION) $(filter %.o,$^) $(LIBS_proto)
	@ln -sf libhandfast.so.$(VERSION) $@.0
	@ln -sf libhandfast.so.0 $@

$(FLEET_SO): $(call objects,$(FLEET)) fleet/libhandfast-fleet.map \
    $(PROTO_SO)
	$(call say,ld $@)$(CC) $(CFLAGS) $(HARDEN_LD) $(LDFLAGS) -shared \
	    -Wl,-soname,libhandfast-fleet.so.0 \
	    -Wl,--version-script=fleet/libhandfast-fleet.map \
	    -o $@.$(VERSION) $(filter %.o,$^) $(PROTO_SO) \
	    $(filter-out $(LIBS_proto),$(LIBS_fleet)) -lsodium
	@ln -sf libhandfast-fleet.so.$(VERSION) $@.0
	@ln -sf libhandfast-fleet.so.0 $@

$(PROGRAM): $(call objects,$(CLI)) $(FLEET_LIB) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_cli)

# tests/unit/fleet_*.c see fleet, all others only proto.
$(BUILD)/tests/fleet_%: $(BUILD)/tests/unit/fleet_%.o $(TESTING) \
    $(FLEET_LIB) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_tests) $(LIBS_fleet)
$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(TESTING) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_tests) $(LIBS_proto)

# A fuzzer's harness: here it replays its corpus, in build-fuzz it looks for
# more. It may see all rooms.
HARNESS = $(BUILD)/tests/fuzz_skip.o $(CLI_LIB) $(FLEET_LIB) $(PROTO_LIB)
$(BUILD)/tests/fuzz_%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz_replay.o \
    $(HARNESS)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_cli)
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(HARNESS)
	@mkdir -p $(@D)
	$(call say,ld $@)$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBS_cli)

# These go into other programs, so they carry no sanitizer.
$(BUILD)/tests/%.so: tests/preload/%.c Makefile
	@mkdir -p $(@D)
	$(call say,ld $@)$(CC) $(CFLAGS) $(FLAGS_tests) -shared -o $@ $< \
	    -ldl -lpthread

# They need no more than the library does.
BENCH = $(patsubst %,$(BUILD)/tests/%.o,bench bench_move)
$(BENCH): $(BUILD)/tests/%.o: tests/%.c Makefile | need-lib
	@mkdir -p $(@D)
	$(call say,cc $<)$(COMPILE) $(FLAGS_tests) -c -o $@ $<
$(BUILD)/sim: $(call objects,$(wildcard tests/sim/*.c)) $(TESTING) \
    $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -Wl,--wrap=hf__schedule_takeover -o $@ $^ \
	    $(LIBS_tests) $(LIBS_proto)

$(BUILD)/bench: $(BENCH) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_proto) -ldl -lpthread
# And these need responders, which are processes of the program.
REAL = $(BUILD)/tests/real.o $(FLEET_LIB) $(PROTO_LIB)
$(BUILD)/bench-wall: $(call objects,tests/bench_wall.c tests/filling.c) \
    $(TESTING) $(REAL)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_tests) $(LIBS_fleet)
$(BUILD)/bench-agent: $(BUILD)/tests/bench_agent.o $(REAL)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_fleet)
# An application as it would be built: by the shared libraries.
$(BUILD)/agent-app: $(BUILD)/tests/agent/app.o $(FLEET_SO) $(PROTO_SO)
	$(call say,ld $@)$(LINK) -o $@ $< -L$(BUILD) -lhandfast-fleet \
	    -lhandfast -Wl,-rpath,'$(abspath $(BUILD))'
$(BUILD)/storm: $(BUILD)/tests/storm.o $(REAL)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_fleet)
$(BUILD)/races: $(BUILD)/tests/races.o $(REAL)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_fleet)

$(BUILD)/bench-dispatch: $(BUILD)/tests/bench_dispatch.o \
    $(BUILD)/tests/real.o $(TESTING) $(FLEET_LIB) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_tests) $(LIBS_fleet)

$(BUILD)/bench-carry: $(BUILD)/tests/bench_carry.o $(BUILD)/tests/carry.o
	$(call say,ld $@)$(LINK) -o $@ $^

# Many processes on one store, and what each saw.
$(BUILD)/history: $(BUILD)/tests/history.o $(FLEET_LIB) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_fleet)
$(BUILD)/bench-stores: $(call objects,tests/bench_stores.c tests/filling.c) \
    $(TESTING) $(FLEET_LIB) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_tests) $(LIBS_fleet)

# What a program that looks for leaks need not read.
ifdef SAN
$(PROGRAM) $(UNIT_BIN) $(FUZZ_REPLAY) $(BUILD)/sim $(BUILD)/crowd \
    $(BUILD)/races $(BUILD)/storm $(BUILD)/history: $(BUILD)/tests/leaks.o
$(BUILD)/tests/leaks.o: HARDEN =
endif

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)

# Tests ----------------------------------------------------------------------

check: deps-test
	$(SUBMAKE) $(JOBS) tests
	$(SUBMAKE) unit-and-sh
# The library, the second implementation and the CDDL against the same
# vectors; and the two against each other.
vectors: deps-vectors
	$(SUBMAKE) $(JOBS) all
	$(PROGRAM) vectors verify vectors/ok vectors/bad
	$(PYTHON) vectors/check.py vectors/ok vectors/bad
	$(PYTHON) vectors/check_cddl.py
	HANDFAST=$(PROGRAM) $(PYTHON) vectors/check_shake.py
interop: deps-vectors
	$(SUBMAKE) $(JOBS) all
	$(PYTHON) vectors/interop.py $(PROGRAM)
.PHONY: vectors interop deps-vectors

unit: all $(UNIT_BIN) $(FUZZ_REPLAY) $(PRELOAD_SO)
	$(call run_tests,$(UNIT_BIN) $(FUZZ_REPLAY))
unit-proto: $(UNIT_PROTO)
	$(call run_tests,$(UNIT_PROTO))
sh: tests
	$(call run_tests,$(SHELL_TESTS))
unit-and-sh: tests
	$(call run_tests,$(SHELL_TESTS) $(UNIT_BIN) $(FUZZ_REPLAY))

SANS = SAN=1 BUILD=build-san CFLAGS='-O1 -g'
san:
	$(SUBMAKE) $(JOBS) $(SANS) tests
	$(SUBMAKE) $(SANS) unit-and-sh

# Peers without number, for tests/load.
$(BUILD)/crowd: $(call objects,$(LOAD)) $(FLEET_LIB) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_fleet)
load: deps-test
	$(SUBMAKE) $(JOBS) all $(BUILD)/crowd
	$(SUBMAKE) $(JOBS) SAN=1 BUILD=build-san CFLAGS='-O1 -g' all
	@HANDFAST='$(abspath $(PROGRAM))' BUILD='$(abspath $(BUILD))' \
	    HANDFAST_SAN='$(abspath build-san/handfast)' \
	    $(PYTHON) tests/load/load.py
.PHONY: load

# What everything is built with is -O2, unless somebody chose otherwise.
CT_O2 = $(BUILD)$(if $(SAN)$(subst -O2 -g,,$(CFLAGS)),/ct-O2)
ct: deps-ct
	$(SUBMAKE) $(JOBS) BUILD=$(BUILD)/ct-O0 CFLAGS='-O0 -g' \
	    HARDEN=-fstack-protector-strong ct-build
	$(SUBMAKE) $(JOBS) BUILD=$(CT_O2) CFLAGS='-O2 -g' ct-build
	@bash tests/ct/run.sh $(BUILD)/ct-O0 $(CT_O2)
ct-build: $(BUILD)/ct-secrets $(BUILD)/ct-times
.PHONY: ct ct-build deps-ct
# tests/ct/times.c looks users up as the program does.
CT_CLI = $(patsubst %,$(BUILD)/cli/%.o,users term file safe option)
$(BUILD)/ct-secrets: $(patsubst %,$(BUILD)/tests/ct/%.o,secrets sessions \
    objects taint) $(TESTING) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_tests) $(LIBS_proto)
$(BUILD)/ct-times: $(BUILD)/tests/ct/times.o $(CT_CLI) $(TESTING) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_tests) $(LIBS_proto) -lbsd -lm

FAULTS = $(patsubst tests/faults/%.c,$(BUILD)/faults-%, \
	$(wildcard tests/faults/*.c))
FAULTS_PY = $(filter-out %/faults.py,$(wildcard tests/faults/*.py))
faults: deps-faults
	$(SUBMAKE) $(JOBS) all $(PRELOAD_SO) $(FAULTS)
	@bash tests/faults/run.sh $(BUILD) \
	    $(call long_first,$(FAULTS_PY) $(FAULTS))
$(BUILD)/faults-%: $(BUILD)/tests/faults/%.o $(TESTING) $(PROTO_LIB)
	$(call say,ld $@)$(LINK) -o $@ $^ $(LIBS_tests) $(LIBS_proto)
.PHONY: faults deps-faults

# Some only: make mutants MUTANTS='cert-* trust-path-length'
MUTANTS =
# ProVerif is in no Debian package: what runs says so when it is not there.
.PHONY: formal deps-formal
formal: deps-formal
	@$(PYTHON) tests/formal.py

mutants: deps-test
	$(SUBMAKE) $(JOBS) tests
	@$(foreach v,BUILD CC FLAGS_proto FLAGS_fleet FLAGS_cli LIBS_proto \
	    LIBS_fleet LIBS_cli LIBS_tests,$v='$($v)') \
	    $(PYTHON) tests/mutants/run.py $(MUTANTS)

COV = BUILD=build-cov HARDEN= HARDEN_LD= \
	CFLAGS='-O0 -g --coverage -fprofile-update=atomic'
cov: deps-test
	$(SUBMAKE) $(JOBS) $(COV) tests
	@find build-cov -name '*.gcda' -delete
	$(SUBMAKE) $(COV) unit
	$(SUBMAKE) $(COV) vectors
	@$(PYTHON) tests/coverage.py build-cov
.PHONY: mutants cov

# tests/run.sh runs them, a few at a time. What takes long begins first: in the
# end no processor waits for it.
LONG = dispatch_attacks sim demo_dispatch agent_restart stopped limits wire \
	fleet_store_suite linear shared service fleet_store_redis dispatch check \
	agent vectors refusals fleet_store_postgres initiate memory
long_first = $(foreach l,$(LONG),$(filter %/$l %/$l.sh %/$l.py,$(1))) \
	$(filter-out $(foreach l,$(LONG),%/$l %/$l.sh %/$l.py),$(1))
run_tests = @HANDFAST='$(abspath $(PROGRAM))' BUILD='$(abspath $(BUILD))' \
	CC='$(CC)' SAN='$(SAN)' V='$(V)' RUN='$(RUN)' PYTHON='$(PYTHON)' \
	TEST_SECONDS='$(TEST_SECONDS)' bash tests/run.sh $(call long_first,$(1))

# Seeds from 1, on two processors.
SEEDS = 20000
sim: deps-test
	$(SUBMAKE) $(JOBS) $(BUILD)/sim
	@half=$$(($(SEEDS) / 2)); \
	$(BUILD)/sim 1 $$half & other=$$!; bad=0; \
	$(BUILD)/sim $$((half + 1)) $$(($(SEEDS) - half)) || bad=1; \
	wait $$other || bad=1; exit $$bad
.PHONY: sim

# Two servers race for one session.
RACES = 10000
races: deps-test
	$(SUBMAKE) $(JOBS) all $(BUILD)/races
	@$(BUILD)/races '$(abspath $(PROGRAM))' $(RACES)
# Sessions of a killed server, all at once at two others.
STORM = 10000
storm: deps-test
	$(SUBMAKE) $(JOBS) all $(BUILD)/storm
	@$(BUILD)/storm '$(abspath $(PROGRAM))' $(STORM)
.PHONY: storm
# The same as in check, for longer.
outages: deps-test
	$(SUBMAKE) $(JOBS) all
	@HANDFAST='$(abspath $(PROGRAM))' BUILD='$(abspath $(BUILD))' \
	    $(PYTHON) tests/sh/outages.py --long
# Live sessions on a store that is stopped, and such as would move.
stopped: deps-test
	$(SUBMAKE) $(JOBS) all
	@HANDFAST='$(abspath $(PROGRAM))' BUILD='$(abspath $(BUILD))' \
	    $(PYTHON) tests/sh/stopped.py
# Stores that fail under sessions, RUNS of each kind.
RUNS = 20
failovers: deps-test
	$(SUBMAKE) $(JOBS) all $(PRELOAD_SO)
	@HANDFAST='$(abspath $(PROGRAM))' BUILD='$(abspath $(BUILD))' \
	    $(PYTHON) tests/sh/failovers.py --runs $(RUNS)
KILLS = 10
commits: deps-test
	$(SUBMAKE) $(JOBS) all $(BUILD)/history
	@HANDFAST='$(abspath $(PROGRAM))' BUILD='$(abspath $(BUILD))' \
	    $(PYTHON) tests/sh/commits.py $(KILLS)
.PHONY: races outages stopped failovers commits

cross: deps-cross
	+@MAKE='$(MAKE)' \
	    LIBRARIES='$(filter lib%-dev,$(APT_ALL)) libcmocka-dev' \
	    bash tests/cross.sh $(CROSS)

FUZZ_SAN = -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
fuzz-build: deps-lint
	$(SUBMAKE) $(JOBS) BUILD=build-fuzz CC=$(CLANG) CFLAGS='-O1 -g' \
	    HARDEN='$(FUZZ_SAN)' HARDEN_LD='$(FUZZ_SAN)' \
	    $(FUZZ_NAMES:%=build-fuzz/fuzz/%)
fuzz: fuzz-build
	@bash tests/fuzz.sh run $(SECONDS) $(FUZZ_NAMES)
fuzz-corpus: fuzz-build
	@bash tests/fuzz.sh corpus 0 $(FUZZ_NAMES)
.PHONY: fuzz-build fuzz-corpus

bench: deps-test
	$(SUBMAKE) bench-lib
	$(SUBMAKE) $(JOBS) all $(BUILD)/bench-wall
	$(BUILD)/bench-wall '$(abspath $(PROGRAM))' $(BUILD)/bench.json
	@cat $(BUILD)/bench.json
bench-lib: deps-lib
	$(SUBMAKE) $(JOBS) $(BUILD)/bench
	rm -f $(BUILD)/bench.json
	$(BUILD)/bench $(BUILD)/bench.json
.PHONY: bench-lib

bench-agent: deps-test
	$(SUBMAKE) $(JOBS) all $(BUILD)/bench-agent
	rm -f $(BUILD)/bench-agent.json
	r=0; $(BUILD)/bench-agent '$(abspath $(PROGRAM))' \
	    $(BUILD)/bench-agent.json || r=$$?; \
	[ ! -e $(BUILD)/bench-agent.json ] || $(PYTHON) tests/bench_merge.py \
	    $(BUILD)/bench.json $(BUILD)/bench-agent.json || exit 1; exit $$r
.PHONY: bench-agent

# About ten minutes, where nobody else is at work; each step is said.
MANY = 1000000
bench-stores: deps-test
	$(SUBMAKE) $(JOBS) all $(BUILD)/bench-stores $(BUILD)/bench-wall
	rm -f $(BUILD)/bench-store-*.json
	@for s in lmdb redis postgres; do \
		echo "$$s: what is asked of it, with 1000 sessions and $(MANY)"; \
		$(BUILD)/bench-stores $(MANY) $(BUILD)/bench-store-$$s.json $$s && \
		echo "$$s: takeovers beside handshakes" && \
		$(BUILD)/bench-wall '$(abspath $(PROGRAM))' \
		    $(BUILD)/bench-store-$$s.json $$s && \
		echo "$$s: takeovers among 1000 sessions and $(MANY)" && \
		$(BUILD)/bench-wall '$(abspath $(PROGRAM))' \
		    $(BUILD)/bench-store-$$s.json $$s $(MANY) || exit 1; \
	done
	$(PYTHON) tests/bench_merge.py $(BUILD)/bench.json \
	    $(BUILD)/bench-store-*.json
	@cat $(BUILD)/bench.json
.PHONY: bench-stores

# About two minutes. What it measures goes beside the figures of make bench.
bench-dispatch: deps-bench-dispatch
	$(SUBMAKE) $(JOBS) all $(BUILD)/bench-dispatch $(BUILD)/bench-carry
	@[ -e $(BUILD)/bench.json ] || \
	    $(MAKE) --no-print-directory bench-lib
	$(BUILD)/bench-dispatch '$(abspath $(PROGRAM))' $(BUILD)/bench-d.json
	$(BUILD)/bench-carry '$(abspath $(PROGRAM))' $(BUILD)/bench-c.json
	@cd $(BUILD) && $(PYTHON) -c "import json; all = {}; \
	    [all.update(json.load(open(f))) for f in \
	    ('bench.json', 'bench-d.json', 'bench-c.json')]; \
	    open('bench.json', 'w').write(json.dumps(all, indent=2) + '\n')"
.PHONY: bench-dispatch deps-bench-dispatch

# Lint -----------------------------------------------------------------------

LINT = includes symbols clang header cppcheck analyzer tidy format words \
	length licence top version fuzz
.PHONY: $(LINT:%=lint-%)
lint: deps-lint
	$(call run_tests,$(LINT:%=lint-%))
# No file is judged before the tools are there.
$(LINT:%=lint-%): | deps-lint

C11 = assert inttypes limits stdalign stdbool stddef stdint stdlib string
bar = $(subst $(empty) ,|,$(strip $(1)))
PRIVATE = $(filter-out handfast.h,$(notdir $(wildcard proto/*.h)))
lint-includes:
	@echo 'lint: includes: proto sees itself, C11 and sodium.h; only' \
	    'cbor.c sees cbor.h'
	@! grep -nE '^ *# *include' proto/*.[ch] | grep -vE \
	    ':# *include (<($(call bar,$(C11)))\.h>|<sodium.h>|"[a-z_]+\.h")' \
	    | grep -vE '^proto/cbor\.c:.*<cbor(/[a-z_]+)?\.h>'
	@echo 'lint: includes: fleet and cli see handfast.h alone of proto,' \
	    'fleet nothing of cli; but cli/vectors*.c recompute secrets that' \
	    'no public function hands out'
	@! grep -nE 'include "($(call bar,$(PRIVATE) vectors.h)|.*/)' \
	    /dev/null $(wildcard fleet/*.[ch]) \
	    $(filter-out cli/vectors%,$(wildcard cli/*.[ch]))
	@! grep -nE 'include "($(call bar,$(notdir $(wildcard cli/*.h) none)))"' \
	    /dev/null $(wildcard fleet/*.[ch])

# What libhandfast may ask of libc: memory and strings, nothing else.
empty =
LIBC = mem(cpy|move|set|cmp|chr)|str(len|n?cmp|n?len|r?chr)|[cm]alloc|realloc
LIBC += |free|qsort|bsearch|__stack_chk_fail|__mem(cpy|move|set)_chk
PURE = ^($(subst $(empty) ,,$(LIBC))|_GLOBAL_OFFSET_TABLE_|hf_.*|crypto_.*
PURE += |sodium_.*|randombytes_.*|cbor_stream_decode|cbor_encode_.*
PURE += |cbor_empty_callbacks)$$
lint-symbols: $(PROTO_LIB)
	@echo 'lint: symbols: proto asks libc for memory and strings alone,' \
	    'libcbor for its stream decoder and encoders, and libsodium'
	@! nm -u -A $(call objects,$(PROTO)) | awk '$$2 == "U" && \
	    $$3 !~ /$(subst $(empty) ,,$(PURE))/' | grep .
	@echo 'lint: symbols: every global name is hf_'
	@! nm -g --defined-only $(PROTO_LIB) | \
	    awk 'NF == 3 && $$3 !~ /^hf_/' | grep .

CLANG_WARN = -Wimplicit-fallthrough -Wcomma \
	-Wcast-align -Wloop-analysis -Wunreachable-code \
	-Wshift-sign-overflow -Wformat-non-iso -Wstrict-selector-match
flags_of = $(FLAGS_$(firstword $(subst /, ,$(1))))
# A compiler over files, two at a time, each with the flags of its room, and
# those of the file itself in `own_FILE`. Of at most some 400 files: a shell's
# words have 128 KiB.
each = printf '%s\n' $(foreach f,$(1),'$(strip $(f) $(call flags_of,$(f)) \
	    $(own_$(f)))') | xargs -P 2 -L 1 $(2)
# Many files in one process, whose start costs more than a file: clang-tidy
# takes them, with a check of its own.
lint-clang:
	@echo 'lint: clang: every file compiles without a warning'
	@$(foreach r,proto fleet cli tests,printf '%s\n' \
	    $(filter $r/%,$(SOURCES)) | xargs -P 2 -n 60 sh -c 'out=$$(clang-tidy \
	    --quiet --checks="-*,clang-diagnostic-*,bugprone-posix-return" \
	    --warnings-as-errors="*" --header-filter=".*" "$$@" -- \
	    $(FLAGS_$r) $(CLANG_WARN) 2>&1) \
	    || { echo "$$out"; exit 1; }' clang &&) :

lint-header:
	@echo 'lint: header: handfast.h, and conn.h with it, compile alone, as' \
	    'C11 and as C++17'
	@for h in proto/handfast.h fleet/conn.h; do \
		$(CC) -std=c11 -Wall -Wextra -Wpedantic -Werror -Iproto \
		    -fsyntax-only -x c $$h && \
		$(CLANG) -std=c++17 -Wall -Wextra -Wpedantic -Werror -Iproto \
		    -fsyntax-only -x c++ $$h || exit 1; \
	done

# The one header of the system that it has to see, for its macros.
QUEUE = $(firstword $(wildcard /usr/include/sys/queue.h \
	/usr/include/*/sys/queue.h))
lint-cppcheck:
	@echo 'lint: cppcheck'
	@cppcheck -q -j2 --std=c11 --inline-suppr --error-exitcode=1 \
	    --enable=warning,performance,portability \
	    --suppress=missingIncludeSystem -Iproto -Ifleet -Itests \
	    $(QUEUE:%=--include=%) $(PROTO) $(FLEET) $(CLI)

# False positives of gcc 12: it takes memory for lost that was just put where
# a struct's member says, behind an index or a counter that changes.
lint-analyzer: own_cli/inspect_doc.c = -Wno-analyzer-malloc-leak
lint-analyzer: own_cli/user.c = -Wno-analyzer-malloc-leak
lint-analyzer: own_fleet/dispatch_flow.c = -Wno-analyzer-malloc-leak
lint-analyzer: own_fleet/peers.c = -Wno-analyzer-malloc-leak
lint-analyzer: own_fleet/store_postgres.c = -Wno-analyzer-malloc-leak
lint-analyzer: own_fleet/store_postgres_where.c = -Wno-analyzer-malloc-leak
lint-analyzer: own_fleet/store_redis.c = -Wno-analyzer-malloc-leak
lint-analyzer: own_fleet/store_redis_conn.c = -Wno-analyzer-malloc-leak
lint-analyzer: own_proto/move.c = -Wno-analyzer-malloc-leak
lint-analyzer: own_proto/refresh.c = -Wno-analyzer-malloc-leak
lint-analyzer:
	@echo 'lint: gcc -fanalyzer'
	@$(call each,$(PROTO) $(FLEET) $(CLI),gcc -O2 -fanalyzer -c \
	    -o /dev/null)

TIDY = -*,bugprone-*,clang-analyzer-* \
	-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier \
	-bugprone-assignment-in-if-condition,-bugprone-narrowing-conversions \
	-bugprone-macro-parentheses,-bugprone-implicit-widening-* \
	-bugprone-not-null-terminated-result \
	-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafe*
comma = ,
# A process each: with several files clang-tidy 14 takes every va_list of the
# second for one that was never begun.
# It asks for much memory, which costs less in pages of 2 MiB.
HUGE = GLIBC_TUNABLES=glibc.malloc.hugetlb=1
lint-tidy:
	@echo 'lint: clang-tidy'
	@printf '%s\n' $(PROTO) $(FLEET) $(CLI) | xargs -P 2 -I @ sh -c \
	    'out=$$($(HUGE) clang-tidy --quiet --warnings-as-errors="*" \
	    --checks="$$0" @ -- $(FLAGS_cli) 2>&1) || { echo "$$out"; exit 1; }' \
	    '$(subst $(empty) ,$(comma),$(strip $(TIDY)))'

lint-format:
	@echo 'lint: format: as .clang-format says'
	@printf '%s\n' $(SOURCES) $(HEADERS) | xargs -P 2 -n 50 \
	    clang-format --dry-run -Werror
format: | deps-lint
	clang-format -i $(SOURCES) $(HEADERS)

TOP = proto|fleet|cli|spec|vectors|tests|Makefile|README.md|LICENSE|.ci
TOP += |.clang-format|.gitignore
lint-words:
	@echo 'lint: words: no cbor_load; no memcmp in proto unless the line' \
	    'says /* public; no dead code'
	@! grep -nE '\bcbor_load\b' $(SOURCES) $(HEADERS)
	@! grep -nE '(^|[^_a-z])memcmp *\(' $(wildcard proto/*.[ch]) | \
	    grep -v '/\* public'
	@! grep -nE '^ *# *if 0' $(SOURCES) $(HEADERS)
lint-length:
	@echo 'lint: length: no file passes 600 lines'
	@wc -l $(PROTO) $(FLEET) $(CLI) | awk '$$2 != "total" && $$1 > 600 \
	    { print $$2 ": " $$1 " lines"; bad = 1 } END { exit bad }'
lint-licence:
	@echo 'lint: licence: all say their licence'
	@for f in $(SOURCES) $(HEADERS); do head -n 1 $$f | \
	    grep -qF 'SPDX-License-Identifier: ISC' || \
	    { echo "$$f: no SPDX line"; exit 1; }; done
lint-top:
	@echo 'lint: top: nothing new there'
	@! git ls-files | cut -d/ -f1 | sort -u | \
	    grep -vxE '$(subst $(empty) ,,$(subst .,\.,$(TOP)))'
lint-version:
	@echo 'lint: version: one number'
	@grep -qF '"$(VERSION)"' proto/error.c
lint-fuzz:
	@echo 'lint: fuzz: every fuzzer has a corpus and a floor'
	@bash tests/fuzz.sh lint 0 $(FUZZ_NAMES)

# What must be installed -----------------------------------------------------

APT_LIB = gcc libc6-dev make libsodium-dev libcbor-dev
APT_ALL = $(APT_LIB) libuv1-dev liblmdb-dev libhiredis-dev libpq-dev \
	libbsd-dev libjansson-dev libconfuse-dev \
	libmicrohttpd-dev libseccomp-dev
APT_DEMO = $(APT_ALL) python3
APT_VECTORS = $(APT_DEMO) python3-cryptography python3-cbor2 python3-argon2
APT_TEST = $(APT_VECTORS) libcmocka-dev binutils g++ git iproute2 mandoc \
	nftables openssl pkg-config procps scdoc zsh redis-server postgresql
APT_CT = $(APT_TEST) valgrind
APT_BENCH_DISPATCH = $(APT_TEST) haproxy
APT_FAULTS = $(APT_TEST)
APT_FORMAL = gcc libc6-dev python3 spin
APT_DOC = gcc libc6-dev libsodium-dev doxygen mandoc scdoc
APT_CROSS = $(APT_ALL) clang qemu-user gcc-i686-linux-gnu gcc-s390x-linux-gnu \
	musl-tools autoconf automake libtool xz-utils
APT_LINT = $(APT_DEMO) libcmocka-dev valgrind binutils git clang clang-format \
	clang-tidy cppcheck libclang-rt-14-dev

deps:
	$(call apt_install,$(APT_ALL))
deps-lib:
	$(call apt_install,$(APT_LIB))
deps-demo:
	$(call apt_install,$(APT_DEMO))
deps-test:
	$(call apt_install,$(APT_TEST))
deps-vectors:
	$(call apt_install,$(APT_VECTORS))
deps-ct:
	$(call apt_install,$(APT_CT))
deps-bench-dispatch:
	$(call apt_install,$(APT_BENCH_DISPATCH))
deps-faults:
	$(call apt_install,$(APT_FAULTS))
deps-formal:
	$(call apt_install,$(APT_FORMAL))
deps-lint:
	$(call apt_install,$(APT_LINT))
deps-doc:
	$(call apt_install,$(APT_DOC))
deps-cross:
	$(call apt_install,$(APT_CROSS))

define apt_install
@missing=; \
have=" $$(dpkg-query -W -f='$${Package}=$${db:Status-Status} ' $(1) \
    2>/dev/null)"; \
for p in $(1); do \
	case $$have in *" $$p=installed "*) ;; \
	*) missing="$$missing $$p" ;; esac; \
done; \
[ -n "$$missing" ] || exit 0; \
sudo=; [ "$$(id -u)" -eq 0 ] || sudo=$$(command -v sudo) || { \
	echo 'handfast: error: not root, and there is no sudo;' \
	    "as root: apt-get install$$missing" >&2; exit 1; }; \
command -v apt-get >/dev/null || { \
	echo 'handfast: error: no apt-get here; install what these' \
	    "Debian packages hold:$$missing" >&2; exit 1; }; \
echo "installing$$missing"; \
export DEBIAN_FRONTEND=noninteractive; \
$$sudo apt-get update -qq && \
$$sudo apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 $$missing >/dev/null || { \
	echo "handfast: error: apt-get install$$missing failed" >&2; exit 1; }
endef

need-lib:
	$(call need,sodium.h cbor.h,$(APT_LIB))
need-all:
	$(call need,sodium.h cbor.h uv.h lmdb.h bsd/readpassphrase.h jansson.h confuse.h \
	    microhttpd.h, \
	    $(APT_ALL))
need-tests:
	$(call need,sodium.h cbor.h cmocka.h jansson.h,$(APT_TEST))

need-man:
	@command -v scdoc >/dev/null || { \
		echo 'handfast: error: there is no scdoc' >&2; \
		echo 'handfast: hint: apt-get install scdoc' >&2; exit 1; }

define need
@command -v $(firstword $(CC)) >/dev/null && \
    printf '#include <%s>\n' $(1) | \
    $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 || { \
	echo 'handfast: error: a compiler or a header is missing' >&2; \
	echo 'handfast: hint: apt-get install $(strip $(2))' >&2; exit 1; }
endef

# Use ------------------------------------------------------------------------

demo: deps
	$(SUBMAKE) $(JOBS) all
	@$(PROGRAM) demo

# Two servers, one store, and the owner of a session killed five times.
# A real server is started for any other store.
STORE ?= lmdb
demo-cluster: $(if $(filter-out lmdb,$(STORE)),deps-test,deps-demo)
	$(SUBMAKE) $(JOBS) all
	@for s in $(STORE); do \
	    $(PYTHON) tests/demo_cluster.py --store $$s $(PROGRAM) || exit 1; \
	done
# Three servers behind a dispatcher, drained, killed and added.
WORKERS ?= 1
demo-dispatch: $(if $(filter-out lmdb,$(STORE)),deps-test,deps-demo)
	$(SUBMAKE) $(JOBS) all
	@for s in $(STORE); do \
	    $(PYTHON) tests/demo_dispatch.py --store $$s \
	        --workers $(WORKERS) $(PROGRAM) || exit 1; \
	done
.PHONY: demo-cluster demo-dispatch deps-demo

# 50 processes and one agent: one handshake with each of two responders.
demo-agent: deps-demo
	$(SUBMAKE) $(JOBS) all
	@$(PYTHON) tests/demo_agent.py $(PROGRAM)
.PHONY: demo-agent

# Where things go.
D_bin = $(DESTDIR)$(PREFIX)/bin
D_include = $(DESTDIR)$(INCLUDEDIR)
D_fleet = $(D_include)/handfast
D_lib = $(DESTDIR)$(LIBDIR)
D_pc = $(D_lib)/pkgconfig
D_doc = $(DESTDIR)$(DATADIR)/doc/handfast
D_man = $(DESTDIR)$(DATADIR)/man
D_bash = $(DESTDIR)$(DATADIR)/bash-completion/completions
D_zsh = $(DESTDIR)$(DATADIR)/zsh/site-functions

install: all
	install -d $(foreach d,bin include fleet lib pc doc bash zsh,$(D_$d)) \
	    $(D_doc)/examples
	install -m 755 $(PROGRAM) $(D_bin)
	install -m 644 proto/handfast.h $(D_include)
	install -m 644 fleet/fleet.h fleet/conn.h $(D_fleet)
	install -m 644 $(PROTO_LIB) $(PROTO_SO).$(VERSION) $(FLEET_LIB) \
	    $(FLEET_SO).$(VERSION) $(D_lib)
	for l in libhandfast libhandfast-fleet; do \
		ln -sf $$l.so.$(VERSION) $(D_lib)/$$l.so.0 && \
		ln -sf $$l.so.0 $(D_lib)/$$l.so || exit 1; \
	done
	for p in proto/handfast fleet/handfast-fleet; do \
		sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		    -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		    -e 's|@VERSION@|$(VERSION)|' \
		    -e 's|@STORES@|$(if $(REDIS), hiredis)$(if $(SECCOMP), libseccomp)|' \
		    $$p.pc.in >$(D_pc)/$${p#*/}.pc && \
		chmod 644 $(D_pc)/$${p#*/}.pc || exit 1; \
	done
	install -m 644 cli/completion/handfast.bash $(D_bash)/handfast
	install -m 644 cli/completion/_handfast $(D_zsh)
	install -m 644 README.md LICENSE \
	    $(wildcard spec/*.md spec/*.cddl spec/*.lua) $(D_doc)
	install -m 644 $(EXAMPLES) $(wildcard tests/examples/*.py) \
	    $(wildcard fleet/examples/*) $(D_doc)/examples
	for u in $(notdir $(wildcard fleet/systemd/*)); do \
		sed 's|=/usr/local/bin/|=$(PREFIX)/bin/|' fleet/systemd/$$u \
		    >$(D_doc)/examples/$$u && \
		chmod 644 $(D_doc)/examples/$$u || exit 1; \
	done
	@if command -v scdoc >/dev/null; then \
		$(MAKE) --no-print-directory man && \
		for page in $(MAN); do \
			install -D -m 644 -t $(D_man)/man$${page##*.} $$page \
			    || exit 1; \
		done; \
	else \
		echo 'handfast: warning: no scdoc, so no manual pages' >&2; \
		echo 'handfast: hint: apt-get install scdoc' >&2; \
	fi
	@[ -n '$(DESTDIR)' ] || /sbin/ldconfig 2>/dev/null || :
uninstall:
	rm -f $(D_bin)/handfast $(D_include)/handfast.h \
	    $(D_fleet)/fleet.h $(D_fleet)/conn.h \
	    $(D_lib)/libhandfast.a $(D_lib)/libhandfast.so* \
	    $(D_lib)/libhandfast-fleet.a $(D_lib)/libhandfast-fleet.so* \
	    $(D_pc)/handfast.pc $(D_pc)/handfast-fleet.pc $(D_bash)/handfast $(D_zsh)/_handfast \
	    $(foreach m,$(notdir $(MAN)),$(D_man)/man$(subst .,,$(suffix $m))/$m)
	rm -rf $(D_doc)
	-@rmdir $(D_fleet) 2>/dev/null || :

# The same bytes from the same commit: its time stands in all of it.
dist:
	@mkdir -p $(BUILD)
	git -c tar.umask=0022 archive --prefix=handfast-$(VERSION)/ \
	    -o $(DIST:.gz=) HEAD
	gzip -9nf $(DIST:.gz=)

# Words ----------------------------------------------------------------------

man: $(MAN)
$(BUILD)/man/%: cli/man/%.scd $(DOC)/errors.scd $(DOC)/functions.scd \
    cli/man/tidy.awk | need-man
	@mkdir -p $(@D)
	@sed -e '/^@ERRORS@$$/{r $(DOC)/errors.scd' -e 'd}' \
	    -e '/^@FUNCTIONS@$$/{r $(DOC)/functions.scd' -e 'd}' \
	    -e 's/@VERSION@/$(VERSION)/' $< >$(DOC)/$(@F).scd
	$(call say,scdoc $@)SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(stat -c %Y $<)} \
	    scdoc <$(DOC)/$(@F).scd >$(DOC)/$(@F).raw
	@awk -f cli/man/tidy.awk $(DOC)/$(@F).raw >$@

# What the pages list is taken from the header, so that none can lag behind:
# errors from its X-macro, functions from its declarations.
$(DOC)/errors.md: proto/handfast.h Makefile
	@mkdir -p $(@D)
	@printf '%s\n' '# Errors {#errors}' '' \
	    '| name | number | exit code of the program | text |' \
	    '|---|---|---|---|' >$@
	@printf '%s\n' '#include "handfast.h"' \
	    '#define ROW(name, number, exit, text) @| name | number | exit | text' \
	    'HF_ERRORS(ROW)' | $(CC) -Iproto -E -P -x c - | tr @ '\n' | \
	    sed -n 's/^\(| HF_.* | \)"\(.*\)" *$$/\1\2 |/p' >>$@
$(DOC)/errors.scd: $(DOC)/errors.md
	@sed -n 's/^| \(HF.*\) | \(.*\) | \(.*\) | \(.*\) |$$/*\1* (\2, \3)\n\t\4\n/p' \
	    $< >$@
$(DOC)/functions.scd: proto/handfast.h Makefile
	@mkdir -p $(@D)
	@awk '/^\/\*\* @name / { sub(/.*@name /, ""); sub(/ *\*\/.*/, ""); \
	    printf "%s*%s*++\n", sep, $$0; sep = "\n"; comma = "" } \
	    { sub(/^ \*.*|\/\*.*/, "") } \
	    match($$0, /hf_[a-z0-9_]+\(/) { printf "%s%s)", \
	    comma, substr($$0, RSTART, RLENGTH); comma = ",\n"; sep = "\n\n" } \
	    END { print "" }' $< >$@

doc: deps-doc
	$(SUBMAKE) man $(DOC)/errors.md
	@rm -rf $(BUILD)/doc
	@(cat proto/Doxyfile; echo 'PROJECT_NUMBER = $(VERSION)'; \
	    echo 'INPUT = proto/mainpage.md proto/handfast.h fleet/conn.h' \
	        fleet/fleet.h $(DOC)/errors.md; \
	    echo 'OUTPUT_DIRECTORY = $(BUILD)/doc') | doxygen -
	@echo '$(BUILD)/doc/html/index.html'

clean:
	rm -rf $(BUILD) build-san build-cov build-fuzz build-cross
