// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// declare returns an ImageKind with a plural and a kind that was created some minutes after the others.
func declare(plural, kind string, minutes int) *v1alpha1.ImageKind {
	declared := &v1alpha1.ImageKind{ObjectMeta: metav1.ObjectMeta{
		Name: plural, UID: types.UID(plural), Generation: 3,
		CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 1, 0, minutes, 0, 0, time.UTC)),
	}}
	declared.Spec.Names.Kind = kind
	declared.Spec.Template.Raw = []byte(`{"builder": {"name": "mock"}, "targets": [{"platform": "linux/amd64", "format": "raw"}]}`)
	version := v1alpha1.ImageKindVersion{Name: "v1"}
	version.Schema.Raw = []byte(`{"type": "object", "required": ["base"], "properties": {"base": {"type": "string", "minLength": 1, "maxLength": 512}}}`)
	version.Bindings = []v1alpha1.ImageKindBinding{{Field: "spec.base", To: "spec.base.reference"}}
	declared.Spec.Versions = []v1alpha1.ImageKindVersion{version}
	return declared
}

func declareShort(plural, kind string, minutes int, short ...string) *v1alpha1.ImageKind {
	declared := declare(plural, kind, minutes)
	declared.Spec.Names.ShortNames = short
	return declared
}

func mustCompile(t *testing.T, declared *v1alpha1.ImageKind) *catalog.Kind {
	t.Helper()
	kind, errs := Compile(t.Context(), declared)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return kind
}

func TestWhichKindsAreServed(t *testing.T) {
	t.Parallel()
	invalid := declare("broken", "Broken", 0)
	invalid.Spec.Versions[0].Bindings = nil
	const accepted, named, established = "Accepted=True/ValidSpec", "NamesAccepted=True/NoConflicts", "Established=True/Served"
	for name, test := range map[string]struct {
		configured, stored []*v1alpha1.ImageKind
		served             []string
		conditions         map[string][]string
	}{
		"nothing": {served: []string{}},
		"both sources": {
			configured: []*v1alpha1.ImageKind{declare("desktops", "Desktop", 0)}, stored: []*v1alpha1.ImageKind{declare("servers", "Server", 0)},
			served: []string{"desktops", "servers"}, conditions: map[string][]string{"servers": {accepted, named, established}},
		},
		"the configuration wins": {
			configured: []*v1alpha1.ImageKind{declare("servers", "Server", 0)}, stored: []*v1alpha1.ImageKind{declare("servers", "Server", 0)},
			served: []string{"servers"}, conditions: map[string][]string{"servers": {accepted, "NamesAccepted=False/Configured", "Established=False/Configured"}},
		},
		"the older one wins": {
			stored: []*v1alpha1.ImageKind{declare("aservers", "Server", 2), declare("servers", "Server", 1)},
			served: []string{"servers"}, conditions: map[string][]string{
				"servers": {accepted, named, established}, "aservers": {accepted, "NamesAccepted=False/NamesConflict", "Established=False/NamesConflict"},
			},
		},
		"a short name that another kind has": {
			stored: []*v1alpha1.ImageKind{declareShort("servers", "Server", 1, "s"), declareShort("screens", "Screen", 2, "s", "scr")},
			served: []string{"servers [s]", "screens [scr]"}, conditions: map[string][]string{
				"servers": {accepted, named, established}, "screens": {accepted, "NamesAccepted=False/NamesConflict", established},
			},
		},
		"invalid": {
			stored: []*v1alpha1.ImageKind{invalid}, served: []string{},
			conditions: map[string][]string{"broken": {"Accepted=False/InvalidSpec", "Established=False/InvalidSpec"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var configured []*catalog.Kind
			for _, declared := range test.configured {
				configured = append(configured, mustCompile(t, declared))
			}
			served, decisions := decide(t.Context(), configured, test.stored, Compile)
			names := []string{}
			for _, kind := range served {
				name := kind.Name()
				if short := kind.Definition().Spec.Names.ShortNames; len(short) > 0 {
					name += fmt.Sprint(" ", short)
				}
				names = append(names, name)
			}
			if diff := cmp.Diff(test.served, names); diff != "" {
				t.Error(diff)
			}
			conditions := map[string][]string{}
			for _, decision := range decisions {
				status := decision.status(metav1.Now())
				if served := status.Revision != ""; served != strings.HasPrefix(status.Conditions[len(status.Conditions)-1].Reason, "Served") {
					t.Errorf("%s has the revision %q", decision.object.Name, status.Revision)
				}
				for _, condition := range status.Conditions {
					conditions[decision.object.Name] = append(conditions[decision.object.Name], fmt.Sprintf("%s=%s/%s", condition.Type, condition.Status, condition.Reason))
					if condition.ObservedGeneration != 3 || condition.Status == metav1.ConditionFalse && condition.Message == "" {
						t.Errorf("%+v", condition)
					}
				}
			}
			if test.conditions == nil {
				test.conditions = map[string][]string{}
			}
			if diff := cmp.Diff(test.conditions, conditions); diff != "" {
				t.Error(diff)
			}
		})
	}
}
