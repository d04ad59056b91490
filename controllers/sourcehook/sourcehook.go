// SPDX-License-Identifier: Apache-2.0

// Package sourcehook receives the webhooks of servers of Git and registries. A webhook is a hint that the source of an Image may have changed: the
// next check follows at once, and finds out what is true. So nothing in the body is believed, and a lost webhook only costs time.
package sourcehook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	imagesv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	// Pattern is the path of the hook of an Image.
	Pattern = "/hooks/source/{namespace}/{image}"

	// maxBody is how large a body may be: as large as that of GitHub.
	maxBody = 25 << 20
	// storeLimit is how long the API server may take to read an Image and to store a hint.
	storeLimit = 10 * time.Second
)

// Options of the receiver. All are required.
type Options struct {
	// Images are read and patched.
	Images imagesv1alpha1.ImagesGetter
	// Key returns the server's secret. It is called for each request.
	Key func() (Key, error)
	// Clock tells when a hint came.
	Clock clock.PassiveClock
	// Failed gets errors that senders are not told.
	Failed func(error)
}

// New returns the receiver.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Pattern, func(w http.ResponseWriter, r *http.Request) {
		code, message := o.receive(w, r)
		http.Error(w, message, code)
	})
	return mux
}

func (o *Options) receive(w http.ResponseWriter, r *http.Request) (code int, message string) {
	key, err := o.Key()
	if err != nil {
		o.Failed(err)
		return http.StatusServiceUnavailable, "the server cannot read its secret of webhooks"
	}
	namespace, image := r.PathValue("namespace"), r.PathValue("image")
	secret := key.SecretOf(namespace, image)
	of := hmac.New(sha256.New, secret)
	if _, err := io.Copy(of, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		tooLarge, is := errors.AsType[*http.MaxBytesError](err)
		switch {
		case is:
			return http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", tooLarge.Limit)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return http.StatusRequestTimeout, "the body took too long"
		}
		return http.StatusBadRequest, "the body cannot be read"
	}
	if ping(r.Header) {
		return http.StatusOK, "the test arrives; it has no signature, and tells neither whether there is such an image nor whether its secret is right"
	}
	if !signed(r.Header, secret, of.Sum(nil)) { // before it is known whether there is such an Image
		return http.StatusUnauthorized, "the signature is missing or wrong: set the secret of the webhook to that of the image"
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeLimit)
	defer cancel()
	switch err := o.hint(ctx, namespace, image); {
	case err == nil:
		return http.StatusAccepted, "a check follows"
	case notfound.Object(err):
		return http.StatusNotFound, "there is no such image"
	case errors.Is(err, errNoSource):
		return http.StatusConflict, err.Error()
	default:
		o.Failed(err)
		return http.StatusServiceUnavailable, "the hint cannot be stored"
	}
}

// ping reports whether a request is the test of a connection by Bitbucket Data Center, which never signs it. The answer is the same for every path.
func ping(header http.Header) bool {
	return header.Get("X-Event-Key") == "diagnostics:ping" && header.Get("X-Hub-Signature") == ""
}

// signed reports whether a request has the secret: as the HMAC of its body (GitHub, Gitea, Forgejo, Bitbucket), or itself (GitLab).
func signed(header http.Header, secret, sum []byte) bool {
	if token := header.Get("X-Gitlab-Token"); token != "" {
		return subtle.ConstantTimeCompare([]byte(token), secret) == 1
	}
	for _, name := range []string{"X-Hub-Signature-256", "X-Hub-Signature", "X-Gitea-Signature"} {
		text := strings.TrimPrefix(header.Get(name), "sha256=")
		if given, err := hex.DecodeString(text); err == nil && hmac.Equal(given, sum) {
			return true
		}
	}
	return false
}

var errNoSource = errors.New("the image has neither source.git nor source.oci")

// hint stores when the hint came, unless the check that an earlier one asked for has not started yet: that check finds what this hint is about, too.
func (o *Options) hint(ctx context.Context, namespace, name string) error {
	image, err := o.Images.Images(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !inputs.Checked(image.Spec.Source) {
		return errNoSource
	}
	stored, now := image.Status.Source, o.Clock.Now()
	if stored == nil { // the first check is due anyway
		return nil
	}
	if started := stored.StartTime; started != nil && started.After(now) { // by the clock of another replica
		now = started.Time
	}
	if last := stored.HintTime; last != nil && !last.After(now) && (stored.StartTime == nil || !stored.StartTime.After(last.Time)) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": image.UID},
		"status":   map[string]any{"source": map[string]any{"hintTime": metav1.NewTime(now)}},
	})
	if err != nil {
		return err
	}
	_, err = o.Images.Images(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}
