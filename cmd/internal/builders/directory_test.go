// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	shipped "goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// mount lays out files the way a kubelet mounts a ConfigMap: links through a hidden directory.
func mount(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	version := filepath.Join(directory, "..2026_11_20")
	require.NoError(t, os.Mkdir(version, 0o700))
	require.NoError(t, os.Symlink(filepath.Base(version), filepath.Join(directory, "..data")))
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(version, name), []byte(content), 0o600))
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(directory, name)))
	}
	return directory
}

func TestABuilderIsAFileOfAMountedConfigMap(t *testing.T) {
	directory := mount(t, map[string]string{"mock": "mock-builder:v1\n", "disk": " registry.example.com:5000/disk@sha256:abc ", ".hidden": "x y"})
	builders, err := read(directory)
	require.NoError(t, err)
	expected := map[string]inputs.Builder{"mock": {Image: "mock-builder:v1"}, "disk": {Image: "registry.example.com:5000/disk@sha256:abc"}}
	if !reflect.DeepEqual(builders, expected) {
		t.Errorf("read %v", builders)
	}
}

func TestADocumentOfAMountedConfigMapDeclaresBuilders(t *testing.T) {
	const header = "apiVersion: goldsmith.dev/v1alpha1\nkind: BuilderConfiguration\n"
	builders, err := read(mount(t, map[string]string{"mock": "mock-builder:v1", "more.yaml": header + `
builders:
- {name: disk, description: Makes disks, image: "registry.example.com/disk:2", parameters: {properties: {size: {}}}, targets: [{format: raw}], probe: true,
   reasons: [{reason: NoSpace, class: Config, meaning: the volume is full, remedy: free space}]}
- {name: plain, image: plain, reports: true, nodeSelector: {kvm: here}, tolerations: [{key: kvm, operator: Exists}], resources: {limits: {devices.kubevirt.io/kvm: 1}}}
- {name: short, description: Has its image elsewhere, reports: true}
- {name: quiet, image: quiet, reports: false}
`, "short": "short:v1"}))
	require.NoError(t, err)
	expected := map[string]inputs.Builder{
		"mock": {Image: "mock-builder:v1"}, "plain": {Image: "plain", Reports: true, Placement: inputs.Placement{
			NodeSelector: map[string]string{"kvm": "here"}, Tolerations: []corev1.Toleration{{Key: "kvm", Operator: corev1.TolerationOpExists}},
			Resources: &v1alpha1.ResourceRequirements{Limits: map[string]v1alpha1.Quantity{"devices.kubevirt.io/kvm": {Text: "1", Number: true}}},
		}}, "quiet": {Image: "quiet"},
		"short": {Image: "short:v1", Description: "Has its image elsewhere", Reports: true}, "disk": {
			Image: "registry.example.com/disk:2", Description: "Makes disks", Capabilities: capability.Capabilities{Probe: true,
				Parameters: &capability.Schema{Properties: map[string]capability.Property{"size": {}}}, Targets: []capability.Target{{Format: "raw"}},
				Reasons: []v1alpha1.BuilderReason{{Reason: "NoSpace", Class: v1alpha1.FailureConfig, Meaning: "the volume is full", Remedy: "free space"}},
			},
		}}
	if diff := cmp.Diff(expected, builders); diff != "" {
		t.Error(diff)
	}
	for items, want := range map[string]string{
		"{name: x}":                                `builder "x": image: it is empty`,
		"{name: X, image: x}":                      `builder "X": name: a lowercase RFC 1123 label`,
		"{name: x, image: a b}":                    `builder "x": image: "a b" is not the reference of one container image`,
		"{name: x, image: x, path: /x}":            `builder "x": path: has no effect: it is for an executable of goldsmith up`,
		"{name: x, image: x, env: []}":             `builder "x": env: has no effect`,
		"{name: x, image: x, targets: [{}]}":       `builder "x": targets[0]: set platform or format`,
		"{name: x, image: x, imag: x}":             `builder "x": unknown field "imag"`,
		"{name: x, image: x}, {name: x, image: z}": `builder "x": name: is set twice`,
		"{name: mock, image: x}":                   `builder "mock": image: entry mock has the image, too: remove one of them`,
		"{name: other, image: x}":                  `builder "other": name: is also set in last.yaml: choose another name`,
		"{name: x, image: x, reasons: [{reason: Full, class: User, meaning: m, cause: c}]}": `builder "x": unknown field "reasons[0].cause"`,
		"{name: x, image: x, reasons: [{reason: Full, class: user, meaning: m}]}":           `builder "x": reasons[0].class: must be one of User, Config, Infrastructure`,
		"{name: x, image: x, nodeSelector: {kvm: a b}}":                                     `builder "x": nodeSelector[kvm]: Invalid value: "a b"`,
		"{name: x, image: x, tolerations: [{operator: Equal}]}":                             `builder "x": tolerations[0].operator: Invalid value: "Equal": must be Exists`,
		"{name: x, image: x, tolerations: [{taint: kvm}]}":                                  `builder "x": unknown field "tolerations[0].taint"`,
		"{name: x, image: x, resources: {limits: {kvm: 1}}}":                                `builder "x": resources.limits[kvm]: Invalid value: "kvm": must be cpu, memory`,
		"{name: x, image: x, resources: {requests: {a.b/c: 1}}}":                            `builder "x": resources.requests[a.b/c]: Invalid value: "1": set a limit`,
		"{name: x, image: x, reports: maybe}":                                               `builder "x": reports: must be true or false`,
	} {
		_, err := read(mount(t, map[string]string{
			"mock": "mock-builder:v1", "last.yaml": header + "builders: [{name: other, image: x}]", "more.yaml": header + "builders: [" + items + "]\n",
		}))
		if err == nil || !strings.HasPrefix(err.Error(), "--builders-directory: more.yaml: "+want) {
			t.Errorf("%s: got error %v, want %s", items, err, want)
		}
	}
}

func TestWithoutADirectoryThereAreNoBuilders(t *testing.T) {
	if builders, err := read(""); err != nil || len(builders) > 0 {
		t.Errorf("read %v: %v", builders, err)
	}
}

func TestWhatIsNotABuilderIsNamed(t *testing.T) {
	directory := mount(t, map[string]string{"Mock": "mock-builder", "empty": "\n", "two": "one two", "fine": "fine"})
	require.NoError(t, os.Mkdir(filepath.Join(directory, "folder"), 0o700))
	_, err := read(directory)
	if err == nil {
		t.Fatal("it was read")
	}
	for _, part := range []string{
		`builder "Mock": the name: a lowercase RFC 1123 label`, `builder "empty": it is empty`,
		`builder "two": "one two" is not the reference of one container image`, `builder "folder": read `,
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in the error:\n%v", part, err)
		}
	}
	if strings.Contains(err.Error(), "fine") {
		t.Errorf("a good builder is named: %v", err)
	}
	if _, err := read(filepath.Join(directory, "missing")); err == nil || !strings.Contains(err.Error(), "--builders-directory") {
		t.Errorf("a missing directory: %v", err)
	}
}

func TestTheMockBuilderOfAnInstallationReports(t *testing.T) {
	content, err := os.ReadFile("../../../kustomize/base/mock-builder.yaml")
	require.NoError(t, err)
	builders, err := read(mount(t, map[string]string{"mock": "mock-builder:v1", "mock.yaml": string(content)}))
	if mock := builders["mock"]; err != nil || mock.Image != "mock-builder:v1" || !mock.Reports || mock.Description != shipped.Shipped()[0].Description {
		t.Errorf("got %+v, error %v", builders, err)
	}
}
