// SPDX-License-Identifier: Apache-2.0

package subresource

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Mutate runs mutating admission, which can change the object of a request. It does nothing on a server without admission.
func Mutate(ctx context.Context, plugins admission.Interface, attributes admission.Attributes, interfaces admission.ObjectInterfaces) error {
	mutating, ok := plugins.(admission.MutationInterface)
	if !ok || !mutating.Handles(attributes.GetOperation()) {
		return nil
	}
	return mutating.Admit(ctx, attributes, interfaces)
}

// Created is an object that a request to something else creates, or a request to a subresource that it makes. Admission decides about
// it as about a request of the user for it.
type Created struct {
	Kind        schema.GroupVersionKind
	Resource    string
	Subresource string // empty for the resource itself
	Name        string
	Object      runtime.Object
	Options     *metav1.CreateOptions
}

// Mutate asks mutating admission, which can change the object. It returns the validating admission, which must be asked about the
// object once it is complete and valid. Both can annotate the audit event of the request.
func (c Created) Mutate(ctx context.Context, scope *resources.Scope) (rest.ValidateObjectFunc, error) {
	user, _ := apirequest.UserFrom(ctx)
	attributes := admission.NewAttributesRecord(c.Object, nil, c.Kind, apirequest.NamespaceValue(ctx), c.Name,
		v1alpha1.SchemeGroupVersion.WithResource(c.Resource), c.Subresource, admission.Create,
		c.Options, dryrun.IsDryRun(c.Options.DryRun), user)
	plugins, interfaces := admission.WithAudit(scope.Admission), admission.NewObjectInterfacesFromScheme(scope.Scheme)
	if err := Mutate(ctx, plugins, attributes, interfaces); err != nil {
		return nil, err
	}
	return rest.AdmissionToValidateObjectFunc(plugins, attributes, interfaces), nil
}

// Admit asks both kinds of admission about a request to a subresource, and check in between, which validates the request as mutating
// admission has changed it.
func (c Created) Admit(ctx context.Context, scope *resources.Scope, check func() error) error {
	validate, err := c.Mutate(ctx, scope)
	if err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	return validate(ctx, c.Object.DeepCopyObject())
}
