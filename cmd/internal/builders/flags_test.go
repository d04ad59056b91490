// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"reflect"
	"testing"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func parse(t *testing.T, args ...string) *Flags {
	t.Helper()
	flags, set := &Flags{}, pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.AddTo(set)
	require.NoError(t, set.Parse(args))
	return flags
}

func TestTheFlagsSayWhichBuildersThereAre(t *testing.T) {
	directory := mount(t, map[string]string{"mock": "mock-builder:v1", "disk": "disk:v2"})
	builders, err := parse(t, "--builders-directory", directory, "--allow-builder-images").Read()
	require.NoError(t, err)
	expected := inputs.Builders{AllowImages: true, Registered: map[string]inputs.Builder{
		"mock": {Image: "mock-builder:v1"}, "disk": {Image: "disk:v2"},
	}}
	if !reflect.DeepEqual(builders, expected) {
		t.Errorf("read %+v", builders)
	}
}

func TestWithoutFlagsNoBuilderIsAllowed(t *testing.T) {
	if builders, err := parse(t).Read(); err != nil || len(builders.Registered) > 0 || builders.AllowImages {
		t.Errorf("read %+v: %v", builders, err)
	}
}
