# iorig: one non-recursive Makefile. `make help` lists the targets.
#
# VARIANT=release (default), sanitize (ASan + UBSan) or tsan (ThreadSanitizer); the latter two are dynamic, each with its own build
# directory and program bin/iorig-VARIANT. VARIANT=fuzz is what `make fuzz` builds.

VARIANT ?= release
VERSION := 0.1
CLANG   ?= clang
CC      := $(if $(filter fuzz,$(VARIANT)),$(CLANG),gcc)
PREFIX  ?= /usr/local
B       := build/$(VARIANT)

CFLAGS_common := -std=gnu11 -g -I. -I$(B) -D_GNU_SOURCE -DIORIG_VERSION='"$(VERSION)"' -MMD -MP \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror
CFLAGS_release := -O2
LDFLAGS_release := -static
CFLAGS_sanitize := -O1 -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
LDFLAGS_sanitize := -fsanitize=address,undefined
# Fences are unknown to ThreadSanitizer; the only ones (replay/wait.c) order a store and a load, and publish nothing.
CFLAGS_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer -Wno-tsan
LDFLAGS_tsan := -fsanitize=thread
CFLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
PROGRAM_release := bin/iorig
PROGRAM_tsan := bin/iorig-tsan
PROGRAM_sanitize := bin/iorig-sanitize
PROGRAM := $(PROGRAM_$(VARIANT))
LIBS    := -lbpf -lelf -lz -lzstd -lxxhash -luring -ljansson -lm -lpthread

CFLAGS  := $(CFLAGS_common) $(CFLAGS_$(VARIANT)) $(EXTRA_CFLAGS)
LDFLAGS := $(LDFLAGS_$(VARIANT))

STAGES  := lib trace capture replay profiles sweeps results rootfs
# *.bpf.c is compiled for the kernel, fuzz targets and unit tests have a main of their own.
SOURCES := $(filter-out %.bpf.c,$(foreach s,$(STAGES),$(wildcard $(s)/*.c)))
OBJECTS := $(SOURCES:%.c=$(B)/%.o)
BPF     := $(wildcard capture/*.bpf.c)
SKELS   := $(BPF:capture/%.bpf.c=$(B)/capture/%.skel.h)
HELPERS := $(patsubst tests/helpers/%.c,build/helpers/%,$(wildcard tests/helpers/*.c))
UNITS   := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*.c))

.DEFAULT_GOAL := all
.PHONY: all help deps demo test test-long bench fuzz fuzzers lint install clean units
.DELETE_ON_ERROR:

all: $(PROGRAM) ## build bin/iorig, the one static program

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

# Every record goes through all of these, a few lines in each: optimized as one the compiler of plans takes 6 to 8 % less time. Their objects
# are whole ones as well, for tests, which are linked without that.
AS_ONE_release := lib/stop $(addprefix trace/,decode ops predict reader strings) \
	$(addprefix replay/,ahead ahead_names ahead_sizes compile compile_fd compile_handle compile_path compile_process compile_ring \
		compile_state handles map model model_learn model_way ops order planning slab spool texts)
AS_ONE := $(AS_ONE_$(VARIANT):%=$(B)/%.o)
$(AS_ONE): CFLAGS += -flto -ffat-lto-objects

$(PROGRAM): $(B)/bin/iorig.o $(B)/libiorig.a
	@echo "LD $@"
	@$(CC) $(LDFLAGS) $(if $(AS_ONE),-O2 -flto -flto-partition=one,-fno-lto) -o $@ $^ $(LIBS)

$(B)/libiorig.a: $(OBJECTS)
	@rm -f $@
	@ar qcs $@ $^

$(B)/%.o: %.c | $(SKELS)
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(CFLAGS) -c -o $@ $<

# The BPF part: compiled once for the kernel's virtual machine, embedded as a generated skeleton header.
$(B)/capture/%.bpf.o: capture/%.bpf.c $(wildcard capture/*.h trace/ops.h lib/hist.h)
	@mkdir -p $(@D)
	$(CLANG) -target bpf -mcpu=v3 -O2 -g -Wall -Werror -I. -I/usr/include/$(shell uname -m)-linux-gnu -D__TARGET_ARCH_x86 -c -o $@ $<

$(B)/capture/%.skel.h: $(B)/capture/%.bpf.o
	/usr/sbin/bpftool gen skeleton $< name $*_bpf >$@

# The report page's style and script, embedded by the assembler.
$(B)/results/html.o: $(wildcard results/html/*)

units: $(UNITS) $(HELPERS)

# Small programs that make ground truth for the tests; nothing of iorig is linked in.
build/helpers/%: tests/helpers/%.c $(wildcard tests/helpers/*.h)
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -g -O1 -D_GNU_SOURCE -Wall -Wextra -Werror -o $@ $< -luring -lpthread

$(B)/tests/%: tests/unit/%.c $(B)/libiorig.a
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -fno-lto $(LDFLAGS_$(filter-out release,$(VARIANT))) -o $@ $< $(B)/libiorig.a -lcmocka $(LIBS)

deps: ## install what iorig needs (Debian packages, as root)
	sh tests/deps.sh

demo: ## record a real program, boot a test box, sweep, show the matrix
	sh tests/demo.sh

test: ## the whole test suite; what cannot run here is skipped with its reason
	sh tests/run.sh

test-long: ## fuzzers, kill loops, every box test
	sh tests/run.sh long

bench: ## ratios against peers, measured in the same run
	sh tests/bench/run.sh

# libFuzzer targets, one program each in build/fuzz/, which are VARIANT=fuzz: Clang, with all sources under ASan and UBSan.
fuzz: ## build the fuzz targets; tests/long/fuzz.bats runs them
	@$(MAKE) -s VARIANT=fuzz fuzzers

FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzzers: $(FUZZERS)
$(B)/fuzz_%: tests/fuzz/fuzz_%.c $(B)/libiorig.a
	@echo "FUZZ $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libiorig.a $(LIBS)

lint: ## shellcheck, cppcheck, mandoc, duplicate code
	sh tests/lint.sh

install: all ## install to $(PREFIX)
	install -D -m 755 bin/iorig $(DESTDIR)$(PREFIX)/bin/iorig
	sh tests/install-share.sh $(DESTDIR)$(PREFIX)

clean: ## remove everything that was built
	rm -rf build bin/iorig bin/iorig-sanitize bin/iorig-tsan

-include $(shell find build -name '*.d' 2>/dev/null)
