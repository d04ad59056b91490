// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/records"
)

// zipped compresses a text by gzip.
func zipped(text []byte) []byte {
	GinkgoHelper()
	compressed := &bytes.Buffer{}
	writer := gzip.NewWriter(compressed)
	must(writer.Write(text))
	Expect(writer.Close()).To(Succeed())
	return compressed.Bytes()
}

// withPods lets pods do everything that the server does not refuse itself.
func withPods(server *builder.Server) *builder.Server {
	return server.WithGuests(authenticator.TokenFunc(podOfToken), authorizer.AuthorizerFunc(mayDoAll))
}

var _ = Describe("Attesting a build", Ordered, func() {
	var (
		server     *recording
		config     *restclient.Config
		namespace  string
		builds     typed.ImageBuildInterface
		retryAfter atomic.Value // of the last answer that had one
	)
	// as talks to the server with a token, and does not try again by itself.
	as := func(token string) typed.ImageBuildInterface {
		GinkgoHelper()
		config := restclient.CopyConfig(config)
		config.BearerToken = token
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return onlyOnce{next, &retryAfter} })
		return must(versioned.NewForConfig(config)).ImagesV1alpha1().ImageBuilds(namespace)
	}
	attestation := func(locks ...[]byte) *v1alpha1.BuildAttestation { return &v1alpha1.BuildAttestation{Locks: locks} }
	attest := func(ctx context.Context, pod types.UID, locks ...[]byte) error {
		GinkgoHelper()
		return errorOf(as(podToken(namespace, pod)).Attest(ctx, "once", attestation(locks...), metav1.CreateOptions{}))
	}
	recorded := func(ctx context.Context, lock []byte) error { return errorOf(server.store.Lock(ctx, sha(lock))) }

	BeforeAll(func(ctx SpecContext) {
		server, config = startRecordingWith(ctx, apiserver.Options{Logs: logs}, withPods)
	})
	var lock []byte // of no other spec
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		lock = lockOf("bash", namespace)
		builds = as(token)
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		write(ctx, builds, startAttempt(1))
	})

	It("records the locks, and does not return them", func(ctx SpecContext) {
		write(ctx, builds, bindPod(1, "p1"), setPhase(v1alpha1.BuildRunning))
		other := lockOf("vim", namespace)
		for range 2 {
			answer := must(as(podToken(namespace, "p1")).Attest(ctx, "once", attestation(zipped(lock), zipped(other), zipped(lock)), metav1.CreateOptions{}))
			Expect(answer).To(And(HaveField("Name", "once"), HaveField("Namespace", namespace), HaveField("Locks", BeEmpty())))
		}
		write(ctx, builds, succeed(1), func(status *v1alpha1.ImageBuildStatus) {
			status.Artifacts = []v1alpha1.Artifact{locked("linux/amd64/raw", lock, ""), locked("linux/arm64/raw", other, "")}
		})
		answer := &v1alpha1.ImageBuildPackages{}
		Expect(server.RESTClient().Get().Namespace(namespace).Resource("imagebuilds").Name("once").SubResource("packages").Do(ctx).Into(answer)).To(Succeed())
		Expect(answer.Locks).To(HaveExactElements(HaveField("Lock.Packages", HaveExactElements(HaveField("Name", "bash"))),
			HaveField("Lock.Packages", HaveExactElements(HaveField("Name", "vim")))))
	})

	It("is for the pod of the current attempt", func(ctx SpecContext) {
		locks := attestation(zipped(lock))
		refused := func(err error, message string) {
			GinkgoHelper()
			Expect(err).To(And(Satisfy(apierrors.IsForbidden), MatchError(And(ContainSubstring("imagebuilds/attest.images.goldsmith.dev"), ContainSubstring(message)))))
		}
		err := attest(ctx, "p1", zipped(lock))
		Expect(err).To(And(Satisfy(apierrors.IsServiceUnavailable), MatchError(ContainSubstring(`the pod of attempt 1 of imagebuild "once" is not recorded yet: attest again`))))
		Expect(retryAfter.Load()).To(Equal("1"))

		const own = "only the build's own pod may attest: use the token that is mounted in the pod"
		refused(errorOf(builds.Attest(ctx, "once", locks, metav1.CreateOptions{})), own)
		write(ctx, builds, bindPod(1, "p1"))
		refused(attest(ctx, "stranger", zipped(lock)), own)
		for _, name := range []string{"once", "nothing"} { // whether the build exists is nobody's business in another namespace
			refused(errorOf(as(podToken("another", "p1")).Attest(ctx, name, locks, metav1.CreateOptions{})), own)
		}
		refused(errorOf(as(podToken(namespace, "p1")).Attest(ctx, "nothing", locks, metav1.CreateOptions{})), own)

		write(ctx, builds, endAttempt(1, v1alpha1.AttemptDisrupted))
		write(ctx, builds, startAttempt(2), bindPod(2, "p2"))
		refused(attest(ctx, "p1", zipped(lock)), "pod pod-p1 belongs to attempt 1, which has ended: the current attempt is 2")
		write(ctx, builds, succeed(2))
		Expect(attest(ctx, "p2", zipped(lock))).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("attempt 2 has ended and takes no more attestations"))))
		Expect(recorded(ctx, lock)).To(MatchError(records.ErrNotFound))
	})

	It("refuses what is no lock, with the field's path, and records no other lock of the request", func(ctx SpecContext) {
		write(ctx, builds, bindPod(1, "p1"))
		var many []string
		for i := range 100_000 {
			many = append(many, "p"+strconv.Itoa(i), "1")
		}
		good, bomb := zipped(lock), zipped(make([]byte, 2*v1alpha1.MaxLockBytes)) // whose end is not read
		flipped := bytes.Clone(good)
		flipped[len(flipped)/2] ^= 1
		for message, bad := range map[string][]byte{
			"must be compressed by gzip":                                  lock,
			"must be compressed by gzip: EOF":                             {},
			"cannot be decompressed: unexpected EOF: send it again":       good[:len(good)-9],
			"cannot be decompressed":                                      flipped,
			"has more than 8388608 bytes":                                 bomb[:len(bomb)-1],
			"is not a JSON object":                                        zipped([]byte("no")),
			"version is 2, must be 1":                                     zipped([]byte(`{"version": 2}`)),
			"has 100000 packages, at most 20000 are allowed":              zipped(lockOf(many...)),
			"must be one line of printable characters":                    zipped(lockOf("\x1b\u202e", "1")),
			"packages[1] is the same as packages[0]":                      zipped(lockOf("a", "1", "a", "1")),
			"sources[0].uri has a URL with a user, a query or a fragment": zipped([]byte(`{"version":1,"packages":[],"sources":[{"uri":"https://me:secret@a"}]}`)),
		} {
			err := attest(ctx, "p1", good, bad)
			Expect(err).To(And(beInvalid("locks[1]"), MatchError(ContainSubstring(message))), message)
			Expect(err).NotTo(MatchError(ContainSubstring("secret")))
		}
		request := attestation(slices.Repeat([][]byte{good}, 17)...)
		request.Name = "twice"
		Expect(errorOf(as(podToken(namespace, "p1")).Attest(ctx, "once", request, metav1.CreateOptions{}))).To(beInvalid("metadata.name", "locks"))
		Expect(recorded(ctx, lock)).To(MatchError(records.ErrNotFound))
	})

	It("records nothing in a dry run", func(ctx SpecContext) {
		write(ctx, builds, bindPod(1, "p1"))
		must(as(podToken(namespace, "p1")).Attest(ctx, "once", attestation(zipped(lock)), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(recorded(ctx, lock)).To(MatchError(records.ErrNotFound))
	})

	It("waits for a database that is unavailable", func(ctx SpecContext) {
		write(ctx, builds, bindPod(1, "p1"))
		server.away.Store(true)
		DeferCleanup(func() { server.away.Store(false) })
		retryAfter.Store("")
		Expect(attest(ctx, "p1", zipped(lock))).To(And(Satisfy(apierrors.IsServiceUnavailable), MatchError(ContainSubstring("connection refused"))))
		Expect(retryAfter.Load()).To(Equal("1"))
		server.away.Store(false)
		Expect(attest(ctx, "p1", zipped(lock))).To(Succeed())
		Expect(recorded(ctx, lock)).To(Succeed())
	})
})

var _ = Describe("Attesting a build without a database of records", func() {
	It("only checks the locks", func(ctx SpecContext) {
		config := start(ctx, withPods(apiserver.Register(builder.New("attestations"), apiserver.Options{Logs: logs}))).ClientConfig()
		as := func(token string) typed.ImageBuildInterface {
			config := restclient.CopyConfig(config)
			config.BearerToken = token
			return must(versioned.NewForConfig(config)).ImagesV1alpha1().ImageBuilds("team")
		}
		must(as(token).Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		write(ctx, as(token), startAttempt(1), bindPod(1, "p1"))
		pod := as(podToken("team", "p1"))
		must(pod.Attest(ctx, "once", &v1alpha1.BuildAttestation{Locks: [][]byte{zipped(lockOf())}}, metav1.CreateOptions{}))
		must(pod.Attest(ctx, "once", &v1alpha1.BuildAttestation{}, metav1.CreateOptions{}))
		_, err := pod.Attest(ctx, "once", &v1alpha1.BuildAttestation{Locks: [][]byte{[]byte(strings.Repeat("x", 100))}}, metav1.CreateOptions{})
		Expect(err).To(beInvalid("locks[0]"))
	})
})
