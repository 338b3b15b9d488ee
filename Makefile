# dropwatch: `make help` lists what can be made.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
FUZZTIME ?= 10000x
PREFIX ?= /usr/local
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
GO := go

.DEFAULT_GOAL := help
.PHONY: help build run install test setup lint unit fuzz bench bench-vm bench-watch clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/dropwatch (static) and its other name bin/dwdump
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X dropwatch/internal/app.Version=$(VERSION)' -o bin/dropwatch ./cmd/dropwatch
	ln -sf dropwatch bin/dwdump

run: build ## build and start dropwatch, with sudo if needed
	$(SUDO) bin/dropwatch

install: build ## install the program, its manual page and bash completion below PREFIX (/usr/local)
	install -D bin/dropwatch $(DESTDIR)$(PREFIX)/sbin/dropwatch
	ln -sf dropwatch $(DESTDIR)$(PREFIX)/sbin/dwdump
	bin/dropwatch help --man | install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/man/man8/dropwatch.8
	bin/dropwatch completion bash | install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dropwatch

test: setup lint unit fuzz ## run everything: lint, unit tests, real kernels in guests, a short fuzz of each target

setup: ## install what the tests need, and fetch the kernels for the guests (once)
	@internal/vmtest/setup.sh || { echo "make: the tests in guests cannot run, see above"; [ -z "$$CI" ]; }

lint: ## gofmt, go vet (Linux and macOS), staticcheck
	@test -z "$$(gofmt -l cmd internal kallsyms netlink)" || { echo "not gofmt'ed:"; gofmt -l cmd internal kallsyms netlink; exit 1; }
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	$(GO) tool staticcheck ./...

# In CI nothing may be skipped; elsewhere what was skipped is listed, and why.
unit: ## the tests, under the race detector, with those on real kernels
	@mkdir -p bin
	$(if $(CI),DROPWATCH_REQUIRE_ALL=1 )$(GO) tool gotestsum --format pkgname --jsonfile bin/test.json -- -race -timeout 30m ./...
	@if [ -n "$(CI)" ] && grep -q '"Action":"skip".*"Test":' bin/test.json; then echo "skipped in CI, which may not be, see above"; exit 1; fi

fuzz: ## fuzz each target, FUZZTIME is how often or how long
	@mkdir -p bin; $(GO) list -f '{{.ImportPath}}' ./... | while read -r pkg; do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg >bin/fuzz.log 2>&1 || { cat bin/fuzz.log; exit 1; }; \
		done || exit 1; \
	done

bench: ## benchmarks on this machine
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-vm: ## the C dropwatch and ours side by side in a guest: shown, lost, CPU, memory, start
	$(GO) test -count 1 -v -run 'TestKernels/6.1$$/TestGuestCost' ./internal/vmtest

bench-watch: ## watch, perf and bpftrace side by side on this machine: drops a second, CPU, what is lost
	$(GO) test -count 1 -v -run '^$$' -bench '^BenchmarkWatch$$' -benchtime 1x -timeout 20m ./cmd/dropwatch

clean: ## remove what was built
	rm -rf bin
