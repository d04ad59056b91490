// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// lockOf is a lock of packages, given as name and version, one after the other.
func lockOf(packages ...string) []byte {
	GinkgoHelper()
	lock := v1alpha1.Lock{Version: v1alpha1.LockVersion, Packages: []v1alpha1.Package{}}
	for i := 0; i < len(packages); i += 2 {
		lock.Packages = append(lock.Packages, v1alpha1.Package{Name: packages[i], Version: packages[i+1], Architecture: "amd64"})
	}
	return must(json.Marshal(lock))
}

func sha(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

// locked is an artifact whose lock Goldsmith has read.
func locked(target string, lock []byte, location string) v1alpha1.Artifact {
	artifact := artifactOf(target, target)
	artifact.Documents = []v1alpha1.ArtifactDocument{{
		Type: v1alpha1.DocumentLock, Digest: sha(lock), SizeBytes: int64(len(lock)), MediaType: v1alpha1.LockMediaType, Location: location,
		Verified: v1alpha1.ArtifactVerifiedContent,
	}}
	return artifact
}

func withArtifacts(artifacts ...v1alpha1.Artifact) func(*v1alpha1.ImageBuild) {
	return func(build *v1alpha1.ImageBuild) { build.Status.Artifacts = artifacts }
}

var _ = Describe("The packages of a build", Ordered, func() {
	const (
		amd64 = "linux/amd64/raw"
		oci   = "linux/amd64/oci"
		arm64 = "linux/arm64/raw"
	)
	var (
		server    *recording
		namespace string
		image     *v1alpha1.Image
		older     = lockOf("bash", "5.2", "openssl", "3.5.6", "vim", "9.1")
		newer     = lockOf("bash", "5.2", "curl", "8.1", "openssl", "3.5.7")
		other     = lockOf("bash", "5.2+arm")
	)
	BeforeAll(func(ctx SpecContext) { server = startRecording(ctx) })
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		image = server.newImage(ctx, namespace, "web")
		for _, lock := range [][]byte{older, newer, other} {
			Expect(server.store.PutLock(ctx, image.UID, sha(lock), lock)).To(Succeed())
		}
	})
	// read reads a subresource of a build, with query parameters: name and value, one after the other.
	read := func(ctx context.Context, build, subresource string, into runtime.Object, parameters ...string) error {
		request := server.RESTClient().Get().Namespace(namespace).Resource("imagebuilds").Name(build).SubResource(subresource).MaxRetries(0)
		for i := 0; i < len(parameters); i += 2 {
			request.Param(parameters[i], parameters[i+1])
		}
		return request.Do(ctx).Into(into)
	}
	packages := func(ctx context.Context, build string, parameters ...string) (*v1alpha1.ImageBuildPackages, error) {
		answer := &v1alpha1.ImageBuildPackages{}
		return answer, read(ctx, build, "packages", answer, parameters...)
	}
	// finish lets an existing build of its own succeed with artifacts.
	finish := func(ctx SpecContext, name string, artifacts ...v1alpha1.Artifact) *v1alpha1.ImageBuild {
		GinkgoHelper()
		builds := server.ImageBuilds(namespace)
		must(builds.Create(ctx, newBuild(name), metav1.CreateOptions{}))
		writeTo(ctx, builds, name, startAttempt(1))
		return writeTo(ctx, builds, name, succeed(1), func(status *v1alpha1.ImageBuildStatus) { status.Artifacts = artifacts })
	}
	unavailable := func() {
		server.away.Store(true)
		DeferCleanup(func() { server.away.Store(false) })
	}

	It("are listed by lock, in the order of the artifacts", func(ctx SpecContext) {
		build := finish(ctx, "once", locked(arm64, other, ""), locked(oci, older, ""), artifactOf("linux/amd64/qcow2", "x"), locked(amd64, older, ""))
		answer := must(packages(ctx, "once"))
		Expect(answer.Name).To(Equal("once"))
		Expect(answer.Namespace).To(Equal(namespace))
		Expect(answer.BuildUID).To(Equal(build.UID))
		Expect(answer.Locks).To(HaveExactElements(
			And(HaveField("Targets", []string{arm64}), HaveField("Digest", sha(other)), HaveField("Lock.Packages", HaveExactElements(HaveField("Version", "5.2+arm")))),
			And(HaveField("Targets", []string{oci, amd64}), HaveField("Digest", sha(older)), HaveField("Lock.Packages", HaveLen(3)))))
		answer = must(packages(ctx, "once", "target", amd64, "uid", string(build.UID)))
		Expect(answer.Locks).To(HaveExactElements(HaveField("Targets", []string{amd64})))
	})

	It("are those of a deleted build, too", func(ctx SpecContext) {
		build := server.built(ctx, image, 1, v1alpha1.BuildSucceeded, withArtifacts(locked(amd64, older, "")))
		Expect(server.store.BuildDeleted(ctx, build.UID, time.Now())).To(Succeed())
		answer := must(packages(ctx, "web-1", "uid", string(build.UID)))
		Expect(answer.BuildUID).To(Equal(build.UID))
		Expect(answer.Locks).To(HaveExactElements(HaveField("Lock.Packages", HaveLen(3))))
		for _, parameters := range [][]string{nil, {"uid", "another"}} {
			Expect(errorOf(packages(ctx, "web-1", parameters...))).To(Satisfy(apierrors.IsNotFound))
		}
	})

	It("are refused with a remedy", func(ctx SpecContext) {
		unread := locked(amd64, older, "")
		unread.Documents[0].Verified = ""
		missing := lockOf("lost", "1")
		must(server.ImageBuilds(namespace).Create(ctx, newBuild("waiting"), metav1.CreateOptions{}))
		finish(ctx, "plain", artifactOf(amd64, "x"), artifactOf(arm64, "y"))
		finish(ctx, "unread", unread)
		finish(ctx, "kept", locked(amd64, missing, v1alpha1.ArtifactPath(namespace, "kept", sha(missing))))
		finish(ctx, "published", locked(amd64, missing, "registry.example/web@sha256:abc"))
		finish(ctx, "nowhere", locked(amd64, older, ""), locked(arm64, missing, ""))
		failed := server.built(ctx, image, 1, v1alpha1.BuildFailed)
		for _, c := range []struct {
			build, message string
			parameters     []string
		}{
			{"waiting", "imagebuild waiting has no artifacts yet: it is Pending; wait until it succeeds", nil},
			{"web-1", "imagebuild web-1 has no artifacts: it is Failed; use a build that succeeded", []string{"uid", string(failed.UID)}},
			{"plain", "imagebuild plain has no lock of linux/amd64/raw, linux/arm64/raw that Goldsmith read: its builder writes none, or the image needs spec.output; see docs/builders.md", nil},
			{"plain", "imagebuild plain has no lock of linux/arm64/raw that Goldsmith read", []string{"target", arm64}},
			{"unread", "imagebuild unread has no lock of linux/amd64/raw that Goldsmith read", nil},
			{"kept", "does not have lock " + sha(missing) + " of imagebuild kept: get it with goldsmith artifacts get kept --document lock", nil},
			{"published", "get it from registry.example/web@sha256:abc", nil},
			{"nowhere", "build again", nil},
		} {
			_, err := packages(ctx, c.build, c.parameters...)
			Expect(err).To(And(Satisfy(apierrors.IsNotFound), MatchError(ContainSubstring(c.message))), c.build)
		}
		must(packages(ctx, "nowhere", "target", amd64))
		Expect(errorOf(packages(ctx, "nowhere", "target", oci))).To(And(beInvalid("target"), MatchError(ContainSubstring(`supported values: "linux/amd64/raw", "linux/arm64/raw"`))))
		Expect(errorOf(packages(ctx, "nowhere", "target", "\x1b", "uid", "/"))).To(beInvalid("target", "uid"))
	})

	It("that are damaged in the database are an error of the server", func(ctx SpecContext) {
		noLock := []byte(`{"version": 2}`)
		Expect(server.store.PutLock(ctx, image.UID, sha(noLock), noLock)).To(Succeed())
		finish(ctx, "once", locked(amd64, noLock, ""))
		Expect(errorOf(packages(ctx, "once"))).To(And(Satisfy(apierrors.IsInternalError), MatchError(ContainSubstring("version is 2, must be 1"))))
	})

	It("need the database, unless they were read before", func(ctx SpecContext) {
		unseen := lockOf("unseen", "1")
		Expect(server.store.PutLock(ctx, image.UID, sha(unseen), unseen)).To(Succeed())
		finish(ctx, "before", locked(amd64, older, ""))
		must(packages(ctx, "before"))
		finish(ctx, "once", locked(amd64, unseen, ""))
		unavailable()
		must(packages(ctx, "before"))
		_, err := packages(ctx, "once")
		Expect(err).To(And(Satisfy(apierrors.IsServiceUnavailable), MatchError(ContainSubstring("connection refused"))))
		seconds, again := apierrors.SuggestsClientDelay(err)
		Expect(again).To(BeTrue())
		Expect(seconds).To(BeNumerically(">", 0))
	})

	Describe("compared with those of another build", func() {
		difference := func(ctx context.Context, from, to string, parameters ...string) *v1alpha1.ImageBuildDiff {
			GinkgoHelper()
			answer := &v1alpha1.ImageBuildDiff{}
			Expect(read(ctx, to, "diff", answer, append(parameters, "with", from)...)).To(Succeed())
			return answer
		}

		It("are an item for each pair of locks", func(ctx SpecContext) {
			counted := locked(oci, other, "")
			counted.Packages = new(int32(17))
			one := server.built(ctx, image, 1, v1alpha1.BuildSucceeded, withArtifacts(locked(arm64, older, ""), locked(amd64, older, ""), counted))
			finish(ctx, "two", locked(amd64, newer, ""), locked(arm64, newer, ""), counted, artifactOf("linux/amd64/qcow2", "x"))
			answer := difference(ctx, "web-1", "two", "withUID", string(one.UID))
			Expect(answer.PackagesMessage).To(BeEmpty())
			Expect(answer.Packages).To(HaveExactElements(
				v1alpha1.PackageChanges{Targets: []string{oci}, Unchanged: 17},
				v1alpha1.PackageChanges{Targets: []string{amd64, arm64}, Unchanged: 1, Changes: []v1alpha1.PackageChange{
					{Name: "curl", Architecture: "amd64", To: "8.1"}, {Name: "openssl", Architecture: "amd64", From: "3.5.6", To: "3.5.7"}, {Name: "vim", Architecture: "amd64", From: "9.1"},
				}}))
			answer = difference(ctx, "two", "two")
			Expect(answer.Packages).To(ConsistOf(HaveField("Unchanged", int32(17)), And(HaveField("Unchanged", int32(3)), HaveField("Changes", BeEmpty()))))
		})

		It("are as many as can be, and a message explains which are missing", func(ctx SpecContext) {
			missing := lockOf("lost", "1")
			finish(ctx, "one", locked(amd64, older, ""), locked(arm64, missing, ""), artifactOf(oci, "x"))
			finish(ctx, "two", locked(amd64, newer, ""), locked(arm64, other, ""), locked(oci, newer, ""))
			answer := difference(ctx, "one", "two")
			Expect(answer.Packages).To(HaveExactElements(HaveField("Targets", []string{amd64})))
			Expect(answer.PackagesMessage).To(Equal("imagebuild one has no list of the packages in linux/amd64/oci: its builder writes none, or the image needs spec.output; see docs/builders.md; " +
				"the database of records does not have lock " + sha(missing) + " of imagebuild one: build again"))
			must(server.ImageBuilds(namespace).Create(ctx, newBuild("waiting"), metav1.CreateOptions{}))
			Expect(difference(ctx, "two", "waiting").PackagesMessage).To(ContainSubstring("imagebuild waiting has no packages yet: it is Pending; compare when it has succeeded"))
			failed := server.built(ctx, image, 1, v1alpha1.BuildFailed)
			Expect(difference(ctx, "two", "web-1", "uid", string(failed.UID)).PackagesMessage).To(ContainSubstring("imagebuild web-1 has no packages: it is Failed; compare builds that succeeded"))
			unavailable()
			answer = difference(ctx, "one", "two")
			Expect(answer.Packages).To(HaveExactElements(HaveField("Targets", []string{amd64})), "their locks were read before")
			Expect(answer.PackagesMessage).To(MatchRegexp("^imagebuild one has no list of the packages in linux/amd64/oci: .*; [^;]*connection refused$"))
		})
	})
})

var _ = Describe("Without a database of records, packages", func() {
	It("are refused, and left out of differences", func(ctx SpecContext) {
		namespace := newNamespace()
		builds := buildsIn(namespace)
		for _, name := range []string{"one", "two"} {
			must(builds.Create(ctx, newBuild(name), metav1.CreateOptions{}))
			writeTo(ctx, builds, name, startAttempt(1))
			writeTo(ctx, builds, name, succeed(1), func(status *v1alpha1.ImageBuildStatus) {
				status.Artifacts = []v1alpha1.Artifact{locked("linux/amd64/raw", lockOf("of", name), "")}
			})
		}
		two := func(subresource string) *restclient.Request {
			return client.ImagesV1alpha1().RESTClient().Get().Namespace(namespace).Resource("imagebuilds").Name("two").SubResource(subresource)
		}
		Expect(two("packages").Do(ctx).Error()).To(And(Satisfy(apierrors.IsMethodNotSupported), MatchError(ContainSubstring("configure one with --records"))))
		answer := &v1alpha1.ImageBuildDiff{}
		Expect(two("diff").Param("with", "one").Do(ctx).Into(answer)).To(Succeed())
		Expect(answer.Packages).To(BeEmpty())
		Expect(answer.PackagesMessage).To(ContainSubstring("this server has no database of records"))
	})
})
