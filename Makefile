# Everything that is done with this repository is a target here; `make` alone explains them.

GO ?= go

# The architecture that the functions are deployed on. It is kept from the recipes' environment, so
# that the tools which run on this machine are always built for this machine.
GOARCH ?= arm64
unexport GOARCH

# How many seeds `make simulate` runs, or the one that it runs.
SEEDS ?= 200
SEED ?=

# Before one of how many writes `make killed` kills the process; 1 is before each of them.
EVERY ?= 12

# How long each fuzz target runs in `make fuzz`.
FUZZTIME ?= 5s

# Which cluster `make demo` tells of: ecs, swarm or kubernetes (in EKS). With REAL=1 it adopts a real
# one of Kubernetes, or makes a swarm of real engines.
ORCHESTRATOR ?= ecs
REAL ?=

# What a real cluster has to have, or is run by.
REAL_kubernetes := bin/testbed-kubernetes
REAL_swarm := testbed-swarm-packages

# Arguments for `make run`, `make demo`, `make simulate` and `make bench-cold`.
ARGS ?=

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# What a function's binary is made with. VCS stamps would make the same code differ by commit.
FLAGS := -trimpath -buildvcs=false -tags lambda.norpc -ldflags "-s -w"
FUNCTIONS := $(patsubst functions/%/lambda/main.go,%,$(wildcard functions/*/lambda/main.go))

# The doors are woken by callers and events, so the size of their binaries is bounded.
DOORS := api alarm pipeline trail
DOOR_BYTES_MAX := 12000000

# Packages with goroutines of their own, and those that drive all of it at once. Simulations are the
# same goroutines many times over.
RACE = ./cmd/... ./shared/store/... ./shared/session/... ./functions/... \
	$(shell $(GO) list ./local/... | grep -v /simulate)

# Packages with tests against a real Kubernetes, which have the build tag testbed.
KUBERNETES = ./local/testbed/kubernetes ./shared/kubernetes ./local/kubernetes ./local/story/adopted

# Packages with tests against real Docker engines, with the same build tag. They need root.
SWARM = ./local/testbed/swarm ./shared/swarm ./local/testbed/instances ./local/swarm

.DEFAULT_GOAL := help
.PHONY: help
help: ## Explain the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-22s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: bin/portolan ## Run the control plane as one process on this machine: make run ARGS="--speed 60".
	@exec bin/portolan local $(ARGS)

.PHONY: demo
demo: bin/portolan $(if $(REAL),$(REAL_$(ORCHESTRATOR))) ## Tell the whole story, and check each step: make demo ORCHESTRATOR=swarm REAL=1.
	@exec $(if $(REAL),$(filter bin/%,$(REAL_$(ORCHESTRATOR)))) bin/portolan demo --orchestrator $(ORCHESTRATOR) $(if $(REAL),--real) $(ARGS)

.PHONY: test
test: ## Run all tests.
	$(GO) test ./...

.PHONY: build
build: $(FUNCTIONS:%=build/%/bootstrap) ## Write build/<function>/bootstrap for linux/arm64; GOARCH chooses another.

.PHONY: deploy
deploy: ## Build with SAM and deploy; the first time make deploy ARGS=--guided.
	sam build && sam deploy $(ARGS)

.PHONY: check
check: test lint generated sizes validate demo conformance simulate killed race fuzz conformance-kubernetes conformance-swarm bench-cold ## All of CI.

.PHONY: lint
lint: ## Check the form of the code: gofmt, go vet, staticcheck.
	@unformatted=$$(gofmt -l bench cmd events functions local shared stacks *.go) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet -tags testbed ./...
	$(GO) run $(STATICCHECK) -tags testbed ./...

.PHONY: generate
generate: ## Write the generated files again: types from openapi.yaml, its schemas.
	$(GO) generate ./...

.PHONY: generated
generated: ## Check that the generated files and go.mod are up to date.
	$(GO) mod tidy -diff
	.ci/generated

.PHONY: sizes
sizes: build ## Check that each door's binary is under 12 MB.
	@for door in $(DOORS); do \
		bytes=$$(wc -c < build/$$door/bootstrap) || exit 1; \
		echo "$$door: $$bytes bytes"; \
		if [ "$$bytes" -ge $(DOOR_BYTES_MAX) ]; then echo "$$door is not under $(DOOR_BYTES_MAX) bytes"; exit 1; fi; \
	done

.PHONY: validate
validate: ## Check template.yaml, the machines and the stacks; says what was checked by what.
	.ci/validate

.PHONY: conformance
conformance: ## Compare the embedded Step Functions with recorded answers, feature by feature.
	$(GO) test ./local/states -run TestConformance -v -count 1

.PHONY: conformance-kubernetes
conformance-kubernetes: testbed-kubernetes-build ## Run what is tested against a real Kubernetes.
	$(GO) test -tags testbed -count 1 $(KUBERNETES)

.PHONY: testbed-kubernetes
testbed-kubernetes: bin/testbed-kubernetes ## Run a real Kubernetes with nodes that are played: ARGS="-nodes 5".
	@exec bin/testbed-kubernetes $(ARGS)

.PHONY: testbed-kubernetes-build
testbed-kubernetes-build: bin/testbed-kubernetes ## Build that Kubernetes, which takes minutes the first time.
	@exec bin/testbed-kubernetes -build

.PHONY: conformance-swarm
conformance-swarm: testbed-swarm-packages ## Run what is tested against real Docker engines, as root.
	$(GO) test -tags testbed -count 1 -timeout 30m $(SWARM)

.PHONY: testbed-swarm
testbed-swarm: testbed-swarm-packages ## Run real Docker engines on a network of their own, as root: ARGS="-engines 5".
	@exec bin/testbed-swarm $(ARGS)

.PHONY: testbed-swarm-packages
testbed-swarm-packages: bin/testbed-swarm ## Install what they need from Debian's packages, where it is missing.
	.ci/swarm-packages bin/testbed-swarm

.PHONY: race
race: ## Run the tests of what is concurrent with the race detector.
	$(GO) test -race -timeout 20m $(RACE)

.PHONY: fuzz
fuzz: ## Run each fuzz target for a few seconds: make fuzz FUZZTIME=1m.
	.ci/fuzz $(FUZZTIME)

.PHONY: simulate
simulate: ## Try to break the promises: make simulate SEEDS=200, or SEED=17 for one.
	.ci/simulate $(or $(SEED),1) $(or $(SEED),$(SEEDS)) $(ARGS)

.PHONY: simulate-night
simulate-night: ## Try to break the promises for an hour, with seeds of the day's own.
	.ci/simulate 1 1 -for 1h

.PHONY: killed
killed: ## Kill the process before drawn writes of each cluster's life: make killed EVERY=1 for all of them.
	$(GO) test -count 1 -timeout 1h -run '^TestKilledAnywhere$$' ./local -every $(EVERY)

.PHONY: bench-cold
bench-cold: ## Measure how fast functions start beside a bare one; fails when a door takes over 2.5 times as long.
	$(GO) run ./bench/cold $(ARGS)

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin build .aws-sam

# Go knows better than make what is out of date.
.PHONY: always
always:

bin/testbed-kubernetes: always
	@$(GO) build -buildvcs=false -o $@ ./local/testbed/kubernetes/run

bin/testbed-swarm: always
	@$(GO) build -buildvcs=false -o $@ ./local/testbed/swarm/run

bin/portolan: always
	@$(GO) build -buildvcs=false -o $@ ./cmd/portolan

build/%/bootstrap: always
	GOOS=linux GOARCH=$(GOARCH) CGO_ENABLED=0 $(GO) build $(FLAGS) -o $@ ./functions/$*/lambda

# `sam build` calls these, one for each function and layer of template.yaml, in a copy of the repository.
build-%Function build-%Layer: always
	@name=$$(echo $* | tr A-Z a-z) && set -x && \
	GOOS=linux GOARCH=$(GOARCH) CGO_ENABLED=0 $(GO) build $(FLAGS) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$$name/lambda
