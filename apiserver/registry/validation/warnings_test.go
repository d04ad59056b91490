// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func TestFieldsWithoutEffectAreWarnedOf(t *testing.T) {
	image := &v1alpha1.Image{Spec: v1alpha1.ImageSpec{
		BuildInputs: v1alpha1.BuildInputs{
			Builder: v1alpha1.Builder{Name: "nobodys"},
			Source:  &v1alpha1.Source{},
			Template: &v1alpha1.BuildTemplate{
				ServiceAccountName: "builder", Resources: &v1alpha1.ResourceRequirements{}, NodeSelector: map[string]string{"disk": "fast"},
				Tolerations: []corev1.Toleration{{Key: "builds"}}, Affinity: &corev1.Affinity{}, RuntimeClassName: "kata",
				PriorityClassName: "high", Env: []corev1.EnvVar{{Name: "A"}},
			},
		},
		History: &v1alpha1.HistoryLimits{
			LogRetention: &v1alpha1.HistoryTTL{Failed: &v1alpha1.Duration{Duration: time.Hour}}, LogMaxBytes: &v1alpha1.Quantity{Text: "1Mi"},
			RecordRetention: &v1alpha1.HistoryTTL{Failed: &v1alpha1.Duration{Duration: time.Hour}}, FileRetention: &v1alpha1.Duration{Duration: time.Hour},
		},
	}}
	byDefault := &v1alpha1.Image{Spec: v1alpha1.ImageSpec{
		BuildInputs: v1alpha1.BuildInputs{Builder: v1alpha1.Builder{Name: "mock"}, Template: &v1alpha1.BuildTemplate{}},
		History:     &v1alpha1.HistoryLimits{LogMaxBytes: &v1alpha1.Quantity{Text: "1024Mi"}, FileRetention: &v1alpha1.Duration{Duration: v1alpha1.DefaultFileRetention}},
	}}
	allowed := &inputs.Builders{Registered: map[string]inputs.Builder{"mock": {Image: "mock"}}}
	for name, test := range map[string]struct {
		setup Setup
		image *v1alpha1.Image
		want  []string
	}{
		"a cluster that has everything": {Setup{LogArchive: true, Records: true}, image, []string{"spec.source"}},
		"a cluster": {Setup{Builders: allowed}, image, []string{
			"spec.source", "spec.builder", "spec.history.logRetention", "spec.history.logMaxBytes", "spec.history.recordRetention", "spec.history.fileRetention",
		}},
		"one machine": {Setup{Local: true, LogArchive: true, Records: true}, image, []string{
			"spec.source", "spec.template.serviceAccountName", "spec.template.resources", "spec.template.nodeSelector", "spec.template.tolerations",
			"spec.template.affinity", "spec.template.runtimeClassName", "spec.template.env",
		}},
		"an image by name that is not allowed": {Setup{Builders: allowed}, &v1alpha1.Image{Spec: v1alpha1.ImageSpec{
			BuildInputs: v1alpha1.BuildInputs{Builder: v1alpha1.Builder{Image: "example.com/builder"}},
		}}, []string{"spec.builder"}},
		"defaults": {Setup{Builders: allowed, Local: true}, byDefault, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, warning := range test.setup.ImageWarnings(test.image) {
				path, _, _ := strings.Cut(warning, ": ")
				got = append(got, path)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got warnings of %q, want %q", got, test.want)
			}
		})
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
