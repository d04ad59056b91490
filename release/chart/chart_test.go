// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	helm "helm.sh/helm/v4/pkg/chart/common"
	helmvalues "helm.sh/helm/v4/pkg/chart/common/util"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	helmregistry "helm.sh/helm/v4/pkg/registry"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/release/bundle"
	"goldsmith.dev/goldsmith/release/metadata"
)

const checkout = "../.."

var release = &metadata.Release{
	Revision: metadata.Revision{Version: "v0.1.0", Commit: strings.Repeat("c", 40), Time: time.Unix(1_700_000_000, 0)}, Registry: "registry.example.com/goldsmith",
	Images: map[string]string{
		"goldsmith-apiserver": digest("a"), "goldsmith-controller": digest("b"), "mock-builder": digest("c"), "debian-builder": digest("d"),
		"goldsmith-tester": digest("e"), "goldsmith-console": digest("f"),
	},
}

func digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// written is the chart, which all tests share.
var written []byte

func TestMain(m *testing.M) {
	var chart bytes.Buffer
	if err := Write(&chart, checkout, release); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	written = chart.Bytes()
	os.Exit(m.Run())
}

func loadChart(t *testing.T) *helmchart.Chart {
	t.Helper()
	loaded, err := loader.LoadArchive(bytes.NewReader(written))
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// render returns what helm template would print, by file.
func render(t *testing.T, namespace string, values map[string]any) (map[string]string, error) {
	t.Helper()
	loaded := loadChart(t)
	prepared, err := helmvalues.ToRenderValues(loaded, values, helm.ReleaseOptions{Name: Name, Namespace: namespace, IsInstall: true, Revision: 1}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(loaded, prepared)
}

// installed returns the objects of the chart without those of helm test.
func installed(t *testing.T, namespace string, values map[string]any) objects {
	t.Helper()
	rendered, err := render(t, namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	found := objects{}
	for _, file := range slices.Sorted(maps.Keys(rendered)) {
		if path.Ext(file) != ".yaml" || strings.Contains(file, "/tests/") {
			continue
		}
		for _, object := range parse(t, rendered[file]) {
			if found[id(object)] != nil {
				t.Fatalf("%s is there twice", id(object))
			}
			found[id(object)] = object
		}
	}
	return found
}

// parse returns the objects of a rendered file.
func parse(t *testing.T, text string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		object := map[string]any{}
		if err := errors.Join(err, yaml.UnmarshalStrict(document, &object)); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if len(object) > 0 {
			found = append(found, object)
		}
	}
}

// normalized removes what the chart and an overlay may differ in: checksums, and the order of lists without one.
func normalized(made objects) objects {
	delete(made, skippedObject)
	for _, object := range made {
		if pod := podTemplate(object); pod != nil {
			annotations, _ := pod["metadata"].(map[string]any)["annotations"].(map[string]any)
			for key := range annotations {
				if strings.HasPrefix(key, checksum) {
					annotations[key] = "of the content"
				}
			}
			spec := pod["spec"].(map[string]any)
			sortByName(spec["volumes"])
			for _, container := range spec["containers"].([]any) {
				sortByName(container.(map[string]any)["env"])
			}
		}
	}
	return made
}

func sortByName(list any) {
	if list, ok := list.([]any); ok {
		slices.SortFunc(list, func(a, b any) int {
			return strings.Compare(a.(map[string]any)["name"].(string), b.(map[string]any)["name"].(string))
		})
	}
}

func TestTheChartIsWhatKustomizeBuilds(t *testing.T) {
	kustomization, err := read(checkout)
	if err != nil {
		t.Fatal(err)
	}
	for _, included := range tested() {
		t.Run(strings.Join(append([]string{"base"}, included.names()...), "+"), func(t *testing.T) {
			want, err := kustomization.build(included, settings{
				servers: exampleServers, url: exampleURL, authority: exampleAuthority, kinds: exampleKinds, host: exampleHost,
			}, bundle.Images(release))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, normalized(installed(t, namespace, valuesOf(included))), normalized(want))
		})
	}
}

// tested returns no component, each component, larger combinations, and unless tests are short all pairs.
func tested() []combination {
	all := combinations()
	if testing.Short() {
		all = all[:1+len(components)]
	}
	for i, etcd := range []string{"", "single-node etcd-backup", "etcd-ha etcd-backup", "external-etcd", "single-node external-etcd"} {
		for j, rest := range []string{
			"cert-manager monitoring", "archive-s3 namespaced kueue", "cert-manager monitoring archive-s3 archive-s3-ca records-postgres",
			"monitoring archive-s3 records-external kueue source-webhooks", "catalog-only catalog-kinds debian-builder tester records-sqlite console",
			"cert-manager monitoring kueue namespaced catalog-only catalog-kinds debian-builder tester tester-kvm source-webhooks console archive-s3 archive-s3-ca records-external",
		} {
			if !testing.Short() || i == j {
				all = append(all, combine(strings.Fields(etcd+" "+rest)...))
			}
		}
	}
	// The chart refuses a certificate without a bucket.
	return slices.DeleteFunc(all, func(each combination) bool {
		return slices.Contains(each.names(), "archive-s3-ca") && !slices.Contains(each.names(), "archive-s3")
	})
}

func combine(names ...string) (combined combination) {
	for i := range components {
		if slices.Contains(names, components[i].name) {
			combined |= 1 << i
		}
	}
	return combined
}

func valuesOf(included combination) map[string]any {
	merged := map[string]any{}
	for i := range components {
		if included.has(i) {
			merged = loader.MergeMaps(merged, components[i].values)
		}
	}
	return merged
}

func compare(t *testing.T, found, want objects) {
	t.Helper()
	for name, object := range want {
		switch {
		case found[name] == nil:
			t.Errorf("%s is missing", name)
		case !reflect.DeepEqual(found[name], object):
			t.Errorf("%s is\n%s\nand not\n%s", name, text(t, found[name]), text(t, object))
		}
	}
	for name := range found {
		if want[name] == nil {
			t.Errorf("%s should not be there", name)
		}
	}
}

func text(t *testing.T, object map[string]any) []byte {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheNamespaceIsThatOfTheRelease(t *testing.T) {
	everything := valuesOf(combine("cert-manager", "monitoring", "etcd-ha", "etcd-backup", "records-postgres", "catalog-kinds", "archive-s3", "console"))
	for name, object := range installed(t, "images", everything) {
		if text := strings.ReplaceAll(string(text(t, object)), ownName, ""); strings.Contains(text, namespace) {
			t.Errorf("%s names %s:\n%s", name, namespace, text)
		}
	}
}

func TestValuesChangeWhatTheySay(t *testing.T) {
	everything := valuesOf(combine("etcd-ha", "etcd-backup", "records-postgres"))
	pods := map[string]any{
		"replicas": 5, "resources": map[string]any{"limits": map[string]any{"memory": "3Gi"}}, "extraArgs": []any{"--max-builds=20"},
		"nodeSelector": map[string]any{"disk": "fast"}, "tolerations": []any{map[string]any{"key": "special"}},
		"serviceAccountAnnotations": map[string]any{"example.com/role": "logs"},
	}
	etcd := maps.Clone(pods)
	delete(etcd, "serviceAccountAnnotations")
	etcd["replicas"] = 3
	etcd["storage"] = map[string]any{"size": "8Gi", "className": "ssd"}
	etcd["image"] = map[string]any{"repository": "mirror.example.com/etcd"}
	found := installed(t, namespace, loader.MergeMaps(everything, map[string]any{
		"apiserver": pods, "controller": loader.MergeMaps(pods, map[string]any{"allowUnlocatedArtifacts": false, "image": map[string]any{"tag": "mine"}}), "etcd": etcd,
		"image":    map[string]any{"registry": "mirror.example.com/g", "pullPolicy": "Always", "pullSecrets": []any{map[string]any{"name": "mirror"}}},
		"builders": map[string]any{"packer": "registry.example.com/builders/packer:1.4", "packer.yaml": "builders: []\n"},
	}))
	all := map[string]string{}
	for name, object := range found {
		all[name] = string(text(t, object))
		if pods := strings.Count(all[name], "\n      containers:") + strings.Count(all[name], "\n          containers:"); pods != strings.Count(all[name], "- name: mirror\n") {
			t.Errorf("%s pulls without the Secret", name)
		}
	}
	for _, name := range []string{"Deployment/goldsmith-apiserver", "Deployment/goldsmith-controller", "StatefulSet/goldsmith-etcd"} {
		for _, part := range []string{"memory: 3Gi", "- --max-builds=20\n", "disk: fast", "- key: special", "imagePullPolicy: Always"} {
			if !strings.Contains(all[name], part) {
				t.Errorf("%s lacks %s:\n%s", name, part, all[name])
			}
		}
	}
	for name, part := range map[string]string{
		"Deployment/goldsmith-apiserver":     "image: mirror.example.com/g/goldsmith-apiserver@" + digest("a"),
		"Deployment/goldsmith-controller":    "image: mirror.example.com/g/goldsmith-controller:mine",
		"StatefulSet/goldsmith-etcd":         "image: mirror.example.com/etcd:",
		"StatefulSet/goldsmith-postgres":     "image: postgres:",
		"ServiceAccount/goldsmith-apiserver": "example.com/role: logs",
		"ConfigMap/goldsmith-builders":       "packer.yaml: |\n    builders: []\n",
	} {
		if !strings.Contains(all[name], part) {
			t.Errorf("%s lacks %s:\n%s", name, part, all[name])
		}
	}
	for name, part := range map[string]string{
		"Deployment/goldsmith-controller": "--allow-unlocated-artifacts",
		"StatefulSet/goldsmith-etcd":      "storage: 4Gi",
	} {
		if strings.Contains(all[name], part) {
			t.Errorf("%s has %s:\n%s", name, part, all[name])
		}
	}
	if !strings.Contains(all["Deployment/goldsmith-apiserver"], "replicas: 5") || !strings.Contains(all["StatefulSet/goldsmith-etcd"], "storageClassName: ssd") {
		t.Error("replicas or the StorageClass are not those of the values")
	}
}

// Pods are replaced when what they read at their start changes.
func TestAChangeOfAConfigMapChangesItsPods(t *testing.T) {
	before := installed(t, namespace, nil)
	after := installed(t, namespace, map[string]any{"builders": map[string]any{"packer": "example.com/packer:1"}})
	for _, name := range []string{"Deployment/goldsmith-apiserver", "Deployment/goldsmith-controller"} {
		if reflect.DeepEqual(before[name], after[name]) {
			t.Errorf("%s does not change with its builders", name)
		}
	}
	if !reflect.DeepEqual(before["StatefulSet/goldsmith-etcd"], after["StatefulSet/goldsmith-etcd"]) {
		t.Error("etcd changes with builders")
	}
}

func TestMistakesInValuesAreNamed(t *testing.T) {
	for mistake, values := range map[string]map[string]any{
		"'replica' not allowed":             {"apiserver": map[string]any{"replica": 3}},
		"'monitorin' not allowed":           {"monitorin": enabled()},
		"/etcd/replicas":                    {"etcd": map[string]any{"replicas": 2}},
		"/records":                          {"records": "mysql"},
		"/apiserver/replicas":               {"apiserver": map[string]any{"replicas": 0}},
		"/logArchive/url":                   {"logArchive": map[string]any{"ca": "PEM"}},
		"/controller/image/digest":          {"controller": map[string]any{"image": map[string]any{"digest": "latest"}}},
		"/console/host":                     {"console": map[string]any{"host": "console.example.com:8443"}},
		"/controller/extraArgs/0":           {"controller": map[string]any{"extraArgs": []any{"max-builds=3"}}},
		"mock":                              {"builders": map[string]any{"mock": "example.com/mock:1"}},
		"etcd.replicas: etcd.external":      {"etcd": map[string]any{"replicas": 3, "external": map[string]any{"servers": exampleServers}}},
		"etcd.backup: etcd.external.server": {"etcd": map[string]any{"backup": enabled(), "external": map[string]any{"servers": exampleServers}}},
	} {
		if _, err := render(t, namespace, values); err == nil || !strings.Contains(err.Error(), mistake) {
			t.Errorf("%v: %v, want %q", values, err, mistake)
		}
	}
}

// Values of a chart that users see have an explanation.
func TestTheSchemaIsThatOfTheValues(t *testing.T) {
	loaded := loadChart(t)
	schema := map[string]any{}
	if err := yaml.Unmarshal(loaded.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	definitions := schema["$defs"].(map[string]any)
	var check func(path string, value any, schema map[string]any)
	check = func(path string, value any, schema map[string]any) {
		if name, ok := schema["$ref"].(string); ok {
			described := schema["description"]
			schema = maps.Clone(definitions[strings.TrimPrefix(name, "#/$defs/")].(map[string]any))
			if described != nil {
				schema["description"] = described
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		nested, _ := value.(map[string]any)
		for key, each := range nested {
			property, ok := properties[key].(map[string]any)
			if !ok {
				t.Errorf("%s.%s is in no schema", path, key)
				continue
			}
			check(path+"."+key, each, property)
		}
		for key := range properties {
			if _, ok := nested[key]; !ok && key != "global" {
				t.Errorf("%s.%s has no default", path, key)
			}
		}
		if len(properties) > 0 && schema["additionalProperties"] != false {
			t.Errorf("%s allows any other value", path)
		}
	}
	check("", loaded.Values, schema)
}

func TestHelmLints(t *testing.T) {
	folder := filepath.Join(t.TempDir(), Name)
	for _, file := range loadChart(t).Raw {
		path := filepath.Join(folder, filepath.FromSlash(file.Name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, file.Data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, included := range []combination{0, combine("cert-manager", "monitoring", "etcd-ha", "etcd-backup", "records-postgres", "catalog-kinds", "archive-s3", "debian-builder", "tester")} {
		for _, message := range lint.RunAll(folder, valuesOf(included), namespace).Messages {
			if !strings.Contains(message.Err.Error(), "icon is recommended") {
				t.Error(message)
			}
		}
	}
}

func TestNotesNameTheSecretsToCreate(t *testing.T) {
	rendered, err := render(t, "images", valuesOf(combine("archive-s3", "records-external", "external-etcd")))
	if err != nil {
		t.Fatal(err)
	}
	notes := rendered[Name+"/templates/NOTES.txt"]
	for _, part := range []string{"goldsmith-etcd-client in images", "goldsmith-records in images", "goldsmith-log-archive in images", "helm test goldsmith --namespace images"} {
		if !strings.Contains(notes, part) {
			t.Errorf("%q is missing in:\n%s", part, notes)
		}
	}
}

// helm test runs the controller's image, and leaves nothing when it succeeds.
func TestTheTrialIsAHookOfHelmTest(t *testing.T) {
	for _, namespaced := range []bool{false, true} {
		rendered, err := render(t, "images", map[string]any{
			"rbac": map[string]any{"namespaced": namespaced}, "controller": map[string]any{"allowUnlocatedArtifacts": !namespaced},
		})
		if err != nil {
			t.Fatal(err)
		}
		text := rendered[Name+"/templates/tests/trial.yaml"]
		var names []string
		for _, object := range parse(t, text) {
			names = append(names, id(object))
			annotations := object["metadata"].(map[string]any)["annotations"].(map[string]any)
			if annotations["helm.sh/hook"] != "test" || annotations["helm.sh/hook-delete-policy"] != "before-hook-creation,hook-succeeded" {
				t.Errorf("%s has annotations %v", id(object), annotations)
			}
		}
		if slices.Contains(names, "RoleBinding/goldsmith-trial-builds") != namespaced || !slices.Contains(names, "Pod/goldsmith-trial") || len(names) < 6 {
			t.Errorf("the objects are %v", names)
		}
		if strings.Contains(text, "- --failing\n") != namespaced || !strings.Contains(text, "image: registry.example.com/goldsmith/goldsmith-controller@"+digest("b")) {
			t.Errorf("the pod is not as the values say:\n%s", text)
		}
	}
}

func TestTheSameCommitMakesTheSameBytes(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "checkout")
	if err := os.CopyFS(filepath.Join(elsewhere, "kustomize"), os.DirFS(filepath.Join(checkout, "kustomize"))); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := Write(&again, elsewhere, release); err != nil || !bytes.Equal(again.Bytes(), written) {
		t.Errorf("%v: %d and %d bytes differ", err, again.Len(), len(written))
	}
}

func TestHelmReadsTheArtifactFromARegistry(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	made, err := Artifact(written, release)
	if err != nil {
		t.Fatal(err)
	}
	image, err := made.Image()
	if err != nil {
		t.Fatal(err)
	}
	repository := strings.TrimPrefix(server.URL, "http://") + "/charts/goldsmith:" + release.Number()
	if err := crane.Push(image, repository); err != nil {
		t.Fatal(err)
	}
	client, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP(), helmregistry.ClientOptWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := client.Pull(repository)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pulled.Chart.Data, written) || pulled.Chart.Meta.AppVersion != release.Version {
		t.Errorf("Helm reads %d bytes of %+v", len(pulled.Chart.Data), pulled.Chart.Meta)
	}
}

func TestAnUnknownComponentIsNamed(t *testing.T) {
	elsewhere := t.TempDir()
	if err := os.CopyFS(filepath.Join(elsewhere, "kustomize"), os.DirFS(filepath.Join(checkout, "kustomize"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(elsewhere, "kustomize", "components", "news"), 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := Files(elsewhere, release); err == nil || !strings.Contains(err.Error(), "component news") {
		t.Errorf("%v", err)
	}
}
