// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	ocidigest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/sbom"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// fakePublisherTokens reviews tokens that name their pod.
type fakePublisherTokens struct{}

func publisherToken(pod string) string { return "publisher-of-" + pod }

func (fakePublisherTokens) PodOf(_ context.Context, token string) (types.UID, error) {
	if token == "unreviewed" {
		return "", errors.New("connection refused")
	}
	pod, ok := strings.CutPrefix(token, "publisher-of-")
	if !ok {
		return "", nil
	}
	return types.UID(pod), nil
}

// withHeader adds a header to requests.
type withHeader struct {
	next        http.RoundTripper
	name, value string
}

func (w withHeader) RoundTrip(request *http.Request) (*http.Response, error) {
	if w.value != "" {
		request.Header.Set(w.name, w.value)
	}
	return w.next.RoundTrip(request)
}

// testKey is a SigningKey with its private key.
type testKey struct {
	*signing.PrivateKey
	name, id string
}

var _ = Describe("Attesting artifacts", Ordered, func() {
	const (
		repository = "registry.example.com/team/web"
		amd64      = "linux/amd64/raw"
		arm64      = "linux/arm64/raw"
	)
	var (
		running   *builder.Running
		clock     = testingclock.NewFakePassiveClock(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
		namespace string
		builds    typed.ImageBuildInterface
		keys      typed.SigningKeyInterface
	)
	// as is a client of a pod and its publisher, which does not try again by itself.
	as := func(token, publisher string) typed.ImageBuildInterface {
		GinkgoHelper()
		config := restclient.CopyConfig(running.ClientConfig())
		config.BearerToken = token
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return onlyOnce{withHeader{next, v1alpha1.PublisherTokenHeader, publisher}, &atomic.Value{}}
		})
		return must(versioned.NewForConfig(config)).ImagesV1alpha1().ImageBuilds(namespace)
	}
	lock := func() []byte { GinkgoHelper(); return lockOf("bash", "5.2", "vim", "9.1") }
	// request is the attestation of an artifact with a lock and both bills.
	request := func(target string) *v1alpha1.BuildAttestation {
		GinkgoHelper()
		artifact := locked(target, lock(), "")
		its := &v1alpha1.Lock{Version: v1alpha1.LockVersion, Packages: []v1alpha1.Package{
			{Name: "bash", Version: "5.2", Architecture: "amd64"}, {Name: "vim", Version: "9.1", Architecture: "amd64"},
		}}
		for mediaType, write := range map[string]func(io.Writer, *v1alpha1.Lock, sbom.Subject) error{
			v1alpha1.MediaTypeCycloneDX: sbom.CycloneDX, v1alpha1.MediaTypeSPDX: sbom.SPDX,
		} {
			var bill bytes.Buffer
			Expect(write(&bill, its, sbom.Subject{Target: target, Digest: artifact.Digest})).To(Succeed())
			artifact.Documents = append(artifact.Documents, v1alpha1.ArtifactDocument{
				Type: v1alpha1.DocumentSBOM, MadeBy: v1alpha1.DocumentMadeByGoldsmith, Digest: sha(bill.Bytes()), SizeBytes: int64(bill.Len()), MediaType: mediaType,
			})
		}
		if artifact.Documents[1].MediaType != v1alpha1.MediaTypeCycloneDX {
			artifact.Documents[1], artifact.Documents[2] = artifact.Documents[2], artifact.Documents[1]
		}
		made := sha([]byte("the manifest of " + target))
		artifact.Location = repository + "@" + made
		return &v1alpha1.BuildAttestation{Locks: [][]byte{zipped(lock())}, Artifact: &artifact, Manifest: made}
	}
	post := func(ctx context.Context, pod string, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error) {
		GinkgoHelper()
		return as(podToken(namespace, types.UID(pod)), publisherToken(pod)).Attest(ctx, "once", request, metav1.CreateOptions{})
	}
	status := func(ctx context.Context) v1alpha1.ImageBuildStatus {
		GinkgoHelper()
		return must(builds.Get(ctx, "once", metav1.GetOptions{})).Status
	}
	attested := func(ctx context.Context) string {
		GinkgoHelper()
		status := status(ctx)
		if condition := meta.FindStatusCondition(status.Conditions, v1alpha1.BuildAttested); condition != nil {
			return string(condition.Status) + " " + condition.Reason + ": " + condition.Message
		}
		return ""
	}
	// newKey creates a key for the namespace, which the signer has read.
	newKey := func(ctx context.Context, change ...func(*v1alpha1.SigningKey)) testKey {
		GinkgoHelper()
		private := must(signing.Generate())
		public := must(private.Public())
		key := &v1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "key-" + rand()}, Spec: v1alpha1.SigningKeySpec{
			SecretRef: v1alpha1.SecretReference{Name: "secret"}, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": namespace}},
		}}
		for _, change := range change {
			change(key)
		}
		declared := key
		key = must(keys.Create(ctx, key, metav1.CreateOptions{}))
		DeferCleanup(func(ctx SpecContext) {
			Expect(keys.Delete(ctx, key.Name, metav1.DeleteOptions{})).To(Or(Succeed(), Satisfy(apierrors.IsNotFound)))
		})
		key.Status = v1alpha1.SigningKeyStatus{KeyID: public.ID(), PublicKey: string(public.PEM()), Conditions: declared.Status.Conditions}
		must(keys.UpdateStatus(ctx, key, metav1.UpdateOptions{}))
		return testKey{private, key.Name, public.ID()}
	}
	// signatures signs everything that Goldsmith states about a build.
	signatures := func(ctx context.Context, key testKey) *v1alpha1.BuildSignatures {
		GinkgoHelper()
		request := &v1alpha1.BuildSignatures{Key: key.name}
		for _, statement := range attestation.All(status(ctx).Attestation) {
			request.Signatures = append(request.Signatures, v1alpha1.DigestSignature{SignedDigest: statement.SignedDigest, Signature: must(key.SignStatement(statement.SignedDigest))})
		}
		return request
	}
	sign := func(ctx context.Context, key testKey) {
		GinkgoHelper()
		must(builds.Sign(ctx, "once", signatures(ctx, key), metav1.CreateOptions{}))
	}

	BeforeAll(func(ctx SpecContext) {
		running = start(ctx, withPods(corekinds.Register(apiserver.Register(builder.New("attesting"), apiserver.Options{
			Logs: logs, Clock: clock, PublisherTokens: fakePublisherTokens{}, Version: "v1.2.3",
		}), noLogs{})))
	})
	create := func(ctx SpecContext, policy v1alpha1.AttestPolicy) {
		GinkgoHelper()
		build := newBuild("once")
		build.Spec.Inputs.Targets = append(build.Spec.Inputs.Targets, v1alpha1.Target{Platform: "linux/arm64", Format: v1alpha1.ArtifactFormatRaw})
		build.Spec.Inputs.Output = &v1alpha1.Output{Repository: repository, Attest: policy}
		must(builds.Create(ctx, build, metav1.CreateOptions{}))
		write(ctx, builds, startAttempt(1))
		write(ctx, builds, bindPod(1, "p1"), setPhase(v1alpha1.BuildRunning), func(status *v1alpha1.ImageBuildStatus) {
			status.Attempts[0].BuilderImage = "registry.example.com/builder@" + digest('b')
		})
	}
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		builds = as(token, "")
		config := restclient.CopyConfig(running.ClientConfig())
		config.BearerToken = token
		keys = must(versioned.NewForConfig(config)).ImagesV1alpha1().SigningKeys()
		must(must(kubernetes.NewForConfig(config)).CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"team": namespace}},
		}, metav1.CreateOptions{}))
	})

	It("states what it built, waits for the keys, and answers alike from then on", func(ctx SpecContext) {
		create(ctx, v1alpha1.AttestRequired)
		newer := func(key *v1alpha1.SigningKey) { key.Name = "a-" + key.Name } // by name it would be the first
		key := newKey(ctx)
		answer := must(post(ctx, "p1", request(amd64)))
		Expect(answer).To(Equal(&v1alpha1.BuildAttestation{ObjectMeta: metav1.ObjectMeta{Name: "once", Namespace: namespace}, WaitingFor: []string{key.name}}))
		Expect(attested(ctx)).To(HavePrefix("False WaitingForSigner: the artifacts are not signed yet with SigningKey " + key.name))
		its := status(ctx).Attestation
		Expect(its).To(And(HaveField("Attempt", BeEquivalentTo(1)), HaveField("Version", "v1.2.3"), HaveField("Artifacts", HaveExactElements(And(
			HaveField("Target", amd64), HaveField("Digest", request(amd64).Artifact.Digest), HaveField("Manifest", request(amd64).Manifest),
		)))))
		before := must(builds.Get(ctx, "once", metav1.GetOptions{}))
		Expect(must(post(ctx, "p1", request(amd64)))).To(Equal(answer))
		Expect(must(builds.Get(ctx, "once", metav1.GetOptions{})).ResourceVersion).To(Equal(before.ResourceVersion), "nothing was written")

		sign(ctx, key)
		Expect(attested(ctx)).To(Equal("True Signed: signed with SigningKey " + key.name))
		first := must(post(ctx, "p1", request(amd64)))
		Expect(first.WaitingFor).To(BeEmpty())
		var types []string
		for _, statement := range first.Statements {
			types = append(types, statement.Type)
			payload := must(io.ReadAll(must(gzip.NewReader(bytes.NewReader(statement.Payload)))))
			made := attestation.Statement{Type: statement.Type, Payload: payload}
			Expect(statement.Signatures).To(HaveExactElements(HaveField("KeyID", key.id)))
			Expect(must(key.Public()).VerifyStatement(made.SignedDigest(), statement.Signatures[0].Signature)).To(BeTrue())
			if statement.Type != attestation.TypeSimpleSigning {
				content := must(made.Content())
				Expect(content.About(request(amd64).Artifact.Digest) && content.About(request(amd64).Manifest)).To(BeTrue())
			}
			if statement.Type == attestation.TypeProvenance {
				Expect(string(payload)).To(And(ContainSubstring(attestation.BuilderCluster), ContainSubstring(`"goldsmith":"v1.2.3"`), ContainSubstring(strings.Repeat("b", 64))))
			}
		}
		Expect(types).To(Equal([]string{attestation.TypeProvenance, attestation.TypeCycloneDX, attestation.TypeSPDX, attestation.TypeSignature, attestation.TypeSimpleSigning}))
		stored := status(ctx).Attestation
		sign(ctx, key) // again
		Expect(must(post(ctx, "p1", request(amd64)))).To(Equal(first))
		Expect(status(ctx).Attestation).To(Equal(stored))

		// The next artifact waits by itself, also for the key that follows in a rotation.
		second := newKey(ctx, newer)
		Expect(must(post(ctx, "p1", request(arm64))).WaitingFor).To(Equal([]string{second.name, key.name}))
		sign(ctx, second)
		Expect(must(post(ctx, "p1", request(arm64))).WaitingFor).To(Equal([]string{key.name}))
		Expect(attested(ctx)).To(HavePrefix("False WaitingForSigner: the artifacts are not signed yet with SigningKey " + key.name + ":"))
		sign(ctx, key)
		for _, statement := range must(post(ctx, "p1", request(arm64))).Statements {
			Expect(statement.Signatures).To(ConsistOf(HaveField("KeyID", key.id), HaveField("KeyID", second.id)))
		}
		Expect(attested(ctx)).To(Equal("True Signed: signed with SigningKey " + second.name + ", " + key.name))

		// Another writer of the status changes neither, and an end keeps both.
		both := status(ctx).Attestation
		write(ctx, builds, func(status *v1alpha1.ImageBuildStatus) {
			status.Attestation = nil
			meta.RemoveStatusCondition(&status.Conditions, v1alpha1.BuildAttested)
		})
		write(ctx, builds, succeed(1))
		Expect(status(ctx).Attestation).To(Equal(both))
		Expect(attested(ctx)).To(HavePrefix("True Signed"))
		refusal := errorOf(builds.Sign(ctx, "once", signatures(ctx, key), metav1.CreateOptions{}))
		Expect(refusal).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("it has finished, and takes no more signatures"))))
		Expect(errorOf(post(ctx, "p1", request(amd64)))).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("takes no more attestations"))))
	})

	// indexOf is the attestation of an index of the artifacts for targets.
	indexOf := func(targets ...string) *v1alpha1.BuildAttestation {
		GinkgoHelper()
		index := ociv1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageIndex}
		for _, target := range targets {
			index.Manifests = append(index.Manifests, ociv1.Descriptor{MediaType: ociv1.MediaTypeImageManifest, Digest: ocidigest.Digest(request(target).Manifest), Size: 2})
		}
		return &v1alpha1.BuildAttestation{Index: must(json.Marshal(index))}
	}

	It("signs an index of what it has attested", func(ctx SpecContext) {
		create(ctx, v1alpha1.AttestRequired)
		key := newKey(ctx)
		both := indexOf(amd64, arm64)
		must(post(ctx, "p1", request(amd64)))
		Expect(errorOf(post(ctx, "p1", both))).To(And(beInvalid("index"), MatchError(ContainSubstring("attest the artifact first"))))
		must(post(ctx, "p1", request(arm64)))
		sign(ctx, key)
		second := newKey(ctx) // between the artifacts and the index: both wait for it
		must(as(podToken(namespace, "p1"), publisherToken("p1")).Attest(ctx, "once", both, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(status(ctx).Attestation.Indexes).To(BeEmpty())
		Expect(must(post(ctx, "p1", both)).WaitingFor).To(ConsistOf(key.name, second.name))
		Expect(attested(ctx)).To(HavePrefix("False WaitingForSigner"))
		Expect(must(post(ctx, "p1", both)).WaitingFor).To(HaveLen(2))
		sign(ctx, key)
		Expect(must(post(ctx, "p1", both)).WaitingFor).To(Equal([]string{second.name}))
		sign(ctx, second)
		Expect(attested(ctx)).To(HavePrefix("True Signed"))
		answer := must(post(ctx, "p1", both))
		var types []string
		for _, statement := range answer.Statements {
			types = append(types, statement.Type)
			made := attestation.Statement{Type: statement.Type, Payload: must(io.ReadAll(must(gzip.NewReader(bytes.NewReader(statement.Payload)))))}
			Expect(string(made.Payload)).To(ContainSubstring(repository))
			Expect(must(made.Content()).Digests).To(Equal([]string{sha(both.Index)}))
			Expect(statement.Signatures).To(ConsistOf(HaveField("KeyID", key.id), HaveField("KeyID", second.id)))
			for _, signature := range statement.Signatures {
				Expect(must(key.Public()).VerifyStatement(made.SignedDigest(), signature.Signature)).To(Equal(signature.KeyID == key.id))
			}
		}
		Expect(types).To(Equal([]string{attestation.TypeSignature, attestation.TypeSimpleSigning}))
		before := must(builds.Get(ctx, "once", metav1.GetOptions{}))
		Expect(must(post(ctx, "p1", both))).To(Equal(answer))
		Expect(must(builds.Get(ctx, "once", metav1.GetOptions{})).ResourceVersion).To(Equal(before.ResourceVersion), "nothing was written")
		Expect(before.Status.Attestation.Indexes).To(HaveExactElements(HaveField("Digest", sha(both.Index))))

		must(post(ctx, "p1", indexOf(amd64)))
		Expect(errorOf(post(ctx, "p1", indexOf(arm64)))).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("at most one index for each artifact"))))
		pod := podToken(namespace, "p1")
		Expect(errorOf(as(pod, pod).Attest(ctx, "once", both, metav1.CreateOptions{}))).To(Satisfy(apierrors.IsForbidden))
		Expect(errorOf(post(ctx, "p9", both))).To(Satisfy(apierrors.IsForbidden))
		write(ctx, builds, endAttempt(1, v1alpha1.AttemptDisrupted))
		write(ctx, builds, startAttempt(2))
		write(ctx, builds, bindPod(2, "p2"))
		Expect(errorOf(post(ctx, "p1", both))).To(Satisfy(apierrors.IsForbidden))
		Expect(errorOf(post(ctx, "p2", both))).To(beInvalid("index", "index"))
		must(post(ctx, "p2", request(amd64)))
		must(post(ctx, "p2", request(arm64)))
		must(post(ctx, "p2", both))
		Expect(status(ctx).Attestation.Indexes[0].Statements[0].SignedDigest).To(Equal(before.Status.Attestation.Indexes[0].Statements[0].SignedDigest))
		write(ctx, builds, succeed(2))
		Expect(errorOf(post(ctx, "p2", both))).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("takes no more attestations"))))
	})

	It("leaves a build unsigned that is never signed", func(ctx SpecContext) {
		create(ctx, v1alpha1.AttestNever)
		key := newKey(ctx)
		must(post(ctx, "p1", request(amd64)))
		answer := must(post(ctx, "p1", indexOf(amd64)))
		Expect(answer.WaitingFor).To(BeEmpty())
		Expect(answer.Statements).To(HaveExactElements(HaveField("Signatures", BeEmpty()), HaveField("Signatures", BeEmpty())))
		Expect(attested(ctx)).To(BeEmpty())
		Expect(must(post(ctx, "p1", &v1alpha1.BuildAttestation{})).Statements).To(BeEmpty(), "so answers a server that drops the index, because it has an earlier version")
		Expect(errorOf(builds.Sign(ctx, "once", signatures(ctx, key), metav1.CreateOptions{}))).To(And(beInvalid("signatures"), MatchError(ContainSubstring("output.attest of the build is Never"))))
	})

	It("states something else about the artifacts of the next attempt", func(ctx SpecContext) {
		create(ctx, v1alpha1.AttestAutomatic)
		key := newKey(ctx)
		must(post(ctx, "p1", request(amd64)))
		sign(ctx, key)
		old := signatures(ctx, key)
		write(ctx, builds, endAttempt(1, v1alpha1.AttemptDisrupted))
		Expect(attested(ctx)).To(HavePrefix("True Signed"))
		write(ctx, builds, startAttempt(2))
		Expect(status(ctx).Attestation).To(BeNil())
		Expect(attested(ctx)).To(BeEmpty())
		Expect(errorOf(builds.Sign(ctx, "once", old, metav1.CreateOptions{}))).To(beInvalid(
			"signatures[0].signedDigest", "signatures[1].signedDigest", "signatures[2].signedDigest", "signatures[3].signedDigest", "signatures[4].signedDigest"))
		write(ctx, builds, bindPod(2, "p2"))
		Expect(errorOf(post(ctx, "p1", request(amd64)))).To(And(Satisfy(apierrors.IsForbidden), MatchError(ContainSubstring("belongs to attempt 1"))))
		Expect(must(post(ctx, "p2", request(amd64))).WaitingFor).To(Equal([]string{key.name}))
		again := signatures(ctx, key)
		Expect(again.Signatures[0].SignedDigest).NotTo(Equal(old.Signatures[0].SignedDigest), "the provenance tells the attempt")
		Expect(again.Signatures[1].SignedDigest).To(Equal(old.Signatures[1].SignedDigest), "the bill of materials does not")
		Expect(status(ctx).Attestation.Attempt).To(BeEquivalentTo(2))

		// It waits for the signer until it ends.
		write(ctx, builds, endAttempt(2, v1alpha1.AttemptFailed), setPhase(v1alpha1.BuildFailed), func(status *v1alpha1.ImageBuildStatus) {
			status.CompletionTime, status.Failure = new(metav1.Now()), status.Attempts[1].Failure
		})
		Expect(attested(ctx)).To(BeEmpty())
		Expect(status(ctx).Attestation).NotTo(BeNil())
	})

	It("refuses what is not the publisher of the current attempt, and stores nothing", func(ctx SpecContext) {
		create(ctx, v1alpha1.AttestAutomatic)
		newKey(ctx)
		pod := podToken(namespace, "p1")
		const own = "only the build's own pod may attest"
		for name, c := range map[string]struct {
			token, publisher string
			change           func(*v1alpha1.BuildAttestation)
			want             gomegatypes.GomegaMatcher
			message          string
		}{
			"another build's pod":             {podToken(namespace, "p9"), publisherToken("p9"), nil, Satisfy(apierrors.IsForbidden), own},
			"a pod of another namespace":      {podToken("another", "p1"), publisherToken("p1"), nil, Satisfy(apierrors.IsForbidden), own},
			"a person":                        {token, publisherToken("p1"), nil, Satisfy(apierrors.IsForbidden), own},
			"no token of the publisher":       {pod, "", nil, Satisfy(apierrors.IsForbidden), "only the publisher may attest an artifact: send its own token in the header Goldsmith-Publisher-Token"},
			"the token of the builder":        {pod, pod, nil, Satisfy(apierrors.IsForbidden), "is not valid for the audience images.goldsmith.dev/publisher and this pod"},
			"the token of another publisher":  {pod, publisherToken("p9"), nil, Satisfy(apierrors.IsForbidden), "is not valid for the audience images.goldsmith.dev/publisher and this pod"},
			"a token that cannot be reviewed": {pod, "unreviewed", nil, Satisfy(apierrors.IsInternalError), "review the token of the publisher: connection refused"},
			"an unknown target": {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) { r.Artifact.Target = "linux/s390x/raw" },
				beInvalid("artifact.target"), `supported values: "linux/amd64/raw", "linux/arm64/raw"`},
			"another repository": {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) { r.Artifact.Location = "registry.example.com/evil@" + r.Manifest },
				beInvalid("artifact.location"), "must be " + repository + "@sha256:"},
			"another manifest": {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) { r.Artifact.Location = repository + "@" + digest('9') },
				beInvalid("artifact.location"), "where this build stores the artifact"},
			"what are no digests": {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) {
				r.Artifact.Digest, r.Manifest, r.Artifact.Documents[0].Digest = "sha256:12", "latest", "sha512:12"
			}, beInvalid("artifact.digest", "artifact.documents[0].digest", "manifest"), "must be sha256: and 64 hex digits"},
			"no manifest":         {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) { r.Manifest = "" }, beInvalid("manifest"), "set sha256: and 64 hex digits"},
			"no artifact":         {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) { r.Artifact = nil }, beInvalid("artifact"), "set the artifact of the manifest"},
			"two locks":           {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) { r.Locks = append(r.Locks, r.Locks[0]) }, beInvalid("locks"), "must have at most 1"},
			"a lock of another":   {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) { r.Locks[0] = zipped(lockOf("bash", "5.3")) }, beInvalid("locks[0]"), "is not the document of type Lock"},
			"what is no lock":     {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) { r.Locks[0] = []byte("no") }, beInvalid("locks[0]"), "must be compressed by gzip"},
			"the bill of another": {pod, publisherToken("p1"), func(r *v1alpha1.BuildAttestation) { r.Artifact.Documents[1].Digest = digest('9') }, Satisfy(apierrors.IsConflict), "is not the SBOM of the lock"},
		} {
			request := request(amd64)
			if c.change != nil {
				c.change(request)
			}
			err := errorOf(as(c.token, c.publisher).Attest(ctx, "once", request, metav1.CreateOptions{}))
			Expect(err).To(And(c.want, MatchError(ContainSubstring(c.message))), name)
		}
		dry := must(as(pod, publisherToken("p1")).Attest(ctx, "once", request(amd64), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(dry.WaitingFor).To(HaveLen(1))
		Expect(status(ctx).Attestation).To(BeNil())
		Expect(attested(ctx)).To(BeEmpty())
	})

	It("states one thing about each artifact of an attempt", func(ctx SpecContext) {
		create(ctx, v1alpha1.AttestNever)
		first := must(post(ctx, "p1", request(amd64)))
		for name, change := range map[string]func(*v1alpha1.BuildAttestation){
			"another content": func(r *v1alpha1.BuildAttestation) { r.Artifact.Digest = digest('9') },
			"another manifest": func(r *v1alpha1.BuildAttestation) {
				r.Manifest = digest('9')
				r.Artifact.Location = repository + "@" + r.Manifest
			},
			"other documents": func(r *v1alpha1.BuildAttestation) { r.Artifact.Documents = r.Artifact.Documents[:1] },
		} {
			request := request(amd64)
			change(request)
			Expect(errorOf(post(ctx, "p1", request))).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("attempt 1 has another statement about linux/amd64/raw"))), name)
		}
		Expect(must(post(ctx, "p1", request(amd64)))).To(Equal(first))
		Expect(status(ctx).Attestation.Artifacts).To(HaveLen(1))
	})

	It("needs the keys that the policy asks for", func(ctx SpecContext) {
		expired := func(key *v1alpha1.SigningKey) { key.Spec.NotAfter = new(metav1.NewTime(clock.Now())) }
		unusable := func(key *v1alpha1.SigningKey) {
			key.Status.Conditions = []metav1.Condition{{Type: v1alpha1.SigningKeyReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonSecretNotFound,
				Message: "Secret secret does not exist", ObservedGeneration: 1, LastTransitionTime: metav1.NewTime(clock.Now())}}
		}
		elsewhere := func(key *v1alpha1.SigningKey) { key.Spec.NamespaceSelector.MatchLabels["team"] = "another" }
		for name, c := range map[string]struct {
			policy  v1alpha1.AttestPolicy
			keys    []func(*v1alpha1.SigningKey)
			reason  v1alpha1.FailureReason
			message string
		}{
			"Required without a key":          {v1alpha1.AttestRequired, nil, v1alpha1.ReasonNoSigningKey, "there is no SigningKey"},
			"Required, for other namespaces":  {v1alpha1.AttestRequired, []func(*v1alpha1.SigningKey){elsewhere}, v1alpha1.ReasonNoSigningKey, "no SigningKey selects namespace"},
			"an expired key":                  {"", []func(*v1alpha1.SigningKey){expired}, v1alpha1.ReasonSigningKeyExpired, "has expired"},
			"an unusable key":                 {"", []func(*v1alpha1.SigningKey){unusable}, v1alpha1.ReasonSigningKeyUnusable, "Secret secret does not exist"},
			"Automatic without a key":         {v1alpha1.AttestAutomatic, nil, "", ""},
			"Automatic, for other namespaces": {"", []func(*v1alpha1.SigningKey){elsewhere}, "", ""},
			"Never":                           {v1alpha1.AttestNever, []func(*v1alpha1.SigningKey){expired, unusable}, "", ""},
		} {
			By(name)
			create(ctx, c.policy)
			var used []testKey
			for _, change := range c.keys {
				used = append(used, newKey(ctx, change))
			}
			answer, err := post(ctx, "p1", request(amd64))
			if c.reason != "" {
				var refused apierrors.APIStatus
				Expect(errors.As(err, &refused) && apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", name, err)
				Expect(refused.Status().Details.Causes).To(HaveExactElements(And(HaveField("Type", BeEquivalentTo(c.reason)), HaveField("Message", ContainSubstring(c.message)))), name)
				Expect(attested(ctx)).To(And(HavePrefix("False "+string(c.reason)+": "), ContainSubstring(c.message)), name)
				Expect(status(ctx).Attestation).To(BeNil(), name)
				write(ctx, builds, endAttempt(1, v1alpha1.AttemptFailed), setPhase(v1alpha1.BuildFailed), func(status *v1alpha1.ImageBuildStatus) {
					status.CompletionTime, status.Failure = new(metav1.Now()), status.Attempts[0].Failure
				})
				Expect(attested(ctx)).To(HavePrefix("False "+string(c.reason)), name)
			} else {
				Expect(err).NotTo(HaveOccurred(), name)
				Expect(answer.WaitingFor).To(BeEmpty(), name)
				Expect(answer.Statements).To(HaveLen(5), name)
				Expect(answer.Statements).To(HaveEach(HaveField("Signatures", BeEmpty())), name)
				Expect(attested(ctx)).To(BeEmpty(), name)
			}
			for _, key := range used {
				Expect(keys.Delete(ctx, key.name, metav1.DeleteOptions{})).To(Succeed())
			}
			Expect(builds.Delete(ctx, "once", metav1.DeleteOptions{})).To(Succeed())
		}
	})

	It("stores only signatures of a key that signs the namespace", func(ctx SpecContext) {
		create(ctx, v1alpha1.AttestAutomatic)
		key, other := newKey(ctx), newKey(ctx)
		expired := newKey(ctx, func(key *v1alpha1.SigningKey) { key.Spec.NotAfter = new(metav1.NewTime(clock.Now())) })
		elsewhere := newKey(ctx, func(key *v1alpha1.SigningKey) { key.Spec.NamespaceSelector.MatchLabels["team"] = "another" })
		unread := must(keys.Create(ctx, &v1alpha1.SigningKey{
			ObjectMeta: metav1.ObjectMeta{Name: "unread-" + rand()}, Spec: v1alpha1.SigningKeySpec{SecretRef: v1alpha1.SecretReference{Name: "secret"}},
		}, metav1.CreateOptions{}))
		DeferCleanup(func(ctx SpecContext) { Expect(keys.Delete(ctx, unread.Name, metav1.DeleteOptions{})).To(Succeed()) })
		Expect(errorOf(builds.Sign(ctx, "once", &v1alpha1.BuildSignatures{Key: key.name, Signatures: []v1alpha1.DigestSignature{
			{SignedDigest: digest('1'), Signature: must(key.SignStatement(digest('1')))},
		}}, metav1.CreateOptions{}))).To(beInvalid("signatures[0].signedDigest"))
		must(post(ctx, "p1", request(amd64)))
		good := signatures(ctx, key)
		for name, c := range map[string]struct {
			change func(*v1alpha1.BuildSignatures)
			want   gomegatypes.GomegaMatcher
		}{
			"garbage":              {func(r *v1alpha1.BuildSignatures) { r.Signatures[1].Signature = []byte("garbage") }, beInvalid("signatures[1].signature")},
			"of another statement": {func(r *v1alpha1.BuildSignatures) { r.Signatures[1].SignedDigest = r.Signatures[0].SignedDigest }, beInvalid("signatures[1].signature")},
			"of no digest":         {func(r *v1alpha1.BuildSignatures) { r.Signatures[1].SignedDigest = "sha256:1" }, beInvalid("signatures[1].signedDigest")},
			"of another key": {func(r *v1alpha1.BuildSignatures) {
				r.Signatures[1].Signature = must(other.SignStatement(r.Signatures[1].SignedDigest))
			}, beInvalid("signatures[1].signature")},
			"of an unknown digest": {func(r *v1alpha1.BuildSignatures) {
				r.Signatures[1] = v1alpha1.DigestSignature{SignedDigest: digest('9'), Signature: must(key.SignStatement(digest('9')))}
			}, beInvalid("signatures[1].signedDigest")},
			"of an expired key":       {func(r *v1alpha1.BuildSignatures) { *r = *signatures(ctx, expired) }, And(beInvalid("key"), MatchError(ContainSubstring("has expired")))},
			"a key of other teams":    {func(r *v1alpha1.BuildSignatures) { *r = *signatures(ctx, elsewhere) }, And(beInvalid("key"), MatchError(ContainSubstring("does not select namespace")))},
			"a key that was not read": {func(r *v1alpha1.BuildSignatures) { r.Key = unread.Name }, And(beInvalid("key"), MatchError(ContainSubstring("has no public key")))},
			"a key that is not there": {func(r *v1alpha1.BuildSignatures) { r.Key = "nobody" }, And(beInvalid("key"), MatchError(ContainSubstring("Not found")))},
			"no key":                  {func(r *v1alpha1.BuildSignatures) { r.Key = "" }, beInvalid("key")},
			"nothing":                 {func(r *v1alpha1.BuildSignatures) { r.Signatures = nil }, beInvalid("signatures")},
			"another name":            {func(r *v1alpha1.BuildSignatures) { r.Name = "twice" }, beInvalid("metadata.name")},
		} {
			request := good.DeepCopy()
			c.change(request)
			Expect(errorOf(builds.Sign(ctx, "once", request, metav1.CreateOptions{}))).To(c.want, name)
		}
		must(builds.Sign(ctx, "once", good, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(errorOf(builds.Sign(ctx, "nothing", good, metav1.CreateOptions{}))).To(Satisfy(apierrors.IsNotFound))
		for _, statement := range status(ctx).Attestation.Artifacts[0].Statements {
			Expect(statement.Signatures).To(BeEmpty())
		}
		answer := must(builds.Sign(ctx, "once", good, metav1.CreateOptions{}))
		Expect(answer).To(And(HaveField("Key", key.name), HaveField("Name", "once"), HaveField("Signatures", good.Signatures)))
		Expect(must(builds.Sign(ctx, "once", good, metav1.CreateOptions{}))).To(Equal(answer))
	})
})
