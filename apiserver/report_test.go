// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	restclient "k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
)

// podToken is the token of the pod with a UID, as podOfToken knows it.
func podToken(namespace string, pod types.UID) string { return "of-" + namespace + "/" + string(pod) }

func podOfToken(_ context.Context, token string) (*authenticator.Response, bool, error) {
	namespace, pod, _ := strings.Cut(strings.TrimPrefix(token, "of-"), "/")
	ok := token == podToken(namespace, types.UID(pod))
	return &authenticator.Response{User: &user.DefaultInfo{
		Name: "system:serviceaccount:" + namespace + ":default", Extra: map[string][]string{"authentication.kubernetes.io/pod-uid": {pod}},
	}}, ok, nil
}

// mayDoAll is for guests who are held back by nothing but what they ask for.
func mayDoAll(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	return authorizer.DecisionAllow, "", nil
}

var _ = Describe("Reporting on a build", Ordered, func() {
	var (
		server    *builder.Running
		clock     = testingclock.NewFakePassiveClock(time.Date(2030, 1, 2, 3, 4, 5, 123456789, time.UTC))
		namespace string
		builds    typed.ImageBuildInterface

		retryAfter atomic.Value // of the last answer to report that had one
	)
	// as talks to the server with a token, and does not try again by itself.
	as := func(token string) typed.ImageBuildInterface {
		GinkgoHelper()
		config := restclient.CopyConfig(server.ClientConfig())
		config.BearerToken = token
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return onlyOnce{next, &retryAfter} })
		return must(versioned.NewForConfig(config)).ImagesV1alpha1().ImageBuilds(namespace)
	}
	report := func(ctx context.Context, pod types.UID, report v1alpha1.BuildReport) (*v1alpha1.BuildReport, error) {
		GinkgoHelper()
		return as(podToken(namespace, pod)).Report(ctx, "once", &report, metav1.CreateOptions{})
	}
	get := func(ctx context.Context) *v1alpha1.ImageBuild {
		GinkgoHelper()
		return must(builds.Get(ctx, "once", metav1.GetOptions{}))
	}
	later := func(duration time.Duration) { clock.SetTime(clock.Now().Add(duration)) }

	BeforeAll(func(ctx SpecContext) {
		server = start(ctx, apiserver.Register(builder.New("reports"), apiserver.Options{Logs: logs, Clock: clock}).
			WithGuests(authenticator.TokenFunc(podOfToken), authorizer.AuthorizerFunc(mayDoAll)))
	})
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		builds = as(token)
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		write(ctx, builds, startAttempt(1))
	})

	It("stores the report of the current attempt's pod, and no other report", func(ctx SpecContext) {
		before := write(ctx, builds, bindPod(1, "p1"))
		answer := must(report(ctx, "p1", v1alpha1.BuildReport{Stage: "packages", Percent: new(int32(40)), Message: "vim"}))
		Expect(answer).To(And(HaveField("Name", "once"), HaveField("Namespace", namespace), HaveField("Stage", "packages"),
			HaveField("Percent", HaveValue(BeEquivalentTo(40))), HaveField("Message", "vim")))
		after := get(ctx)
		progress := after.Status.Progress
		Expect(progress.Time.Time).To(BeTemporally("==", clock.Now().Truncate(time.Microsecond)))
		Expect(progress.Attempt).To(BeEquivalentTo(1))
		Expect(after.Status.Stages).To(HaveLen(1))
		Expect(after.Generation).To(Equal(before.Generation))
		after.Status.Progress, after.Status.Stages = nil, nil
		Expect(after.Status).To(Equal(before.Status))
		Expect(after.Spec).To(Equal(before.Spec))

		later(time.Second)
		Expect(must(report(ctx, "p1", v1alpha1.BuildReport{Percent: new(int32(50))})).Stage).To(Equal("packages"))
	})

	It("stores one report a second across all replicas, and no report without news", func(ctx SpecContext) {
		write(ctx, builds, bindPod(1, "p1"))
		must(report(ctx, "p1", v1alpha1.BuildReport{Stage: "a"}))
		stored := get(ctx)
		must(report(ctx, "p1", v1alpha1.BuildReport{Stage: "a"}))
		Expect(get(ctx).ResourceVersion).To(Equal(stored.ResourceVersion), "nothing was written")

		later(999 * time.Millisecond)
		_, err := report(ctx, "p1", v1alpha1.BuildReport{Stage: "b"})
		Expect(apierrors.IsTooManyRequests(err)).To(BeTrue(), "%v", err)
		Expect(retryAfter.Load()).To(Equal("1"))

		later(time.Millisecond)
		var group sync.WaitGroup
		errs := make(chan error, 8)
		for i := range cap(errs) {
			group.Go(func() {
				defer GinkgoRecover()
				_, err := report(ctx, "p1", v1alpha1.BuildReport{Stage: "b", Percent: new(int32(i))})
				errs <- err
			})
		}
		group.Wait()
		close(errs)
		var stores int
		for err := range errs {
			if err == nil {
				stores++
				continue
			}
			Expect(apierrors.IsTooManyRequests(err)).To(BeTrue(), "%v", err)
		}
		Expect(stores).To(Equal(1))
	})

	It("answers with a time to try again while the pod is not recorded", func(ctx SpecContext) {
		_, err := report(ctx, "p1", v1alpha1.BuildReport{Stage: "a"})
		Expect(apierrors.IsServiceUnavailable(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("the pod of attempt 1 of imagebuild \"once\" is not recorded yet")))
		Expect(retryAfter.Load()).To(Equal("1"))
	})

	It("is for the pod of the current attempt", func(ctx SpecContext) {
		Expect(errorOf(builds.Report(ctx, "once", &v1alpha1.BuildReport{Stage: "a"}, metav1.CreateOptions{}))).To(
			And(Satisfy(apierrors.IsForbidden), MatchError(ContainSubstring("only the build's own pod may report"))))

		write(ctx, builds, bindPod(1, "p1"))
		_, err := report(ctx, "stranger", v1alpha1.BuildReport{Stage: "a"})
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("only the build's own pod may report")))
		for _, foreign := range []string{"once", "nothing"} { // whether the build exists is nobody's business in another namespace
			_, err = as(podToken("another", "p1")).Report(ctx, foreign, &v1alpha1.BuildReport{Stage: "a"}, metav1.CreateOptions{})
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring("only the build's own pod may report")), foreign)
		}

		write(ctx, builds, endAttempt(1, v1alpha1.AttemptDisrupted))
		write(ctx, builds, startAttempt(2), bindPod(2, "p2"))
		_, err = report(ctx, "p1", v1alpha1.BuildReport{Stage: "a"})
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("pod pod-p1 belongs to attempt 1, which has ended: the current attempt is 2")))
		must(report(ctx, "p2", v1alpha1.BuildReport{Stage: "a"}))

		write(ctx, builds, succeed(2))
		Expect(errorOf(report(ctx, "p2", v1alpha1.BuildReport{Stage: "b"}))).To(Satisfy(apierrors.IsConflict))
		Expect(get(ctx).Status.Progress.Stage).To(Equal("a"))
	})

	It("refuses what is out of range, with the field's path", func(ctx SpecContext) {
		write(ctx, builds, bindPod(1, "p1"))
		Expect(errorOf(report(ctx, "p1", v1alpha1.BuildReport{
			ObjectMeta: metav1.ObjectMeta{Name: "twice"}, Stage: strings.Repeat("s", 64), Percent: new(int32(101)), Message: "\x00",
		}))).To(beInvalid("metadata.name", "stage", "percent", "message"))
		Expect(get(ctx).Status.Progress).To(BeNil())
	})

	It("stores nothing in a dry run, and does not reveal a missing build", func(ctx SpecContext) {
		write(ctx, builds, bindPod(1, "p1"))
		must(as(podToken(namespace, "p1")).Report(ctx, "once", &v1alpha1.BuildReport{Stage: "a"}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(get(ctx).Status.Progress).To(BeNil())
		_, err := as(podToken(namespace, "p1")).Report(ctx, "nothing", &v1alpha1.BuildReport{}, metav1.CreateOptions{})
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
})

// onlyOnce keeps the client from retrying after an answer with Retry-After: it removes the header, and records it.
type onlyOnce struct {
	next       http.RoundTripper
	retryAfter *atomic.Value
}

func (o onlyOnce) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := o.next.RoundTrip(request)
	if err == nil {
		if after := response.Header.Get("Retry-After"); after != "" {
			o.retryAfter.Store(after)
		}
		response.Header.Del("Retry-After")
	}
	return response, err
}
