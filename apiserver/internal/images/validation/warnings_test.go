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
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func TestFieldsWithoutEffectAreWarnedOf(t *testing.T) {
	image := &images.Image{Spec: images.ImageSpec{
		BuildInputs: images.BuildInputs{
			Builder: images.Builder{Name: "nobodys"},
			Source:  &images.Source{},
			Template: &images.BuildTemplate{
				ServiceAccountName: "builder", Resources: &v1alpha1.ResourceRequirements{}, NodeSelector: map[string]string{"disk": "fast"},
				Tolerations: []corev1.Toleration{{Key: "builds"}}, Affinity: &corev1.Affinity{}, RuntimeClassName: "kata",
				PriorityClassName: "high", Env: []corev1.EnvVar{{Name: "A"}},
			},
		},
		History: &images.HistoryLimits{
			LogRetention: &images.HistoryTTL{Failed: &v1alpha1.Duration{Duration: time.Hour}}, LogMaxBytes: &v1alpha1.Quantity{Text: "1Mi"},
			RecordRetention: &images.HistoryTTL{Failed: &v1alpha1.Duration{Duration: time.Hour}}, FileRetention: &v1alpha1.Duration{Duration: time.Hour},
		},
	}}
	byDefault := &images.Image{Spec: images.ImageSpec{
		BuildInputs: images.BuildInputs{Builder: images.Builder{Name: "mock"}, Template: &images.BuildTemplate{}},
		History:     &images.HistoryLimits{LogMaxBytes: &v1alpha1.Quantity{Text: "1024Mi"}, FileRetention: &v1alpha1.Duration{Duration: v1alpha1.DefaultFileRetention}},
	}}
	allowed := &inputs.Builders{Registered: map[string]inputs.Builder{"mock": {Image: "mock"}}}
	for name, test := range map[string]struct {
		setup Setup
		image *images.Image
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
		"an image by name that is not allowed": {Setup{Builders: allowed}, &images.Image{Spec: images.ImageSpec{
			BuildInputs: images.BuildInputs{Builder: images.Builder{Image: "example.com/builder"}},
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
