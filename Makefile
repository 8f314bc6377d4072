# `make` prints what there is. All but check and sam-* needs Go and what the README names, nothing more.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

# Whatever GOFLAGS the machine has set, these are used: they work on every package and platform.
export GOFLAGS := -buildvcs=false
# What is deployed runs on arm64, or on x86_64 where an emulator on such a machine shall run it.
ARCHITECTURE ?= arm64
# What `make build` and `sam build` build with: small, the same on every machine, and not made anew when only
# the commit changed.
DEPLOYED := CGO_ENABLED=0 GOOS=linux GOARCH=$(if $(filter x86_64,$(ARCHITECTURE)),amd64,arm64) \
            GOFLAGS="-buildvcs=false -trimpath -tags=lambda.norpc -ldflags=-s"

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
AWS_SAM_CLI := 1.170.0

# The region is for the linter alone: nothing is asked of AWS.
SAM := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .venv/bin/sam
WITH_DYNAMODB := go run ./scripts/dynamodblocal/run --

FUNCTIONS := $(patsubst %/main.go,%,$(wildcard functions/*/*/main.go))
FUZZTIME ?= 10s

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Run the whole system here: API on port 8000, SIP on port 5060, data in .local/
	@echo "building the runner; the first time takes about a minute"
	@go build -o .build/runner ./scripts/local && exec .build/runner

.PHONY: test
test: ## Run all tests against one in-memory DynamoDB
	$(WITH_DYNAMODB) go test -json ./... | go run ./scripts/testsum

.PHONY: race
race: ## Run all tests with the race detector; needs a C compiler
	$(WITH_DYNAMODB) go test -race -json ./... | go run ./scripts/testsum

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s)
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' functions scripts shared sip-edge | \
	while IFS=: read -r file declaration; do \
	    echo "$$file $${declaration#func }"; \
	    go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$${declaration#func }\$$" -fuzztime $(FUZZTIME); \
	done

.PHONY: bench
bench: ## Run all benchmarks against one in-memory DynamoDB
	$(WITH_DYNAMODB) go test -run '^$$' -bench . -benchmem ./...

.PHONY: check
check: ## Check format, vet, staticcheck, go.mod, tree and template; what CI runs before the tests
check: check-format check-go check-tree check-template

.PHONY: check-format
check-format:
	@unformatted=$$(gofmt -l functions scripts shared sip-edge); \
	[ -z "$$unformatted" ] || { echo "not formatted with gofmt:"; echo "$$unformatted"; exit 1; }

.PHONY: check-go
check-go:
	go vet ./...
	go run $(STATICCHECK) ./...
	go mod tidy -diff

.PHONY: check-tree
check-tree:
	go test ./scripts/check

# Where Python can make no virtual environment, SAM is left out with a word; CI does not leave it out.
.PHONY: check-template
check-template:
	@if [ -x .venv/bin/sam ] || [ -n "$${CI:-}" ] || python3 -c 'import ensurepip, venv' 2>/dev/null; \
	then $(MAKE) --no-print-directory sam-validate sam-build && \
	    cmp .build/functions/devices/get/bootstrap .aws-sam/build/DevicesGetFunction/bootstrap; \
	else echo "check-template: left out, since this Python cannot make virtual environments (Debian: python3-venv)"; fi

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the code calls; asks vuln.go.dev
	go run $(GOVULNCHECK) ./...

.PHONY: build
build: ## Build what is deployed under .build/, for linux on ARCHITECTURE (arm64)
	@$(DEPLOYED) go build ./functions/... ./sip-edge # compiles what they share once
	@$(MAKE) --no-print-directory --jobs="$$(getconf _NPROCESSORS_ONLN)" binaries

.PHONY: binaries
binaries: $(FUNCTIONS:%=.build/%/bootstrap) .build/sip-edge/sip-edge

.build/functions/%/bootstrap: FORCE
	@$(DEPLOYED) go build -o $@ ./functions/$*

.build/sip-edge/sip-edge: FORCE
	@$(DEPLOYED) go build -o $@ ./sip-edge

# Go itself knows what is out of date.
.PHONY: FORCE
FORCE:

.PHONY: sam-validate
sam-validate: .venv/bin/sam ## Lint template.yaml
	$(SAM) validate --lint

# After build, since SAM would compile what the functions share once for each. Not --cached: its cache does not
# see changes in shared/.
.PHONY: sam-build
sam-build: .venv/bin/sam build ## Build all functions with SAM, for `sam local` and `sam deploy`
	$(DEPLOYED) $(SAM) build --parallel --parameter-overrides Architecture=$(ARCHITECTURE)

.venv/bin/sam:
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check aws-sam-cli==$(AWS_SAM_CLI)

# LocalStack runs the functions on this machine's own processor.
.PHONY: localstack
localstack: ARCHITECTURE := $(if $(filter x86_64,$(shell uname -m)),x86_64,arm64)
localstack: export AWS_ENDPOINT_URL := http://localhost:4566
localstack: export AWS_ACCESS_KEY_ID := local
localstack: export AWS_SECRET_ACCESS_KEY := local
localstack: ## Deploy to LocalStack in Docker, with an edge beside it (compose.yaml)
	docker compose up --detach --wait localstack
	$(MAKE) --no-print-directory sam-build ARCHITECTURE=$(ARCHITECTURE)
	$(SAM) deploy --stack-name dialplane --resolve-s3 --capabilities CAPABILITY_IAM --no-confirm-changeset --no-fail-on-empty-changeset \
	    --parameter-overrides Architecture=$(ARCHITECTURE) AwsEndpointUrl=http://localhost.localstack.cloud:4566
	outputs=$$($(SAM) list stack-outputs --stack-name dialplane --output json); \
	output() { .venv/bin/python -c 'import json, sys; print({o["OutputKey"]: o["OutputValue"] for o in json.load(sys.stdin)}[sys.argv[1]])' "$$1" <<<"$$outputs"; }; \
	CORE_TABLE=$$(output CoreTableName) REGISTRATIONS_TABLE=$$(output RegistrationsTableName) docker compose up --detach --build edge

.PHONY: clean
clean: ## Remove what was built; keeps .local/ (data of make run), .tools/ and .venv/
	rm -rf .build .aws-sam
