// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"strings"

	"k8s.io/apiserver/pkg/warning"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// warnings passes warnings about an Image on in the terms of the kind. Users of the kind cannot change the fields that the kind sets, so
// warnings about these are left out.
type warnings struct {
	context context.Context // of the request, whose client gets the warnings
	kind    *catalog.Kind
	image   func() *v1alpha1.Image // that is written; nil if there is none
}

// warningsOf returns a context for a write of an Image.
func (r *REST) warningsOf(ctx context.Context, image func() *v1alpha1.Image) context.Context {
	return warning.WithWarningRecorder(ctx, &warnings{ctx, r.kind, image})
}

// AddWarning passes a warning on. Warnings begin with the path of a field, if they are about one.
func (w *warnings) AddWarning(agent, text string) {
	path, rest, found := strings.Cut(text, ": ")
	image := w.image()
	if found && image != nil && (path == "spec" || strings.HasPrefix(path, "spec.")) {
		of, ok := w.kind.ViewPath(image, path)
		if !ok {
			return
		}
		text = of + ": " + rest
	}
	warning.AddWarning(w.context, agent, text)
}
