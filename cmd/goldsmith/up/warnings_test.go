// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestFieldsWithoutEffectOnOneMachineAreWarnedOf(t *testing.T) {
	withSystem(t, Options{DataDirectory: filepath.Join(t.TempDir(), "data"), Memory: true}, func(ctx context.Context, client versioned.Interface) {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{
			Builder: v1alpha1.BuilderReference{Name: "nobodys"}, Base: v1alpha1.Base{Reference: "debian:bookworm"},
			Targets:  []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
			Template: &v1alpha1.BuildTemplate{NodeSelector: map[string]string{"disk": "fast"}},
		}}}
		result := client.ImagesV1alpha1().RESTClient().Post().Namespace("default").Resource("images").Body(image).Do(ctx)
		var told []string
		for _, warning := range result.Warnings() {
			told = append(told, warning.Text)
		}
		want := `spec.builder: no builder is registered as "nobodys": use debian, mock; or register it: goldsmith up --builders, or ConfigMap goldsmith-builders` + "\n" +
			"spec.template.nodeSelector: has no effect: builds run as processes of this machine"
		if got := strings.Join(told, "\n"); result.Error() != nil || got != want {
			t.Errorf("got warnings\n%s\nand error %v, want\n%s", got, result.Error(), want)
		}
	})
}
