// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// objects are the objects of an installation by their kind and name.
type objects map[string]map[string]any

// settings are the contents of the ConfigMaps that some components leave to the overlay.
type settings struct {
	servers, url, authority, kinds, host string
}

// source is a copy of the folder kustomize of a checkout in memory, to which overlays are added.
type source struct {
	tree filesys.FileSystem
	// folders are the names of the components.
	folders []string
}

// read reads the base and the components of a checkout.
func read(checkout string) (source, error) {
	read := source{tree: filesys.MakeFsInMemory()}
	for _, folder := range []string{"base", "components"} {
		root := filepath.Join(checkout, "kustomize", folder)
		err := fs.WalkDir(os.DirFS(root), ".", func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
			if err != nil {
				return err
			}
			return read.tree.WriteFile(path.Join("kustomize", folder, file), content)
		})
		if err != nil {
			return source{}, err
		}
	}
	entries, err := os.ReadDir(filepath.Join(checkout, "kustomize", "components"))
	if err != nil {
		return source{}, err
	}
	for _, entry := range entries {
		read.folders = append(read.folders, entry.Name())
	}
	return read, nil
}

// build builds the base with components, as an overlay that lists them and adds images, lines of its field images.
func (s source) build(included combination, with settings, images string) (objects, error) {
	var text strings.Builder
	text.WriteString("resources: [../../kustomize/base]\ncomponents:\n")
	for _, name := range included.names() {
		fmt.Fprintf(&text, "- ../../kustomize/components/%s\n", name)
	}
	text.WriteString("configMapGenerator:\n")
	// Components label the ConfigMaps of the overlay, too, but not all components do.
	add := func(name string, hash bool, literals ...string) {
		fmt.Fprintf(&text, "- {name: %s, namespace: %s, literals: [%s], options: {disableNameSuffixHash: %t, labels: {app.kubernetes.io/part-of: goldsmith}}}\n",
			name, namespace, strings.Join(literals, ", "), !hash)
	}
	names := included.names()
	if slices.Contains(names, "external-etcd") {
		add("goldsmith-etcd", true, fmt.Sprintf("%q", "servers="+with.servers))
	}
	var archive []string
	if slices.Contains(names, "archive-s3") {
		archive = append(archive, fmt.Sprintf("%q", "url="+with.url))
	}
	if slices.Contains(names, "archive-s3-ca") {
		archive = append(archive, fmt.Sprintf("%q", "ca.crt="+with.authority))
	}
	if len(archive) > 0 {
		add("goldsmith-log-archive", true, archive...)
	}
	if slices.Contains(names, "console") {
		add("goldsmith-console", true, fmt.Sprintf("%q", "host="+with.host))
	}
	if slices.Contains(names, "catalog-kinds") {
		add("goldsmith-kinds", false, fmt.Sprintf("%q", "servers.yaml="+with.kinds))
	}
	text.WriteString(images)
	folder := "overlays/" + strings.Join(append([]string{"base"}, names...), "-")
	if err := s.tree.WriteFile(folder+"/kustomization.yaml", []byte(text.String())); err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(s.tree, folder)
	if err != nil {
		return nil, fmt.Errorf("base with %s: %w", strings.Join(names, ", "), err)
	}
	made := objects{}
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return nil, err
		}
		object := map[string]any{}
		if err := yaml.Unmarshal(text, &object); err != nil {
			return nil, err
		}
		made[id(object)] = object
	}
	return withoutHashes(made), nil
}

// id returns the kind and the name of an object, which are unique in an installation.
func id(object map[string]any) string {
	metadata, _ := object["metadata"].(map[string]any)
	return fmt.Sprintf("%v/%v", object["kind"], metadata["name"])
}

// hashed is the name of a ConfigMap with the hash of its content.
var hashed = regexp.MustCompile(`^(.+)-[2456789bcdfghkmt]{10}$`)

// withoutHashes removes the hashes from the names of ConfigMaps. Where a pod refers to such a ConfigMap, an annotation with a checksum
// replaces the pod when the content changes.
func withoutHashes(made objects) objects {
	plain := map[string]string{}
	for _, object := range made {
		metadata := object["metadata"].(map[string]any)
		name := metadata["name"].(string)
		if found := hashed.FindStringSubmatch(name); found != nil && object["kind"] == "ConfigMap" {
			plain[name] = found[1]
		}
	}
	renamed := objects{}
	for _, object := range made {
		if pod := podTemplate(object); pod != nil {
			for hashed, name := range plain {
				if contains(pod, hashed) {
					metadata := pod["metadata"].(map[string]any)
					if metadata["annotations"] == nil {
						metadata["annotations"] = map[string]any{}
					}
					metadata["annotations"].(map[string]any)[checksum+name] = placeholder("checksum " + name)
				}
			}
		}
		object = replace(object, plain).(map[string]any)
		renamed[id(object)] = object
	}
	return renamed
}

// checksum begins the annotation with the checksum of a ConfigMap.
const checksum = "checksum/"

// podTemplate returns the template of the pods of a Deployment or a StatefulSet.
func podTemplate(object map[string]any) map[string]any {
	if kind := object["kind"]; kind != "Deployment" && kind != "StatefulSet" {
		return nil
	}
	return object["spec"].(map[string]any)["template"].(map[string]any)
}

// contains reports whether a string is a value somewhere in a tree.
func contains(tree any, value string) bool {
	switch tree := tree.(type) {
	case map[string]any:
		for _, each := range tree {
			if contains(each, value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(tree, func(each any) bool { return contains(each, value) })
	case string:
		return tree == value
	}
	return false
}

// replace replaces strings that are values somewhere in a tree.
func replace(tree any, by map[string]string) any {
	switch tree := tree.(type) {
	case map[string]any:
		for key, each := range tree {
			tree[key] = replace(each, by)
		}
	case []any:
		for i, each := range tree {
			tree[i] = replace(each, by)
		}
	case string:
		if name, ok := by[tree]; ok {
			return name
		}
	}
	return tree
}
