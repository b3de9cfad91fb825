# The targets that people use; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
LINT := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/jmsbridge-test/golangci-lint-v2.15.0/golangci-lint
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 30s
SCALE ?= 5

.PHONY: help build test lint fmt fuzz soak bench-spine bench-targets bench-reply demo

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/jmsbridge, a static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/jmsbridge ./cmd/jmsbridge

test: ## set up real brokers and AWS endpoints, and run every test; under 25 minutes
	./test/run.sh

lint: ## vet and golangci-lint
	./test/run.sh lint

fmt: ## format the code
	@test -x $(LINT) || ./test/run.sh lint >/dev/null 2>&1 || true
	$(LINT) fmt

fuzz: ## run each fuzz test for FUZZTIME (30s)
	@for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for name in $$(grep -h -o '^func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | sed 's/^func //'); do \
			echo "== $$pkg $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

soak: ## longer runs: 20,000 simulator seeds, 10,200 requests a cell, and the end-to-end tests SCALE (5) times as large
	go test -timeout 4h -run Simul ./bridge -sim.seeds 20000
	JMSBRIDGE_E2E_SCALE=34 go test -tags integration -v -timeout 2h -run '^TestJavaRequestersAreAnswered$$' ./test/e2e
	JMSBRIDGE_E2E_SCALE=$(SCALE) go test -tags integration -v -timeout 6h ./test/e2e

bench-spine: ## compare with a bare loop: rate, CPU, memory; STOMP to SQS on real brokers
	go run ./test/bench

bench-targets: ## compare each kind of target with a bare loop over AWS's SDK
	go run ./test/bench/targets

bench-reply: ## compare round trips through jmsbridge and Lambda with a responder in Java
	go run ./test/bench/reply

demo: ## see it work, in one process
	go run ./cmd/jmsbridge demo
