// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/source"
)

// NotFetchedError is a source that cannot be resolved or fetched.
type NotFetchedError struct{ result.NotFetched }

// Error returns the message.
func (e *NotFetchedError) Error() string { return e.Message }

// NotFetchedOf returns what an error tells about the source or the base of a build. It is nil for a fault of the machine, such as a full disk.
func NotFetchedOf(err error) *result.NotFetched {
	if told, is := errors.AsType[*NotFetchedError](err); is {
		return &told.NotFetched
	}
	return publish.NotFetchedOf(err)
}

// FetchSource writes the files of a source to a directory, which is empty. The error is a *NotFetchedError, or a fault of the machine.
func FetchSource(ctx context.Context, of *render.InputSource, directory string, o source.Options) error {
	if err := checkSecret(of, o); err != nil {
		return err
	}
	if _, err := source.Fetch(ctx, sourceOf(of), of.Revision, directory, o); err != nil {
		return notFetched(err)
	}
	return nil
}

// CheckSource finds out what a source names now. Errors are those of FetchSource.
func CheckSource(ctx context.Context, of *render.InputSource, o source.Options) (*v1alpha1.SourceRevision, error) {
	if err := checkSecret(of, o); err != nil {
		return nil, err
	}
	found, err := source.Resolve(ctx, sourceOf(of), o)
	if err != nil {
		return nil, notFetched(err)
	}
	revision := &v1alpha1.SourceRevision{Revision: found.ID, Ref: found.Ref, Summary: found.Summary}
	if !found.Time.IsZero() {
		revision.Time = new(metav1.NewTime(found.Time.UTC()))
	}
	return revision, nil
}

func sourceOf(of *render.InputSource) source.Source {
	if of.OCI {
		return source.Source{OCI: &source.OCI{Repository: of.URL, Tag: of.Ref}}
	}
	return source.Source{Git: &source.Git{URL: of.URL, Ref: of.Ref, Path: of.Path}}
}

// checkSecret refuses a source whose Secret does not exist.
func checkSecret(of *render.InputSource, o source.Options) error {
	if of.Secret == "" || len(o.Secret) > 0 {
		return nil
	}
	return &NotFetchedError{result.NotFetched{
		Reason: v1alpha1.ReasonSourceDenied, Message: fmt.Sprintf("Secret %q of the source does not exist, or is empty: create it", of.Secret),
	}}
}

// notFetched returns the reason of an error of package source. Another error is a fault of the machine.
func notFetched(err error) error {
	failure, ok := errors.AsType[*source.Error](err)
	if !ok {
		return err
	}
	reasons := map[string]v1alpha1.FailureReason{
		source.NotFound: v1alpha1.ReasonSourceNotFound, source.Denied: v1alpha1.ReasonSourceDenied, source.HostKey: v1alpha1.ReasonSourceDenied,
		source.Refused: v1alpha1.ReasonSourceDenied, source.TooLarge: v1alpha1.ReasonSourceTooLarge, source.Unsupported: v1alpha1.ReasonSourceInvalid,
		source.Unavailable: v1alpha1.ReasonSourceUnavailable,
	}
	return &NotFetchedError{result.NotFetched{Reason: reasons[failure.Reason], Message: err.Error()}}
}

// fetchSource fetches the source of the build, with the Secret that is mounted.
func (p *program) fetchSource(ctx context.Context) error {
	if p.input.Source == nil {
		return nil
	}
	secret, err := readSecret(p.at(render.SourceSecret))
	if err != nil {
		return err
	}
	return FetchSource(ctx, p.input.Source, p.at(render.SourceFiles), source.Options{Secret: secret, Allowed: p.AllowedNetworks, PlainHTTP: p.PlainHTTP, Log: p.Log})
}

// RunCheck is the program of a check of a source: it answers the input by a result, as a builder does. mounts is the directory below which the Secret
// is mounted.
func RunCheck(ctx context.Context, getenv func(string) string, mounts string, o source.Options) error {
	text, err := os.ReadFile(getenv(render.EnvInput))
	if err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	input, err := render.ParseInput(text)
	if err != nil {
		return err
	}
	if input.Source == nil {
		return errors.New("the input has no source: the controller starts this command")
	}
	if o.Secret, err = readSecret(filepath.Join(mounts, render.SourceSecret)); err != nil {
		return err
	}
	found, err := CheckSource(ctx, input.Source, o)
	answer := ""
	switch told, is := errors.AsType[*NotFetchedError](err); {
	case err == nil:
		answer = result.SourceText(*found)
	case is:
		answer = told.Text()
	default:
		return err
	}
	return errors.Join(err, os.WriteFile(getenv(render.EnvResult), []byte(answer), 0o600))
}

// readSecret reads the files of a Secret that a pod mounts. It returns nil for one that does not exist.
func readSecret(directory string) (map[string][]byte, error) {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the Secret of the source: %w", err)
	}
	secret := map[string][]byte{}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") { // the kubelet's own links; no key of a Secret begins so
			continue
		}
		content, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the Secret of the source: %w", err)
		}
		secret[entry.Name()] = content
	}
	return secret, nil
}
