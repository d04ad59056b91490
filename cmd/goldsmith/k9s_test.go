// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// k9sViews is the form of examples/k9s/views.yaml.
type k9sViews struct {
	Views map[string]struct { // by group, version and resource
		Columns    []string
		SortColumn string
	}
}

// k9sPlugins is the form of examples/k9s/plugins.yaml.
type k9sPlugins struct {
	Plugins map[string]struct {
		ShortCut, Description, Command string
		Scopes, Args                   []string
		Confirm, Dangerous             bool
	}
}

// readK9s reads a file of examples/k9s into an object that has all of its fields.
func readK9s(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(read(t, filepath.Join(repository, "examples", "k9s", name))), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// k9sVariable finds what k9s replaces in an argument of a plugin: $NAME, ${NAME} and their negations, in upper and lower case.
var k9sVariable = regexp.MustCompile(`(?i)\$!?\{?!?(NAME|NAMESPACE|CONTEXT|CLUSTER|USER|GROUPS|KUBECONFIG|FILTER|RESOURCE|COL-)`)

func TestThePluginsOfK9sRunCommandsThatExist(t *testing.T) {
	var views k9sViews
	var plugins k9sPlugins
	readK9s(t, "views.yaml", &views)
	readK9s(t, "plugins.yaml", &plugins)
	var verbs []string
	keys := map[string]string{} // by scope and key
	for name, plugin := range plugins.Plugins {
		if plugin.Command != "sh" || len(plugin.Args) < 5 || plugin.Args[0] != "-c" || !slices.Equal(plugin.Args[2:4], []string{"goldsmith", "$KUBECONFIG"}) {
			t.Errorf("%s does not run a script with the kubeconfig: %q", name, plugin.Args)
			continue
		}
		if found := k9sVariable.FindString(plugin.Args[1]); found != "" {
			t.Errorf("%s: k9s would replace %s in the text of the script", name, found)
		}
		root := newRootCommand()
		verb, args, err := root.Find(plugin.Args[4:])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		verbs = append(verbs, verb.Name())
		if err := verb.ParseFlags(args); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if verb.Flag("context").Value.String() != "$CONTEXT" || verb.Flag("namespace").Value.String() != "$NAMESPACE" || !slices.Equal(verb.Flags().Args(), []string{"$NAME"}) {
			t.Errorf("%s does not act on the selected object: %q", name, args)
		}
		if acts := verb.GroupID == "Act"; plugin.Confirm != acts || plugin.Dangerous != acts {
			t.Errorf("%s runs %s, but confirm is %t and dangerous is %t", name, verb.Name(), plugin.Confirm, plugin.Dangerous)
		}
		for _, scope := range plugin.Scopes {
			if _, found := views.Views[scope]; !found {
				t.Errorf("%s: the scope %s has no view", name, scope)
			}
			if other := keys[scope+plugin.ShortCut]; other != "" {
				t.Errorf("%s and %s have the same key on the screen of %s", name, other, scope)
			}
			keys[scope+plugin.ShortCut] = name
		}
	}
	slices.Sort(verbs)
	if diff := cmp.Diff([]string{"build", "cancel", "diff", "logs", "plan", "promote", "rerun"}, verbs); diff != "" {
		t.Errorf("commands of the plugins: %s", diff)
	}
}

// showsColumnsInK9s compares the views of k9s with the tables of the server. A view has every column, also those that k9s hides first.
func (s *session) showsColumnsInK9s() {
	s.t.Helper()
	var views k9sViews
	readK9s(s.t, "views.yaml", &views)
	for view, settings := range views.Views {
		var table metav1.Table
		resource := view[strings.LastIndex(view, "/")+1:]
		request := s.connect().ImagesV1alpha1().RESTClient().Get().Resource(resource).SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
		if err := request.Do(s.ctx).Into(&table); err != nil {
			s.t.Errorf("%s: %v", view, err)
		}
		want, got := []string{"NAMESPACE"}, []string{} // k9s adds the namespace
		for _, column := range table.ColumnDefinitions {
			want = append(want, strings.ToUpper(column.Name))
		}
		for _, column := range settings.Columns {
			name, _, _ := strings.Cut(column, "|")
			got = append(got, name)
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			s.t.Errorf("columns of %s: %s", view, diff)
		}
		if sorted, _, _ := strings.Cut(settings.SortColumn, ":"); !slices.Contains(got, sorted) {
			s.t.Errorf("%s is sorted by %s, which is no column", view, sorted)
		}
	}
}
