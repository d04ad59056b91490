// SPDX-License-Identifier: Apache-2.0

// Package schemas writes the archive of what describes the API and its operation to other programs: JSON schemas, the OpenAPI
// document, alerts and a dashboard.
package schemas

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/release/metadata"
	"goldsmith.dev/goldsmith/release/tarball"
)

// FileName returns the name of the archive.
func FileName(release *metadata.Release) string {
	return "goldsmith-schemas_" + release.Version + ".tar.gz"
}

// Write writes the archive. jsonSchemas is a directory that goldsmith schema --output-directory has written.
func Write(out io.Writer, checkout, jsonSchemas string, release *metadata.Release) error {
	files := []tarball.File{
		{Name: "LICENSE", Path: filepath.Join(checkout, "LICENSE")},
		{Name: "openapi/v3.json", Path: filepath.Join(checkout, "apis", "generated", "openapi", "v3.json")},
	}
	monitoring := filepath.Join(checkout, "kustomize", "components", "monitoring")
	files = append(files,
		tarball.File{Name: "monitoring/dashboard.json", Path: filepath.Join(monitoring, "dashboard.json")},
		tarball.File{Name: "monitoring/prometheusrule.yaml", Path: filepath.Join(monitoring, "alerts.yaml")},
	)
	rules, err := rulesOf(filepath.Join(monitoring, "alerts.yaml"))
	if err != nil {
		return err
	}
	files = append(files, tarball.File{Name: "monitoring/rules.yaml", Content: rules})
	schemas := 0
	err = filepath.WalkDir(jsonSchemas, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(jsonSchemas, name)
		files, schemas = append(files, tarball.File{Name: path.Join("jsonschema", filepath.ToSlash(relative)), Path: name}), schemas+1
		return err
	})
	if err != nil {
		return fmt.Errorf("list the JSON schemas: %w", err)
	}
	if schemas == 0 {
		return fmt.Errorf("%s has no JSON schema", jsonSchemas)
	}
	for i := range files {
		files[i].Mode = 0o644
	}
	return tarball.WriteGzip(out, files, release.Time)
}

// rulesOf returns the rules of a PrometheusRule as a file of a Prometheus without its operator.
func rulesOf(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rule struct {
		Spec struct {
			Groups []any `json:"groups"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(content, &rule); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(rule.Spec.Groups) == 0 {
		return nil, fmt.Errorf("%s has no rules", file)
	}
	return yaml.Marshal(rule.Spec)
}
