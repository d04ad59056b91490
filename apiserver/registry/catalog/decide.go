// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
)

// decision is what becomes of a stored ImageKind.
type decision struct {
	object *v1alpha1.ImageKind
	kind   *catalog.Kind // nil if it is not served
	// conditions are the status and the reason of Accepted, NamesAccepted and Established.
	conditions []metav1.Condition
}

// decide decides which kinds are served: those of the configuration, and the stored ones that are valid and whose names no other kind has.
// Of two stored kinds with a name, the older one has it. A kind is served without the short names that others have.
func decide(ctx context.Context, configured []*catalog.Kind, stored []*v1alpha1.ImageKind,
	compile func(context.Context, *v1alpha1.ImageKind) (*catalog.Kind, field.ErrorList)) ([]*catalog.Kind, []decision) {
	stored = slices.Clone(stored)
	slices.SortFunc(stored, func(a, b *v1alpha1.ImageKind) int {
		if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
			return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
		}
		return strings.Compare(a.Name, b.Name)
	})
	served, decisions := slices.Clone(configured), make([]decision, 0, len(stored))
	for _, object := range stored {
		decided := decision{object: object}
		kind, errs := compile(ctx, object)
		if len(errs) > 0 {
			decided.add(v1alpha1.ImageKindAccepted, false, v1alpha1.ReasonInvalidSpec, errs.ToAggregate().Error())
		} else {
			decided.add(v1alpha1.ImageKindAccepted, true, v1alpha1.ReasonValidSpec, "")
			usable, reason, message := named(kind, configured, served)
			decided.add(v1alpha1.ImageKindNamesAccepted, reason == v1alpha1.ReasonNoConflicts, reason, message)
			if usable != nil {
				decided.kind = usable
				served = append(served, usable)
			}
		}
		decisions = append(decisions, decided)
	}
	return served, decisions
}

// named returns a kind with those names that no served kind has, or nil if it cannot be served, and the reason of NamesAccepted.
func named(kind *catalog.Kind, configured, served []*catalog.Kind) (usable *catalog.Kind, reason, message string) {
	var taken []string
	for _, other := range served {
		conflicts := names.Conflicts(kind.Declared(), other.Declared())
		if len(conflicts) > 0 && kind.Name() == other.Name() && slices.Contains(configured, other) {
			return nil, v1alpha1.ReasonConfigured, "the configuration of the server declares this kind, and is used instead: remove it there, or delete this ImageKind"
		}
		for _, conflict := range conflicts {
			message = fmt.Sprintf("%s: %v is a name of the kind %s: choose another name, or remove that kind", conflict.Field, conflict.BadValue, other.Name())
			if !strings.HasPrefix(conflict.Field, "spec.names.shortNames") {
				return nil, v1alpha1.ReasonNamesConflict, message
			}
			taken = append(taken, fmt.Sprint(conflict.BadValue))
		}
	}
	if len(taken) == 0 {
		return kind, v1alpha1.ReasonNoConflicts, ""
	}
	return kind.WithoutShortNames(taken), v1alpha1.ReasonNamesConflict, message + ". It is served without this short name"
}

func (d *decision) add(condition string, holds bool, reason, message string) {
	status := metav1.ConditionFalse
	if holds {
		status = metav1.ConditionTrue
	}
	d.conditions = append(d.conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: v1alpha1.CutMessage(message), ObservedGeneration: d.object.Generation,
	})
}

// status returns the status of the object once the served kinds are served.
func (d *decision) status(now metav1.Time) *v1alpha1.ImageKindStatus {
	status := d.object.Status.DeepCopy()
	status.ObservedGeneration, status.Revision = d.object.Generation, ""
	if d.kind != nil {
		status.Revision = d.kind.Revision()
	}
	established := metav1.Condition{Type: v1alpha1.ImageKindEstablished, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonServed, ObservedGeneration: d.object.Generation}
	for _, condition := range d.conditions {
		condition.LastTransitionTime = now
		meta.SetStatusCondition(&status.Conditions, condition)
		if d.kind == nil && condition.Status != metav1.ConditionTrue {
			established.Status, established.Reason, established.Message = metav1.ConditionFalse, condition.Reason, condition.Message
		}
	}
	established.LastTransitionTime = now
	meta.SetStatusCondition(&status.Conditions, established)
	return status
}
