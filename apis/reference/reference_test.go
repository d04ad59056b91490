// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/e2e/require"
)

func rendered(t *testing.T) string {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("..", "generated", "openapi", "v3.json"))
	require.NoError(t, err)
	page, err := render(document, types())
	require.NoError(t, err)
	return page
}

func TestTheCommittedPageIsFresh(t *testing.T) {
	committed, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "images-v1alpha1.md"))
	require.NoError(t, err)
	if diff := cmp.Diff(string(committed), rendered(t)); diff != "" {
		t.Errorf("the page is stale, run make generate:\n%s", diff)
	}
}

func TestEveryLinkOfThePageLeadsToAType(t *testing.T) {
	page := rendered(t)
	headings := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(page, -1) {
		headings[strings.ToLower(found[1])] = true
	}
	if len(headings) != len(types()) {
		t.Errorf("the page has %d types, not %d", len(headings), len(types()))
	}
	for _, found := range regexp.MustCompile(`\]\(#(\w+)\)`).FindAllStringSubmatch(page, -1) {
		if !headings[found[1]] {
			t.Errorf("no heading is %s", found[1])
		}
	}
}

func TestThePageHasEveryVerbOfAResource(t *testing.T) {
	page := rendered(t)
	for _, row := range []string{
		"| `images` | [Image](#image) | get, list, watch, create, update, patch, delete, deletecollection |",
		"| `queuedbuilds` | [QueuedBuild](#queuedbuild) | get, list |",
		"| `imagebuilds/log` | get |  | string | [ImageBuildLogOptions](#imagebuildlogoptions) |",
		"| `images/notes` | get, create | [ImageNote](#imagenote) | [ImageNote](#imagenote), [ImageNoteList](#imagenotelist) | [ImageJournalOptions](#imagejournaloptions) |",
	} {
		if !strings.Contains(page, row+"\n") {
			t.Errorf("the page lacks %s", row)
		}
	}
}

func TestQueryParametersWithoutATypeAreRefused(t *testing.T) {
	document := `{"paths": {"/apis/g/v1/namespaces/{namespace}/things/{name}/view": {
		"get": {"x-kubernetes-action": "get"}, "parameters": [{"name": "pretty"}, {"name": "unknown"}]}}}`
	_, err := render([]byte(document), map[string]spec.Schema{})
	if err == nil || !strings.Contains(err.Error(), "things/{name}/view: no type has the fields unknown") {
		t.Errorf("the error is %v", err)
	}
	if _, err := render([]byte(`{}`), nil); err == nil {
		t.Error("a document without paths is accepted")
	}
}

func TestTypesAreWrittenForPeople(t *testing.T) {
	for want, property := range map[string]spec.Schema{
		"[Image](#image)":                     *spec.RefSchema(model + "Image"),
		"EnvVar (core/v1)":                    *spec.RefSchema("io.k8s.api.core.v1.EnvVar"),
		"list of string":                      *spec.ArrayProperty(spec.StringProperty()),
		"map of string":                       *spec.MapProperty(spec.StringProperty()),
		"list of [Image](#image), by name":    keyed(spec.ArrayProperty(spec.RefSchema(model+"Image")), "name"),
		"list of string, by platform, format": keyed(spec.ArrayProperty(spec.StringProperty()), "platform", "format"),
		"boolean":                             *spec.BooleanProperty(),
	} {
		if got := typeOf(property); got != want {
			t.Errorf("%s is written as %s", want, got)
		}
	}
}

func keyed(list *spec.Schema, keys ...any) spec.Schema {
	list.AddExtension("x-kubernetes-list-map-keys", keys)
	return *list
}

func TestDescriptionsAreNoHTMLAndStayInTheirCell(t *testing.T) {
	got := text("of <name>, a|b.\n\nPossible:\n - `\"x\"` is one.", "<br>")
	if want := `of \<name>, a\|b.<br>Possible:<br>- ` + "`x` is one."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
