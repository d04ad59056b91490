// SPDX-License-Identifier: Apache-2.0

package templateaccess

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"goldsmith.dev/goldsmith/apiserver/internal/images"
)

// defaultAccount is the service account that pods run as when they name none, so that naming it gives nobody anything.
const defaultAccount = "default"

// access is what a user needs for one field of a template.
type access struct {
	field    *field.Path
	verb     string
	resource string
	name     string
}

// wantedBy lists what a template gives its builds, each object once.
func wantedBy(template *images.BuildTemplate, path *field.Path) []access {
	if template == nil {
		return nil
	}
	var wanted []access
	if name := template.ServiceAccountName; name != "" && name != defaultAccount {
		wanted = append(wanted, access{path.Child("serviceAccountName"), "use", "serviceaccounts", name})
	}
	seen := map[string]bool{}
	for i := range template.Env {
		secret := secretOf(&template.Env[i])
		if secret == nil || seen[secret.Name] {
			continue
		}
		seen[secret.Name] = true
		at := path.Child("env").Index(i).Child("valueFrom", "secretKeyRef", "name")
		wanted = append(wanted, access{at, "get", "secrets", secret.Name})
	}
	return wanted
}

func secretOf(variable *corev1.EnvVar) *corev1.SecretKeySelector {
	if variable.ValueFrom == nil {
		return nil
	}
	return variable.ValueFrom.SecretKeyRef
}

// check asks whether the user has all of it. The answer names everything that is missing.
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
			return apierrors.NewInternalError(fmt.Errorf("asking whether %s may %s %s %q: %w",
				userName(attributes), access.verb, access.resource, access.name, err))
		}
		missing = append(missing, access.denied(attributes))
	}
	if len(missing) == 0 {
		return nil
	}
	return admission.NewForbidden(attributes, utilerrors.NewAggregate(missing))
}

// denied says what is missing, in the words of the role that an administrator would grant.
func (a access) denied(attributes admission.Attributes) error {
	return fmt.Errorf("%s: user %q may not %s %s %q in namespace %q; an administrator can grant it with a role that has "+
		"apiGroups [\"\"], resources [%q], resourceNames [%q], verbs [%q]",
		a.field, userName(attributes), a.verb, a.resource, a.name, attributes.GetNamespace(), a.resource, a.name, a.verb)
}

func userName(attributes admission.Attributes) string {
	if user := attributes.GetUserInfo(); user != nil {
		return user.GetName()
	}
	return ""
}
