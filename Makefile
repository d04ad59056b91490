# SPDX-License-Identifier: Apache-2.0

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Versions of the tools that are not libraries of this module. They are installed into $(TOOLS), only when missing.
GOLANGCI_LINT_VERSION := v2.15.0
K9S_VERSION := v0.50.18
KYVERNO_VERSION := v1.19.1
BENCHSTAT_VERSION := v0.0.0-20260908200009-22c9c6c9d4da
CRD_REF_DOCS_VERSION := v0.3.0
HELM_VERSION := v4.3.1
# Programs of Debian packages, for amd64. If the archive of Debian has a later version, the pinned one comes from its snapshots.
DEBIAN ?= http://deb.debian.org/debian
DEBIAN_SNAPSHOT ?= https://snapshot.debian.org/archive/debian/20261128T000000Z
COSIGN_VERSION := 3.1.1-2
COSIGN_SHA256 := d8622ebffce1d69197288fc030ff06a4c247af5507107f85c5a878870b686b23
COSIGN_2_VERSION := 2.5.0-2+b5
COSIGN_2_SHA256 := 3b6eadd27f3c4c00bfa7eab5c2397a6a15a763630c7a1d40d06ff60d24799eef
ORAS_VERSION := 1.2.0-1+b9
ORAS_SHA256 := 5f138419f0e4bc128ee4717b06190dc5770cf120ab7e3a991e5b3e9158f3189e
# skopeo is linked dynamically: these are its package and those of its libraries, so that every distribution runs it.
SKOPEO_VERSION := 1.18.0+ds1-1+b5
SKOPEO_PACKAGES := s/skopeo/skopeo_$(SKOPEO_VERSION)_amd64.deb:7ca44a3f31f3cddca9d9dc858029dd08c30faf6e93456753825509e6a59192e2 \
  g/gpgme1.0/libgpgme11t64_1.24.2-3_amd64.deb:6650203af59ccf73b22cd6904fb179a799cb70d62885b19ae725c0655c04241c \
  liba/libassuan/libassuan9_3.0.2-2_amd64.deb:9d78ef8f016e7f24b5e20d1ce91939fe0f1f897e5f9059793201e930ded7eb8e \
  libg/libgpg-error/libgpg-error0_1.51-4_amd64.deb:22b95570fd41c113ef6f5651563b4d748292844baab1278a46eb940c1dec2322 \
  s/sqlite3/libsqlite3-0_3.46.1-7+deb13u2_amd64.deb:0a459adaffd901109f7811ab65f58e7a957b4907d05539cf3d1184efdcde0468 \
  g/glibc/libc6_2.41-12+deb13u5_amd64.deb:b59b0625cd1a791375d40dab23a4d5d3d0641e3d0a773501becdc3725b7f99cf

# One way to compile for everything but the race detector, and no path of this clone in it: what one clone has compiled serves
# the next.
# Without debug information, which no program here ships, compiling takes a quarter less.
no_debug_information := -gcflags=all=-dwarf=false
export GOFLAGS := $(filter-out -trimpath $(no_debug_information),$(shell go env GOFLAGS)) -trimpath $(no_debug_information)
export CGO_ENABLED := 0

# Outside of the clone. The version of each tool is in the name of its file or folder, so clones at other versions may share it.
TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/goldsmith/tools
# The programs that a cluster runs, one container image each.
IMAGES := goldsmith-apiserver goldsmith-controller goldsmith-console mock-builder
# The cluster of kind-up and kind-down.
CLUSTER ?= goldsmith
# The registry, with a repository, to which push pushes, and from which clusters pull the images of a release.
REGISTRY ?=
# The URL below which the files of releases are downloaded, without the version. A release without it names a host that nobody has.
ADDRESS ?=
# The file with the private key that signs a release. Without it, a release is not signed.
SIGNING_KEY ?=
# The directory into which release writes.
OUTPUT ?= dist
# The overlay into which push writes the names of the images.
overlay := kustomize/overlays/default
# The version of a release has no default.
released := $(VERSION)
# The version of the programs, and the tag of their container images. Each change of the tree changes the version, except a
# change of the overlay: push writes the version there.
changes := git diff HEAD -- . ':!$(overlay)'
VERSION ?= $(shell git describe --tags --always 2>/dev/null || echo devel)$(shell test -z "$$($(changes) 2>/dev/null | head --bytes=1)" || \
  echo -$$($(changes) 2>/dev/null | sha256sum | head --bytes=8))
VERSION := $(VERSION)# asked once
# The packages to test or to measure, and flags of go test: make test PACKAGES=./jobs/... FLAGS=-v
PACKAGES ?= ./...
FLAGS ?=
# The duration of fuzzing for each target.
FUZZTIME ?= 30s
# The end-to-end specs to run, as a filter of labels: gate, smoke, catalog, builds, archive, records, api, security, faults, upgrade;
# by default all of these. With debian: the specs of the builder debian, which need mmdebstrap, bubblewrap, qemu-system-x86, ovmf and apt-cacher-ng.
LABELS ?=
# The number of runs of make stress, the number of CPUs that it keeps busy meanwhile, and the package of its specs:
# make stress SPEC='A build that fails' N=20 PACKAGE=./cmd/goldsmith/up/behaviour
N ?= 20
LOAD ?= 2
PACKAGE ?= ./e2e/suite
# The directories that generation writes to, besides zz_generated.* files.
GENERATED := apis apiserver/example docs/reference

kind := e2e/kind/cluster
# Compiles what specs install into a cluster, and the older kubectls that they run, so that no spec waits for it.
prepare := e2e/kind/kueue/prepare && e2e/kind/s3/prepare && e2e/kind/postgres/prepare && e2e/kubectl/kubectls >/dev/null
# Not empty if the specs of the builder debian are to be run.
debian := $(filter debian,$(LABELS))
tagged = $(addsuffix :$(VERSION),$(IMAGES))
golangci_lint := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)
# GOGC=400 collects garbage less often. Without a limit golangci-lint would use 17 GiB instead of 8 GiB. make verify runs it for one module at a time.
lint := GOGC=400 GOMEMLIMIT=8GiB $(golangci_lint) run --allow-serial-runners
k9s := $(TOOLS)/k9s-$(K9S_VERSION)
benchstat := $(TOOLS)/benchstat-$(BENCHSTAT_VERSION)
crd_ref_docs := $(TOOLS)/crd-ref-docs-$(CRD_REF_DOCS_VERSION)
helm := $(TOOLS)/helm-$(HELM_VERSION)
cosign := $(TOOLS)/cosign-$(COSIGN_VERSION)
cosign_2 := $(TOOLS)/cosign-$(COSIGN_2_VERSION)
oras := $(TOOLS)/oras-$(ORAS_VERSION)
skopeo := $(TOOLS)/skopeo-$(SKOPEO_VERSION)
kyverno := $(TOOLS)/kyverno-$(KYVERNO_VERSION)
# The programs of other people that verify signatures.
verifiers = COSIGN=$(cosign) COSIGN_2=$(cosign_2) ORAS=$(oras) SKOPEO=$(skopeo)

##@ Use

.PHONY: help
help: ## Show this menu.
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/goldsmith, one static file.
	$(call compile,bin/,./cmd/goldsmith)

.PHONY: demo
demo: build ## Start everything, build the examples, show the result, stop.
	bin/goldsmith demo

.PHONY: release
release: ## Write a release into dist, from a clean commit: make release VERSION=v0.1.0. ADDRESS is where its files are downloaded, REGISTRY where its images are pulled, SIGNING_KEY signs it.
	@cd release && go build -o ../bin/release/make .
	@bin/release/make -checkout=. -version='$(released)' -output='$(OUTPUT)' -address='$(ADDRESS)' -registry='$(REGISTRY)' -signing-key='$(SIGNING_KEY)'

##@ Use it in a cluster

.PHONY: kind-up
kind-up: images bin/install/kustomization.yaml ## Create a kind cluster with Goldsmith; needs no registry, installs Docker if it is missing.
	$(kind) up $(CLUSTER)
	$(kind) load $(CLUSTER) $(tagged)
	@tools=$$($(kind) tools) && kubectl="$$tools/kubectl --context kind-$(CLUSTER)" && \
	$$kubectl apply --kustomize bin/install >/dev/null && \
	$$kubectl wait apiservice --selector=app.kubernetes.io/part-of=goldsmith --for=condition=Available --timeout=3m && \
	echo "try: kubectl apply -f examples/ && kubectl get imgb -w"

.PHONY: kind-down
kind-down: ## Delete the cluster of kind-up.
	$(kind) down $(CLUSTER)

.PHONY: images
images: ## Build the container images for a cluster; needs Docker, but no registry.
	@e2e/kind/docker/start
	$(call compile,bin/images/,$(addprefix ./cmd/,$(IMAGES)))
	@for image in $(IMAGES); do \
	  log=$$(docker build --file cmd/Dockerfile --target $$image --build-arg VERSION=$(VERSION) --tag $$image:$(VERSION) bin/images 2>&1) || \
	    { echo "$$log"; exit 1; }; \
	  echo "$$image:$(VERSION)"; \
	done

.PHONY: debian-builder-image
debian-builder-image: ## Build the container image of the builder debian; needs Docker, mmdebstrap, bubblewrap and a mirror of Debian.
	$(call import,debian-builder)

.PHONY: goldsmith-tester-image
goldsmith-tester-image: ## Build the container image that tests images in virtual machines; needs what debian-builder-image needs.
	$(call import,goldsmith-tester)

.PHONY: push
push: ## Push the container images to REGISTRY, and write their names into kustomize/overlays/default.
	@test -n "$(REGISTRY)" || { echo "which registry? make images push REGISTRY=registry.example.com/goldsmith"; exit 1; }
	@for image in $(IMAGES); do \
	  docker tag $$image:$(VERSION) $(REGISTRY)/$$image:$(VERSION) && docker push $(REGISTRY)/$$image:$(VERSION) && \
	  sed -i "/- name: $$image\$$/{n;s#newName: .*#newName: $(REGISTRY)/$$image#;n;s#newTag: .*#newTag: $(VERSION)#}" \
	    $(overlay)/kustomization.yaml || exit 1; \
	done
	@echo "kubectl apply -k $(overlay) installs them"

# The overlay for kind, with the images that were built.
bin/install/kustomization.yaml: .FORCE
	@mkdir -p bin/install
	@{ echo 'resources: [../../kustomize/overlays/kind]' && echo 'images:' && \
	  for image in $(IMAGES); do echo "- {name: $$image, newTag: \"$(VERSION)\"}"; done; } > $@

.FORCE:

##@ Develop

.PHONY: test
test: ## Run the tests, long ones with fewer points; needs Go, make, git, jq, e2fsprogs and openssl. Unchanged packages come from the test cache.
	@rm -rf bin/reports/test && mkdir -p bin/reports/test
	@GOGC=400 go tool gotestsum --format=standard-quiet --junitfile=bin/reports/test/go.xml -- \
	  -short -vet=off -ldflags='-s -w' -timeout=20m -p $$(($$(nproc) * 2)) $(FLAGS) \
	  $(if $(filter ./...,$(PACKAGES)),./cmd/goldsmith/up/behaviour ./cmd/goldsmith ./cmd/goldsmith/up) $(PACKAGES) # the longest first; most wait more than they compute

.PHONY: test-all
test-all: ## Run all tests in full, with the race detector where there are goroutines; needs a C compiler and PostgreSQL.
	.ci/test-all '$(FLAGS)' $(PACKAGES)

.PHONY: e2e
e2e: build images $(if $(debian),debian-builder-image goldsmith-tester-image) ## Run the end-to-end suites on kind clusters of their own, or those of some labels: make e2e LABELS=gate
	@$(if $(E2E_KUBECONFIG),,$(kind) prepare)
	@$(if $(filter gate smoke catalog debian,$(LABELS)),,$(prepare))
	E2E_VERSION=$(VERSION) $(if $(debian),E2E_DEBIAN=true) E2E_KUBECTL='bin/goldsmith kubectl' e2e/suite/run '$(LABELS)' $(FLAGS)
	$(if $(debian),go test -tags e2e -count=1 -vet=off -timeout 40m -run '^(TestTheProgramSeesNothingElse|TestAptTakesPackagesForNamesOnly|TestEveryDebianCommand)' ./builders/debian ./builders/debian/sandbox ./cmd/goldsmith)

.PHONY: release-test
release-test: $(helm) ## Make two releases of snapshots, and install them on clean systems and in a kind cluster; needs root, mmdebstrap, bubblewrap, qemu-system-x86, lintian, piuparts, dpkg-dev, rpm, rpmlint and openssl.
	@mkdir -p bin/release && openssl ecparam -name prime256v1 -genkey -noout -out bin/release/signing.pem && openssl ec -in bin/release/signing.pem -pubout -out bin/release/signing.pub
	$(MAKE) --no-print-directory release VERSION=v0.0.1-snapshot OUTPUT=bin/release/first SIGNING_KEY=bin/release/signing.pem
	$(MAKE) --no-print-directory release VERSION=v0.0.2-snapshot OUTPUT=bin/release/second
	RELEASE=$(CURDIR)/bin/release/first RELEASE_KEY=$(CURDIR)/bin/release/signing.pub NEXT_RELEASE=$(CURDIR)/bin/release/second go test -tags e2e -count=1 -vet=off -timeout 60m -v $(FLAGS) ./e2e/release
	$(MAKE) --no-print-directory e2e-helm RELEASE=bin/release/first NEXT_RELEASE=bin/release/second

.PHONY: e2e-helm
e2e-helm: $(helm) ## Install the chart of the release in RELEASE in a kind cluster, upgrade it to that in NEXT_RELEASE, roll it back and uninstall it.
	e2e/release/helm $(or $(RELEASE),dist) $(NEXT_RELEASE) $(helm)

.PHONY: e2e-docs
e2e-docs: ## Run the commands of the docs that need a cluster, on a cluster of make kind-up.
	@mkdir -p bin/docs bin/reports/e2e-docs && export KUBECONFIG=$(CURDIR)/bin/docs/kubeconfig && \
	trap '$(kind) down goldsmith-docs' EXIT && \
	$(MAKE) --no-print-directory kind-up CLUSTER=goldsmith-docs && tools=$$($(kind) tools) && \
	PATH="$$tools:$$PATH" E2E_VERSION=$(VERSION) go tool gotestsum --format=standard-quiet --junitfile=bin/reports/e2e-docs/go.xml -- \
	  -tags e2e -count=1 -vet=off -timeout 40m $(FLAGS) ./cmd/goldsmith -run '^TestEveryClusterCommand'

.PHONY: e2e-browser
e2e-browser: $(if $(filter gate,$(LABELS)),,$(k9s) verify-console) ## Run the specs of web pages and of k9s, or those of some labels; needs Chromium (on Debian: chromium), npm and less, with LABELS=gate only Chromium.
	@rm -rf bin/reports/e2e-browser && mkdir -p bin/reports/e2e-browser
	K9S=$(k9s) go tool ginkgo run --tags=e2e --label-filter='browser$(if $(LABELS), && ($(LABELS)))' --timeout=20m --output-dir=bin/reports/e2e-browser --junit-report=junit.xml $(FLAGS) \
	  ./e2e/browser $(if $(filter gate,$(LABELS)),,./e2e/clients/k9s)

.PHONY: screenshots
screenshots: ## Draw each page of the console at three widths in both colour schemes into bin/screenshots, and the pictures of the docs; needs Chromium.
	@rm -rf bin/screenshots && mkdir -p bin/screenshots/docs
	SCREENSHOTS=$(CURDIR)/bin/screenshots go tool ginkgo run --tags=e2e --focus='has pages that axe' --timeout=20m $(FLAGS) ./e2e/browser
	@install -D --mode=644 --target-directory=docs/console bin/screenshots/docs/*

.PHONY: proof-test
proof-test: $(cosign) $(cosign_2) $(oras) $(skopeo) ## Let cosign, oras, skopeo and openssl verify what is published, without the network; needs Debian or Ubuntu on amd64.
	@rm -rf bin/reports/proof-test && mkdir -p bin/reports/proof-test
	@$(verifiers) go tool gotestsum --format=standard-quiet --junitfile=bin/reports/proof-test/go.xml --raw-command -- \
	  go test -C e2e/clients -tags e2e -json -vet=off -ldflags='-s -w' -skip Kyverno $(FLAGS) ./proof

.PHONY: kyverno-test
kyverno-test: $(kyverno) $(oras) ## Let Kyverno apply the policy of the docs to what is published, without the network; compiles it for ten minutes once.
	@rm -rf bin/reports/kyverno-test && mkdir -p bin/reports/kyverno-test
	@KYVERNO=$(kyverno) go tool gotestsum --format=standard-quiet --junitfile=bin/reports/kyverno-test/go.xml --raw-command -- \
	  go test -C e2e/clients -tags e2e -json -vet=off -ldflags='-s -w' -run Kyverno $(FLAGS) ./proof

.PHONY: images-test
images-test: build ## Test the builder debian with 300 packages, Secure Boot, and ten builds at once, and the tester with its disks; needs mmdebstrap, bubblewrap, qemu-system-x86, ovmf and apt-cacher-ng.
	go test -tags e2e -count=1 -vet=off -timeout 60m -v $(FLAGS) ./e2e/images

.PHONY: tilt-ci
tilt-ci: ## Run the loop of `tilt up` once, as a check, on a kind cluster of its own.
	e2e/tilt/ci

.PHONY: recording
recording: build $(k9s) ## Record docs/recording/session.json and k9s.json, as docs/recording.svg for the README and docs/k9s.svg.
	cd docs/recording && go run . -program $(CURDIR)/bin/goldsmith -k9s $(k9s)

.PHONY: slowest
slowest: ## Show the ten slowest tests and specs of the last runs of targets, from their JUnit reports.
	@{ grep --recursive --include='*.xml' '<testcase ' bin/reports || true; } | sed -nE 's#^bin/reports/([^/]*)/.*<testcase( .*)? name="([^"]*)".* time="([0-9]+\.?[0-9]?).*#\4 \1: \3#p' | \
	  sort --numeric-sort --reverse | awk '{ name = $$0; sub(/^[^ ]* /, "", name) } !seen[name]++ && n++ < 10'

.PHONY: stress
stress: $(if $(filter ./e2e/suite,$(PACKAGE)),build images) ## Repeat specs beside a load until one fails: make stress SPEC='text of a spec' N=20
	@trap 'kill $$(jobs -p) 2>/dev/null || true' EXIT; for ((i = 0; i < $(LOAD); i++)); do sha256sum /dev/zero & done; E2E_VERSION=$(VERSION) E2E_KUBECTL='bin/goldsmith kubectl' \
	  go tool ginkgo run --tags=e2e --procs=4 --repeat=$$(($(N) - 1)) --focus="$${SPEC:-}" --label-filter="$${LABELS:-}" --timeout=12h $(FLAGS) $(PACKAGE)

.PHONY: chaos
chaos: $(if $(filter kind,$(TARGET)),images,build) ## Inject faults into `goldsmith up` or a kind cluster while users build and delete: make chaos TARGET=kind DURATION=30m SEED=7
	go run ./e2e/chaos $(if $(filter kind,$(TARGET)),-version=$(VERSION),-program=bin/goldsmith) \
	  -duration=$(or $(DURATION),5m) $(if $(SEED),-seed=$(SEED))

.PHONY: mutants
mutants: ## Make mistakes in files that decide, one at a time, and check that the model of schedules finds each: make mutants FLAGS=-mutant=orphans
	go test -v -timeout=6h -run=TestMutantsAreFound ./controllers/internal/model -mutants $(FLAGS)

.PHONY: bench-cluster
bench-cluster: ## Measure builds in the current cluster of kubectl; figures in bin/bench-cluster.txt.
	@mkdir -p bin
	go test -tags e2e -run '^$$' -bench . -benchtime 1x -timeout 60m -v $(FLAGS) ./e2e/bench | tee bin/bench-cluster.txt

.PHONY: bench-images
bench-images: build ## Measure the builder debian beside debootstrap, and boots; needs root, debootstrap and what images-test needs. Figures in bin/bench-images.txt.
	go test -tags e2e -run '^$$' -bench . -benchtime 1x -timeout 60m -v $(FLAGS) ./e2e/images | tee bin/bench-images.txt

.PHONY: bench-console
bench-console: ## Measure the pages of the console in Chromium, with long lists and logs; needs Chromium. Figures in bin/bench-console.txt.
	@mkdir -p bin
	go test -tags e2e -run '^$$' -bench . -benchtime 5x -timeout 20m $(FLAGS) ./e2e/browser | tee bin/bench-console.txt

.PHONY: bench
bench: $(benchstat) ## Run the benchmarks; figures in bin/bench.txt.
	@mkdir -p bin
	go test -run '^$$' -bench . -timeout 60m $(FLAGS) $(PACKAGES) | tee bin/bench.txt
	$(benchstat) bin/bench.txt

.PHONY: fuzz
fuzz: ## Fuzz every parser, each for FUZZTIME; report all that fail; testdata/fuzz keeps the failing inputs.
	@failed=; \
	for target in $$(grep --recursive --only-matching --include='*_test.go' '^func Fuzz[A-Za-z]*' apis apiserver archive builders cmd controllers jobs records | \
	  sed -E 's#/[^/]*:func #:#' | sort); do \
	  echo "$$target"; \
	  go test -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) "./$${target%:*}" || failed="$$failed $$target"; \
	done; \
	test -z "$$failed" || { printf 'failed: %s\n' $$failed; exit 1; }

.PHONY: generate
generate: $(crd_ref_docs) ## Regenerate all generated files; needs jq.
	TOOLS=$(TOOLS) apis/generate.sh
	go test -count=1 ./cmd/goldsmith/up -run '^TestTheServedDocuments' -update
	resources=$$(jq --raw-output --from-file apis/reference/resources.jq apis/generated/openapi/v3.json) && \
	$(crd_ref_docs) --source-path=apis/images/v1alpha1 --config=apis/reference/config.yaml --templates-dir=apis/reference --renderer=markdown \
	  --max-depth=20 --log-level=ERROR --template-value=resources="$$resources" --output-path=docs/reference/images-v1alpha1.md
	go test -count=1 ./cmd/goldsmith/internal/explain -run '^TestThePage' -update
	go test -count=1 ./apis/metrics -run '^TestThePage' -update
	go test -count=1 ./builders/debian -run '^TestThePage' -update
	go test -count=1 ./cmd/internal/builders -run '^TestTheComponent' -update
	UPDATE_GOLDEN=1 go test -count=1 ./cmd/goldsmith/internal/schema -run "^TestTheSchemaOfTheExamples"

.PHONY: verify
verify: verify-generated lint verify-release verify-clients verify-docs verify-recording verify-console verify-imports verify-types verify-tidy ## Run all checks below. The longest come first, for make --jobs=2 --output-sync verify.

##@ Checks

.PHONY: verify-generated
verify-generated: ## Check that generated files are fresh; works in a copy of this tree.
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && \
	git ls-files -z --cached --others --exclude-standard | \
	  while IFS= read -r -d '' file; do if [ -e "$$file" ]; then printf '%s\0' "$$file"; fi; done | \
	  tar --create --null --files-from=- | tar --extract --directory "$$copy" && \
	$(MAKE) --no-print-directory -C "$$copy" generate TOOLS=$(TOOLS) && \
	for path in $(GENERATED); do \
	  diff --recursive --unified "$$path" "$$copy/$$path" || { echo "$$path is stale: run make generate"; exit 1; }; \
	done

.PHONY: verify-imports
verify-imports: ## Check that imports run one way.
	go test -count=1 ./cmd -run '^TestImports'

.PHONY: verify-tidy
verify-tidy: ## Check that go.mod and go.sum are tidy.
	go mod tidy -diff

.PHONY: verify-types
verify-types: ## Check the API types with kube-api-linter, and with the rules that it lacks.
	go test -count=1 ./apiserver/scaffold/internal/validate -run '^TestTheTypes'

.PHONY: verify-docs
verify-docs: ## Check the links and the spelling of all pages.
	@hunspell -d en_GB -l </dev/null 2>/dev/null || \
	  { echo "hunspell with British English is missing: apt-get install hunspell hunspell-en-gb"; exit 1; }
	go test -count=1 -vet=off -ldflags='-s -w' ./docs

.PHONY: verify-recording
verify-recording: $(golangci_lint) ## Check the module that records the docs, which ./... does not include.
	cd docs/recording && go mod tidy -diff && $(lint) ./... && go test -vet=off ./...

.PHONY: verify-release
verify-release: $(golangci_lint) ## Check the module that makes releases, which ./... does not include.
	cd release && go mod tidy -diff && $(lint) ./... && GOGC=400 go test -short -vet=off ./...

.PHONY: verify-clients
verify-clients: $(golangci_lint) ## Check the module of other people's clients, which ./... does not include. make test-all tests it.
	cd e2e/clients && go mod tidy -diff && $(lint) ./...

.PHONY: verify-console
verify-console: ## Check the libraries and the types of the pages of the console; needs npm.
	console/update-libraries --check

.PHONY: vet
vet: ## Run go vet, which is part of lint.
	go vet -tags e2e ./...

.PHONY: lint
lint: $(golangci_lint) ## Run golangci-lint, with go vet, and shellcheck.
	$(lint) ./...
	@command -v shellcheck >/dev/null || { echo "shellcheck is missing: apt-get install shellcheck"; exit 1; }
	shellcheck --external-sources examples/builders/*.sh builders/*/*.sh release/systemd/*.sh e2e/release/scenarios/*.sh builders/debian/tools/ldd.fakechroot $$(grep --recursive --files-with-matches --max-count=1 '^#!.*bash\|^# shellcheck shell=bash' .ci apis console e2e)

##@ Clean

.PHONY: clean
clean: ## Delete bin and dist; tools and data (.goldsmith) stay.
	rm -rf bin dist

$(golangci_lint):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))

$(k9s):
	$(call install,github.com/derailed/k9s@$(K9S_VERSION),-X github.com/derailed/k9s/cmd.version=$(K9S_VERSION))

$(benchstat):
	$(call install,golang.org/x/perf/cmd/benchstat@$(BENCHSTAT_VERSION))

$(crd_ref_docs):
	$(call install,github.com/elastic/crd-ref-docs@$(CRD_REF_DOCS_VERSION))

$(cosign):
	$(call extract,c/cosign/cosign_$(COSIGN_VERSION)_amd64.deb:$(COSIGN_SHA256))

$(cosign_2):
	$(call extract,c/cosign/cosign_$(COSIGN_2_VERSION)_amd64.deb:$(COSIGN_2_SHA256))

$(oras):
	$(call extract,o/oras/oras_$(ORAS_VERSION)_amd64.deb:$(ORAS_SHA256))

$(skopeo):
	$(call link,skopeo,$(SKOPEO_PACKAGES))

# go install refuses a module that replaces others, so this compiles the program as one of the main module: for ten minutes.
$(kyverno):
	@mkdir -p $(TOOLS)
	@module=$$(GOFLAGS= go mod download -json github.com/kyverno/kyverno@$(KYVERNO_VERSION) | sed -nE 's/.*"Dir": "(.*)".*/\1/p') && \
	echo "compiling $$module" && GOFLAGS="$$GOFLAGS -mod=readonly" go build -C "$$module" -buildvcs=false -ldflags='-s -w' -o $@ ./cmd/cli/kubectl-kyverno

# compile DIRECTORY PACKAGE...: static programs that know their version.
# The compiler collects garbage only beyond 1 GiB, which just a few packages need.
define compile
	CGO_ENABLED=0 GOGC=off GOMEMLIMIT=1GiB go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(1) $(2)
endef

# import PROGRAM: the container image of a program with its tools. The same files make the same layer.
define import
	@e2e/kind/docker/start
	$(call compile,bin/$(1)/,./cmd/$(1))
	@tools=$$(bin/$(1)/$(1) tools) && \
	tar --create --sort=name --owner=0:0 --numeric-owner --mtime=@0 --format=gnu --exclude=./$(1) --directory="$$tools" . \
	  --directory=$(CURDIR)/bin/$(1) $(1) | \
	docker import --change 'USER 65532:65532' --change 'ENTRYPOINT ["/$(1)"]' --change 'ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin' \
	  --change 'LABEL org.opencontainers.image.title="Goldsmith" org.opencontainers.image.version="$(VERSION)"' \
	  - $(1):$(VERSION) >/dev/null && echo "$(1):$(VERSION)"
endef

$(helm):
	$(call install,helm.sh/helm/v4/cmd/helm@$(HELM_VERSION))

# install PACKAGE@VERSION[,LDFLAGS] as the target: a file with the version in its name never has to be installed again. The flags are those of
# all targets, so that the standard library is compiled only once.
define install
	@mkdir -p $(TOOLS)
	@directory=$$(mktemp -d) && trap 'rm -rf "$$directory"' EXIT && \
	echo "installing $(1)" && GOBIN=$$directory GOFLAGS="$$GOFLAGS -mod=mod" GOGC=400 go install -ldflags='-s -w $(2)' $(1) && mv "$$directory"/* $@
endef

# unpack PATH:SHA256...: the files of Debian packages in $$directory/files. apt verifies the digests, and uses its proxy.
define unpack
	@mkdir -p $(TOOLS)
	@directory=$$(mktemp -d) && trap 'rm -rf "$$directory"' EXIT && chmod 755 "$$directory" && \
	for package in $(1); do path=pool/main/$${package%:*} && sha256=$${package##*:} && file=$$directory/$${path##*/} && echo "fetching $${path##*/}" && \
	  { /usr/lib/apt/apt-helper -qq download-file "$(DEBIAN)/$$path" "$$file" "SHA256:$$sha256" 2>/dev/null || \
	    /usr/lib/apt/apt-helper -qq download-file "$(DEBIAN_SNAPSHOT)/$$path" "$$file" "SHA256:$$sha256"; } && \
	  dpkg-deb --extract "$$file" "$$directory/files" || exit; done
endef

# extract PATH:SHA256: the only program of a Debian package as the target.
define extract
	$(call unpack,$(1)) && mv "$$directory"/files/usr/bin/* $@
endef

# libraries are those of a program beside it, seen from a shell script.
libraries := "$$0.files/usr/lib/x86_64-linux-gnu"
# link PROGRAM,PATH:SHA256...: a script as the target, which runs a program of Debian packages with the libraries and the loader among them.
define link
	$(call unpack,$(2)) && printf '#!/bin/sh\nexec %s/ld-linux-x86-64.so.2 --library-path %s "$$0.files/usr/bin/$(1)" "$$@"\n' '$(libraries)' '$(libraries)' >"$$directory/script" && \
	chmod +x "$$directory/script" && rm -rf $@.files && mv "$$directory/files" $@.files && mv "$$directory/script" $@
endef
