// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/filters"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/jobs/podlog"
)

var (
	// ErrNotStarted means that an attempt has not written a log, because its container has not started.
	ErrNotStarted = errors.New("no container has started")
	// ErrGone means that an attempt's log is no longer available.
	ErrGone = errors.New("the log is no longer available")
)

// replacedError means that a builder replaced or removed its log. It is ErrGone with another reason.
type replacedError struct{ why string }

// Error returns what the builder did.
func (e *replacedError) Error() string { return e.why }

// Is finds ErrGone.
func (e *replacedError) Is(target error) bool { return target == ErrGone }

// Source reads the logs of attempts.
type Source interface {
	// Open returns the log of an attempt whose pod is recorded. With options.Follow it ends when the attempt's containers have
	// ended, and at the latest when ctx is done. Errors: ErrNotStarted and ErrGone, possibly wrapped. The caller closes the log.
	Open(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, options corev1.PodLogOptions) (io.ReadCloser, error)
}

// builds is the part of the resource's storage that the log needs.
type builds interface {
	rest.Getter
	rest.Watcher
}

// Options set where logs are read.
type Options struct {
	// Source is where logs are read. Defaults to the pods of the client's cluster.
	Source Source
	// Archive opens the archive with the logs of deleted pods. If it is nil or returns nil, there is no archive. It excludes Source.
	Archive func() (*archive.Store, error)
	// MayRead reports whether the user of a request can read the archived log of a deleted build, given its name and UID, and the UID of
	// its namespace, which is empty if it is unknown. Required with Archive.
	MayRead func(ctx context.Context, name string, build, namespace types.UID) (bool, error)
}

// Logs reads the logs of builds.
type Logs struct {
	source Source
	// archived is source if there is an archive, otherwise nil.
	archived *archivedLogs
}

// New returns the logs that the options configure.
func New(options Options, client kubernetes.Interface) (*Logs, error) {
	if options.Source != nil {
		return &Logs{source: options.Source}, nil
	}
	pods := podLogs{client: client}
	if options.Archive == nil {
		return &Logs{source: pods}, nil
	}
	store, err := options.Archive()
	if store == nil || err != nil {
		return &Logs{source: pods}, err
	}
	archived := &archivedLogs{pods: pods, archive: store, mayRead: options.MayRead}
	return &Logs{source: archived, archived: archived}, nil
}

// Subresource returns the log subresource of builds. Its answer is text, not an object.
func (l *Logs) Subresource(of builds) TextView {
	r := &reader{builds: of, logs: l.source, archived: l.archived}
	return TextView{subresource.NewView("imagebuilds/log", &v1alpha1.ImageBuild{}, "", r.get)}
}

// TextView is a view whose answer is text.
type TextView struct {
	*subresource.View[v1alpha1.ImageBuildLogOptions, *v1alpha1.ImageBuildLogOptions]
}

// ProducesMIMETypes returns the media type of text.
func (TextView) ProducesMIMETypes(string) []string { return []string{"text/plain"} }

// reader finds the requested log.
type reader struct {
	builds   builds
	logs     Source
	archived *archivedLogs
}

// get returns the log of a build as a stream.
func (r *reader) get(ctx context.Context, name string, options *v1alpha1.ImageBuildLogOptions) (runtime.Object, error) {
	if err := subresource.Invalid(v1alpha1.Kind("ImageBuildLogOptions").GroupKind(), name, ValidateLogOptions(options)); err != nil {
		return nil, err
	}
	build, err := r.find(ctx, name, types.UID(options.UID))
	if err != nil {
		return nil, err
	}
	if options.Attempt != nil && attemptOf(build, *options.Attempt) == nil {
		return nil, noSuchAttempt(build, *options.Attempt)
	}
	return &logResponse{builds: r.builds, logs: r.logs, build: build, options: options, warn: func(text string) {
		warning.AddWarning(ctx, "", text)
	}}, nil
}

// find finds the requested build: the existing build, or a deleted build as far as the archive has it.
func (r *reader) find(ctx context.Context, name string, uid types.UID) (*v1alpha1.ImageBuild, error) {
	build, err := store.Get[*v1alpha1.ImageBuild](ctx, r.builds, name)
	switch {
	case uid == "" || err == nil && build.UID == uid:
		return build, err
	case err != nil && !apierrors.IsNotFound(err):
		return nil, err
	case r.archived == nil:
		return nil, noSuchBuild(name, uid)
	}
	return r.archived.deleted(ctx, apirequest.NamespaceValue(ctx), name, uid)
}

// logResponse is a log that is opened when the server calls InputStream.
type logResponse struct {
	builds  builds
	logs    Source
	build   *v1alpha1.ImageBuild
	options *v1alpha1.ImageBuildLogOptions
	warn    func(text string)
}

var _ rest.ResourceStreamer = &logResponse{}

// GetObjectKind returns none: a log is not an object.
func (l *logResponse) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject returns the same log: it is read once.
func (l *logResponse) DeepCopyObject() runtime.Object { return l }

// InputStream opens the log. Every piece is flushed to the client at once.
func (l *logResponse) InputStream(ctx context.Context, _, _ string) (stream io.ReadCloser, flush bool, contentType string, err error) {
	ctx = apirequest.WithNamespace(ctx, l.build.Namespace)
	if l.options.Follow {
		stream, err = l.follow(ctx)
	} else {
		stream, err = l.read(ctx)
	}
	if err != nil {
		return nil, false, "", err
	}
	if limit := l.options.LimitBytes; limit != nil {
		text := io.LimitReader(stream, *limit)
		if l.options.Timestamps { // which do not count
			text = archive.LimitText(stream, *limit)
		}
		stream = limited{Reader: text, Closer: stream}
	}
	return filters.Stream(ctx, stream), true, "text/plain", nil
}

type limited struct {
	io.Reader
	io.Closer
}

// read opens the available log of one attempt.
func (l *logResponse) read(ctx context.Context) (io.ReadCloser, error) {
	number := l.build.Status.CurrentAttempt
	if l.options.Attempt != nil {
		number = *l.options.Attempt
	}
	attempt := attemptOf(l.build, number)
	if attempt == nil || attempt.PodUID == "" {
		return l.nothing(attempt), nil
	}
	stream, err := l.logs.Open(ctx, l.build, attempt, podLogOptions(l.options))
	switch {
	case errors.Is(err, ErrNotStarted):
		return l.nothing(attempt), nil
	case err != nil:
		return nil, logError(err, l.build, attempt)
	}
	return kubeletEnd{ReadCloser: stream, over: attempt.Outcome != ""}, nil
}

// kubeletEnd is the log of an attempt that ends where the kubelet ended it with an error, if the attempt is over: nobody has the
// rest, so that another request would not get more.
type kubeletEnd struct {
	io.ReadCloser
	over bool
}

// Read implements io.Reader.
func (l kubeletEnd) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if errors.Is(err, podlog.ErrKubelet) && l.over {
		err = io.EOF
	}
	return n, err
}

// nothing is the empty log of an attempt that has not written any, or of a build without attempts (nil). A warning reports
// the cause.
func (l *logResponse) nothing(attempt *v1alpha1.BuildAttempt) io.ReadCloser {
	if attempt == nil {
		l.warn(fmt.Sprintf("imagebuild %s has no log: no attempt was started", l.build.Name))
	} else {
		l.warn(fmt.Sprintf("attempt %d of imagebuild %s has no log: its container has not started", attempt.Number, l.build.Name))
	}
	return io.NopCloser(strings.NewReader(""))
}

func podLogOptions(options *v1alpha1.ImageBuildLogOptions) corev1.PodLogOptions {
	return corev1.PodLogOptions{
		Follow:     options.Follow,
		TailLines:  options.TailLines,
		SinceTime:  options.SinceTime,
		Timestamps: options.Timestamps,
	}
}

func attemptOf(build *v1alpha1.ImageBuild, number int32) *v1alpha1.BuildAttempt {
	for i := range build.Status.Attempts {
		if build.Status.Attempts[i].Number == number {
			return &build.Status.Attempts[i]
		}
	}
	return nil
}

func noSuchAttempt(build *v1alpha1.ImageBuild, number int32) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusNotFound,
		Reason:  metav1.StatusReasonNotFound,
		Message: fmt.Sprintf("imagebuild %q has no attempt %d: the number of attempts is %d", build.Name, number, len(build.Status.Attempts)),
		Details: logDetails(build, "attempt"),
	}}
}

// logError turns the error of a log source into one for the client.
func logError(err error, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) error {
	var why string
	var expired *expiredError
	var away *unavailableError
	var replaced *replacedError
	switch {
	case errors.As(err, &away):
		return unavailable(err, build)
	case errors.As(err, &expired):
		why = fmt.Sprintf("the log of imagebuild %q is no longer available: %v", build.Name, expired)
	case errors.As(err, &replaced):
		why = fmt.Sprintf("the log of attempt %d of imagebuild %q cannot be read: %s; build again", attempt.Number, build.Name, replaced.why)
	case errors.Is(err, ErrGone):
		why = fmt.Sprintf("the log of attempt %d of imagebuild %q is no longer available: pod %s was deleted %s, and no archive has the log; "+
			"see status.failure for the cause of a failure, or build again", attempt.Number, build.Name, attempt.PodName, whenDeleted(attempt))
	default:
		return apierrors.NewInternalError(fmt.Errorf("read the log of attempt %d of imagebuild %s: %w", attempt.Number, build.Name, err))
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonGone, Message: why, Details: logDetails(build, ""),
	}}
}

func whenDeleted(attempt *v1alpha1.BuildAttempt) string {
	if attempt.CompletionTime == nil {
		return "before the attempt ended"
	}
	return "after the attempt ended at " + attempt.CompletionTime.UTC().Format(time.RFC3339)
}

func logDetails(build *v1alpha1.ImageBuild, parameter string) *metav1.StatusDetails {
	details := &metav1.StatusDetails{Group: v1alpha1.SchemeGroupVersion.Group, Kind: "imagebuilds/log", Name: build.Name, UID: build.UID}
	if parameter != "" {
		details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueNotFound, Field: parameter}}
	}
	return details
}
