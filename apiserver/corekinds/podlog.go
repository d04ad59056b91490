// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"
	"fmt"
	"io"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apiserver/filters"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
)

// LogOpener is where pod logs come from.
type LogOpener interface {
	// OpenLog returns the log of a pod's container, as the options ask for it; they have been validated. The log ends
	// when it is complete, or, if it is followed, when the container has ended; and always when ctx is done. An API
	// status error becomes the answer as it is.
	OpenLog(ctx context.Context, pod *corev1.Pod, options *corev1.PodLogOptions) (io.ReadCloser, error)
}

// logREST serves the subresource log of pods.
type logREST struct {
	subresource.Base
	pods rest.Getter
	logs LogOpener
}

var (
	_ rest.GetterWithOptions = logREST{}
	_ rest.StorageMetadata   = logREST{}
)

// New returns an empty Pod: a log is a subresource of a Pod.
func (logREST) New() runtime.Object { return &corev1.Pod{} }

// NewGetOptions returns the type of the query parameters.
func (logREST) NewGetOptions() (options runtime.Object, takesPath bool, pathParameter string) {
	return &corev1.PodLogOptions{}, false, ""
}

// ProducesMIMETypes returns plain text.
func (logREST) ProducesMIMETypes(string) []string { return []string{"text/plain"} }

// Get finds the pod and answers with its log as a stream.
func (r logREST) Get(ctx context.Context, name string, object runtime.Object) (runtime.Object, error) {
	options, ok := object.(*corev1.PodLogOptions)
	if !ok {
		return nil, fmt.Errorf("log of pod %s: options of type %T", name, object)
	}
	if failures := validateLogOptions(options); len(failures) > 0 {
		kind := corev1.SchemeGroupVersion.WithKind("PodLogOptions").GroupKind()
		return nil, apierrors.NewInvalid(kind, name, failures)
	}
	found, err := r.pods.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	pod, ok := found.(*corev1.Pod)
	if !ok {
		return nil, fmt.Errorf("log of pod %s: got a %T", name, found)
	}
	return &logStream{pod: pod, options: options, logs: r.logs}, nil
}

func validateLogOptions(options *corev1.PodLogOptions) field.ErrorList {
	var failures field.ErrorList
	if lines := options.TailLines; lines != nil && *lines < 0 {
		failures = append(failures, field.Invalid(field.NewPath("tailLines"), *lines, "must be greater than or equal to 0"))
	}
	if limit := options.LimitBytes; limit != nil && *limit < 1 {
		failures = append(failures, field.Invalid(field.NewPath("limitBytes"), *limit, "must be greater than 0"))
	}
	if seconds := options.SinceSeconds; seconds != nil && *seconds < 1 {
		failures = append(failures, field.Invalid(field.NewPath("sinceSeconds"), *seconds, "must be greater than 0"))
	}
	if options.SinceSeconds != nil && options.SinceTime != nil {
		failures = append(failures, field.Forbidden(field.NewPath("sinceTime"), "at most one of `sinceTime` or `sinceSeconds` may be specified"))
	}
	return failures
}

// logStream is the answer to a request for a log: it is opened when the answer is written.
type logStream struct {
	pod     *corev1.Pod
	options *corev1.PodLogOptions
	logs    LogOpener
}

var _ rest.ResourceStreamer = &logStream{}

// GetObjectKind returns none: a log is not an object.
func (s *logStream) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject returns an answer with the same log.
func (s *logStream) DeepCopyObject() runtime.Object { return &logStream{s.pod, s.options, s.logs} }

// InputStream opens the log. A followed one is flushed at every write.
func (s *logStream) InputStream(ctx context.Context, _, _ string) (stream io.ReadCloser, flush bool, mimeType string, err error) {
	stream, err = s.logs.OpenLog(ctx, s.pod, s.options)
	if err != nil {
		return nil, false, "", err
	}
	return filters.Stream(ctx, stream), s.options.Follow, "text/plain", nil
}

// convertLogOptions reads the options from a URL. kube-apiserver's own conversion is not part of a library.
func convertLogOptions(in, out any, _ conversion.Scope) error {
	values, okIn := in.(*url.Values)
	options, okOut := out.(*corev1.PodLogOptions)
	if !okIn || !okOut {
		return fmt.Errorf("convert %T to %T", in, out)
	}
	read := parameters{values: *values}
	parse(&read, "container", runtime.Convert_Slice_string_To_string, &options.Container)
	parse(&read, "follow", runtime.Convert_Slice_string_To_bool, &options.Follow)
	parse(&read, "previous", runtime.Convert_Slice_string_To_bool, &options.Previous)
	parse(&read, "sinceSeconds", runtime.Convert_Slice_string_To_Pointer_int64, &options.SinceSeconds)
	parse(&read, "sinceTime", metav1.Convert_Slice_string_To_Pointer_v1_Time, &options.SinceTime)
	parse(&read, "timestamps", runtime.Convert_Slice_string_To_bool, &options.Timestamps)
	parse(&read, "tailLines", runtime.Convert_Slice_string_To_Pointer_int64, &options.TailLines)
	parse(&read, "limitBytes", runtime.Convert_Slice_string_To_Pointer_int64, &options.LimitBytes)
	return read.err
}

// parameters are the values of a URL, with the first error met in reading them.
type parameters struct {
	values url.Values
	err    error
}

func parse[T any](from *parameters, name string, convert func(*[]string, *T, conversion.Scope) error, into *T) {
	given, found := from.values[name]
	if !found || len(given) == 0 || from.err != nil {
		return
	}
	if err := convert(&given, into, nil); err != nil {
		form := "a number" // every text is a string or a bool
		if name == "sinceTime" {
			form = "a time such as 2006-01-02T15:04:05Z"
		}
		from.err = fmt.Errorf("%s must be %s, not %q", name, form, given[0])
	}
}
