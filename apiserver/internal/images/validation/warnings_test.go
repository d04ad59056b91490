// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apiserver/internal/images"
)

func TestFilesThatOthersMayChangeAreWarnedOfWhereABuildHasMoreRights(t *testing.T) {
	secret := []corev1.EnvVar{{Name: "KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}}
	configMap := &images.Source{ConfigMapRef: &images.ConfigMapReference{Name: "files"}}
	inline := &images.Source{Inline: &images.InlineSource{Files: map[string]string{"a": "b"}}}
	for name, test := range map[string]struct {
		inputs images.BuildInputs
		warned bool
	}{
		"no template":         {images.BuildInputs{Source: configMap}, false},
		"the default account": {images.BuildInputs{Source: configMap, Template: &images.BuildTemplate{ServiceAccountName: "default"}}, false},
		"an account":          {images.BuildInputs{Source: configMap, Template: &images.BuildTemplate{ServiceAccountName: "publisher"}}, true},
		"a Secret":            {images.BuildInputs{Source: configMap, Template: &images.BuildTemplate{Env: secret}}, true},
		"files of its own":    {images.BuildInputs{Source: inline, Template: &images.BuildTemplate{Env: secret}}, false},
	} {
		warnings := InputWarnings(&test.inputs, field.NewPath("spec"))
		if warned := len(warnings) == 1 && strings.HasPrefix(warnings[0], "spec.source.configMapRef: users who can change ConfigMap files decide"); warned != test.warned {
			t.Errorf("%s: %q", name, warnings)
		}
	}
}
