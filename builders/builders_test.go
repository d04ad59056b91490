// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func TestTheBuildersThatShipAreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, builder := range Shipped() {
		if names[builder.Name] || names[builder.Command] {
			t.Errorf("%s or %s is used twice", builder.Name, builder.Command)
		}
		names[builder.Name], names[builder.Command] = true, true
		if builder.Name == "" || builder.Command == "" || builder.Image == "" || builder.Main == nil || builder.Description == "" {
			t.Errorf("a part is missing: %+v", builder)
		}
		for _, problem := range builder.Capabilities.Problems() {
			t.Errorf("builder %s: %v", builder.Name, problem)
		}
	}
}

func TestTheTesterMissesOnlyTheEmulator(t *testing.T) {
	tester, _ := Find(inputs.Tester)
	directory := t.TempDir()
	t.Setenv("PATH", directory)
	if err := tester.Missing()(); err == nil || !strings.HasSuffix(err.Error(), "apt-get install qemu-system-x86 ovmf") {
		t.Errorf("without QEMU: %v", err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(directory, "qemu-system-x86_64"), nil, 0o700))
	if err := tester.Missing()(); err != nil || slices.Contains(Names(), inputs.Tester) {
		t.Errorf("with QEMU: %v, and images can have the builders %v", err, Names())
	}
}

func TestTheReasonsOfBuildersHaveRemediesAndNoLinks(t *testing.T) {
	for _, builder := range Shipped() {
		for _, of := range builder.Capabilities.Reasons {
			if strings.Contains(of.Meaning+of.Remedy, "](") {
				t.Errorf("%s of builder %s has a link, which kubectl shows as it is", of.Reason, builder.Name)
			}
			if of.Class == v1alpha1.FailureUser && of.Remedy == "" {
				t.Errorf("%s of builder %s has no remedy", of.Reason, builder.Name)
			}
		}
	}
}
