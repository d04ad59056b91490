// SPDX-License-Identifier: Apache-2.0

// Package templateaccess is admission that holds whoever writes a build template to their own rights: a template runs
// pods, through a controller that may do more, as service accounts and with Secrets that the writer may have no access to.
//
// It looks at every change of an Image's spec, not only at changes of the names: whoever changes the builder decides
// what the account runs. What was written by somebody with the rights, and is not changed, may be built by anybody.
package templateaccess

import (
	"context"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"goldsmith.dev/goldsmith/apiserver/internal/images"
)

// PluginName is the name of the plugin in the flags of the server.
const PluginName = "BuildTemplateAccess"

// New makes the plugin. It has no configuration.
func New(io.Reader) (admission.Interface, error) {
	return &plugin{Handler: admission.NewHandler(admission.Create, admission.Update)}, nil
}

type plugin struct {
	*admission.Handler
	authorizer authorizer.UnconditionalAuthorizer
}

var (
	_ admission.ValidationInterface            = &plugin{}
	_ initializer.WantsUnconditionalAuthorizer = &plugin{}
)

// SetUnconditionalAuthorizer sets who is asked, which is the server's own authorizer.
func (p *plugin) SetUnconditionalAuthorizer(authorizer authorizer.UnconditionalAuthorizer) {
	p.authorizer = authorizer
}

// ValidateInitialization says whether the plugin has what it needs.
func (p *plugin) ValidateInitialization() error {
	if p.authorizer == nil {
		return errors.New("it needs an authorizer")
	}
	return nil
}

// Validate refuses what the user may not write. Dry runs are no exception, and a subresource writes no spec.
func (p *plugin) Validate(ctx context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	if attributes.GetResource().Group != images.SchemeGroupVersion.Group || attributes.GetSubresource() != "" {
		return nil
	}
	template, path := written(attributes)
	return p.check(ctx, attributes, wantedBy(template, path))
}

// written returns the template that a request writes, and where it is; nil if it writes none.
func written(attributes admission.Attributes) (*images.BuildTemplate, *field.Path) {
	switch object := attributes.GetObject().(type) {
	case *images.Image:
		old, updated := attributes.GetOldObject().(*images.Image)
		if updated && equality.Semantic.DeepEqual(old.Spec, object.Spec) {
			return nil, nil // only its metadata changes, as when an owner or a finalizer goes
		}
		return object.Spec.Template, field.NewPath("spec", "template")
	case *images.ImageBuild:
		// The build of an Image as it is is a copy of a spec that was checked when it was written. Only the server creates
		// one: a direct creation with an imageRef was refused before. A build's spec does not change.
		if attributes.GetOperation() != admission.Create || object.Spec.ImageRef != nil && !decidedAnew(object.Spec.Trigger) {
			return nil, nil
		}
		return object.Spec.Inputs.Template, field.NewPath("spec", "inputs", "template")
	}
	return nil, nil
}

// decidedAnew says whether the requester of a build decides what the template's account runs: a spec of before, which
// the Image may not have any more, or other parameters.
func decidedAnew(trigger *images.BuildTrigger) bool {
	return trigger != nil && (trigger.RerunOf != "" || len(trigger.Parameters) > 0)
}
