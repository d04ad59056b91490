# SPDX-License-Identifier: Apache-2.0

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Versions of the tools that are not libraries of this module. They are installed into $(TOOLS), only when missing.
GOLANGCI_LINT_VERSION := v2.15.0
BENCHSTAT_VERSION := v0.0.0-20260908200009-22c9c6c9d4da

TOOLS := $(CURDIR)/.tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# What to test or to measure, and how: make test PACKAGES=./jobs/... FLAGS=-v
PACKAGES ?= ./...
FLAGS ?=
# What generation writes to, besides zz_generated.* files.
GENERATED := apis apiserver/images

golangci_lint := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)
benchstat := $(TOOLS)/benchstat-$(BENCHSTAT_VERSION)

##@ Use

.PHONY: help
help: ## Show this menu.
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/goldsmith, one static file.
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/goldsmith ./cmd/goldsmith

.PHONY: demo
demo: build ## Start everything, build the examples, show the result, stop.
	bin/goldsmith demo

##@ Develop

.PHONY: test
test: build ## Run every test that needs no Docker, with the race detector.
	go test -race -count=1 -timeout 15m $(FLAGS) $(PACKAGES)

.PHONY: bench
bench: $(benchstat) ## Run the benchmarks; figures in bin/bench.txt.
	@mkdir -p bin
	go test -run '^$$' -bench . -timeout 60m $(FLAGS) $(PACKAGES) | tee bin/bench.txt
	$(benchstat) bin/bench.txt

.PHONY: generate
generate: ## Regenerate everything that is generated.
	TOOLS=$(TOOLS) apis/generate.sh
	go test -count=1 ./cmd/goldsmith/up -run '^TestOpenAPI' -update

.PHONY: verify
verify: verify-generated verify-imports verify-tidy vet lint ## Run all the checks below.

##@ Checks

.PHONY: verify-generated
verify-generated: ## Generated code is fresh (in a copy: this tree stays as it is).
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && \
	git ls-files -z --cached --others --exclude-standard | \
	  while IFS= read -r -d '' file; do if [ -e "$$file" ]; then printf '%s\0' "$$file"; fi; done | \
	  tar --create --null --files-from=- | tar --extract --directory "$$copy" && \
	$(MAKE) --no-print-directory -C "$$copy" generate TOOLS=$(TOOLS) && \
	for path in $(GENERATED); do \
	  diff --recursive --unified "$$path" "$$copy/$$path" || { echo "$$path is stale: run make generate"; exit 1; }; \
	done

.PHONY: verify-imports
verify-imports: ## Imports run one way.
	go test -count=1 ./cmd -run '^TestImports'

.PHONY: verify-tidy
verify-tidy: ## go.mod and go.sum are tidy.
	go mod tidy -diff

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: lint
lint: $(golangci_lint) ## golangci-lint
	$(golangci_lint) run ./...

##@ Clean

.PHONY: clean
clean: ## Remove what was built; tools and data (.goldsmith) stay.
	rm -rf bin

$(golangci_lint):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))

$(benchstat):
	$(call install,golang.org/x/perf/cmd/benchstat@$(BENCHSTAT_VERSION))

# install PACKAGE@VERSION as the target: a file with the version in its name is there once and for all.
define install
	@mkdir -p $(TOOLS)
	@directory=$$(mktemp -d) && trap 'rm -rf "$$directory"' EXIT && \
	echo "installing $(1)" && GOBIN=$$directory GOFLAGS=-mod=mod go install $(1) && mv "$$directory"/* $@
endef
