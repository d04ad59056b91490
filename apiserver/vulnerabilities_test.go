// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

// fakeAdvisories are advisories that specs can make unreadable.
type fakeAdvisories struct {
	sets   []*advisories.Set
	unread atomic.Bool
	held   atomic.Pointer[held] // each request
}

// held are requests that wait until a spec releases them.
type held struct{ arrived, released chan struct{} }

func (f *fakeAdvisories) Current() ([]*advisories.Set, []v1alpha1.AdvisorySource, error) {
	if held := f.held.Load(); held != nil {
		held.arrived <- struct{}{}
		<-held.released
	}
	if f.unread.Load() {
		return nil, nil, errors.New("the advisories of /etc/tracker.json have not been read: it is empty")
	}
	return f.sets, []v1alpha1.AdvisorySource{{Name: "tracker.json", Format: advisories.FormatDebianTracker, ReadTime: metav1.Now()}}, nil
}

// debianLock is a lock of packages of Debian 13, given as name and version, one after the other.
func debianLock(packages ...string) []byte {
	GinkgoHelper()
	lock := v1alpha1.Lock{}
	Expect(json.Unmarshal(lockOf(packages...), &lock)).To(Succeed())
	lock.Distribution = &v1alpha1.Distribution{ID: "debian", Version: "13"}
	return must(json.Marshal(lock))
}

var _ = Describe("The vulnerabilities of a build", Ordered, func() {
	const amd64, arm64 = "linux/amd64/raw", "linux/arm64/raw"
	var (
		server    *recording
		known     *fakeAdvisories
		namespace string
		image     *v1alpha1.Image
		old       = debianLock("openssl", "3.5.4-1", "vim", "9.1")
		fixed     = debianLock("openssl", "3.5.5-1", "curl", "8.1")
		alpine    = []byte(`{"version":1,"distribution":{"id":"alpine","version":"3.22"},"packages":[{"name":"musl","version":"1","architecture":"x86_64"}]}`)
	)
	BeforeAll(func(ctx SpecContext) {
		set := must(advisories.Read(strings.NewReader(`{"openssl": {"CVE-2026-1111": {"description": "A use after free", "releases":
			{"trixie": {"status": "resolved", "fixed_version": "3.5.5-1", "urgency": "high"}}}},
			"vim": {"CVE-2026-2222": {"releases": {"trixie": {"status": "open", "urgency": "unimportant"}}}}}`)))
		known = &fakeAdvisories{sets: []*advisories.Set{set}}
		server, _ = startRecordingWith(ctx, apiserver.Options{Logs: logs, Advisories: func() (imagebuild.Advisories, error) { return known, nil }}, func(server *builder.Server) *builder.Server { return server })
	})
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		image = server.newImage(ctx, namespace, "debian")
		for _, lock := range [][]byte{old, fixed, alpine} {
			Expect(server.store.PutLock(ctx, image.UID, sha(lock), lock)).To(Succeed())
		}
	})
	// finish lets a new build of the Image succeed with artifacts.
	finish := func(ctx SpecContext, name string, artifacts ...v1alpha1.Artifact) *v1alpha1.ImageBuild {
		GinkgoHelper()
		must(server.Images(namespace).Instantiate(ctx, "debian", request(name), metav1.CreateOptions{}))
		builds := server.ImageBuilds(namespace)
		writeTo(ctx, builds, name, startAttempt(1))
		return writeTo(ctx, builds, name, succeed(1), func(status *v1alpha1.ImageBuildStatus) { status.Artifacts = artifacts })
	}
	find := func(ctx context.Context, build string, parameters ...string) (*v1alpha1.ImageBuildVulnerabilities, error) {
		answer := &v1alpha1.ImageBuildVulnerabilities{}
		request := server.RESTClient().Get().Namespace(namespace).Resource("imagebuilds").Name(build).SubResource("vulnerabilities").MaxRetries(0)
		for i := 0; i < len(parameters); i += 2 {
			request.Param(parameters[i], parameters[i+1])
		}
		return answer, request.Do(ctx).Into(answer)
	}

	It("are those of all its packages, the open and severe ones first", func(ctx SpecContext) {
		build := finish(ctx, "debian-1", locked(amd64, old, ""), locked(arm64, old, ""))
		answer := must(find(ctx, "debian-1"))
		Expect(answer.Name).To(Equal("debian-1"))
		Expect(answer.BuildUID).To(Equal(build.UID))
		Expect(answer.Sources).To(HaveExactElements(And(HaveField("Name", "tracker.json"), HaveField("Format", "DebianTracker"), HaveField("Message", ""))))
		Expect(answer.Counts).To(Equal(v1alpha1.VulnerabilityCounts{High: 1, Negligible: 1, Fixable: 1}))
		Expect(answer.Worst).To(Equal([]string{"CVE-2026-1111", "CVE-2026-2222"}))
		Expect(answer.Unmatched).To(BeEmpty())
		Expect(answer.Items).To(HaveExactElements(v1alpha1.Vulnerability{
			ID: "CVE-2026-1111", Severity: v1alpha1.SeverityHigh, Status: v1alpha1.VulnerabilityOpen, Source: "openssl", Version: "3.5.4-1",
			Packages: []string{"openssl"}, FixedVersion: "3.5.5-1", Description: "A use after free",
		}, HaveField("ID", "CVE-2026-2222")))
		counted := must(find(ctx, "debian-1", "countsOnly", "true"))
		Expect(counted.Items).To(BeEmpty())
		Expect(counted.Counts).To(Equal(answer.Counts))
		Expect(counted.Worst).To(Equal(answer.Worst))
	})

	It("are those of one artifact, and of a deleted build, too", func(ctx SpecContext) {
		build := server.built(ctx, image, 1, v1alpha1.BuildSucceeded, withArtifacts(locked(amd64, fixed, ""), locked(arm64, alpine, "")))
		Expect(server.store.BuildDeleted(ctx, build.UID, time.Now())).To(Succeed())
		answer := must(find(ctx, "debian-1", "uid", string(build.UID)))
		Expect(answer.Unmatched).To(Equal([]string{"no advisory is about 1 package of alpine 3.22"}))
		Expect(answer.Counts.Unmatched).To(BeEquivalentTo(1))
		Expect(answer.OtherArchives).To(HaveLen(1))
		Expect(must(find(ctx, "debian-1", "uid", string(build.UID), "target", amd64)).Unmatched).To(BeEmpty())
	})

	It("are refused with a remedy", func(ctx SpecContext) {
		finish(ctx, "debian-1", locked(amd64, old, ""))
		finish(ctx, "debian-2", artifactOf(amd64, "x"))
		Expect(errorOf(find(ctx, "debian-2"))).To(And(Satisfy(apierrors.IsNotFound), MatchError(ContainSubstring("imagebuild debian-2 has no lock of linux/amd64/raw that Goldsmith read"))))
		Expect(errorOf(find(ctx, "debian-1", "target", arm64))).To(And(beInvalid("target"), MatchError(ContainSubstring("ImageBuildVulnerabilitiesOptions"))))
		Expect(errorOf(find(ctx, "debian-1", "target", "\x1b", "uid", "/"))).To(beInvalid("target", "uid"))
		known.unread.Store(true)
		DeferCleanup(func() { known.unread.Store(false) })
		_, err := find(ctx, "debian-1")
		Expect(err).To(And(Satisfy(apierrors.IsServiceUnavailable), MatchError(
			"the vulnerabilities of imagebuild debian-1 are unknown: the advisories of /etc/tracker.json have not been read: it is empty")))
		seconds, again := apierrors.SuggestsClientDelay(err)
		Expect(again).To(BeTrue())
		Expect(seconds).To(BeNumerically(">", 0))
	})

	It("are not asked for by many at the same time", func(ctx SpecContext) {
		finish(ctx, "debian-1", locked(amd64, old, ""))
		image = must(server.Images(namespace).Get(ctx, "debian", metav1.GetOptions{}))
		image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Requires: &v1alpha1.ChannelRequirements{MaxSeverity: v1alpha1.SeverityLimitHigh}}}
		must(server.Images(namespace).Update(ctx, image, metav1.UpdateOptions{}))
		const most = 4
		held, answers := &held{make(chan struct{}, most), make(chan struct{})}, make(chan error, most)
		release := sync.OnceFunc(func() { close(held.released) })
		DeferCleanup(release)
		known.held.Store(held)
		for range most {
			go func() {
				_, err := find(ctx, "debian-1")
				answers <- err
			}()
		}
		for range most {
			Eventually(ctx, held.arrived).Should(Receive())
		}
		known.held.Store(nil)
		_, err := find(ctx, "debian-1")
		Expect(err).To(And(Satisfy(apierrors.IsTooManyRequests), MatchError(ContainSubstring("has 4 requests for packages and vulnerabilities at the same time: ask again later"))))
		for _, subresource := range []string{"packages", "diff"} {
			request := server.RESTClient().Get().Namespace(namespace).Resource("imagebuilds").Name("debian-1").SubResource(subresource).Param("with", "debian-1").MaxRetries(0)
			Expect(request.Do(ctx).Error()).To(Satisfy(apierrors.IsTooManyRequests), subresource)
		}
		channels := &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1"}}}
		Expect(server.RESTClient().Put().Namespace(namespace).Resource("images").Name("debian").SubResource("channels").Body(channels).MaxRetries(0).Do(ctx).Error()).
			To(Satisfy(apierrors.IsTooManyRequests), "the user who promotes asks again")
		release()
		for range most {
			Eventually(ctx, answers).Should(Receive(BeNil()))
		}
		Expect(must(find(ctx, "debian-1")).Counts.High).To(BeEquivalentTo(1))
	})

	It("keep it from a channel with a limit, unless a user overrides the limit", func(ctx SpecContext) {
		finish(ctx, "debian-1", locked(amd64, old, ""))
		finish(ctx, "debian-2", locked(amd64, fixed, ""))
		finish(ctx, "debian-3", locked(amd64, alpine, ""))
		finish(ctx, "debian-4", artifactOf(amd64, "x"))
		images := server.Images(namespace)
		limit := func(limit v1alpha1.SeverityLimit) {
			GinkgoHelper()
			image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
			image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Requires: &v1alpha1.ChannelRequirements{MaxSeverity: limit}}}
			must(images.Update(ctx, image, metav1.UpdateOptions{}))
		}
		set := func(build, override string) (*v1alpha1.ImageChannels, error) {
			stable := v1alpha1.ImageChannel{Name: "stable", Build: build}
			if override != "" {
				stable.Override = &v1alpha1.ChannelOverride{Reason: override}
			}
			channels := &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: []v1alpha1.ImageChannel{stable}}
			return images.UpdateChannels(ctx, "debian", channels, metav1.UpdateOptions{})
		}
		limit(v1alpha1.SeverityLimitMedium)
		for build, why := range map[string]string{
			"debian-1": "debian-1 has 1 open vulnerability more severe than Medium (the worst: CVE-2026-1111",
			"debian-3": "no advisory is about 1 package of alpine 3.22",
			"debian-4": "has no lock of linux/amd64/raw that Goldsmith read",
		} {
			Expect(errorOf(set(build, ""))).To(And(beInvalid("channels[0].build"), MatchError(ContainSubstring(why))))
		}
		Expect(errorOf(set("debian-9", ""))).To(MatchError(ContainSubstring("build not found")))
		Expect(must(set("debian-2", "")).Channels[0].Override).To(BeNil())
		Expect(must(set("debian-1", "we must")).Channels[0].Override).To(Equal(&v1alpha1.ChannelOverride{Reason: "we must", By: "ada"}))
		Expect(must(set("debian-2", "we must")).Channels[0].Override).To(BeNil(), "the build meets the rule")
		limit(v1alpha1.SeverityLimitHigh)
		must(set("debian-1", ""))
		known.unread.Store(true)
		DeferCleanup(func() { known.unread.Store(false) })
		Expect(errorOf(set("debian-2", ""))).To(MatchError(ContainSubstring("the advisories of /etc/tracker.json have not been read")))
	})

	It("limit channels only to known severities", func(ctx SpecContext) {
		image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Requires: &v1alpha1.ChannelRequirements{MaxSeverity: "Severe"}}}
		_, err := server.Images(namespace).Update(ctx, image, metav1.UpdateOptions{})
		Expect(err).To(And(beInvalid("spec.channels[0].requires.maxSeverity"), MatchError(ContainSubstring(`supported values: "High", "Low", "Medium", "Negligible", "None"`))))
	})
})

var _ = Describe("Without advisories, vulnerabilities", func() {
	It("are not found, which clients can tell from a build that does not exist", func(ctx SpecContext) {
		namespace := newNamespace()
		must(buildsIn(namespace).Create(ctx, newBuild("one"), metav1.CreateOptions{}))
		_, err := buildsIn(namespace).GetVulnerabilities(ctx, "one", metav1.GetOptions{})
		Expect(err).To(And(Satisfy(apierrors.IsNotFound), MatchError(ContainSubstring("its operator sets them with --advisories"))))
		Expect(apierrors.HasStatusCause(err, v1alpha1.CauseNoAdvisories)).To(BeTrue())
		_, err = buildsIn(namespace).GetVulnerabilities(ctx, "two", metav1.GetOptions{})
		Expect(err).To(Satisfy(apierrors.IsNotFound))
		Expect(apierrors.HasStatusCause(err, v1alpha1.CauseNoAdvisories)).To(BeFalse())
	})
})
