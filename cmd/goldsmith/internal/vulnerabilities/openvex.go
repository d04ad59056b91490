// SPDX-License-Identifier: Apache-2.0

package vulnerabilities

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/sbom"
)

// document is an OpenVEX document: https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md.
type document struct {
	Context    string      `json:"@context"`
	ID         string      `json:"@id"`
	Author     string      `json:"author"`
	Timestamp  string      `json:"timestamp"`
	Version    int         `json:"version"`
	Statements []statement `json:"statements"`
}

type statement struct {
	Vulnerability named     `json:"vulnerability"`
	Products      []product `json:"products"`
	Status        string    `json:"status"`
	// Justification is one of justifications, and Impact the text of its author. A statement about an open vulnerability has Action instead.
	Justification string `json:"justification,omitempty"`
	Impact        string `json:"impact_statement,omitempty"`
	Action        string `json:"action_statement,omitempty"`
}

type named struct {
	Name string `json:"name"`
}

type product struct {
	ID         string    `json:"@id"`
	Components []product `json:"subcomponents,omitempty"`
}

// justifications are those of OpenVEX.
var justifications = []string{
	"component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
	"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist",
}

// printOpenVEX prints a statement about each vulnerability. Its product is the image, and its subcomponents are the packages. So the server reads the
// document, once its user has changed a status, as advisories.
func (o *options) printOpenVEX(build *v1alpha1.ImageBuild, found *v1alpha1.ImageBuildVulnerabilities, packages *v1alpha1.ImageBuildPackages) error {
	image := imageOf(build)
	if image == "" {
		return fmt.Errorf("build %s has no image, which is the product of OpenVEX: name a build of an image", build.Name)
	}
	of := fmt.Sprintf("pkg:generic/%s/%s", found.Namespace, image)
	made := document{
		Context: "https://openvex.dev/ns/v0.2.0", ID: of + "@" + found.Name, Author: "Goldsmith", Version: 1, Timestamp: o.clock.Now().UTC().Format(time.RFC3339),
		Statements: []statement{},
	}
	for i := range found.Items {
		each := &found.Items[i]
		its := statement{Vulnerability: named{each.ID}, Products: []product{{ID: of, Components: components(each, packages)}}}
		switch justification, text, _ := strings.Cut(each.Justification, ": "); {
		case each.Status == v1alpha1.VulnerabilityOpen && each.FixedVersion != "":
			its.Status, its.Action = "affected", fmt.Sprintf("build the image with %s %s", each.Source, each.FixedVersion)
		case each.Status == v1alpha1.VulnerabilityOpen:
			its.Status, its.Action = "affected", "no fixed version is known"
		case slices.Contains(justifications, justification):
			its.Status, its.Justification, its.Impact = "not_affected", justification, text
		default:
			its.Status, its.Impact = "not_affected", each.Justification
		}
		made.Statements = append(made.Statements, its)
	}
	encoder := json.NewEncoder(o.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(made)
}

// imageOf returns the Image of a build, or "" if it has none. Only the name of a deleted build tells its Image.
func imageOf(build *v1alpha1.ImageBuild) string {
	if ref := build.Spec.ImageRef; ref != nil {
		return ref.Name
	}
	at := strings.LastIndexByte(build.Name, '-')
	if _, err := strconv.ParseUint(build.Name[at+1:], 10, 63); build.ResourceVersion != "" || at < 0 || err != nil {
		return ""
	}
	return build.Name[:at]
}

// components returns the package URLs of the packages that have a vulnerability.
func components(of *v1alpha1.Vulnerability, packages *v1alpha1.ImageBuildPackages) (found []product) {
	for i := range packages.Locks {
		lock := &packages.Locks[i].Lock
		for j := range lock.Packages {
			one := &lock.Packages[j]
			its := product{ID: sbom.PackageURL(lock, one)}
			another := one.Source != nil && one.Source.Version != "" && one.Source.Version != of.Version
			if slices.Contains(of.Packages, one.Name) && !another && !slices.ContainsFunc(found, func(known product) bool { return known.ID == its.ID }) {
				found = append(found, its)
			}
		}
	}
	return found
}
