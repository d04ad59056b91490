// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// answer is what a server answers to requests for statements.
type answer struct {
	times      int
	waitingFor []string
	err        error
}

// refusedFor is the answer of a server for a build whose artifacts nobody can sign.
func refusedFor(reason v1alpha1.FailureReason) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Message: "no",
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: metav1.CauseType(reason), Message: "there is no SigningKey: make one"}}},
	}}
}

func TestAnAttesterThatReachesNoServerGivesUp(t *testing.T) {
	for name, test := range map[string]struct {
		patience time.Duration
		err      error
		up       bool
	}{
		"no answer":               {time.Minute, errors.New("connection refused"), true},
		"no limit":                {0, errors.New("connection refused"), false},
		"an answer without a use": {time.Minute, apierrors.NewServiceUnavailable("later"), false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			requests := 0
			attester := &Attester{Clock: registrytest.NewClock(), Log: func(string, ...any) {}, Patience: test.patience, Post: func(context.Context, *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error) {
				if requests++; requests == 100 {
					cancel()
				}
				return nil, test.err
			}}
			for range 2 { // the second artifact does not wait again
				statements, err := attester.Attest(ctx, &result.Artifact{Target: "linux/amd64/raw"}, "sha256:2")
				if (err == nil) != test.up || statements != nil {
					t.Errorf("got %v, error %v", statements, err)
				}
			}
			if test.up && requests > 50 {
				t.Errorf("%d requests", requests)
			}
		})
	}
}

func TestAnAttesterWaitsForTheServerAndForTheSigner(t *testing.T) {
	conflict := apierrors.NewConflict(v1alpha1.Resource("imagebuilds"), "web-1", errors.New("another statement"))
	waiting := "waiting for SigningKey blue, green to sign linux/amd64/raw: kubectl get signingkeys shows its state; it is the signer that signs"
	signing := "signing linux/amd64/raw with SigningKey blue, green"
	for name, test := range map[string]struct {
		answers []answer
		want    result.Check
		said    []string
	}{
		"signed at once": {},
		"signed later":   {answers: []answer{{4, []string{"blue", "green"}, nil}}, said: []string{signing, "signed linux/amd64/raw after 1.625s"}},
		"a signer that is down for long": {
			answers: []answer{{33, []string{"blue", "green"}, nil}}, said: []string{signing, waiting, "signed linux/amd64/raw after 58.156s"},
		},
		"a server that is down": {
			answers: []answer{{2, nil, errors.New("connection refused")}, {1, nil, apierrors.NewServiceUnavailable("later")}, {1, nil, apierrors.NewTooManyRequestsError("slow")}},
			said:    []string{"waiting for the API server to attest linux/amd64/raw: connection refused", "signed linux/amd64/raw after 1.625s"},
		},
		"no key": {
			answers: []answer{{1, nil, refusedFor(v1alpha1.ReasonNoSigningKey)}},
			want:    result.Check{NotAttested: &result.NotAttested{Reason: v1alpha1.ReasonNoSigningKey, Message: "there is no SigningKey: make one"}},
		},
		"another statement": {answers: []answer{{1, nil, conflict}}, want: result.Check{NotStored: "attest: " + conflict.Error()}},
		"another 422":       {answers: []answer{{1, nil, refusedFor("FieldValueInvalid")}}, want: result.Check{NotStored: "attest: no"}},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			requests := 0
			attester := &Attester{
				Locks: map[string][]byte{"sha256:1": []byte("the lock")}, Clock: registrytest.NewClock(), Log: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
				Post: func(_ context.Context, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error) {
					requests++
					if request.Manifest != "sha256:2" || request.Artifact.Location != "r/web@sha256:2" || len(request.Locks) != 1 || string(request.Locks[0]) != "the lock" {
						t.Errorf("the request is %+v", request)
					}
					for i := range test.answers {
						if its := &test.answers[i]; its.times > 0 {
							its.times--
							return &v1alpha1.BuildAttestation{WaitingFor: its.waitingFor}, its.err
						}
					}
					return &v1alpha1.BuildAttestation{Statements: []v1alpha1.SignedStatement{{Type: "x"}}}, nil
				},
			}
			statements, err := attester.Attest(t.Context(), &result.Artifact{
				Target: "linux/amd64/raw", Content: result.Content{Location: "r/web@sha256:2"}, Lock: &result.Content{Digest: "sha256:1"},
			}, "sha256:2")
			got := CheckOf(err)
			if got.NotStored != test.want.NotStored || (got.NotAttested == nil) != (test.want.NotAttested == nil) || got.NotAttested != nil && *got.NotAttested != *test.want.NotAttested {
				t.Errorf("got %+v: %v", got, err)
			}
			if err == nil && len(statements) != 1 {
				t.Errorf("got %v", statements)
			}
			if !slices.Equal(said, test.said) {
				t.Errorf("said %q, want %q", said, test.said)
			}
		})
	}
}

func TestAnAttesterAttestsAnIndex(t *testing.T) {
	waiting := &v1alpha1.BuildAttestation{WaitingFor: []string{"blue"}}
	for name, test := range map[string]struct {
		last *v1alpha1.BuildAttestation
		said []string
	}{
		"signed later": {&v1alpha1.BuildAttestation{Statements: []v1alpha1.SignedStatement{{Type: "x"}}},
			[]string{"signing the index of tag v1 with SigningKey blue", "signed the index of tag v1 after 200ms"}},
		"a server that does not know indexes": {&v1alpha1.BuildAttestation{}, []string{
			"signing the index of tag v1 with SigningKey blue",
			"the index of tag v1 is not signed, because the API server has an earlier version, which signs artifacts only",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			answers := []*v1alpha1.BuildAttestation{waiting, test.last}
			attester := &Attester{
				Clock: registrytest.NewClock(), Log: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
				Post: func(_ context.Context, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error) {
					if string(request.Index) != "index" || request.Artifact != nil || request.Manifest != "" || request.Locks != nil {
						t.Errorf("the request is %+v", request)
					}
					answer := answers[0]
					answers = answers[1:]
					return answer, nil
				},
			}
			statements, err := attester.AttestIndex(t.Context(), "v1", []byte("index"))
			if err != nil || len(statements) != len(test.last.Statements) || !slices.Equal(said, test.said) {
				t.Errorf("got %v and %v, and said %q", statements, err, said)
			}
		})
	}
}

func TestAnAttesterEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	attester := &Attester{
		Clock: registrytest.NewClock(), Log: func(string, ...any) { cancel() },
		Post: func(context.Context, *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error) {
			return &v1alpha1.BuildAttestation{WaitingFor: []string{"blue"}}, nil
		},
	}
	_, err := attester.Attest(ctx, &result.Artifact{Target: "linux/amd64/raw"}, "sha256:2")
	if waited, ok := errors.AsType[*WaitError](err); !ok || !errors.Is(err, context.Canceled) || !strings.HasPrefix(waited.Waiting, "waiting for SigningKey blue to sign linux/amd64/raw") {
		t.Errorf("got %v", err)
	}
}

// signsArtifacts are the Statements about artifacts without an index.
type signsArtifacts func(ctx context.Context, artifact *result.Artifact, manifest string) ([]v1alpha1.SignedStatement, error)

func (f signsArtifacts) Attest(ctx context.Context, artifact *result.Artifact, manifest string) ([]v1alpha1.SignedStatement, error) {
	return f(ctx, artifact, manifest)
}

func (signsArtifacts) AttestIndex(context.Context, string, []byte) ([]v1alpha1.SignedStatement, error) {
	return nil, errors.New("there is no index")
}

// TestManifestsOfStoredArtifactsAreThoseOfPublishedOnes attests the same artifacts in a registry and without one.
func TestManifestsOfStoredArtifactsAreThoseOfPublishedOnes(t *testing.T) {
	images := newImages(t)
	tar := images.tar(images.image("a layer", "amd64"))
	attest := func(repository string, manifests map[string]string) Statements {
		return signsArtifacts(func(_ context.Context, artifact *result.Artifact, manifest string) ([]v1alpha1.SignedStatement, error) {
			if at := artifact.Status().Location; at != repository && at != repository+"@"+manifest {
				t.Errorf("the location of %s is %q", artifact.Target, at)
			}
			manifests[artifact.Target] = manifest
			return statementsOf(t, "web-1", "a"), nil
		})
	}
	contentsByFile := map[string][]byte{"disk": []byte("disk"), "image": tar}
	open := func(content *result.Content) (transport.File, error) {
		return contentOf(contentsByFile[content.File]).Open()
	}
	of := func(file string) result.Content {
		size := int64(len(contentsByFile[file]))
		return result.Content{File: file, Digest: contents.Digest(contentsByFile[file]), SizeBytes: &size, Verified: v1alpha1.ArtifactVerifiedContent}
	}
	reported := func() *result.Result {
		return &result.Result{Artifacts: []result.Artifact{
			{Target: "linux/amd64/raw", Content: of("disk"), Annotations: map[string]string{"a": "b"}}, {Target: "linux/amd64/oci", Content: of("image")},
			{Target: "linux/arm64/raw", Content: result.Content{Location: "elsewhere"}},
		}}
	}
	r := registrytest.New(t, registrytest.Options{})
	published, stored := map[string]string{}, map[string]string{}
	inRegistry, inStore := reported(), reported()
	repository := r.Host() + "/team/web"
	require.NoError(t, PushResult(t.Context(), &render.Output{Repository: repository}, inRegistry, open, attest(repository, published), transport.Options{}))
	require.NoError(t, AttestResult(t.Context(), inStore, open, attest("", stored), t.Logf))
	if len(stored) != 2 || stored["linux/amd64/raw"] != published["linux/amd64/raw"] || stored["linux/amd64/oci"] != published["linux/amd64/oci"] {
		t.Errorf("the manifests are %v and %v", stored, published)
	}
	for i := range 2 {
		for j, made := range inStore.Artifacts[i].Made {
			if other := inRegistry.Artifacts[i].Made[j]; made.Digest != other.Digest || made.MediaType != other.MediaType || made.Location != "" || other.Location == "" || made.Type != v1alpha1.DocumentProvenance {
				t.Errorf("the documents are %+v and %+v", made, other)
			}
		}
	}
}
