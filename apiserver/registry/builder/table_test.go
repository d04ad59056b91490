// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table/tabletest"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func TestTable(t *testing.T) {
	schema := func(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }
	tabletest.Golden(t, newTable(), &v1alpha1.BuilderList{Items: []v1alpha1.Builder{
		{
			ObjectMeta: metav1.ObjectMeta{Name: "any"}, Reports: true,
			Executable: &v1alpha1.BuilderExecutable{Path: "/tools/any", Args: []string{"--fast"}, Problem: "/tools/any is not an executable file"},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Description: "Makes\x1b[2J disks", Image: "registry.example.com/disk:2",
			Targets:    []v1alpha1.BuilderTarget{{Platform: "linux/amd64", Format: "raw"}, {Format: "qcow2"}},
			Parameters: schema(`{"type":"object","properties":{"size":{"type":"string"},"label":{"type":"string"}},"additionalProperties":false}`),
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "many"}, Image: "many", Probe: true,
			Targets:    []v1alpha1.BuilderTarget{{Format: "raw"}, {Format: "qcow2"}, {Format: "vmdk"}, {Format: "iso"}, {Format: "oci"}},
			Parameters: schema(`{"properties":{"a":{},"b":{},"c":{},"d":{},"e":{},"f":{}},"additionalProperties":true}`),
		},
		{ObjectMeta: metav1.ObjectMeta{Name: "none"}, Image: "none", Parameters: schema(`{}`)},
		{ObjectMeta: metav1.ObjectMeta{Name: "open"}, Image: "open", Parameters: schema(`{"additionalProperties":true}`)},
		{ObjectMeta: metav1.ObjectMeta{Name: inputs.Tester}, Image: "goldsmith-tester", Parameters: schema(`{}`)},
	}})
}
