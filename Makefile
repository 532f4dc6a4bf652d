# Settings, on the command line or in the environment:
#
#   CC=gcc|clang        CFLAGS, LDFLAGS as everywhere
#   BUILD=DIR           where to build; sanitizer builds have their own
#   SANITIZE=LIST       address,undefined or thread: for the tool and its tests,
#                       never for the shim, which lives in other programs
#   PREFIX=/usr/local   DESTDIR=   for install and uninstall
#   FUZZ_SECONDS=60     for each fuzz target
#   RUNS=100            of each pair of programs, for judge-check
#   SOAK_SECONDS=120    SEED=N   SESSION=N   of the soak test; a session alone
#   JOBS=2              scenarios, suites of tests at a time
#   V=1                 show the commands

ifeq ($(origin CC),default)
CC = gcc
endif
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
SANITIZE ?=
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 120
RUNS ?= 100
JOBS ?= 2

comma := ,
BUILD ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
LIBDIR = $(PREFIX)/lib/tcpfault
MANDIR = $(PREFIX)/share/man
DATADIR = $(PREFIX)/share/tcpfault
BASHDIR = $(PREFIX)/share/bash-completion/completions

# $(call run,WHAT)command: the command, or a short word for it.
run = $(if $(V),,@printf '  %-8s %s\n' $1 $@; )

# Two at a time, unless the caller has said -j.
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

# $(call once,NAME,COMMAND): the command's output, asked for at the first use.
once = $(eval $1 := $(shell $2))$($1)

STD = -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -MMD -MP -MF $@.d -MT $@
SANITIZER = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)

# Whatever CFLAGS says, the shim is optimised: its wrappers are tail calls.
# The shim sees only its own headers; it defines the very functions that
# fortification would rename, and aliases in assembler that LTO would not see.
SHIM_CFLAGS = $(STD) -Ipreload $(CFLAGS) -U_FORTIFY_SOURCE -fno-lto -fPIC -fvisibility=hidden \
	-ftls-model=initial-exec -fno-semantic-interposition -fno-stack-protector -O2
SHIM_LDFLAGS = $(LDFLAGS) -shared -Wl,-z,defs -Wl,-z,now -Wl,-soname,libtcpfault.so
SHIM_LIBS = -lfiu -ldl -lpthread

TOOL_CFLAGS = $(STD) -Ipreload -Iharness -I$(BUILD) $(TOOL_PKG_CFLAGS) $(CFLAGS) $(SANITIZER)
TOOL_MODULES = libcyaml yaml-0.1 jansson libuv libdw libmnl libnftables
TOOL_PKG_CFLAGS = $(call once,TOOL_PKG_CFLAGS,pkg-config --cflags $(TOOL_MODULES))
TOOL_LIBS = $(call once,TOOL_LIBS,pkg-config --libs $(TOOL_MODULES))
TEST_CFLAGS = -DTF_SOURCE='"$(CURDIR)"' -DTF_BUILD='"$(abspath $(BUILD))"' -Itests
CUNIT = $(call once,CUNIT,pkg-config --cflags --libs cunit)

# What the tool and the shim have in common, compiled once for each.
SHARED = $(patsubst preload/%.c,%,$(wildcard preload/rule*.c)) names call_sets decide segment ring calls clock

SHIM_O = $(patsubst %.c,$(BUILD)/%.pic.o,$(wildcard preload/*.c))
SHARED_O = $(SHARED:%=$(BUILD)/preload/%.o)
TOOL_O = $(patsubst %.c,$(BUILD)/%.o,$(wildcard harness/*.c))
UNIT_O = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/*.c))
INTEGRATION_O = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/integration/*.c))
FIXTURES = $(patsubst fixtures/%.c,$(BUILD)/fixtures/%,$(wildcard fixtures/*.c))
PROGRAMS = $(patsubst tests/integration/programs/%.c,$(BUILD)/tests/programs/%, \
	$(wildcard tests/integration/programs/*.c))
FIDELITY = $(BUILD)/tests/fidelity/subject $(BUILD)/tests/fidelity/peer
BENCH = $(BUILD)/tests/bench/calls $(BUILD)/tests/bench/passthrough.so
FUZZ = $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

all: tool fixtures ## the tool, the shim and the fixtures (the default)

tool: $(BUILD)/tcpfault $(BUILD)/libtcpfault.so ## build/tcpfault and build/libtcpfault.so

fixtures: $(FIXTURES) ## the small good and bad programs of the example suites

demo: ## install what is missing (root), build, run the example suites
	@tests/setup.sh --install demo
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@BUILD=$(BUILD) JOBS=$(JOBS) tests/demo.sh

test: ## the same, then everything but sanitizers, fuzzing and the benchmark
	@tests/setup.sh --install test
	@$(MAKE) --no-print-directory $(PARALLEL) all test-programs
	@BUILD=$(BUILD) JOBS=$(JOBS) tests/stages.sh unit integration scenarios judging fidelity lint

ci: ## what make test leaves out: sanitizers, clang, fuzzing, soak, benchmark, a browser, another user
	@tests/setup.sh --install test
	@$(MAKE) --no-print-directory $(PARALLEL) all test-programs
	@BUILD=$(BUILD) JOBS=$(JOBS) FUZZ_SECONDS=$(FUZZ_SECONDS) SOAK_SECONDS=$(SOAK_SECONDS) \
		tests/stages.sh rest

unit: ready $(BUILD)/tests/unit/unit ## CUnit tests of the parts
	$(BUILD)/tests/unit/unit

integration: ready all $(PROGRAMS) $(BUILD)/tests/integration/integration ## CUnit tests of the whole
	$(BUILD)/tests/integration/integration -j $(JOBS)

ready:
	@tests/setup.sh test

test-programs: $(PROGRAMS) $(FIDELITY) $(BUILD)/tests/unit/unit $(BUILD)/tests/integration/integration

fidelity: ready tool $(FIDELITY) ## injected faults beside real ones: is everything that can be seen the same?
	@/usr/bin/python3 tests/fidelity/fidelity.py $(BUILD)

fidelity-update: ready tool $(FIDELITY) ## the same, and write its table, tests/fidelity/FIDELITY.md
	@/usr/bin/python3 tests/fidelity/fidelity.py --update $(BUILD)

judge-check: ready all ## good programs, RUNS times each, without faults and under harmless ones: is nothing found?
	@/usr/bin/python3 tests/judging/no_alarms.py $(BUILD) $(RUNS) $(JOBS)

fuzz: ready $(FUZZ) ## each parser under libFuzzer, FUZZ_SECONDS each
	@for target in $(FUZZ); do \
		BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh $$target || exit 1; done

soak: ready tool $(BUILD)/tests/soak/plan ## real programs under random faults, SOAK_SECONDS long
	tests/soak/soak.py $(BUILD) $(SOAK_SECONDS) "$(SEED)" "$(SESSION)"

bench: ready tool $(BENCH) ## what a call costs, in instructions and in time
	/usr/bin/python3 tests/bench/bench.py $(BUILD)

bench-check: ready tool $(BENCH) ## the same, and fail where a call costs too much
	/usr/bin/python3 tests/bench/bench.py --check $(BUILD)

bench-late: ready tool ## what a delay on one connection does to a server's others
	/usr/bin/python3 tests/bench/late.py $(BUILD)

web-check: ## the html report in a browser, SARIF against its schema; installs what it needs
	@tests/setup.sh --install web
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@BUILD=$(BUILD) tests/stages.sh web

known: tool fixtures ## check on programs that everybody knows, into tests/known/KNOWN.md; installs them
	@BUILD=$(BUILD) JOBS=$(JOBS) tests/known/known.sh

pictures: web-check ## the same, and its pictures into the documents
	cp $(BUILD)/web/report.png $(BUILD)/web/report-dark.png tests/web/

lint: ready all ## format, static analysis, and what the documents must agree on
	BUILD=$(BUILD) tests/lint/run.sh

format: ## clang-format every source in place
	clang-format -i $(wildcard */*.[ch] tests/*/*.[ch] tests/integration/programs/*.[ch])

install: tool ## into PREFIX, below DESTDIR
	install -D $(BUILD)/tcpfault $(DESTDIR)$(PREFIX)/bin/tcpfault
	install -D -m 644 $(BUILD)/libtcpfault.so $(DESTDIR)$(LIBDIR)/libtcpfault.so
	install -D -m 644 harness/completion/tcpfault.bash $(DESTDIR)$(BASHDIR)/tcpfault
	set -e; for page in harness/man/*.[1-9]; do \
		install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	set -e; for schema in $(wildcard harness/*.schema.json); do \
		install -D -m 644 $$schema $(DESTDIR)$(DATADIR)/$${schema##*/}; done

uninstall: ## what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/tcpfault $(DESTDIR)$(BASHDIR)/tcpfault
	rm -rf $(DESTDIR)$(LIBDIR) $(DESTDIR)$(DATADIR)
	set -e; for page in harness/man/*.[1-9]; do \
		rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done

clean: ## remove BUILD
	rm -rf $(BUILD)

help: ## this text
	@sed -n '/^#/!q; s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))
	@echo; echo Targets:; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r target about; do printf '  %-14s %s\n' "$$target" "$$about"; done

.PHONY: all tool fixtures demo test ci ready unit integration test-programs fidelity fidelity-update judge-check fuzz \
	soak bench bench-check bench-late web-check known pictures lint format install uninstall clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

# Everything is compiled again when the way of compiling changes; and nothing is
# compiled before what it needs is there.
FLAGS = $(CC)|$(CFLAGS)|$(LDFLAGS)|$(SANITIZE)|$(CURDIR)
$(BUILD)/flags: FORCE
	@tests/setup.sh build
	@mkdir -p $(@D); printf '%s\n' '$(FLAGS)' | cmp -s - $@ || printf '%s\n' '$(FLAGS)' >$@

$(BUILD)/libdir: FORCE
	@mkdir -p $(@D); echo '$(LIBDIR)' | cmp -s - $@ || echo '$(LIBDIR)' >$@
$(BUILD)/harness/shim.o: $(BUILD)/libdir
$(BUILD)/harness/shim.o: TOOL_CFLAGS += -DTF_LIBDIR='"$(LIBDIR)"'

BATTERIES = $(sort $(wildcard harness/battery/*.yaml))
$(BUILD)/battery.inc: FORCE
	@mkdir -p $(@D); rows=$$(n=0; for file in $(BATTERIES); do \
		n=$$((n + 1)); echo "BATTERY($$n, \"$$file\")"; done); \
		echo "$$rows" | cmp -s - $@ || echo "$$rows" >$@
$(BUILD)/harness/battery.o $(BUILD)/fuzz/harness/battery.o: $(BUILD)/battery.inc $(BATTERIES)
$(BUILD)/harness/html_assets.o $(BUILD)/fuzz/harness/html_assets.o: $(wildcard harness/html/*)

$(BUILD)/%.pic.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC)$(CC) $(SHIM_CFLAGS) -c -o $@ $<

$(BUILD)/tests/%.o: tests/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC)$(CC) $(TOOL_CFLAGS) $(TEST_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC)$(CC) $(TOOL_CFLAGS) -c -o $@ $<

$(BUILD)/libtcpfault.so: $(SHIM_O)
	$(call run,LINK)$(CC) $(CFLAGS) $(SHIM_LDFLAGS) -o $@ $^ $(SHIM_LIBS)

$(BUILD)/tcpfault: $(TOOL_O) $(SHARED_O)
	$(call run,LINK)$(CC) $(CFLAGS) $(SANITIZER) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS)

$(BUILD)/fixtures/%: fixtures/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC)$(CC) $(STD) $(CFLAGS) $(LDFLAGS) -o $@ $< -lpthread

$(BUILD)/tests/unit/unit: $(UNIT_O) $(filter-out %/main.o,$(TOOL_O)) $(SHARED_O)
	$(call run,LINK)$(CC) $(CFLAGS) $(SANITIZER) $(LDFLAGS) -o $@ $^ $(CUNIT) $(TOOL_LIBS)

$(BUILD)/tests/integration/integration: $(INTEGRATION_O) $(filter-out %/main.o,$(TOOL_O)) $(SHARED_O)
	$(call run,LINK)$(CC) $(CFLAGS) $(SANITIZER) $(LDFLAGS) -o $@ $^ $(CUNIT) $(TOOL_LIBS)

# A test program asks for the flags it is about in its first line, and for a
# compiler that it needs in the one before or after:
#   /* cflags: -D_FORTIFY_SOURCE=2 */
#   /* cc: clang */
$(BUILD)/tests/programs/%: tests/integration/programs/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC)cc=$$(sed -n '1,2s|^/\* cc: \(.*\) \*/$$|\1|p' $<); \
		$${cc:-$(CC)} $(STD) $(CFLAGS) $(LDFLAGS) -o $@ $< -lpthread \
		$$(sed -n '1,2s|^/\* cflags: \(.*\) \*/$$|\1|p' $<)

# The two ends of the fidelity suite. The peer is static: no library gets into it.
$(BUILD)/tests/fidelity/%.o: tests/fidelity/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC)$(CC) $(STD) $(CFLAGS) -c -o $@ $<

$(BUILD)/tests/fidelity/subject: $(addprefix $(BUILD)/tests/fidelity/,subject.o script.o steps_calls.o steps_bytes.o \
		steps_views.o steps_setup.o wait.o world.o common.o)
	$(call run,LINK)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

$(BUILD)/tests/fidelity/peer: $(addprefix $(BUILD)/tests/fidelity/,peer.o wire.o diag.o common.o)
	$(call run,LINK)$(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $^

$(BUILD)/tests/soak/plan: $(BUILD)/tests/soak/plan.o $(filter-out %/main.o,$(TOOL_O)) $(SHARED_O)
	$(call run,LINK)$(CC) $(CFLAGS) $(SANITIZER) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS)

$(BUILD)/tests/bench/calls: tests/bench/calls.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC)$(CC) $(STD) $(CFLAGS) $(LDFLAGS) -o $@ $< -lpthread

$(BUILD)/tests/bench/passthrough.so: tests/bench/passthrough.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC)$(CC) $(STD) $(CFLAGS) $(LDFLAGS) -fPIC -shared -o $@ $< -ldl

FUZZ_CFLAGS = $(STD) -Ipreload -Iharness -I$(BUILD) $(TOOL_PKG_CFLAGS) \
	-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_O = $(patsubst %.c,$(BUILD)/fuzz/%.o,$(SHARED:%=preload/%.c) \
	$(filter-out harness/main.c harness/cmd%,$(wildcard harness/*.c)))
$(BUILD)/fuzz/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CLANG)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_O)
	$(call run,CLANG)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $(filter %.c %.o,$^) $(TOOL_LIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
