// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Setup is the part of a server's configuration without which some fields of an Image have no effect.
type Setup struct {
	// Builders are the builders that the operator allows. It is nil if the server does not know them.
	Builders *inputs.Builders
	// Local is true if builds run as processes of the server's machine, not as pods of a cluster.
	Local bool
	// LogArchive is true if there is an archive of logs.
	LogArchive bool
	// Records is true if there is a database of records.
	Records bool
}

// Validate checks the parameters, targets and triggers of an Image against what its builder can do.
func (s Setup) Validate(image *v1alpha1.Image) field.ErrorList {
	if s.Builders == nil {
		return nil
	}
	return append(s.Builders.Validate(&image.Spec.BuildInputs, spec), s.validateProbe(image)...)
}

// validateProbe refuses triggers.onPackageChange with a builder that checks no archives. A builder that is not registered is not judged.
func (s Setup) validateProbe(image *v1alpha1.Image) field.ErrorList {
	if image.Spec.Triggers == nil || image.Spec.Triggers.OnPackageChange == nil {
		return nil
	}
	builder, path := image.Spec.Builder, spec.Child("triggers", "onPackageChange")
	if builder.Image != "" {
		return field.ErrorList{field.Forbidden(path, "only a registered builder checks archives: set builder.name, or remove onPackageChange")}
	}
	registered, known := s.Builders.All()[builder.Name]
	if !known || registered.Capabilities.Probe {
		return nil
	}
	return field.ErrorList{field.Forbidden(path, fmt.Sprintf("builder %s checks no archives: set a builder that does, or remove onPackageChange", builder.Name))}
}

// ImageWarnings warns about fields of a valid Image that are probably mistakes at this time, or have no effect on this server.
func (s Setup) ImageWarnings(image *v1alpha1.Image, now time.Time) []string {
	path := field.NewPath("spec")
	warnings := validation.InputWarnings(&image.Spec.BuildInputs, path)
	if s.Builders != nil {
		builder := v1alpha1.BuilderReference{Name: image.Spec.Builder.Name, Image: image.Spec.Builder.Image}
		if _, failure := s.Builders.Lookup(builder); failure != nil {
			warnings = append(warnings, fmt.Sprintf("%s: %s", path.Child("builder"), failure.Message))
		}
	}
	if s.Local && image.Spec.Template != nil {
		warnings = append(warnings, localWarnings(image.Spec.Template, path.Child("template"))...)
	}
	if image.Spec.History != nil {
		warnings = append(warnings, s.historyWarnings(image.Spec.History, path.Child("history"))...)
	}
	if triggers := image.Spec.Triggers; triggers != nil && triggers.OnPackageChange != nil {
		warnings = append(warnings, windowWarnings(triggers.OnPackageChange, now, path.Child("triggers", "onPackageChange"))...)
	}
	return append(warnings, validation.TestWarnings(image.Spec.Tests, s.Builders, now, path.Child("tests"))...)
}

// localWarnings warns about fields of a template that have no effect on processes of this machine.
func localWarnings(template *v1alpha1.BuildTemplate, path *field.Path) []string {
	const (
		ignored    = "has no effect: builds run as processes of this machine"
		notStarted = "builds fail with BuilderNotRunnable: a builder on this machine gets no environment variables"
	)
	return described(path, []effect{
		{template.ServiceAccountName != "", "serviceAccountName", ignored},
		{template.Resources != nil, "resources", ignored},
		{len(template.NodeSelector) > 0, "nodeSelector", ignored},
		{len(template.Tolerations) > 0, "tolerations", ignored},
		{template.Affinity != nil, "affinity", ignored},
		{template.RuntimeClassName != "", "runtimeClassName", ignored},
		{len(template.Env) > 0, "env", notStarted},
	})
}

func (s Setup) historyWarnings(history *v1alpha1.HistoryLimits, path *field.Path) []string {
	const (
		noArchive = "has no effect: no archive of logs is configured"
		noRecords = "has no effect: no database of records is configured"
	)
	return described(path, []effect{
		{history.LogRetention != nil && !s.LogArchive, "logRetention", noArchive},
		{history.LogMaxBytes != nil && !isDefaultSize(*history.LogMaxBytes) && !s.LogArchive, "logMaxBytes", noArchive},
		{history.RecordRetention != nil && !s.Records, "recordRetention", noRecords},
		{history.FileRetention != nil && history.FileRetention.Duration != v1alpha1.DefaultFileRetention && !s.Records, "fileRetention", noRecords},
	})
}

func isDefaultSize(limit v1alpha1.Quantity) bool {
	size := limit.Amount()
	return size.CmpInt64(v1alpha1.DefaultLogMaxBytes) == 0
}

// effect is the warning about a field if it is set.
type effect struct {
	set         bool
	field, text string
}

func described(path *field.Path, effects []effect) []string {
	var warnings []string
	for _, effect := range effects {
		if effect.set {
			warnings = append(warnings, fmt.Sprintf("%s: %s", path.Child(effect.field), effect.text))
		}
	}
	return warnings
}
