// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"

	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ContainerDisk reads the image of a tag of a repository, and returns the names of the files in its only layer, and the content of the last one.
// It returns nothing for anything else.
func (r *Registry) ContainerDisk(repository, tag string) (names []string, disk string) {
	var manifest ociv1.Manifest
	_, encoded := r.Get(repository + "/manifests/" + tag)
	if err := json.Unmarshal(encoded, &manifest); err != nil || len(manifest.Layers) != 1 || manifest.Config.MediaType != ociv1.MediaTypeImageConfig {
		return nil, ""
	}
	_, layer := r.Get(repository + "/blobs/" + manifest.Layers[0].Digest.String())
	for files := tar.NewReader(bytes.NewReader(layer)); ; {
		header, err := files.Next()
		if err != nil {
			return names, disk
		}
		content, err := io.ReadAll(files)
		if err != nil {
			return nil, ""
		}
		names, disk = append(names, header.Name), string(content)
	}
}
