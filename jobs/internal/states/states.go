// SPDX-License-Identifier: Apache-2.0

// Package states keeps the states of Images and builds that clients see as golden files, with what the clients take each state for.
// Only tests use it. The files are also the states on which the health scripts for Argo CD are tested.
package states

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

// Clients are what clients take an object for.
type Clients struct {
	// Kstatus is the status that kstatus computes, as Flux, Helm and kpt do.
	Kstatus string
	// ArgoCD is the health that the scripts in kustomize/gitops/argocd compute.
	ArgoCD string
}

// Check computes the kstatus of an object, which has its apiVersion and kind, and compares the object with the golden file of the name in
// testdata/states. With update it writes that file.
func Check(t *testing.T, name string, object runtime.Object, want Clients, update bool) {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	result, err := status.Compute(&unstructured.Unstructured{Object: content})
	if err != nil {
		t.Fatal(err)
	}
	if string(result.Status) != want.Kstatus {
		t.Errorf("kstatus calls it %s (%s), want %s", result.Status, result.Message, want.Kstatus)
	}
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	got, golden := fmt.Sprintf("# kstatus: %s\n# argocd: %s\n%s", want.Kstatus, want.ArgoCD, text), filepath.Join("testdata", "states", name+".yaml")
	if update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil { //nolint:gosec // a golden file is not secret
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), got); diff != "" {
		t.Errorf("%s differs; run the test with -update if it should (-want +got):\n%s", golden, diff)
	}
}
