// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"io"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// maxVersion is the maximum number of characters of a version in CycloneDX.
const maxVersion = 1024

type (
	cycloneDX struct {
		Format      string   `json:"bomFormat"`
		SpecVersion string   `json:"specVersion"`
		Version     int      `json:"version"`
		Metadata    metadata `json:"metadata"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp,omitempty"`
		Tools     tools     `json:"tools"`
		Component component `json:"component"`
	}
	tools struct {
		Components []component `json:"components"`
	}
	component struct {
		Type       string          `json:"type"`
		Ref        string          `json:"bom-ref,omitempty"`
		Name       string          `json:"name"`
		Version    string          `json:"version,omitempty"`
		Hashes     []hash          `json:"hashes,omitempty"`
		Licences   []licenceChoice `json:"licenses,omitempty"`
		PURL       string          `json:"purl,omitempty"`
		Properties []property      `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licenceChoice struct {
		Expression string        `json:"expression,omitempty"`
		Licence    *namedLicence `json:"license,omitempty"`
	}
	namedLicence struct {
		Name string `json:"name"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

// CycloneDX writes the bill of an artifact that has a lock, in the format CycloneDX 1.6. The error is the writer's.
func CycloneDX(to io.Writer, lock *v1alpha1.Lock, of Subject) error {
	// Trivy takes a component of the type operating-system for the distribution, so a disk is a file.
	artifact := component{Type: "file", Ref: artifactID, Name: of.Target, Hashes: hashes(of.sha256())}
	if of.isImage() {
		artifact.Type = "container"
	}
	head := cycloneDX{
		Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: metadata{Tools: tools{[]component{{Type: "application", Name: creator}}}, Component: artifact},
	}
	if date := released(lock); !date.IsZero() {
		head.Metadata.Timestamp = date.Format(time.RFC3339)
	}
	components := list{name: "components", more: len(lock.Packages)}
	if distribution := lock.Distribution; distribution != nil {
		components.first = []any{component{
			Type: "operating-system", Ref: distributionID, Name: distribution.ID, Version: fitting(distribution.Version),
		}}
	}
	declared := licencesOf(lock)
	components.item = func(index int) any { return componentOf(lock, index, declared) }
	return write(to, head, []list{components}, func(identity uuid.UUID) (field, value string) { return "serialNumber", identity.URN() })
}

// componentOf returns the component of a package of a lock.
func componentOf(lock *v1alpha1.Lock, index int, declared map[string]expression) component {
	one := &lock.Packages[index]
	its := component{
		Type: "library", Ref: packageID(index), Name: one.Name, Version: fitting(one.Version), Hashes: hashes(one.SHA256), PURL: PackageURL(lock, one),
	}
	if expression := declared[one.Licence]; expression.text != "" {
		its.Licences = []licenceChoice{{Expression: expression.text}}
	} else if one.Licence != "" {
		its.Licences = []licenceChoice{{Licence: &namedLicence{one.Licence}}}
	}
	// Trivy does not read the source package from the package URL. It defaults to the package itself.
	if source := one.Source; source != nil && source.Name != one.Name {
		its.Properties = append(its.Properties, property{"aquasecurity:trivy:SrcName", source.Name})
	}
	if source := one.Source; source != nil && source.Version != "" && source.Version != one.Version {
		its.Properties = append(its.Properties, property{"aquasecurity:trivy:SrcVersion", source.Version})
	}
	return its
}

func hashes(sha256 string) []hash {
	if sha256 == "" {
		return nil
	}
	return []hash{{"SHA-256", sha256}}
}

// fitting returns a version, or nothing if it is too long for CycloneDX. The package URL has it in any case.
func fitting(version string) string {
	if utf8.RuneCountInString(version) > maxVersion {
		return ""
	}
	return version
}
