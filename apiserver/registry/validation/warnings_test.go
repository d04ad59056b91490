// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestAPasswordOfAURLIsWarnedOfWithoutIt(t *testing.T) {
	const url, reads = "https://me:secret@host/x", ": has a URL with a password, which everybody who can read the image or its builds reads: set a variable of template.env from a Secret instead"
	inputs := v1alpha1.BuildInputs{
		Base:       v1alpha1.Base{Reference: url},
		Parameters: []v1alpha1.Parameter{{Name: "a", Value: "https://host/@x"}, {Name: "b", Value: "from " + url}},
		Template:   &v1alpha1.BuildTemplate{Env: []corev1.EnvVar{{Name: "http_proxy", Value: url}, {Name: "mail", Value: "me@host"}}},
	}
	want := []string{"spec.base.reference" + reads, "spec.parameters[1].value" + reads, "spec.template.env[0].value" + reads}
	if diff := cmp.Diff(want, InputWarnings(&inputs, field.NewPath("spec"))); diff != "" {
		t.Error(diff)
	}
}

func TestFilesThatOthersMayChangeAreWarnedOfWhereABuildHasMoreRights(t *testing.T) {
	secret := []corev1.EnvVar{{Name: "KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}}
	configMap := &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
	inline := &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"a": "b"}}}
	for name, test := range map[string]struct {
		inputs v1alpha1.BuildInputs
		warned bool
	}{
		"no template":         {v1alpha1.BuildInputs{Source: configMap}, false},
		"the default account": {v1alpha1.BuildInputs{Source: configMap, Template: &v1alpha1.BuildTemplate{ServiceAccountName: "default"}}, false},
		"an account":          {v1alpha1.BuildInputs{Source: configMap, Template: &v1alpha1.BuildTemplate{ServiceAccountName: "publisher"}}, true},
		"a Secret":            {v1alpha1.BuildInputs{Source: configMap, Template: &v1alpha1.BuildTemplate{Env: secret}}, true},
		"files of its own":    {v1alpha1.BuildInputs{Source: inline, Template: &v1alpha1.BuildTemplate{Env: secret}}, false},
	} {
		warnings := InputWarnings(&test.inputs, field.NewPath("spec"))
		if warned := len(warnings) == 1 && strings.HasPrefix(warnings[0], "spec.source.configMapRef: users who can change ConfigMap files decide"); warned != test.warned {
			t.Errorf("%s: %q", name, warnings)
		}
	}
}
