// SPDX-License-Identifier: Apache-2.0

// Package validationtest has valid objects for the tests of validation, and compares the fields that are invalid.
package validationtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Image returns a valid Image.
func Image() *v1alpha1.Image {
	return &v1alpha1.Image{
		ObjectMeta: metav1.ObjectMeta{Name: "debian", Namespace: "default"},
		Spec: v1alpha1.ImageSpec{
			BuildInputs: v1alpha1.BuildInputs{
				Builder:    v1alpha1.BuilderReference{Name: "mock"},
				Base:       v1alpha1.Base{Reference: "debian:bookworm"},
				Source:     &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"etc/motd": "hello"}}},
				Parameters: []v1alpha1.Parameter{{Name: "edition", Value: "server"}},
				Targets:    []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
			},
			RunPolicy: v1alpha1.RunPolicySerial,
			Timeouts:  &v1alpha1.BuildTimeouts{Start: Seconds(600), Run: Seconds(3600)},
			Retry: &v1alpha1.RetryPolicy{
				Limit: new(int32(2)), Classes: []v1alpha1.FailureClass{v1alpha1.FailureInfrastructure},
				Backoff: &v1alpha1.Backoff{Initial: Seconds(10), Max: Seconds(300)},
			},
			History: &v1alpha1.HistoryLimits{Succeeded: new(int32(3)), Failed: new(int32(3))},
		},
	}
}

// Packages returns what an Image knows of newer versions of its packages.
func Packages() *v1alpha1.ImagePackages {
	released := metav1.NewTime(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC))
	states := []v1alpha1.ArchiveState{{Name: "debian", Date: released}, {Name: "debian-security", Date: released}}
	return &v1alpha1.ImagePackages{
		Build: "debian-1", Archives: states, Attempted: slices.Clone(states[:1]), UpdateCount: 2, OtherCount: 1,
		Updates: []v1alpha1.PackageUpdate{{
			Name: "openssl", Architecture: "amd64", From: "3.5.4-1", To: "3.5.6-1", Security: true, Advisories: []string{"CVE-2026-1"}, Since: released, Archive: "debian-security",
		}},
	}
}

// Seconds returns a duration.
func Seconds(n int) *v1alpha1.Duration {
	return &v1alpha1.Duration{Duration: time.Duration(n) * time.Second}
}

// Parameters are parameters whose JSON object has n bytes, most of them those of a text.
func Parameters(n int, text string) []v1alpha1.Parameter {
	const full, around = 3000, len(`"00":"",`)
	encoded, _ := inputs.CanonicalJSON(text) // cannot fail: it is a string
	size := len(encoded) - len(`""`)
	repeats := full / size
	var parameters []v1alpha1.Parameter
	add := func(value string) {
		parameters = append(parameters, v1alpha1.Parameter{Name: fmt.Sprintf("%02d", len(parameters)), Value: value})
	}
	left := n - len(`{}`) + len(`,`)
	for ; left >= repeats*size+2*around; left -= repeats*size + around {
		add(strings.Repeat(text, repeats))
	}
	add(strings.Repeat("x", left-around))
	return parameters
}

// Digest returns a digest of one repeated digit.
func Digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// Artifacts are the artifacts of a build with one target.
func Artifacts() []v1alpha1.Artifact {
	return []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: Digest("c"), SizeBytes: 1, MediaType: "application/octet-stream"}}
}

// ExpectPaths fails the test unless exactly these fields are invalid, and every message says what to do.
func ExpectPaths(t *testing.T, errs field.ErrorList, want []string) {
	t.Helper()
	var got []string
	for _, err := range errs {
		got = append(got, err.Field)
		if err.Detail == "" && err.Type != field.ErrorTypeDuplicate && !strings.HasPrefix(err.Field, "status.conditions") {
			t.Errorf("%s: the message does not say what to do: %v", err.Field, err)
		}
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(slices.Compact(got), want) {
		t.Errorf("invalid fields: %v, want %v\n%v", got, want, errs.ToAggregate())
	}
}

// ImageBuild returns a valid ImageBuild, which a user could create.
func ImageBuild() *v1alpha1.ImageBuild {
	image := Image()
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: "debian-1", Namespace: "default"},
		Spec:       v1alpha1.ImageBuildSpec{Inputs: image.Spec.BuildInputs, Timeouts: image.Spec.Timeouts, Retry: image.Spec.Retry},
		Status:     v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildPending},
	}
}
