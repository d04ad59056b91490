// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Policy is the policy of a server's operator, within the limits of the API. The zero value allows everything but Kueue.
type Policy struct {
	// Kueue allows template.queueName.
	Kueue bool
	// MaxLogBytes is the largest history.logMaxBytes. 0 is no limit.
	MaxLogBytes int64
	// MaxLogRetention and MaxRecordRetention are the longest history.logRetention and history.recordRetention. 0 is no limit. An
	// Image without a retention is refused if there is a limit, because its logs and records would be kept forever.
	MaxLogRetention, MaxRecordRetention time.Duration
	// MaxHistory is the largest history.succeeded and history.failed. 0 is no limit.
	MaxHistory int32
	// MaxParametersBytes is the maximum size of all parameters as JSON, in bytes. 0 is no limit.
	MaxParametersBytes int
}

// Image validates an Image by the policy.
func (p Policy) Image(image *v1alpha1.Image) field.ErrorList {
	errs := p.queue(image.Spec.Template, spec.Child("template"))
	errs = append(errs, p.Parameters(image.Spec.Parameters, spec.Child("parameters"))...)
	return append(errs, p.history(image.Spec.History, spec.Child("history"))...)
}

// DirectImageBuild validates a build that a user creates by the policy.
func (p Policy) DirectImageBuild(build *v1alpha1.ImageBuild) field.ErrorList {
	return append(p.InstantiatedImageBuild(build), p.Parameters(build.Spec.Inputs.Parameters, spec.Child("inputs", "parameters"))...)
}

// InstantiatedImageBuild validates a build that the server creates by the policy. Its Image may be older than the policy.
func (p Policy) InstantiatedImageBuild(build *v1alpha1.ImageBuild) field.ErrorList {
	return p.queue(build.Spec.Inputs.Template, spec.Child("inputs", "template"))
}

func (p Policy) queue(template *v1alpha1.BuildTemplate, path *field.Path) field.ErrorList {
	if p.Kueue || template == nil || template.QueueName == "" {
		return nil
	}
	return field.ErrorList{field.Forbidden(path.Child("queueName"),
		"Kueue is turned off: remove the field, or ask the operator to start goldsmith-apiserver with --kueue")}
}

// Parameters validates parameters by the policy.
func (p Policy) Parameters(parameters []v1alpha1.Parameter, path *field.Path) field.ErrorList {
	if p.MaxParametersBytes == 0 {
		return nil
	}
	return validateParametersSize(parameters, p.MaxParametersBytes, path)
}

func (p Policy) history(history *v1alpha1.HistoryLimits, path *field.Path) field.ErrorList {
	if history == nil {
		history = &v1alpha1.HistoryLimits{}
	}
	errs := p.count(history.Succeeded, path.Child("succeeded"))
	errs = append(errs, p.count(history.Failed, path.Child("failed"))...)
	errs = append(errs, allowedRetention(history.LogRetention, p.MaxLogRetention, path.Child("logRetention"))...)
	errs = append(errs, p.size(history.LogMaxBytes, path.Child("logMaxBytes"))...)
	return append(errs, allowedRetention(history.RecordRetention, p.MaxRecordRetention, path.Child("recordRetention"))...)
}

func (p Policy) size(limit *v1alpha1.Quantity, path *field.Path) field.ErrorList {
	if limit == nil || p.MaxLogBytes == 0 {
		return nil
	}
	if size := limit.Amount(); size.CmpInt64(p.MaxLogBytes) <= 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(path, limit.String(), allowed(resource.NewQuantity(p.MaxLogBytes, resource.BinarySI)))}
}

func (p Policy) count(kept *int32, path *field.Path) field.ErrorList {
	if kept == nil || p.MaxHistory == 0 || *kept <= p.MaxHistory {
		return nil
	}
	return field.ErrorList{field.Invalid(path, *kept, allowed(p.MaxHistory))}
}

func allowedRetention(retention *v1alpha1.HistoryTTL, longest time.Duration, path *field.Path) (errs field.ErrorList) {
	if longest == 0 {
		return nil
	}
	if retention == nil {
		retention = &v1alpha1.HistoryTTL{}
	}
	check := func(kept *v1alpha1.Duration, path *field.Path) {
		switch {
		case kept == nil:
			errs = append(errs, field.Required(path, allowed(v1alpha1.Duration{Duration: longest})))
		case kept.Duration > longest:
			errs = append(errs, field.Invalid(path, kept.String(), allowed(v1alpha1.Duration{Duration: longest})))
		}
	}
	check(retention.Succeeded, path.Child("succeeded"))
	check(retention.Failed, path.Child("failed"))
	return errs
}

func allowed[T any](most T) string {
	return fmt.Sprintf("must be at most %v, the limit of this server's operator", most)
}
