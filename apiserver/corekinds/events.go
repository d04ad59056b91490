// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apiserver/builder"
)

// eventTTLSeconds is how long events are kept, as a kube-apiserver does by default.
const eventTTLSeconds = 3600

func eventStorage(scope *builder.Scope) (builder.Storages, error) {
	store, err := builder.NewStore(scope, builder.Resource{
		New:        func() runtime.Object { return &corev1.Event{} },
		NewList:    func() runtime.Object { return &corev1.EventList{} },
		Resource:   corev1.Resource("events"),
		Singular:   "event",
		ShortNames: []string{"ev"},
		Strategy:   eventStrategy{builder.NewDefaultStrategy(scope.Scheme, corev1.SchemeGroupVersion)},
		Table:      eventTable,
		Attributes: attributes(eventFields),
		TTLSeconds: eventTTLSeconds,
	})
	if err != nil {
		return nil, err
	}
	return builder.Storages{"": store}, nil
}

type eventStrategy struct {
	builder.DefaultStrategy
}

// AllowCreateOnUpdate returns true: an update of an expired event, whose series continues, creates the event again.
func (eventStrategy) AllowCreateOnUpdate(context.Context) bool { return true }

// Validate keeps an event in the namespace of its involved object.
func (eventStrategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	event, ok := object.(*corev1.Event)
	if !ok {
		return wrongType(object)
	}
	failures := validation.ValidateObjectMeta(&event.ObjectMeta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
	if involved := event.InvolvedObject.Namespace; involved != "" && involved != event.Namespace {
		failures = append(failures, field.Invalid(field.NewPath("involvedObject", "namespace"), involved, "does not match event.namespace"))
	}
	return failures
}
