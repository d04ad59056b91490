// SPDX-License-Identifier: Apache-2.0

package image

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
	"goldsmith.dev/goldsmith/e2e/require"
)

// limits are those that OpenAPI gives to a field.
type limits struct {
	Minimum, Maximum, MinItems, MaxItems, MinLength, MaxLength *int

	Pattern string
}

// counted sets fields with limits to a number, or to a list of that length.
var counted = map[string]func(*v1alpha1.Image, int){
	"BuildInputs.parameters": setParameters, "ImageSpec.parameters": setParameters,
	"BuildInputs.targets": setTargets, "ImageSpec.targets": setTargets,
	"BuilderReference.command": func(image *v1alpha1.Image, n int) {
		image.Spec.Builder = v1alpha1.BuilderReference{Image: "builder", Command: make([]string, n)}
	},
	"HistoryLimits.failed":    func(image *v1alpha1.Image, n int) { image.Spec.History.Failed = new(int32(n)) },
	"HistoryLimits.succeeded": func(image *v1alpha1.Image, n int) { image.Spec.History.Succeeded = new(int32(n)) },
	"RetryPolicy.limit":       func(image *v1alpha1.Image, n int) { image.Spec.Retry.Limit = new(int32(n)) },
	"Triggers.disableAfterFailures": func(image *v1alpha1.Image, n int) {
		image.Spec.Triggers = &v1alpha1.Triggers{DisableAfterFailures: new(int32(n))}
	},
}

func setParameters(image *v1alpha1.Image, n int) {
	image.Spec.Parameters = nil
	for i := range n {
		image.Spec.Parameters = append(image.Spec.Parameters, v1alpha1.Parameter{Name: fmt.Sprint("p", i)})
	}
}

func setTargets(image *v1alpha1.Image, n int) {
	target := image.Spec.Targets[0]
	image.Spec.Targets = nil
	for i := range n {
		target.Platform = fmt.Sprint("linux/a", i)
		image.Spec.Targets = append(image.Spec.Targets, target)
	}
}

// written sets fields with limits to a text.
var written = map[string]func(*v1alpha1.Image, string){
	"Base.reference":             func(image *v1alpha1.Image, text string) { image.Spec.Base.Reference = text },
	"BaseImageReference.channel": func(image *v1alpha1.Image, text string) { image.Spec.Base = baseImage("base", text) },
	"BaseImageReference.name":    func(image *v1alpha1.Image, text string) { image.Spec.Base = baseImage(text, "") },
	"BuilderReference.image":     func(image *v1alpha1.Image, text string) { image.Spec.Builder = v1alpha1.BuilderReference{Image: text} },
	"BuilderReference.name":      func(image *v1alpha1.Image, text string) { image.Spec.Builder.Name = text },
	"ConfigMapReference.name":    func(image *v1alpha1.Image, text string) { image.Spec.Source = configMap(text) },
	"Parameter.name":             func(image *v1alpha1.Image, text string) { image.Spec.Parameters[0].Name = text },
	"Output.repository":          func(image *v1alpha1.Image, text string) { image.Spec.Output = outputOf(text) },
	"Output.tagTemplate": func(image *v1alpha1.Image, text string) {
		image.Spec.Output = outputOf("localhost/a")
		image.Spec.Output.TagTemplate = text
	},
	"SecretReference.name": func(image *v1alpha1.Image, text string) {
		image.Spec.Output = outputOf("localhost/a")
		image.Spec.Output.SecretRef.Name = text
	},
	"Schedule.cron": func(image *v1alpha1.Image, text string) {
		schedule(func(schedule *v1alpha1.Schedule) { schedule.Cron = text })(image)
	},
	"Target.platform": func(image *v1alpha1.Image, text string) { image.Spec.Targets[0].Platform = text },
}

func outputOf(repository string) *v1alpha1.Output {
	return &v1alpha1.Output{Repository: repository, SecretRef: &v1alpha1.SecretReference{Name: "a"}}
}

// TestLimitsOfOpenAPIAreThoseOfTheServer holds that OpenAPI, by which clients judge a manifest without a server, never refuses what
// the server accepts, and that each of its limits is one of the server.
func TestLimitsOfOpenAPIAreThoseOfTheServer(t *testing.T) {
	var document struct {
		Components struct {
			Schemas map[string]struct{ Properties map[string]limits }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(openapi.Document()), &document))
	checked, none := 0, limits{}
	for kind, schema := range document.Components.Schemas {
		kind, isOurs := strings.CutPrefix(kind, "dev.goldsmith.images.v1alpha1.")
		for name, limits := range schema.Properties {
			field := kind + "." + name
			if !isOurs || limits == none || strings.HasPrefix(kind, "ImageKind") {
				continue // package catalog of jobs has a test of the limits of ImageKinds
			}
			checked++
			switch {
			case counted[field] != nil:
				checkCounted(t, field, limits)
			case written[field] != nil:
				checkWritten(t, field, limits)
			default:
				t.Errorf("%s has limits: add it to this test", field)
			}
		}
	}
	if want := len(counted) + len(written); checked != want {
		t.Errorf("%d fields have limits, want %d", checked, want)
	}
}

func checkCounted(t *testing.T, field string, limits limits) {
	t.Helper()
	expect := func(n int, want bool) {
		image := validationtest.Image()
		counted[field](image, n)
		if errs := Validate(image); (len(errs) == 0) != want {
			t.Errorf("%s of %d: OpenAPI accepts it: %t, and the server: %v", field, n, want, errs)
		}
	}
	for _, lowest := range []*int{limits.Minimum, limits.MinItems} {
		if lowest != nil {
			expect(*lowest-1, false)
			expect(*lowest, true)
		}
	}
	for _, highest := range []*int{limits.Maximum, limits.MaxItems} {
		if highest != nil {
			expect(*highest, true)
			expect(*highest+1, false)
		}
	}
}

func checkWritten(t *testing.T, field string, limits limits) {
	t.Helper()
	accepts := func(text string) bool {
		image := validationtest.Image()
		written[field](image, text)
		return len(Validate(image)) == 0
	}
	if limits.MinLength != nil && accepts("") {
		t.Errorf("%s: the server accepts an empty text", field)
	}
	if limits.MaxLength != nil {
		prefix := ""
		switch field {
		case "Target.platform":
			prefix = "linux/"
		case "Output.repository":
			prefix = "localhost/"
		}
		text := prefix + strings.Repeat("a", *limits.MaxLength-len(prefix))
		if !accepts(text) || accepts(text+"a") {
			t.Errorf("%s: the server has another limit than %d", field, *limits.MaxLength)
		}
	}
	if limits.Pattern == "" {
		return
	}
	pattern := regexp.MustCompile(limits.Pattern)
	for _, text := range []string{
		"a", "a1", "1a", "a-b", "-a", "a-", "A", "a.b", "a_b", "a b", "é", "a\n", "*", "linux/amd64", "linux/amd64/v8", "linux/x86_64",
		"linux/arm64/v8.1-a", "linux/", "/amd64", "a/b/c/d", "Linux/amd64", "linux_a/b", "linux/a-b",
	} {
		if matches := pattern.MatchString(text); matches != accepts(text) {
			t.Errorf("%s %q: the pattern matches: %t, and the server accepts it: %t", field, text, matches, !matches)
		}
	}
	if accepts("") && !pattern.MatchString("") {
		t.Errorf("%s: the server accepts an empty text, and the pattern does not match it", field)
	}
}
