// SPDX-License-Identifier: Apache-2.0

package image

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
	"goldsmith.dev/goldsmith/e2e/require"
)

// written sets fields with a pattern.
var written = map[string]func(*v1alpha1.Image, string){
	"BaseImageReference.channel": func(image *v1alpha1.Image, text string) { image.Spec.Base = baseImage("base", text) },
	"BaseImageReference.name":    func(image *v1alpha1.Image, text string) { image.Spec.Base = baseImage(text, "") },
	"BuilderReference.name":      func(image *v1alpha1.Image, text string) { image.Spec.Builder.Name = text },
	"Parameter.name":             func(image *v1alpha1.Image, text string) { image.Spec.Parameters[0].Name = text },
	"Target.platform":            func(image *v1alpha1.Image, text string) { image.Spec.Targets[0].Platform = text },
}

// shortName is the pattern of +k8s:format=k8s-short-name, of which BuilderReference.name is the example.
const shortName = `^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`

// TestPatternsOfOpenAPIAreThoseOfTheServer holds that OpenAPI, by which clients judge a manifest without a server, never refuses what
// the server accepts. Unlike limits, patterns are not tags of the types that the server reads.
func TestPatternsOfOpenAPIAreThoseOfTheServer(t *testing.T) {
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Pattern string }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(openapi.Document()), &document))
	checked := 0
	for kind, schema := range document.Components.Schemas {
		kind, isOurs := strings.CutPrefix(kind, "dev.goldsmith.images.v1alpha1.")
		for name, property := range schema.Properties {
			field := kind + "." + name
			if !isOurs || property.Pattern == "" || strings.HasPrefix(kind, "ImageKind") {
				continue // package catalog of jobs checks the names in ImageKinds
			}
			if written[field] != nil {
				checked++
				checkPattern(t, field, regexp.MustCompile(property.Pattern))
			} else if property.Pattern != shortName {
				t.Errorf("%s has a pattern: add it to this test", field)
			}
		}
	}
	if checked != len(written) {
		t.Errorf("%d fields of this test have a pattern, want %d", checked, len(written))
	}
}

func checkPattern(t *testing.T, field string, pattern *regexp.Regexp) {
	t.Helper()
	accepts := func(text string) bool {
		image := validationtest.Image()
		written[field](image, text)
		return len(Validate(image)) == 0
	}
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
