// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"strings"
	"testing"
)

func TestWrongOptionsAreRefusedByTheirFlags(t *testing.T) {
	sound := Options{Group: "widgets.example.com", Version: "v1alpha1", Kind: "Widget"}
	for name, test := range map[string]struct {
		change func(*Options)
		want   []string
	}{
		"nothing is wrong":           {func(*Options) {}, nil},
		"a group of one part":        {func(o *Options) { o.Group = "widgets" }, []string{`--group "widgets"`}},
		"a group in capitals":        {func(o *Options) { o.Group = "Widgets.example.com" }, []string{"--group"}},
		"no group":                   {func(o *Options) { o.Group = "" }, []string{`--group ""`}},
		"a version without a v":      {func(o *Options) { o.Version = "1" }, []string{`--version "1"`}},
		"a version with a dot":       {func(o *Options) { o.Version = "v1.2" }, []string{"--version"}},
		"a kind in lower case":       {func(o *Options) { o.Kind = "widget" }, []string{`--kind "widget"`}},
		"a kind with a dash":         {func(o *Options) { o.Kind = "Wid-get" }, []string{"--kind"}},
		"a kind too long for a name": {func(o *Options) { o.Kind = "W" + strings.Repeat("x", 63) }, []string{"--kind", "--plural"}},
		"a list":                     {func(o *Options) { o.Kind = "WidgetList" }, []string{"must not end with List"}},
		"a kind that Go means":       {func(o *Options) { o.Kind = "Package" }, []string{"cannot be the name of a Go package"}},
		"a kind that we import":      {func(o *Options) { o.Kind = "Builder" }, []string{"cannot be the name of a Go package"}},
		"a plural in capitals":       {func(o *Options) { o.Plural = "Widgets" }, []string{`--plural "Widgets"`}},
		"a short name with a dot":    {func(o *Options) { o.ShortName = "w.d" }, []string{`--short-name "w.d"`}},
		"two flags":                  {func(o *Options) { o.Kind, o.Version = "", "" }, []string{"--kind", "--version"}},
	} {
		t.Run(name, func(t *testing.T) {
			options := sound
			test.change(&options)
			err := options.complete()
			if (err == nil) != (test.want == nil) {
				t.Fatalf("error: %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestPlurals(t *testing.T) {
	for noun, want := range map[string]string{
		"widget": "widgets", "policy": "policies", "gateway": "gateways", "ingress": "ingresses", "box": "boxes", "y": "ys",
	} {
		if got := plural(noun); got != want {
			t.Errorf("the plural of %s is %s, want %s", noun, got, want)
		}
	}
}

func TestNamesOfAGroup(t *testing.T) {
	options := Options{Group: "widgets.example.com", Version: "v1", Kind: "HTTPWidget"}
	for got, want := range map[string]string{
		options.typesDirectory():  "apis/widgets/v1",
		options.serverDirectory(): "apiserver/httpwidget",
		options.modelPackage():    "com.example.widgets.v1",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
