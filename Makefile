# dropwatch: `make help` lists what can be made.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
FUZZTIME ?= 10000x
PREFIX ?= /usr/local
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
GO := go

.DEFAULT_GOAL := help
.PHONY: help build run install test quick setup lint unit guests guest fuzz bench bench-vm bench-points bench-watch zoo clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# HTTP/2 is left out, 0.4 MB that no request of the program uses.
build: ## build bin/dropwatch (static) and its other name bin/dwdump
	CGO_ENABLED=0 $(GO) build -trimpath -tags nethttpomithttp2 -ldflags '-s -w -X dropwatch/internal/app.Version=$(VERSION)' -o bin/dropwatch ./cmd/dropwatch
	ln -sf dropwatch bin/dwdump

run: build ## build and start dropwatch, with sudo if needed
	$(SUDO) bin/dropwatch

install: build ## install the program, its manual page and bash completion below PREFIX (/usr/local)
	install -D bin/dropwatch $(DESTDIR)$(PREFIX)/sbin/dropwatch
	ln -sf dropwatch $(DESTDIR)$(PREFIX)/sbin/dwdump
	bin/dropwatch help --man | install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/man/man8/dropwatch.8
	bin/dropwatch completion bash | install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dropwatch
	ln -sf dropwatch $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dwdump

test: setup ## run everything: lint, unit tests, real kernels in guests, a short fuzz of each target
	$(MAKE) -j 2 unit idle-lint
	$(MAKE) -j 2 guests idle-fuzz

# What needs nothing but CPU time gets what the tests leave: these wait for the kernel and for each other.
idle-%:
	nice -n 19 $(MAKE) $*

setup: ## install what the tests need, and fetch the kernels for the guests (once)
	@internal/vmtest/setup.sh || { echo "make: the tests in guests cannot run, see above"; [ -z "$$CI" ]; }

lint: ## gofmt, go vet (Linux and macOS), all checks of staticcheck
	@test -z "$$(gofmt -l cmd internal kallsyms netlink)" || { echo "not gofmt'ed:"; gofmt -l cmd internal kallsyms netlink; exit 1; }
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	$(GO) tool staticcheck -checks all ./...

# The packages whose tests boot guests, and the others.
GUEST_PKGS := ./internal/acceptance ./internal/vmtest
UNIT_PKGS = $$($(GO) list ./... | grep -v -x $(GUEST_PKGS:./%=-e dropwatch/%))

# run_tests runs "go test" with the format $(1), the packages $(2) and the arguments $(3), and lists what
# was skipped and why. In CI nothing may be skipped. If a few tests failed, none of them by a data race, they
# are run once more, alone, as a slow machine is no fault; which these were is listed. Lint has go vet's findings.
define run_tests
	@mkdir -p bin; rm -f bin/$@.rerun
	$(if $(CI),DROPWATCH_REQUIRE_ALL=1 )$(GO) tool gotestsum --jsonfile bin/$@.json --format $(1) --packages "$(2)" \
		--rerun-fails=1 --rerun-fails-max-failures 15 --rerun-fails-abort-on-data-race --rerun-fails-report bin/$@.rerun -- -vet off $(3)
	@if [ -s bin/$@.rerun ]; then echo "failed, and were run once more:"; cat bin/$@.rerun; fi
	@if [ -n "$(CI)" ] && grep -q '"Action":"skip".*"Test":' bin/$@.json; then echo "skipped in CI, which may not be, see above"; exit 1; fi
endef

quick: ## the tests that need neither root nor guests, in under a minute
	$(GO) test -short ./...
	@echo "make: quick leaves out what needs root (make unit) and other kernels (make guests)"

# Four packages at a time, as most of them wait: one test at a time may have network namespaces (package drops).
unit: ## the tests on this kernel, under the race detector: as root, all of them
	$(call run_tests,pkgname,$(UNIT_PKGS),-race -p 4 -timeout 20m)

guests: ## the tests on real kernels, each of which is booted three times
	$(call run_tests,testname,$(GUEST_PKGS),-count 1 -p 1 -timeout 60m)

guests guest: export DROPWATCH_GUESTS = 1

guest: ## some of them: make guest KERNEL=6.1 PACKAGE=source.bpf RUN=TestGuestConditions
	$(GO) test -count 1 -v -timeout 60m -run 'TestKernels/$(KERNEL)$$/$(PACKAGE)/($(or $(RUN),^TestGuest))' ./internal/acceptance

zoo: ## real losses and what diagnose says of each; KERNEL=6.1: in a guest, beside what the C dropwatch shows
	$(if $(KERNEL),DROPWATCH_ZOO=1 $(MAKE) guest PACKAGE=zoo RUN=TestGuestZoo,$(SUDO) env "PATH=$$PATH" $(GO) test -count 1 -v -run '^TestZoo$$' ./internal/zoo)

# Two at a time, with a process each: most of the time goes into building, and into reading what is known.
fuzz: ## fuzz each target, FUZZTIME is how often or how long
	@mkdir -p bin/fuzz; grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:func | |' | sort | \
		xargs -P 2 -L 1 sh -c 'echo "$$0 $$1"; log=bin/fuzz/$$1-$$$$.log; \
			$(GO) test -vet off -run "^$$" -fuzz "^$$1$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x -parallel 1 $$0 >$$log 2>&1 && exit; \
			cat $$log; exit 255'

bench: ## benchmarks on this machine
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-vm: ## the C dropwatch and ours side by side in a guest, three times: shown, lost, CPU, memory, start
	DROPWATCH_GUESTS=1 $(GO) test -count 3 -v -run 'TestKernels/6.1$$/acceptance/TestGuestCost' ./internal/acceptance

bench-points: ## what a point costs whose condition is false, in instructions of each call; KERNEL=6.12: on this one
	DROPWATCH_GUESTS=1 DROPWATCH_COUNTED=1 $(GO) test -count 1 -v -run 'TestKernels/$(KERNEL)$$/source.probe$$/TestGuestCost$$' ./internal/acceptance

bench-watch: ## watch, perf and bpftrace side by side on this machine: drops a second, CPU, what is lost
	$(GO) test -count 1 -v -run '^$$' -bench '^BenchmarkWatch$$' -benchtime 1x -timeout 20m ./cmd/dropwatch

clean: ## remove what was built
	rm -rf bin
