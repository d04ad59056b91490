// SPDX-License-Identifier: Apache-2.0

package templateaccess

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const configMaps = "configmaps"

// access is the permission that a user needs for one field of inputs.
type access struct {
	field *field.Path
	// part is the part of the inputs that uses the object, whatever its index in a list.
	part     string
	verb     string
	resource string
	name     string
}

// wantedBy lists the objects that inputs give their builds access to, each object once for each part of the inputs. An author can read the contents of a
// ConfigMap in status.resolved.files or in the log.
func wantedBy(of *v1alpha1.BuildInputs, path *field.Path) []access {
	var wanted []access
	for _, reference := range inputs.References(of, path) {
		verb, resource := "get", strings.ToLower(reference.Kind)+"s"
		switch reference.Kind {
		case inputs.KindImage, inputs.KindLocalQueue: // everybody who can create builds can use those of the namespace
			continue
		case inputs.KindServiceAccount:
			verb = "use"
		}
		known := func(other access) bool {
			return other.part == reference.Part && other.resource == resource && other.name == reference.Name
		}
		if !slices.ContainsFunc(wanted, known) {
			wanted = append(wanted, access{reference.Field, reference.Part, verb, resource, reference.Name})
		}
	}
	return wanted
}

// grantedKey is the key of granted inputs in a context.
type grantedKey struct{}

// Granting returns a context in which users need no permissions for the objects that these inputs name, because somebody with the
// permissions has granted their use: the author of a kind of the catalog, whose users only choose the values of its fields. The use is granted for
// the same part of the inputs only: nobody may send the Secret of a registry to a Git server.
func Granting(ctx context.Context, of *v1alpha1.BuildInputs) context.Context {
	return context.WithValue(ctx, grantedKey{}, of)
}

// copiedKey is the key of a context of a build that is a copy.
type copiedKey struct{}

// Copying returns a context in which the creation of a build needs no permissions if the build only copies the spec of its Image, which was
// checked when it was written. The requester of any other build decides what the template's account runs: of a rerun, of tests of earlier
// artifacts, or of a build with parameters. Tests that the triggers of the Image ask for have the inputs of the Image by digest.
func Copying(ctx context.Context, build *v1alpha1.ImageBuild, image *v1alpha1.Image) context.Context {
	copied := v1alpha1.ImageBuildSpec{
		ImageRef: build.Spec.ImageRef, Number: build.Spec.Number, ImageGeneration: build.Spec.ImageGeneration, Trigger: build.Spec.Trigger,
		Inputs: image.Spec.BuildInputs, Tests: image.Spec.Tests, Timeouts: image.Spec.Timeouts, Retry: image.Spec.Retry, RunPolicy: image.Spec.RunPolicy,
		OneOff: build.Spec.OneOff,
	}
	automatic := build.Spec.Retests != nil && build.Spec.Trigger.Reason == v1alpha1.TriggerTestsChange
	return context.WithValue(ctx, copiedKey{}, automatic || equality.Semantic.DeepEqual(build.Spec, copied))
}

// withoutGranted returns the wanted permissions without those that Granting grants.
func withoutGranted(ctx context.Context, wanted []access) []access {
	of, ok := ctx.Value(grantedKey{}).(*v1alpha1.BuildInputs)
	if !ok {
		return wanted
	}
	granted := wantedBy(of, nil)
	return slices.DeleteFunc(wanted, func(one access) bool {
		return slices.ContainsFunc(granted, func(other access) bool {
			return other.part == one.part && other.verb == one.verb && other.resource == one.resource && other.name == one.name
		})
	})
}

// check checks whether the user has all permissions. The error names all missing permissions.
func (p *plugin) check(ctx context.Context, attributes admission.Attributes, wanted []access) error {
	var missing []error
	for _, access := range wanted {
		decision, _, err := p.authorizer.Authorize(ctx, authorizer.AttributesRecord{
			User:            attributes.GetUserInfo(),
			Verb:            access.verb,
			APIVersion:      corev1.SchemeGroupVersion.Version,
			Resource:        access.resource,
			Namespace:       attributes.GetNamespace(),
			Name:            access.name,
			ResourceRequest: true,
		})
		if decision == authorizer.DecisionAllow {
			continue
		}
		if err != nil {
			return apierrors.NewInternalError(fmt.Errorf("check whether %s may %s %s %q: %w",
				userName(attributes), access.verb, access.resource, access.name, err))
		}
		missing = append(missing, access.denied(attributes))
	}
	if len(missing) == 0 {
		return nil
	}
	return admission.NewForbidden(attributes, utilerrors.NewAggregate(missing))
}

// denied describes a missing permission as the rule of a role that an administrator can grant.
func (a access) denied(attributes admission.Attributes) error {
	where, role := fmt.Sprintf("namespace %q", attributes.GetNamespace()), "role"
	if attributes.GetNamespace() == "" {
		where, role = "all namespaces", "cluster role"
	}
	return fmt.Errorf("%s: user %q may not %s %s %q in %s; an administrator can grant it with a %s that has "+
		"apiGroups [\"\"], resources [%q], resourceNames [%q], verbs [%q]",
		a.field, userName(attributes), a.verb, a.resource, a.name, where, role, a.resource, a.name, a.verb)
}

func userName(attributes admission.Attributes) string {
	if user := attributes.GetUserInfo(); user != nil {
		return user.GetName()
	}
	return ""
}
