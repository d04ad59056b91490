// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package suite_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"

	"goldsmith.dev/goldsmith/e2e/builds"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/kind"
	"goldsmith.dev/goldsmith/e2e/kubectl"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// repository is where paths are relative to.
const repository = "../.."

// images are the names of the container images of an installation.
var images = []string{"goldsmith-apiserver", "goldsmith-controller", "goldsmith-console", "mock-builder"}

func clusterName() string {
	if small() {
		return setting("E2E_CLUSTER", "goldsmith-gate")
	}
	return setting("E2E_CLUSTER", "goldsmith-e2e")
}

func version() string {
	GinkgoHelper()
	version := os.Getenv("E2E_VERSION")
	Expect(version).NotTo(BeEmpty(), "E2E_VERSION names no container images: run `make e2e`")
	return version
}

// authentication returns the folder whose file kube-apiserver follows.
func authentication() string { return inRepository("bin/e2e/authentication/" + clusterName()) }

// authenticate replaces the file, which kube-apiserver must not read half.
func authenticate(configuration string) error {
	file := filepath.Join(authentication(), "config.yaml")
	if err := os.WriteFile(file+".new", []byte(configuration), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func newKind() *kind.Cluster {
	GinkgoHelper()
	options := kind.Options{Progress: GinkgoWriter, Authentication: authentication()}
	if !small() {
		options.Workers, options.Audit = 2, true // the faults suite loses a worker, and the security suite reads the audit log
	}
	made, err := kind.New(clusterName(), options)
	Expect(err).NotTo(HaveOccurred())
	return made
}

// startCluster returns the kubeconfig of the given cluster. Without a given cluster, it makes a cluster, which is removed at
// the end.
func startCluster(ctx context.Context) string {
	GinkgoHelper()
	if kubeconfig := os.Getenv("E2E_KUBECONFIG"); kubeconfig != "" {
		return inRepository(kubeconfig)
	}
	Expect(os.MkdirAll(authentication(), 0o750)).To(Succeed())
	Expect(authenticate("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: []\n")).To(Succeed())
	made, config := newKind(), envconf.New()
	steps := []env.Func{envfuncs.CreateCluster(made, clusterName())}
	loaded := images
	if hasDebian() {
		loaded = append(slices.Clone(images), "debian-builder", "goldsmith-tester")
	}
	for _, image := range loaded {
		steps = append(steps, envfuncs.LoadImageToCluster(clusterName(), image+":"+version()))
	}
	DeferCleanup(func(ctx SpecContext) { Expect(made.Destroy(ctx)).To(Succeed()) })
	for _, step := range steps {
		var err error
		ctx, err = step(ctx, config)
		Expect(err).NotTo(HaveOccurred())
	}
	return config.KubeconfigFile()
}

// common holds the values that all processes of a run share.
type common struct {
	Kubeconfig string
	LogArchive *cluster.LogArchive
	Records    *cluster.Records
	// Factor is that of deadlines.
	Factor float64
	// Empty is that of the environment.
	Empty []string
}

// startArchive makes an archive of logs be in the cluster, where something may be installed.
func startArchive(ctx context.Context) *cluster.LogArchive {
	GinkgoHelper()
	if !mayInstall() || small() {
		return nil
	}
	bucket, err := newKind().InstallS3(ctx)
	Expect(err).NotTo(HaveOccurred())
	return new(cluster.LogArchive(bucket))
}

// loadDatabase makes the nodes have PostgreSQL, where something may be installed. The installation runs it.
func loadDatabase(ctx context.Context) *cluster.Records {
	GinkgoHelper()
	if !mayInstall() {
		return nil
	}
	if small() {
		return &cluster.Records{}
	}
	image, err := newKind().LoadPostgres(ctx)
	Expect(err).NotTo(HaveOccurred())
	return &cluster.Records{Image: image, Password: "of 'tests' & \"nobody\""}
}

// fillIn fills in the environment of the specs, and fails if a setting is invalid.
func fillIn(ctx context.Context, environment *cluster.Environment, given common) {
	GinkgoHelper()
	deadline.Adopt(given.Factor)
	kubeconfig := given.Kubeconfig
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1 // no limit
	*environment = cluster.Environment{
		Config: config, Kubeconfig: kubeconfig, Kubectl: kubectlWith(kubeconfig),
		Overlay:    inRepository(setting("E2E_OVERLAY", "kustomize/overlays/kind")),
		Builders:   builds.ClusterBuilders(),
		LogArchive: given.LogArchive,
		Records:    given.Records,
		Advisories: builds.Advisories,
		Kinds:      workspace.Cabinets(),
		Kueue:      !small(),
		Debian:     hasDebian(),
		Compaction: compaction,
		Artifacts:  inRepository(setting("E2E_ARTIFACTS", "bin/e2e")),
		Patience:   deadline.Step.Deadline(),
		Disposable: madeForRun(),
		Empty:      given.Empty,
	}
	if !mayInstall() {
		return // any cluster will do
	}
	made := newKind()
	environment.Version, environment.AuditLog, environment.Authenticate, environment.HostAddress = version(), made.AuditLog, authenticate, made.HostAddress
	environment.Nodes, err = cluster.KindNodes(ctx, made)
	Expect(err).NotTo(HaveOccurred())
}

func kubectlWith(kubeconfig string) func(ctx context.Context, args ...string) *exec.Cmd {
	program := strings.Fields(setting("E2E_KUBECTL", "kubectl"))
	if strings.Contains(program[0], "/") {
		program[0] = inRepository(program[0])
	}
	return commands(program, kubeconfig)
}

// olderKubectls are kubectl of the releases before. They are built once on a machine.
func olderKubectls(ctx context.Context, kubeconfig string) map[string]func(ctx context.Context, args ...string) *exec.Cmd {
	GinkgoHelper()
	paths, err := kubectl.BuildOlder(ctx, inRepository("e2e/kubectl/kubectls"), GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	older := map[string]func(ctx context.Context, args ...string) *exec.Cmd{}
	for minor, path := range paths {
		older[minor] = commands([]string{path}, kubeconfig)
	}
	return older
}

// wantsCatalog reports whether specs of kinds of images are to be run.
func wantsCatalog() bool { return selected(Labels{"api", "catalog"}) }

// wantsOlderKubectls reports whether specs of kubectl are to be run.
func wantsOlderKubectls() bool { return selected(Labels{"builds"}, Labels{"builds", "catalog"}) }

func commands(program []string, kubeconfig string) func(ctx context.Context, args ...string) *exec.Cmd {
	return func(ctx context.Context, args ...string) *exec.Cmd {
		command := exec.CommandContext(ctx, program[0], append(program[1:len(program):len(program)], args...)...)
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
		return command
	}
}

// listEmpty lists the objects of a cluster that is made for this run, and where nothing but Goldsmith will be installed.
func listEmpty(ctx context.Context, environment cluster.Environment) []string {
	GinkgoHelper()
	if !madeForRun() || !small() {
		return nil
	}
	objects, err := environment.Inventory(ctx)
	Expect(err).NotTo(HaveOccurred())
	return objects
}

// installOnce installs what the suites need, or, where nothing may be installed, expects it to be there.
func installOnce(ctx context.Context, environment cluster.Environment) {
	GinkgoHelper()
	prepare := environment.WaitReady
	if mayInstall() {
		prepare = environment.Install
	}
	err := prepare(ctx)
	if err != nil {
		environment.Dump("installation")
	}
	Expect(err).NotTo(HaveOccurred())
}

// hasDebian reports whether the container images include those of the builder debian and of tests, whose specs are then run.
func hasDebian() bool { return os.Getenv("E2E_DEBIAN") == "true" }

// madeForRun reports whether the cluster is made for this run, and deleted after it.
func madeForRun() bool { return os.Getenv("E2E_KUBECONFIG") == "" }

// mayInstall reports whether the cluster is made for this run, or any but the specs that leave an installation as it is are to be run.
func mayInstall() bool {
	return madeForRun() || !small() || wantsCatalog() || selected(Labels{"gate"}, Labels{"smoke", "installation"})
}

// small reports whether the specs of the gate, of smoke and of the catalog are all that is to be run. One node is enough for them, without Kueue,
// an archive of logs, or PostgreSQL, each of which takes minutes to build.
func small() bool {
	// As the other specs are labelled: the filter of the second cluster is apart, alone or with others.
	return !selected(Labels{"builds"}, Labels{"archive"}, Labels{"archive", "faults"}, Labels{"records"}, Labels{"records", "faults"}, Labels{"api"},
		Labels{"security"}, Labels{"faults", "apart"}, Labels{"faults", "troubleshooting"}, Labels{"upgrade", "installation"},
		Labels{"upgrade", "installation", "apart"})
}

// selected reports whether any spec with just these labels is to be run.
func selected(specs ...Labels) bool {
	return slices.ContainsFunc(specs, func(labels Labels) bool { return labels.MatchesLabelFilter(GinkgoLabelFilter()) })
}

func setting(name, byDefault string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return byDefault
}

// inRepository is a path that may be relative to the repository.
func inRepository(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	absolute, err := filepath.Abs(filepath.Join(repository, path))
	Expect(err).NotTo(HaveOccurred())
	return absolute
}
