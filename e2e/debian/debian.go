// SPDX-License-Identifier: Apache-2.0

// Package debian has the specs of the builder debian in a cluster. They fetch packages from a mirror on this machine, which keeps them, and
// boot what was built in QEMU, also in the pod of a test. They need qemu-system-x86, ovmf, e2fsprogs and dpkg.
package debian

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/debian/mirror"
	"goldsmith.dev/goldsmith/e2e/host"
)

// Programs are the programs that the specs run on this machine.
type Programs struct {
	// Goldsmith is the path of the command-line client.
	Goldsmith string
	// Mirror is the path of the configuration of the mirror.
	Mirror string
}

// Specs are the specs. The builder debian is registered in the cluster.
func Specs(environment func() cluster.Environment, programs Programs) {
	w := cluster.NewWorkspace(func() cluster.Environment {
		patient := environment()
		patient.Patience = deadline.DebianBuild.Deadline()
		return patient
	})
	// serve starts a registry, whose Secret the namespace gets, and a mirror of the archives of Debian, and returns the mirror's URL.
	serve := func(ctx SpecContext) (registry *host.Registry, proxy string) {
		GinkgoHelper()
		address := host.Address(ctx, w.Kube)
		registry = host.NewRegistry(address)
		_, err := w.Kube.CoreV1().Secrets(w.Namespace).Create(ctx, registry.Secret(), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		proxy, stop, err := mirror.Start(programs.Mirror, address, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(stop)
		return registry, proxy
	}

	It("A server is built twice in restricted pods, with the same digests, boots with BIOS and UEFI, has the packages of its lock, and is tested before its tag", func(ctx SpecContext) {
		registry, proxy := serve(ctx)
		w.CreateImage(ctx, server(proxy, registry.Host+"/team/server"))
		first := w.Succeeded(ctx, "server-1")
		w.Request(ctx, "server", "again")

		By("boots")
		credentials := GinkgoT().TempDir()
		Expect(os.WriteFile(filepath.Join(credentials, "config.json"), registry.Credentials(), 0o600)).To(Succeed())
		authority := filepath.Join(credentials, "ca.crt")
		Expect(os.WriteFile(authority, registry.CA, 0o600)).To(Succeed())
		goldsmith := func(arguments ...string) string {
			command := exec.CommandContext(ctx, programs.Goldsmith, append(arguments, "--namespace", w.Namespace)...)
			command.Env = append(os.Environ(), "KUBECONFIG="+w.Environment.Kubeconfig, "DOCKER_CONFIG="+credentials, "SSL_CERT_FILE="+authority)
			said, err := command.CombinedOutput()
			Expect(err).NotTo(HaveOccurred(), "%q: %s", arguments, said)
			return string(said)
		}
		for target, firmware := range map[string]string{"linux/amd64/raw": "bios", "linux/amd64/qcow2": "uefi"} {
			console := goldsmith("boot", first.Name, "--target", target, "--firmware", firmware, "--until", "login", "--timeout", deadline.Boot.Deadline().String())
			Expect(console).To(ContainSubstring("web login: "), "%s with %s", target, firmware)
		}

		By("has the packages of its lock")
		disk, lockFile := filepath.Join(credentials, "disk.raw"), filepath.Join(credentials, "lock.json")
		goldsmith("artifacts", "get", first.Name, "--target", "linux/amd64/raw", "--output", disk)
		goldsmith("artifacts", "get", first.Name, "--target", "linux/amd64/raw", "--document", "lock", "--output", lockFile)
		content, err := os.ReadFile(lockFile)
		Expect(err).NotTo(HaveOccurred())
		packages := &v1alpha1.Lock{}
		Expect(json.Unmarshal(content, packages)).To(Succeed())
		Expect(listed(packages)).To(Equal(installed(ctx, disk)))
		for _, one := range packages.Packages {
			Expect(one.SHA256).NotTo(BeEmpty(), one.Name)
		}

		By("is the same again")
		second := w.Succeeded(ctx, "server-2")
		Expect(digests(second)).To(Equal(digests(first)))
		Expect(digests(first)).To(HaveLen(3))
		for _, artifact := range first.Status.Artifacts {
			Expect(artifact.Location).To(HavePrefix(registry.Host + "/team/server@sha256:"))
		}

		By("is tested, and gets its tag then")
		hasHostname := func(hostname string) func(*v1alpha1.Image) {
			return func(image *v1alpha1.Image) {
				checks := &v1alpha1.TestChecks{Files: []v1alpha1.FileCheck{{Path: "/etc/hostname", Contains: hostname}}}
				image.Spec.Tests = []v1alpha1.ImageTest{{Name: "named", Boot: &v1alpha1.TestBoot{}, Checks: checks, Goss: gossFile}}
			}
		}
		w.ChangeImage(ctx, "server", hasHostname("web"))
		w.WaitForBuild(ctx, "server-3", HaveField("Status.Phase", v1alpha1.BuildTesting))
		Expect(registry.DigestOf("team/server", "server-3")).To(BeEmpty())
		tested := w.Succeeded(ctx, "server-3")
		Expect(registry.DigestOf("team/server", "server-3")).NotTo(BeEmpty())
		Expect(digests(tested)).To(Equal(digests(first)))
		Expect(tested.Status.Attempts).To(HaveLen(1), "nothing is built again")
		Expect(tested.Status.Tests).To(HaveExactElements(And(HaveField("Name", "named"), HaveField("Target", "linux/amd64/qcow2"),
			HaveField("Outcome", v1alpha1.TestPassed), HaveField("Passed", BeEquivalentTo(4)), HaveField("Report.Location", HavePrefix(registry.Host+"/team/server@sha256:")))))

		By("fails a test, and gets no tag")
		w.ChangeImage(ctx, "server", hasHostname("mail"))
		failed := w.Finished(ctx, "server-4")
		Expect(failed.Status.Failure).To(HaveField("Reason", v1alpha1.ReasonTestsFailed))
		Expect(failed.Status.Tests).To(HaveExactElements(And(HaveField("Outcome", v1alpha1.TestFailed), HaveField("Message", ContainSubstring("/etc/hostname")))))
		Expect(registry.DigestOf("team/server", "server-4")).To(BeEmpty())
		Expect(goldsmith("logs", failed.Name, "--test", "named")).To(ContainSubstring("/etc/hostname"))
		Expect(w.Images().Get(ctx, "server", metav1.GetOptions{})).To(HaveField("Status.LatestSuccessful.Name", tested.Name))
	})

	It("An image is compared with the archives of Debian that it was built from", func(ctx SpecContext) {
		registry, proxy := serve(ctx)
		image := server(proxy, registry.Host+"/team/followed")
		image.Name, image.Spec.Targets, image.Spec.Template.Env = "followed", image.Spec.Targets[2:], nil // a check has no variables of an image
		image.Spec.Parameters = []v1alpha1.Parameter{
			{Name: "mirror", Value: proxy + "/deb.debian.org/debian"}, {Name: "securityMirror", Value: proxy + "/deb.debian.org/debian-security"},
		}
		image.Spec.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{Mode: v1alpha1.PackagesAny}}
		w.CreateImage(ctx, image)
		w.Succeeded(ctx, "followed-1")

		w.Eventually(ctx, func(ctx context.Context) (map[string]string, error) {
			list, err := w.Goldsmith.ImagesV1alpha1().Archives().List(ctx, metav1.ListOptions{})
			checked := map[string]string{}
			for _, archive := range list.Items {
				if ready := meta.FindStatusCondition(archive.Status.Conditions, v1alpha1.ArchiveReady); ready != nil && strings.HasPrefix(archive.Spec.URI, proxy) {
					checked[archive.Spec.Suite] = ready.Reason + " " + ready.Message
				}
			}
			return checked, err
		}).Should(And(HaveLen(3), HaveEach(HavePrefix(v1alpha1.ReasonArchiveChecked))))
		w.Eventually(ctx, func(ctx context.Context) (string, error) {
			image, err := w.Images().Get(ctx, "followed", metav1.GetOptions{})
			if compared := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImagePackagesUpToDate); compared != nil {
				return compared.Reason, err
			}
			return "", err
		}).Should(Equal(v1alpha1.ReasonPackagesUnchanged))
	})
}

// gossFile is the file of source for goss.
const gossFile = "tests/site.yaml"

// server is an Image of a server, with one artifact of each format.
func server(proxy, repository string) *v1alpha1.Image {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "server"}}
	image.Spec.Builder.Name = "debian"
	image.Spec.Base.Reference = "debian:trixie"
	for _, format := range []v1alpha1.ArtifactFormat{v1alpha1.ArtifactFormatRaw, v1alpha1.ArtifactFormatQCOW2, v1alpha1.ArtifactFormatOCI} {
		image.Spec.Targets = append(image.Spec.Targets, v1alpha1.Target{Platform: "linux/amd64", Format: format})
	}
	image.Spec.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{gossFile: "process: {systemd: {running: true}}\n"}}}
	image.Spec.Parameters = []v1alpha1.Parameter{{Name: "hostname", Value: "web"}}
	image.Spec.Template = &v1alpha1.BuildTemplate{
		Env:       []corev1.EnvVar{{Name: "http_proxy", Value: proxy}},
		Resources: &v1alpha1.ResourceRequirements{Limits: map[string]v1alpha1.Quantity{"memory": {Text: "2Gi"}}},
	}
	image.Spec.Output = &v1alpha1.Output{Repository: repository, SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
	return image
}

// rootOffset is where the root file system of a disk begins.
const rootOffset = 66 << 20

// installed returns the packages that dpkg lists on a disk, one on each line, sorted.
func installed(ctx context.Context, disk string) []string {
	debugfs, err := exec.LookPath("debugfs")
	if err != nil {
		debugfs = "/usr/sbin/debugfs"
	}
	status, err := exec.CommandContext(ctx, debugfs, "-R", "cat /var/lib/dpkg/status", fmt.Sprintf("%s?offset=%d", disk, rootOffset)).Output()
	Expect(err).NotTo(HaveOccurred())
	database := GinkgoT().TempDir()
	Expect(os.WriteFile(filepath.Join(database, "status"), status, 0o600)).To(Succeed())
	const format = "${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n"
	shown, err := exec.CommandContext(ctx, "dpkg-query", "--admindir="+database, "--show", "--showformat="+format).Output()
	Expect(err).NotTo(HaveOccurred())
	var lines []string
	for line := range strings.Lines(string(shown)) {
		if one, found := strings.CutPrefix(line, "installed "); found {
			lines = append(lines, strings.TrimSpace(one))
		}
	}
	slices.Sort(lines)
	return lines
}

// listed returns the packages of a lock as installed does.
func listed(packages *v1alpha1.Lock) []string {
	lines := make([]string, len(packages.Packages))
	for i, one := range packages.Packages {
		lines[i] = strings.Join([]string{one.Name, one.Version, one.Architecture, one.Source.Name, one.Source.Version}, " ")
	}
	slices.Sort(lines)
	return lines
}

func digests(build *v1alpha1.ImageBuild) map[string]string {
	found := map[string]string{}
	for _, artifact := range build.Status.Artifacts {
		found[artifact.Target] = artifact.Digest
	}
	return found
}
