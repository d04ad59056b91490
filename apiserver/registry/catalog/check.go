// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// Compile compiles a declared kind and checks all of it. Errors have paths of the ImageKind.
func Compile(ctx context.Context, declared *v1alpha1.ImageKind) (*catalog.Kind, field.ErrorList) {
	kind, errs := catalog.Compile(ctx, declared)
	if len(errs) == 0 {
		errs = Check(ctx, kind)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return kind, nil
}

// Check returns what an Image of a kind would have wrong in the fields that the kind sets itself, with paths of the ImageKind. The values
// of bound fields are those of an example, which the users of the kind choose: their errors are left out. An example that a derived value
// cannot be computed from tells nothing.
func Check(ctx context.Context, kind *catalog.Kind) field.ErrorList {
	example := kind.Example(ctx)
	example.SetNamespace(metav1.NamespaceDefault) // derived values can have it
	made, err := kind.Put(ctx, example, nil, nil)
	if err != nil {
		return nil
	}
	v1alpha1.SetObjectDefaults_Image(made)
	var errs field.ErrorList
	for _, problem := range image.Validate(made) {
		path, ok := strings.CutPrefix(problem.Field, "spec")
		if _, bound := kind.ViewPath(made, problem.Field); !ok || bound {
			continue
		}
		problem.Field = "spec.template" + path
		errs = append(errs, problem)
	}
	return errs
}

// Warnings returns what is probably a mistake at this time in the template of a valid ImageKind, or has no effect on this server, with its paths.
// Users of the kind are not warned about it, because they cannot change it.
func Warnings(declared *v1alpha1.ImageKind, setup image.Setup, now time.Time) []string {
	template := &v1alpha1.Image{}
	if err := json.Unmarshal(declared.Spec.Template.Raw, &template.Spec); err != nil {
		return nil // the ImageKind is not valid
	}
	var warnings []string
	for _, text := range setup.ImageWarnings(template, now) {
		if path, ok := strings.CutPrefix(text, "spec"); ok {
			text = "spec.template" + path
		}
		warnings = append(warnings, text)
	}
	return warnings
}
