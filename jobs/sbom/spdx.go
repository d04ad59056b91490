// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	spdxRef     = "SPDXRef-"
	noAssertion = "NOASSERTION"
)

type (
	spdxDocument struct {
		ID           string       `json:"SPDXID"`
		Version      string       `json:"spdxVersion"`
		DataLicence  string       `json:"dataLicense"`
		Name         string       `json:"name"`
		CreationInfo creationInfo `json:"creationInfo"`
	}
	creationInfo struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID               string        `json:"SPDXID"`
		Name             string        `json:"name"`
		Version          string        `json:"versionInfo,omitempty"`
		Supplier         string        `json:"supplier,omitempty"`
		DownloadLocation string        `json:"downloadLocation"`
		FilesAnalyzed    bool          `json:"filesAnalyzed"`
		Purpose          string        `json:"primaryPackagePurpose,omitempty"`
		Checksums        []checksum    `json:"checksums,omitempty"`
		SourceInfo       string        `json:"sourceInfo,omitempty"`
		Licence          string        `json:"licenseDeclared,omitempty"`
		References       []externalRef `json:"externalRefs,omitempty"`
	}
	checksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	externalRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	relationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

// SPDX writes the bill of an artifact that has a lock, in the format SPDX 2.3. The error is the writer's.
func SPDX(to io.Writer, lock *v1alpha1.Lock, of Subject) error {
	created := released(lock)
	if created.IsZero() {
		created = time.Unix(0, 0).UTC() // required
	}
	head := spdxDocument{
		ID: spdxRef + "DOCUMENT", Version: "SPDX-2.3", DataLicence: "CC0-1.0", Name: of.Target,
		CreationInfo: creationInfo{created.Format(time.RFC3339), []string{"Tool: " + creator}},
	}
	// Syft requires the supplier of a described file.
	artifact := spdxPackage{
		ID: spdxRef + artifactID, Name: of.Target, Supplier: noAssertion, DownloadLocation: noAssertion, Purpose: "FILE", Checksums: checksums(of.sha256()),
	}
	if of.isImage() {
		artifact.Purpose = "CONTAINER"
	}
	packages := list{name: "packages", first: []any{artifact}, more: len(lock.Packages)}
	relationships := list{
		name: "relationships", first: []any{relationship{head.ID, "DESCRIBES", artifact.ID}}, more: len(lock.Packages),
		item: func(index int) any { return relationship{artifact.ID, "CONTAINS", spdxRef + packageID(index)} },
	}
	if distribution := lock.Distribution; distribution != nil {
		its := spdxPackage{
			ID: spdxRef + distributionID, Name: distribution.ID, Version: distribution.Version, DownloadLocation: noAssertion, Purpose: "OPERATING_SYSTEM",
		}
		packages.first = append(packages.first, its)
		relationships.first = append(relationships.first, relationship{artifact.ID, "CONTAINS", its.ID})
	}
	declared, others := references(lock)
	packages.item = func(index int) any { return spdxPackageOf(lock, index, declared) }
	licences := list{name: "hasExtractedLicensingInfos", first: others}
	return write(to, head, []list{packages, relationships, licences}, func(identity uuid.UUID) (field, value string) {
		return "documentNamespace", "https://goldsmith.dev/spdx/" + identity.String()
	})
}

// spdxPackageOf returns a package of a lock. declared has the expression for each licence.
func spdxPackageOf(lock *v1alpha1.Lock, index int, declared map[string]string) spdxPackage {
	one := &lock.Packages[index]
	its := spdxPackage{
		ID: spdxRef + packageID(index), Name: one.Name, Version: one.Version, DownloadLocation: noAssertion, Checksums: checksums(one.SHA256),
		Licence: declared[one.Licence], References: []externalRef{{"PACKAGE-MANAGER", "purl", PackageURL(lock, one)}},
	}
	if source := one.Source; source != nil {
		its.SourceInfo = strings.TrimSpace("built package from: " + source.Name + " " + source.Version) // where Trivy reads it
	}
	return its
}

func checksums(sha256 string) []checksum {
	if sha256 == "" {
		return nil
	}
	return []checksum{{"SHA256", sha256}}
}
