// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestADifferenceIsATable(t *testing.T) {
	duration := &metav1.Duration{Duration: 62 * time.Second}
	for name, test := range map[string]struct {
		difference v1alpha1.ImageBuildDiff
		want       []string
	}{
		"inputs and artifacts": {
			v1alpha1.ImageBuildDiff{
				From:      v1alpha1.ComparedBuild{Name: "web-1", Phase: v1alpha1.BuildSucceeded, Attempts: 1, Duration: duration},
				To:        v1alpha1.ComparedBuild{Name: "web-2", Phase: v1alpha1.BuildFailed, Failure: v1alpha1.ReasonOOMKilled, Attempts: 3},
				Inputs:    []v1alpha1.InputChange{{Path: "parameters[motd]", From: "two\nlines", To: "\x1b[31mred"}, {Path: "parameters[new]", To: "1"}},
				Artifacts: []v1alpha1.ArtifactChange{{Target: "linux/amd64/raw", From: "sha256:1"}},
			},
			[]string{
				"BUILD                        web-1       web-2",
				"parameters[motd]             two lines    [31mred",
				"parameters[new]              -           1",
				"phase                        Succeeded   Failed (OOMKilled)",
				"attempts                     1           3",
				"duration                     1m2s        -",
				"artifacts[linux/amd64/raw]   sha256:1    -",
			},
		},
		"nothing": {
			v1alpha1.ImageBuildDiff{From: v1alpha1.ComparedBuild{Name: "a", Phase: v1alpha1.BuildRunning}, To: v1alpha1.ComparedBuild{Name: "b", Phase: v1alpha1.BuildRunning}},
			[]string{"BUILD      a         b", "phase      Running   Running", "attempts   0         0", "duration   -         -", "their inputs are the same"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := describe(&test.difference, &out); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Join(test.want, "\n")+"\n", out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
