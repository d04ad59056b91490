// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestTheLogHasOneLineForEachFinishedBuild(t *testing.T) {
	build := func(image string, phase v1alpha1.BuildPhase, failure *v1alpha1.BuildFailure) *v1alpha1.ImageBuild {
		made := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-3"}}
		if image != "" {
			made.Spec.ImageRef = &v1alpha1.ImageReference{Name: image}
		}
		made.Status.Phase, made.Status.Failure = phase, failure
		made.Status.Finished = phase == v1alpha1.BuildSucceeded || phase == v1alpha1.BuildFailed || phase == v1alpha1.BuildCancelled
		return made
	}
	running := build("web", v1alpha1.BuildRunning, nil)
	succeeded := build("web", v1alpha1.BuildSucceeded, nil)
	for name, test := range map[string]struct {
		before, after *v1alpha1.ImageBuild
		want          []string // none for no line
	}{
		"it failed":          {running, build("web", v1alpha1.BuildFailed, v1alpha1.ReasonOOMKilled.Failure("killed")), []string{`"name"="web-3" "namespace"="team"`, `"outcome"="Failed"`, `"image"="web"`, `"reason"="OOMKilled"`}},
		"it succeeded":       {running, succeeded, []string{`"outcome"="Succeeded"`, `"image"="web"`}},
		"without an Image":   {build("", v1alpha1.BuildQueued, nil), build("", v1alpha1.BuildCancelled, v1alpha1.ReasonCancelRequested.Failure("asked")), []string{`"outcome"="Cancelled"`, `"reason"="CancelRequested"`}},
		"it goes on":         {build("web", v1alpha1.BuildStarting, nil), running, nil},
		"it finished before": {succeeded, succeeded, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			logEnd(funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{}), test.before, test.after)
			if len(test.want) == 0 {
				if len(lines) > 0 {
					t.Errorf("got %q", lines)
				}
				return
			}
			if len(lines) != 1 {
				t.Fatalf("got %d lines: %q", len(lines), lines)
			}
			for _, want := range test.want {
				if !strings.Contains(lines[0], want) {
					t.Errorf("got %s, want %s", lines[0], want)
				}
			}
			if test.after.Spec.ImageRef == nil && strings.Contains(lines[0], "image") {
				t.Errorf("got an image: %s", lines[0])
			}
		})
	}
}
