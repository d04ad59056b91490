// SPDX-License-Identifier: Apache-2.0

// Package templateaccess is admission that holds users who write the inputs of builds to their own rights: builds run, through a
// controller with more rights, as service accounts, with Secrets and with ConfigMaps that the writer may have no access to.
//
// The files of a source are no more than named here. A user with the right to change a ConfigMap decides what the builds that take
// their files from it run: that is a documented boundary.
//
// It looks at every change of an Image's spec, not only at changes of the names: whoever changes the builder decides
// what the account runs. What was written by somebody with the rights, and is not changed, may be built by anybody.
package templateaccess

import (
	"context"
	"errors"
	"io"
	"slices"

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

// ValidateInitialization reports whether the plugin has what it needs.
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
	inputs, path := written(attributes)
	if inputs == nil {
		return nil
	}
	wanted := wantedBy(inputs, path)
	if build, ok := attributes.GetObject().(*images.ImageBuild); ok && build.Spec.ImageRef != nil {
		// Its Image names the ConfigMaps, and everybody who can get builds of the Image reads their files.
		wanted = slices.DeleteFunc(wanted, func(access access) bool { return access.resource == configMaps })
	}
	return p.check(ctx, attributes, wanted)
}

// written returns the inputs that a request writes, and where they are; nil if it writes none.
func written(attributes admission.Attributes) (*images.BuildInputs, *field.Path) {
	switch object := attributes.GetObject().(type) {
	case *images.Image:
		old, updated := attributes.GetOldObject().(*images.Image)
		if updated && equality.Semantic.DeepEqual(old.Spec, object.Spec) {
			return nil, nil // only its metadata changes, as when an owner or a finalizer goes
		}
		return &object.Spec.BuildInputs, field.NewPath("spec")
	case *images.ImageBuild:
		// The build of an Image as it is is a copy of a spec that was checked when it was written. Only the server creates
		// one: a direct creation with an imageRef was refused before. A build's spec does not change.
		if attributes.GetOperation() != admission.Create || object.Spec.ImageRef != nil && !decidedAnew(object.Spec.Trigger) {
			return nil, nil
		}
		return &object.Spec.Inputs, field.NewPath("spec", "inputs")
	}
	return nil, nil
}

// decidedAnew reports whether the requester of a build decides what the template's account runs: a spec of before, which
// the Image may not have any more, or other parameters.
func decidedAnew(trigger *images.BuildTrigger) bool {
	return trigger != nil && (trigger.RerunOf != "" || len(trigger.Parameters) > 0)
}
