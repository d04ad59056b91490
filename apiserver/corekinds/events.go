// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

// eventTTLSeconds is how long events are kept, as a kube-apiserver does by default.
const eventTTLSeconds = 3600

// The limits of an event with an eventTime, in bytes.
const (
	eventNameLimit    = 128 // reportingInstance, action and reason
	eventMessageLimit = 1024
)

// installEvents registers the events of events.k8s.io/v1, whose internal version is the core event: both APIs serve the same
// objects, which are stored as core events.
func installEvents(scheme *runtime.Scheme) error {
	if err := eventsv1.AddToScheme(scheme); err != nil {
		return err
	}
	scheme.AddKnownTypes(schema.GroupVersion{Group: eventsv1.GroupName, Version: runtime.APIVersionInternal}, &corev1.Event{}, &corev1.EventList{})
	for _, add := range []func(*runtime.Scheme) error{
		convert(eventToCore), convert(eventFromCore),
		convert(func(in *eventsv1.EventList, out *corev1.EventList) {
			out.ListMeta, out.Items = in.ListMeta, convertItems(in.Items, eventToCore)
		}),
		convert(func(in *corev1.EventList, out *eventsv1.EventList) {
			out.ListMeta, out.Items = in.ListMeta, convertItems(in.Items, eventFromCore)
		}),
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	return scheme.AddFieldLabelConversionFunc(eventsv1.SchemeGroupVersion.WithKind("Event"), eventLabel)
}

// convert registers a conversion that cannot fail.
func convert[In, Out any](function func(*In, *Out)) func(*runtime.Scheme) error {
	return func(scheme *runtime.Scheme) error {
		return scheme.AddConversionFunc((*In)(nil), (*Out)(nil), func(in, out any, _ conversion.Scope) error {
			from, ok := in.(*In)
			to, okOut := out.(*Out)
			if !ok || !okOut {
				return fmt.Errorf("convert %T to %T: expected %T and %T", in, out, from, to)
			}
			function(from, to)
			return nil
		})
	}
}

func convertItems[In, Out any](in []In, convert func(*In, *Out)) []Out {
	if in == nil {
		return nil
	}
	out := make([]Out, len(in))
	for i := range in {
		convert(&in[i], &out[i])
	}
	return out
}

func eventToCore(in *eventsv1.Event, out *corev1.Event) {
	*out = corev1.Event{
		ObjectMeta:          in.ObjectMeta,
		InvolvedObject:      in.Regarding,
		Reason:              in.Reason,
		Message:             in.Note,
		Source:              in.DeprecatedSource,
		FirstTimestamp:      in.DeprecatedFirstTimestamp,
		LastTimestamp:       in.DeprecatedLastTimestamp,
		Count:               in.DeprecatedCount,
		Type:                in.Type,
		EventTime:           in.EventTime,
		Series:              (*corev1.EventSeries)(in.Series),
		Action:              in.Action,
		Related:             in.Related,
		ReportingController: in.ReportingController,
		ReportingInstance:   in.ReportingInstance,
	}
}

func eventFromCore(in *corev1.Event, out *eventsv1.Event) {
	*out = eventsv1.Event{
		ObjectMeta:               in.ObjectMeta,
		EventTime:                in.EventTime,
		Series:                   (*eventsv1.EventSeries)(in.Series),
		ReportingController:      in.ReportingController,
		ReportingInstance:        in.ReportingInstance,
		Action:                   in.Action,
		Reason:                   in.Reason,
		Regarding:                in.InvolvedObject,
		Related:                  in.Related,
		Note:                     in.Message,
		Type:                     in.Type,
		DeprecatedSource:         in.Source,
		DeprecatedFirstTimestamp: in.FirstTimestamp,
		DeprecatedLastTimestamp:  in.LastTimestamp,
		DeprecatedCount:          in.Count,
	}
}

// eventLabel returns the selectable field of a core event for that of events.k8s.io/v1.
func eventLabel(label, value string) (string, string, error) {
	core := label
	switch rest, regarding := strings.CutPrefix(label, "regarding."); {
	case regarding:
		core = "involvedObject." + rest
	case label == "reportingController":
		core = "reportingComponent"
	case strings.HasPrefix(label, "involvedObject."), label == "reportingComponent", label == "source":
		core = "" // names of core events only
	}
	if _, known := eventFields(&corev1.Event{})[core]; !known {
		return "", "", fmt.Errorf("field label not supported: %s", label)
	}
	return core, value, nil
}

func eventStorage(scope *resources.Scope) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:        func() runtime.Object { return &corev1.Event{} },
		NewList:    func() runtime.Object { return &corev1.EventList{} },
		Resource:   corev1.Resource("events"),
		Singular:   "event",
		ShortNames: []string{"ev"},
		Strategy:   eventStrategy{resources.NewDefaultStrategy(scope.Scheme, corev1.SchemeGroupVersion)},
		Table:      eventTable,
		Attributes: attributes(eventFields),
		TTLSeconds: eventTTLSeconds,
	})
	if err != nil {
		return nil, err
	}
	return resources.Storages{"": store}, nil
}

type eventStrategy struct {
	resources.DefaultStrategy
}

// AllowCreateOnUpdate returns true: an update of an expired event, whose series continues, creates the event again.
func (eventStrategy) AllowCreateOnUpdate(context.Context) bool { return true }

// Validate refuses what kube-apiserver refuses. An event that is created through events.k8s.io has no fields of the past.
func (eventStrategy) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	event, ok := object.(*corev1.Event)
	if !ok {
		return wrongType(object)
	}
	failures := validateEvent(ctx, event)
	if !throughEventsAPI(ctx) {
		return failures
	}
	failures = append(failures, validation.ValidateObjectMeta(&event.ObjectMeta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))...)
	failures = append(failures, validateSeries(event.Series)...)
	if event.EventTime.IsZero() {
		failures = append(failures, field.Required(field.NewPath("eventTime"), ""))
	}
	if event.Type != corev1.EventTypeNormal && event.Type != corev1.EventTypeWarning {
		failures = append(failures, field.NotSupported(field.NewPath("type"), event.Type, []string{corev1.EventTypeNormal, corev1.EventTypeWarning}))
	}
	for _, past := range []struct {
		name  string
		unset bool
	}{
		{"deprecatedFirstTimestamp", event.FirstTimestamp.IsZero()},
		{"deprecatedLastTimestamp", event.LastTimestamp.IsZero()},
		{"deprecatedCount", event.Count == 0},
		{"deprecatedSource", event.Source == corev1.EventSource{}},
	} {
		if !past.unset {
			failures = append(failures, field.Forbidden(field.NewPath(past.name), "needs to be unset"))
		}
	}
	return failures
}

// ValidateUpdate refuses what kube-apiserver refuses. Through events.k8s.io only the series and metadata change.
func (eventStrategy) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	event, ok := object.(*corev1.Event)
	stored, okOld := old.(*corev1.Event)
	if !ok || !okOld {
		return wrongType(object)
	}
	failures := validateEvent(ctx, event)
	if !throughEventsAPI(ctx) {
		return failures
	}
	failures = append(failures, validateSeries(event.Series)...)
	var fields, before eventsv1.Event
	eventFromCore(event, &fields)
	eventFromCore(stored, &before)
	if fields.EventTime.Truncate(time.Microsecond).Equal(before.EventTime.Truncate(time.Microsecond)) {
		before.EventTime = fields.EventTime // some clients send nanoseconds, which JSON does not have
	}
	for _, immutable := range []struct {
		name        string
		value, kept any
	}{
		{"regarding", fields.Regarding, before.Regarding},
		{"related", fields.Related, before.Related},
		{"reason", fields.Reason, before.Reason},
		{"note", fields.Note, before.Note},
		{"type", fields.Type, before.Type},
		{"action", fields.Action, before.Action},
		{"eventTime", fields.EventTime, before.EventTime},
		{"reportingController", fields.ReportingController, before.ReportingController},
		{"reportingInstance", fields.ReportingInstance, before.ReportingInstance},
		{"deprecatedSource", fields.DeprecatedSource, before.DeprecatedSource},
		{"deprecatedFirstTimestamp", fields.DeprecatedFirstTimestamp, before.DeprecatedFirstTimestamp},
		{"deprecatedLastTimestamp", fields.DeprecatedLastTimestamp, before.DeprecatedLastTimestamp},
		{"deprecatedCount", fields.DeprecatedCount, before.DeprecatedCount},
	} {
		failures = append(failures, validation.ValidateImmutableField(immutable.value, immutable.kept, field.NewPath(immutable.name))...)
	}
	return failures
}

// throughEventsAPI reports whether a request is one of events.k8s.io.
func throughEventsAPI(ctx context.Context) bool {
	request, known := apirequest.RequestInfoFrom(ctx)
	return known && request.APIGroup == eventsv1.GroupName
}

// validateEvent checks the namespace of an event, and what one with an eventTime requires.
func validateEvent(ctx context.Context, event *corev1.Event) field.ErrorList {
	object, message, controller := "involvedObject", "message", "reportingComponent"
	if throughEventsAPI(ctx) {
		object, message, controller = "regarding", "note", "reportingController"
	}
	var failures field.ErrorList
	involved := event.InvolvedObject.Namespace
	cluster := event.Namespace == metav1.NamespaceDefault // events about objects in no namespace
	if !event.EventTime.IsZero() {
		cluster = cluster || event.Namespace == metav1.NamespaceSystem
	}
	if involved == "" && !cluster || involved != "" && involved != event.Namespace && event.EventTime.IsZero() {
		failures = append(failures, field.Invalid(field.NewPath(object, "namespace"), involved, "does not match event.namespace"))
	}
	if event.EventTime.IsZero() {
		return failures
	}
	for _, text := range []struct {
		name, value string
		limit       int
		required    bool
	}{
		{controller, event.ReportingController, 0, true},
		{"reportingInstance", event.ReportingInstance, eventNameLimit, true},
		{"action", event.Action, eventNameLimit, true},
		{"reason", event.Reason, eventNameLimit, true},
		{message, event.Message, eventMessageLimit, false},
	} {
		path := field.NewPath(text.name)
		if text.required && text.value == "" {
			failures = append(failures, field.Required(path, ""))
		}
		if text.limit > 0 && len(text.value) > text.limit {
			failures = append(failures, field.TooLong(path, "", text.limit))
		}
	}
	if event.ReportingController != "" {
		for _, problem := range utilvalidation.IsQualifiedName(event.ReportingController) {
			failures = append(failures, field.Invalid(field.NewPath(controller), event.ReportingController, problem))
		}
	}
	return failures
}

func validateSeries(series *corev1.EventSeries) field.ErrorList {
	if series == nil {
		return nil
	}
	var failures field.ErrorList
	if series.Count < 2 {
		failures = append(failures, field.Invalid(field.NewPath("series", "count"), series.Count, "should be at least 2"))
	}
	if series.LastObservedTime.IsZero() {
		failures = append(failures, field.Required(field.NewPath("series", "lastObservedTime"), ""))
	}
	return failures
}
