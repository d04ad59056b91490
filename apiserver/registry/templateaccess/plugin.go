// SPDX-License-Identifier: Apache-2.0

// Package templateaccess is an admission plugin that limits the authors of inputs to their own permissions. The controller,
// which has more permissions, runs builds with service accounts, Secrets and ConfigMaps that the author may have no access
// to.
//
// The plugin checks only the name of a source's ConfigMap. A user with permission to change the ConfigMap decides what builds
// with its files run, which is a documented boundary.
//
// The plugin checks every change of an Image's spec, not only changes of names, because the author of a changed builder or test
// decides what the service account runs. Only fields that decide when builds run, such as spec.suspend, need no permissions, nor
// does a build with the unchanged inputs and tests of its Image: see Copying.
//
// The author of an ImageKind needs the permissions for its template in all namespaces. Its users need none: see Granting.
package templateaccess

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// PluginName is the name of the plugin in the flags of the server.
const PluginName = "BuildTemplateAccess"

// New creates the plugin. It has no configuration.
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

// SetUnconditionalAuthorizer sets the authorizer, which is the server's own.
func (p *plugin) SetUnconditionalAuthorizer(authorizer authorizer.UnconditionalAuthorizer) {
	p.authorizer = authorizer
}

// ValidateInitialization reports whether the plugin has an authorizer.
func (p *plugin) ValidateInitialization() error {
	if p.authorizer == nil {
		return errors.New("it needs an authorizer")
	}
	return nil
}

// Validate refuses inputs for which the user lacks permissions, also in dry runs. It ignores subresources, which write no spec.
func (p *plugin) Validate(ctx context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	if attributes.GetResource().Group != v1alpha1.SchemeGroupVersion.Group || attributes.GetSubresource() != "" {
		return nil
	}
	inputs, path := written(ctx, attributes)
	if inputs == nil {
		return nil
	}
	wanted := withoutGranted(ctx, wantedBy(inputs, path))
	if build, ok := attributes.GetObject().(*v1alpha1.ImageBuild); ok && build.Spec.ImageRef != nil {
		// The Image names the ConfigMaps, and every user who can get builds of the Image can read their files.
		wanted = slices.DeleteFunc(wanted, func(access access) bool { return access.resource == configMaps })
	}
	return p.check(ctx, attributes, wanted)
}

// written returns the inputs that a request writes, and their path. The inputs are nil if it writes none.
func written(ctx context.Context, attributes admission.Attributes) (*v1alpha1.BuildInputs, *field.Path) {
	switch object := attributes.GetObject().(type) {
	case *v1alpha1.Image:
		old, updated := attributes.GetOldObject().(*v1alpha1.Image)
		if updated && equality.Semantic.DeepEqual(decisive(&old.Spec), decisive(&object.Spec)) {
			return nil, nil // the builds stay those of an author with the permissions
		}
		return &object.Spec.BuildInputs, field.NewPath("spec")
	case *v1alpha1.ImageBuild:
		// A build's spec does not change. Only the server creates a build with an imageRef: a direct creation was refused before.
		if attributes.GetOperation() != admission.Create || object.Spec.ImageRef != nil && ctx.Value(copiedKey{}) == true {
			return nil, nil
		}
		return &object.Spec.Inputs, field.NewPath("spec", "inputs")
	case *v1alpha1.ImageKind:
		old, updated := attributes.GetOldObject().(*v1alpha1.ImageKind)
		if updated && equality.Semantic.DeepEqual(old.Spec, object.Spec) {
			return nil, nil
		}
		inputs := &v1alpha1.BuildInputs{}
		if json.Unmarshal(object.Spec.Template.Raw, inputs) != nil {
			return nil, nil // validation refuses it
		}
		return inputs, field.NewPath("spec", "template")
	}
	return nil, nil
}

// decisive returns a spec without the fields that decide neither what pods run nor with what: they need no permissions. A new field does.
func decisive(spec *v1alpha1.ImageSpec) v1alpha1.ImageSpec {
	rest := *spec
	rest.Triggers, rest.RunPolicy, rest.Suspend, rest.Timeouts, rest.Retry, rest.History, rest.Channels = nil, "", nil, nil, nil, nil, nil
	return rest
}
