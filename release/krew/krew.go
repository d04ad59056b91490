// SPDX-License-Identifier: Apache-2.0

// Package krew writes the manifest by which krew (https://krew.sigs.k8s.io) installs the CLI as a plugin of kubectl.
package krew

import (
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/krew/pkg/constants"
	"sigs.k8s.io/krew/pkg/index"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/release/metadata"
)

// plugin is the name of the plugin and of its program: kubectl goldsmith.
const plugin = "goldsmith"

// FileName is the name of the manifest. krew wants it to be that of the plugin.
const FileName = plugin + constants.ManifestExtension

// Archive is an archive of the release with the CLI.
type Archive struct {
	// OS and Architecture are those of Go, such as linux and amd64.
	OS, Architecture string
	// File is the name of the archive.
	File string
	// SHA256 is its digest in hexadecimal digits.
	SHA256 string
}

// Write writes the manifest for archives of a release, in their order.
func Write(out io.Writer, release *metadata.Release, archives []Archive) error {
	manifest := index.Plugin{
		TypeMeta:   metav1.TypeMeta{APIVersion: constants.CurrentAPIVersion, Kind: constants.PluginKind},
		ObjectMeta: metav1.ObjectMeta{Name: plugin},
		Spec: index.PluginSpec{
			Version:          release.Version,
			Homepage:         release.URL,
			ShortDescription: "Build machine images, and read their builds and logs",
			Description: "Builds images with Goldsmith, an API server for kubectl: starts, follows and cancels builds,\n" +
				"shows logs, history and differences, and checks manifests without a server.\n",
			Caveats: "The cluster needs Goldsmith. Without a cluster, \"kubectl goldsmith up\" runs it on Linux.\n",
		},
	}
	for _, archive := range archives {
		program := plugin
		if archive.OS == "windows" {
			program += ".exe"
		}
		manifest.Spec.Platforms = append(manifest.Spec.Platforms, index.Platform{
			URI: release.File(archive.File), Sha256: archive.SHA256, Bin: program,
			Files:    []index.FileOperation{{From: program, To: "."}, {From: "LICENSE", To: "."}},
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"os": archive.OS, "arch": archive.Architecture}},
		})
	}
	text, err := yaml.Marshal(manifest)
	if err != nil {
		return err
	}
	// The field is that of objects in a cluster.
	_, err = fmt.Fprint(out, strings.ReplaceAll(string(text), "  creationTimestamp: null\n", ""))
	return err
}
