// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	// firstAttestDelay is the time between the first request for statements and the next. Each further one waits half as long again, up to lastAttestDelay.
	firstAttestDelay = 200 * time.Millisecond
	lastAttestDelay  = 2 * time.Second
	// attestNotice is the time between two lines about what an attester waits for.
	attestNotice = 30 * time.Second
)

// Attester gets the statements about artifacts and indexes from the server, and waits until the signer has signed them.
type Attester struct {
	// Post sends a request to the attest subresource of the build.
	Post func(ctx context.Context, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error)
	// Locks are those of the artifacts by digest, each compressed by gzip.
	Locks map[string][]byte
	// Clock is the clock between requests.
	Clock clock.Clock
	// Log gets what the attester waits for.
	Log func(format string, args ...any)
	// Waiting is called before each wait. May be nil.
	Waiting func()
	// Patience is how long no server may answer at all. After it, artifacts have no statements: the network of the pod may not let it reach
	// a server. Defaults to no limit.
	Patience time.Duration

	unreachable bool
}

// NotAttestedError reports that nobody signs an artifact, until a user or an operator corrects something.
type NotAttestedError struct{ result.NotAttested }

func (e *NotAttestedError) Error() string { return "not signed: " + e.Message }

// WaitError reports what an Attester waited for when its context ended.
type WaitError struct {
	// Waiting is what the Attester waited for.
	Waiting string
	cause   error
}

func (e *WaitError) Error() string { return e.Waiting + ": " + e.cause.Error() }

// Unwrap returns the error of the context.
func (e *WaitError) Unwrap() error { return e.cause }

// Attest returns the statements about an artifact. It repeats the request until each statement has the signatures of all keys that sign the build, also
// while the server is unavailable. It returns none once Patience is over. It ends with the context. The error is a *NotAttestedError, a *WaitError, or the
// answer of a server that refuses the request.
func (a *Attester) Attest(ctx context.Context, artifact *result.Artifact, manifest string) ([]v1alpha1.SignedStatement, error) {
	request := &v1alpha1.BuildAttestation{Artifact: artifact.Status(), Manifest: manifest}
	if its := artifact.Lock; its != nil && a.Locks[its.Digest] != nil {
		request.Locks = [][]byte{a.Locks[its.Digest]}
	}
	return a.request(ctx, artifact.Target, request)
}

// AttestIndex returns the statements about the index of a tag, as Attest does. It returns none if the server has an earlier version.
func (a *Attester) AttestIndex(ctx context.Context, tag string, index []byte) ([]v1alpha1.SignedStatement, error) {
	statements, err := a.request(ctx, indexOf(tag), &v1alpha1.BuildAttestation{Index: index})
	if err == nil && len(statements) == 0 && !a.unreachable {
		a.Log("%s is not signed, because the API server has an earlier version, which signs artifacts only", indexOf(tag))
	}
	return statements, err
}

// request repeats a request for statements about something.
func (a *Attester) request(ctx context.Context, about string, request *v1alpha1.BuildAttestation) ([]v1alpha1.SignedStatement, error) {
	if a.unreachable {
		return nil, nil
	}
	waiting, answered := "asking the API server to attest "+about, false
	var noticed time.Time
	began := a.Clock.Now()
	for delay := firstAttestDelay; ; delay = min(delay+delay/2, lastAttestDelay) {
		answer, err := a.Post(ctx, request)
		if err == nil && len(answer.WaitingFor) == 0 {
			if !noticed.IsZero() && len(answer.Statements) > 0 {
				a.Log("signed %s after %s", about, took(a.Clock, began))
			}
			return answer.Statements, nil
		}
		if err != nil && Refused(err) {
			return nil, refusal(err)
		}
		answered = answered || err == nil || apierrors.ReasonForError(err) != metav1.StatusReasonUnknown
		if a.Patience > 0 && !answered && a.Clock.Since(began) >= a.Patience {
			a.unreachable = true
			a.Log("publishing without statements, because no API server answered for %s: %v; set output.attest to Required to wait for it", a.Patience, err)
			return nil, nil
		}
		if ctxErr := ctx.Err(); ctxErr != nil {
			return nil, &WaitError{waiting, ctxErr}
		}
		waiting = waitingFor(about, answer, err)
		switch now := a.Clock.Now(); {
		case noticed.IsZero() && err == nil:
			noticed = now
			a.Log("signing %s with SigningKey %s", about, strings.Join(answer.WaitingFor, ", "))
		case noticed.IsZero() || now.Sub(noticed) >= attestNotice:
			noticed = now
			a.Log("%s", waiting)
		}
		if err := a.wait(ctx, delay); err != nil {
			return nil, &WaitError{waiting, err}
		}
	}
}

func (a *Attester) wait(ctx context.Context, delay time.Duration) error {
	if a.Waiting != nil {
		a.Waiting()
	}
	timer := a.Clock.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitingFor tells users what an artifact or an index waits for.
func waitingFor(about string, answer *v1alpha1.BuildAttestation, err error) string {
	if err != nil {
		return fmt.Sprintf("waiting for the API server to attest %s: %v", about, err)
	}
	return fmt.Sprintf("waiting for SigningKey %s to sign %s: kubectl get signingkeys shows its state; it is the signer that signs", strings.Join(answer.WaitingFor, ", "), about)
}

// Refused reports whether an error is the answer of a server that will not give another answer later.
func Refused(err error) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusTooManyRequests
}

// refusal returns what the answer of a server means that refused to attest an artifact.
func refusal(err error) error {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || status.Status().Code != http.StatusUnprocessableEntity || status.Status().Details == nil {
		return fmt.Errorf("attest: %w", err)
	}
	causes := status.Status().Details.Causes
	at := slices.IndexFunc(causes, func(cause metav1.StatusCause) bool { return result.Refusal(v1alpha1.FailureReason(cause.Type)) })
	if at < 0 {
		return fmt.Errorf("attest: %w", err)
	}
	return &NotAttestedError{result.NotAttested{Reason: v1alpha1.FailureReason(causes[at].Type), Message: v1alpha1.CutMessage(causes[at].Message)}}
}
