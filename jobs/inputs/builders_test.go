// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestLookup(t *testing.T) {
	registered := map[string]Builder{
		"mock":    {Image: "goldsmith.dev/mock"},
		"debuild": {Image: "example.com/debuild:1", Command: []string{"/debuild"}, Reports: true},
	}
	many, long := map[string]Builder{}, strings.Repeat("a", 100)
	for i := 10; i < 100; i++ {
		many[fmt.Sprintf("builder-%d", i)] = Builder{}
	}
	tests := []struct {
		name        string
		builders    Builders
		ask         v1alpha1.BuilderReference
		want        Builder
		wantReason  v1alpha1.FailureReason
		wantMessage string
	}{
		{
			name:     "a registered name is found",
			builders: Builders{Registered: registered},
			ask:      v1alpha1.BuilderReference{Name: "debuild"},
			want:     Builder{Image: "example.com/debuild:1", Command: []string{"/debuild"}, Reports: true},
		},
		{
			name: "the builders at present replace the registered ones",
			builders: Builders{
				Registered: map[string]Builder{"packer": {}},
				Current:    func() map[string]Builder { return registered },
			},
			ask:         v1alpha1.BuilderReference{Name: "packer"},
			wantReason:  v1alpha1.ReasonBuilderNotFound,
			wantMessage: `"packer": use debuild, mock; or register it`,
		},
		{
			name:        "an unknown name is answered with the registered ones",
			builders:    Builders{Registered: registered},
			ask:         v1alpha1.BuilderReference{Name: "packer"},
			wantReason:  v1alpha1.ReasonBuilderNotFound,
			wantMessage: `"packer": use debuild, mock; or register it: goldsmith up --builders, or ConfigMap goldsmith-builders`,
		},
		{
			name:        "without registered builders the message says so",
			ask:         v1alpha1.BuilderReference{Name: "packer"},
			wantReason:  v1alpha1.ReasonBuilderNotFound,
			wantMessage: `no builder is registered as "packer": register it: goldsmith up`,
		},
		{
			name:        "of many registered ones, those that have no room are counted",
			builders:    Builders{Registered: many},
			ask:         v1alpha1.BuilderReference{Name: "packer"},
			wantReason:  v1alpha1.ReasonBuilderNotFound,
			wantMessage: `"packer": use builder-10, builder-11, builder-12, builder-13, builder-14, builder-15 or 84 more; or register it`,
		},
		{
			name:        "a long name leaves room for the number only",
			builders:    Builders{Registered: map[string]Builder{long + "1": {}, long + "2": {}}},
			ask:         v1alpha1.BuilderReference{Name: long},
			wantReason:  v1alpha1.ReasonBuilderNotFound,
			wantMessage: `": use one of 2 builders; or register it: goldsmith up --builders, or ConfigMap goldsmith-builders`,
		},
		{
			name:       "no name at all is an unknown name",
			builders:   Builders{Registered: registered, AllowImages: true},
			wantReason: v1alpha1.ReasonBuilderNotFound,
		},
		{
			name:        "an image is refused where images are not allowed, even that of a registered builder",
			builders:    Builders{Registered: registered},
			ask:         v1alpha1.BuilderReference{Image: "goldsmith.dev/mock"},
			wantReason:  v1alpha1.ReasonBuilderNotAllowed,
			wantMessage: `"goldsmith.dev/mock" is not allowed on this server: use a registered builder (debuild, mock)`,
		},
		{
			name:     "the image of a registered builder does not make a token of it",
			builders: Builders{Registered: registered, AllowImages: true},
			ask:      v1alpha1.BuilderReference{Image: "example.com/debuild:1"},
			want:     Builder{Image: "example.com/debuild:1"},
		},
		{
			name:     "an image is taken with its command where images are allowed",
			builders: Builders{AllowImages: true},
			ask:      v1alpha1.BuilderReference{Image: "example.com/own", Command: []string{"/own", "-v"}},
			want:     Builder{Image: "example.com/own", Command: []string{"/own", "-v"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, failure := tt.builders.Lookup(tt.ask)
			checkFailure(t, failure, tt.wantReason, tt.wantMessage)
			if failure != nil && len(failure.Message) > 200 {
				t.Errorf("the message has %d characters: %s", len(failure.Message), failure.Message)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("unexpected builder (-want +got):\n%s", diff)
			}
		})
	}
}

// checkFailure wants a failure of class Config with a reason and a part of its message, or none if reason is empty.
func checkFailure(t *testing.T, failure *v1alpha1.BuildFailure, reason v1alpha1.FailureReason, message string) {
	t.Helper()
	switch {
	case reason == "" && failure != nil:
		t.Errorf("unexpected failure: %+v", failure)
	case reason != "" && failure == nil:
		t.Errorf("no failure, want %s", reason)
	case reason != "" && (failure.Class != v1alpha1.FailureConfig || failure.Reason != reason):
		t.Errorf("failure is %s/%s, want Config/%s", failure.Class, failure.Reason, reason)
	case reason != "" && !strings.Contains(failure.Message, message):
		t.Errorf("message is %q, want it to contain %q", failure.Message, message)
	}
}
