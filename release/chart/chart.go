// SPDX-License-Identifier: Apache-2.0

// Package chart writes the Helm chart of a release. Its templates are what kustomize builds from the base and its components: the
// package builds the base alone, with each component and with each pair of components, and turns the differences into conditions.
// So no manifest is written twice. It needs no cluster and no network.
package chart

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/release/artifact"
	"goldsmith.dev/goldsmith/release/metadata"
	"goldsmith.dev/goldsmith/release/tarball"
)

const (
	// Name is the name of the chart, of its folder in the archive, and of the release in the docs.
	Name = "goldsmith"
	// namespace is the namespace of the base. The chart is installed in any namespace.
	namespace = "goldsmith-system"
	// skippedObject is made by helm install --create-namespace.
	skippedObject = "Namespace/" + namespace
)

// files are those of the chart that no kustomization has.
//
//go:embed all:files
var files embed.FS

// FileName returns the name that helm package gives the chart.
func FileName(release *metadata.Release) string { return Name + "-" + release.Number() + ".tgz" }

// Write writes the chart as Helm reads it. The base and the components are those of a checkout.
func Write(out io.Writer, checkout string, release *metadata.Release) error {
	made, err := Files(checkout, release)
	if err != nil {
		return err
	}
	var files []tarball.File
	for name, content := range made {
		files = append(files, tarball.File{Name: Name + "/" + name, Mode: 0o644, Content: content})
	}
	return tarball.WriteGzip(out, files, release.Time)
}

// Artifact returns a chart as Helm reads it from a registry.
func Artifact(chart []byte, release *metadata.Release) (*artifact.Artifact, error) {
	made, err := staticFiles(release)
	if err != nil {
		return nil, err
	}
	config, err := yaml.YAMLToJSON(made["Chart.yaml"])
	return &artifact.Artifact{
		ConfigType: "application/vnd.cncf.helm.config.v1+json", Config: config,
		ContentType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", Content: chart,
		Annotations: release.Annotations(),
	}, err
}

// Files returns the files of the chart by their paths in it.
func Files(checkout string, release *metadata.Release) (map[string][]byte, error) {
	made, err := staticFiles(release)
	if err != nil {
		return nil, err
	}
	kustomization, err := read(checkout)
	if err != nil {
		return nil, err
	}
	found, err := variantsOf(kustomization)
	if err != nil {
		return nil, err
	}
	all := domain{}
	for _, included := range combinations() {
		all[included] = true
	}
	hooks := hooksOfValues()
	for _, name := range slices.Sorted(maps.Keys(found)) {
		text, err := template(name, found[name], all, hooks)
		if err != nil {
			return nil, err
		}
		file := "templates/" + strings.ToLower(strings.ReplaceAll(name, "/", "-")) + ".yaml"
		if _, twice := made[file]; twice {
			return nil, fmt.Errorf("two objects are in %s", file)
		}
		made[file] = text
	}
	for path := range hooks {
		if object, _, _ := strings.Cut(path, "."); found[object] == nil {
			return nil, fmt.Errorf("values change %s, which no component has", path)
		}
	}
	return made, nil
}

// staticFiles returns the files that no kustomization has, with the version and the images of a release.
func staticFiles(release *metadata.Release) (map[string][]byte, error) {
	made := map[string][]byte{}
	err := fs.WalkDir(files, "files", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		content = bytes.ReplaceAll(content, []byte("@NUMBER@"), []byte(release.Number()))
		content = bytes.ReplaceAll(content, []byte("@VERSION@"), []byte(release.Version))
		content = bytes.ReplaceAll(content, []byte("@REGISTRY@"), []byte(release.Registry))
		for _, image := range slices.Sorted(maps.Keys(release.Images)) {
			content = bytes.ReplaceAll(content, []byte("@DIGEST "+image+"@"), []byte(release.Images[image]))
		}
		if left := regexp.MustCompile(`@[A-Z]+[^@\n]*@`).Find(content); left != nil {
			return fmt.Errorf("%s needs %s, which the release does not have", path, left)
		}
		made[strings.TrimPrefix(path, "files/")] = content
		return nil
	})
	return made, err
}

// variantsOf builds all combinations, and returns what each object is in each of them.
func variantsOf(kustomization source) (map[string]variants, error) {
	for _, folder := range kustomization.folders {
		if !slices.ContainsFunc(components, func(each component) bool { return each.name == folder }) {
			return nil, fmt.Errorf("no value of the chart includes the component %s: add it to the list of components", folder)
		}
	}
	found := map[string]variants{}
	for _, included := range combinations() {
		built, err := kustomization.build(included, settings{
			servers:   placeholder(".Values.etcd.external.servers"),
			url:       placeholder(".Values.logArchive.url"),
			authority: placeholder(".Values.logArchive.ca"),
			host:      placeholder(".Values.console.host"),
		}, "")
		if err != nil {
			return nil, err
		}
		for name, object := range built {
			if name == skippedObject {
				continue
			}
			if found[name] == nil {
				found[name] = variants{}
			}
			found[name][included] = object
		}
	}
	return found, nil
}

// template returns the template of an object.
func template(name string, found variants, all domain, hooks map[string]hook) ([]byte, error) {
	m := &merger{hooks: hooks}
	err := m.conditional(name, found.domain(), all, func() error { return m.node(name, "", -2, found) })
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for i := 0; i < len(m.lines); i++ {
		line := m.lines[i]
		// The first key of an element is beside its dash, unless a condition is between them.
		if dash, ok := strings.CutSuffix(line, "-"); ok && strings.TrimSpace(dash) == "" && !isControl(m.lines[i+1]) {
			i++
			line += " " + strings.TrimLeft(m.lines[i], " ")
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.Bytes(), nil
}

func isControl(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "{{-") }

// placeholder is a string in a manifest that stands for an expression of the template.
func placeholder(expression string) string {
	return "VALUE(" + strings.ReplaceAll(expression, " ", ":") + ")"
}

var (
	placeholders = regexp.MustCompile(`VALUE\(([^()]+)\)`)
	// ownName is a label whose value is a name, and not the namespace.
	ownName = "app.kubernetes.io/name: " + namespace
)

// images are the container images of the base and the components, and the values that replace them. Other people's images
// have a registry of their own.
var images = []struct {
	name, value string
	own         bool
}{
	{"goldsmith-apiserver", "apiserver", true},
	{"goldsmith-controller", "controller", true},
	{"goldsmith-console", "console", true},
	{"mock-builder", "mockBuilder", true},
	{"debian-builder", "debianBuilder", true},
	{"goldsmith-tester", "tester", true},
	{"registry.k8s.io/etcd", "etcd", false},
	{"postgres", "postgres", false},
}

// escape returns a line of a manifest as a line of a template.
func escape(line string) string {
	line = strings.ReplaceAll(line, "{{", `{{ "{{" }}`)
	if !strings.Contains(line, ownName) {
		line = strings.ReplaceAll(line, namespace, "{{ .Release.Namespace }}")
	}
	for _, image := range images {
		before, tag, found := strings.Cut(line, ": "+image.name+":")
		if !found {
			continue
		}
		name, version := fmt.Sprintf("%q", image.name), fmt.Sprintf("%q", tag)
		if image.own {
			name, version = fmt.Sprintf(`(printf "%%s/%s" $.Values.image.registry)`, image.name), "$.Chart.AppVersion"
		}
		line = fmt.Sprintf(`%s: {{ include "goldsmith.image" (list $.Values.%s.image %s %s) }}`, before, image.value, name, version)
	}
	line = strings.ReplaceAll(line, "imagePullPolicy: IfNotPresent", "imagePullPolicy: {{ $.Values.image.pullPolicy }}")
	return placeholders.ReplaceAllStringFunc(line, func(found string) string {
		expression := placeholders.FindStringSubmatch(found)[1]
		if name, ok := strings.CutPrefix(expression, "checksum:"); ok {
			return fmt.Sprintf(`{{ include (print $.Template.BasePath "/configmap-%s.yaml") . | sha256sum }}`, name)
		}
		return "{{ toJson " + expression + " }}"
	})
}
