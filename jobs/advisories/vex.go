// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// vexDocument is a document of OpenVEX (https://github.com/openvex/spec), version 0.2.0 or 0.0.1.
type vexDocument struct {
	Context     string             `json:"@context"`
	ID          string             `json:"@id"`
	Timestamp   string             `json:"timestamp"`
	LastUpdated string             `json:"last_updated"`
	Statements  list[vexStatement] `json:"statements"`
}

type vexStatement struct {
	Vulnerability   vexVulnerability `json:"vulnerability"`
	Timestamp       string           `json:"timestamp"`
	LastUpdated     string           `json:"last_updated"`
	Products        []vexProduct     `json:"products"`
	Subcomponents   []vexComponent   `json:"subcomponents"` // of version 0.0.1
	Status          string           `json:"status"`
	Notes           text             `json:"status_notes"`
	Justification   string           `json:"justification"`
	ImpactStatement text             `json:"impact_statement"`
}

// vexVulnerability is an object, or its name in version 0.0.1.
type vexVulnerability struct {
	Name    string   `json:"name"`
	ID      string   `json:"@id"`
	Aliases []string `json:"aliases"`
}

// UnmarshalJSON reads both forms.
func (v *vexVulnerability) UnmarshalJSON(content []byte) error {
	if json.Unmarshal(content, &v.Name) == nil {
		return nil
	}
	type object vexVulnerability
	return json.Unmarshal(content, (*object)(v)) //nolint:wrapcheck // of the same document
}

// vexProduct is a component with subcomponents.
type vexProduct struct {
	vexComponent
	Subcomponents []vexComponent
}

// UnmarshalJSON reads both forms.
func (p *vexProduct) UnmarshalJSON(content []byte) error {
	if err := p.vexComponent.UnmarshalJSON(content); err != nil || content[0] != '{' {
		return err
	}
	var parts struct {
		Subcomponents []vexComponent `json:"subcomponents"`
	}
	err := json.Unmarshal(content, &parts)
	p.Subcomponents = parts.Subcomponents
	return err //nolint:wrapcheck // of the same document
}

// vexComponent is an object, or its ID in version 0.0.1. The subcomponents of a subcomponent are ignored, so that nesting costs no time.
type vexComponent struct {
	ID          string `json:"@id"`
	Identifiers struct {
		PURL string `json:"purl"`
	} `json:"identifiers"`
}

// UnmarshalJSON reads both forms.
func (c *vexComponent) UnmarshalJSON(content []byte) error {
	if json.Unmarshal(content, &c.ID) == nil {
		return nil
	}
	type object vexComponent
	return json.Unmarshal(content, (*object)(c)) //nolint:wrapcheck // of the same document
}

func (c *vexComponent) purl() (purl, bool) { return parsePURL(cmp.Or(c.Identifiers.PURL, c.ID)) }

// statement is whether a vulnerability affects a product.
type statement struct {
	ids     []string // of the vulnerability
	time    time.Time
	product purl
	parts   []purl // subcomponents of the product
	// affected is whether the product has the vulnerability, or nobody knows yet.
	affected      bool
	justification string
}

// statementSize is the size of what is kept of a statement.
const statementSize = 256

// addDocument adds the statements of a document.
func (b *builder) addDocument(document *vexDocument) error {
	if document.Context == "" || !strings.Contains(document.Context, "openvex") {
		b.skip(fmt.Sprintf("a document has the @context %q, must be that of OpenVEX", v1alpha1.CutMessage(document.Context)))
		return nil
	}
	b.Entries++ // a document without statements is valid
	for i := range document.Statements {
		if err := b.addStatement(document, &document.Statements[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) addStatement(document *vexDocument, read *vexStatement) error {
	its := statement{}
	for _, id := range append([]string{read.Vulnerability.Name, lastPart(read.Vulnerability.ID)}, read.Vulnerability.Aliases...) {
		if validID(id) && !slices.Contains(its.ids, id) {
			its.ids = append(its.ids, b.intern(id))
		}
	}
	where := fmt.Sprintf("a statement about %q of %s", v1alpha1.CutMessage(read.Vulnerability.Name), v1alpha1.CutMessage(document.ID))
	if len(its.ids) == 0 {
		b.skip(where + " has no name of a vulnerability")
		return nil
	}
	for _, text := range []string{read.LastUpdated, read.Timestamp, document.LastUpdated, document.Timestamp} {
		if when, err := time.Parse(time.RFC3339, text); err == nil && when.After(its.time) {
			its.time = when
			if text == read.LastUpdated || text == read.Timestamp {
				break // of the statement itself
			}
		}
	}
	switch read.Status {
	case "not_affected":
		its.justification = strings.TrimSpace(read.Justification + ": " + string(cmp.Or(read.ImpactStatement, read.Notes)))
		its.justification = strings.Trim(its.justification, ": ")
	case "fixed":
		its.justification = strings.TrimSuffix("fixed: "+string(read.Notes), ": ")
	case "affected", "under_investigation":
		its.affected = true
	default:
		b.skip(fmt.Sprintf("%s has the status %q", where, v1alpha1.CutMessage(read.Status)))
		return nil
	}
	if !its.affected {
		its.justification = b.describe(cmp.Or(its.justification, "not_affected"))
	}
	for i := range read.Products {
		product := &read.Products[i]
		var ok bool
		if its.product, ok = product.purl(); !ok {
			b.skip(fmt.Sprintf("%s has the product %q, which is no package URL", where, v1alpha1.CutMessage(product.ID)))
			continue
		}
		its.parts = nil
		for _, part := range slices.Concat(product.Subcomponents, read.Subcomponents) {
			if parsed, ok := part.purl(); ok {
				its.parts = append(its.parts, parsed)
			}
		}
		if len(its.parts) == 0 && len(product.Subcomponents)+len(read.Subcomponents) > 0 {
			b.skip(fmt.Sprintf("%s has only subcomponents that are no package URLs", where))
			continue // would be about all packages
		}
		said := its
		for _, id := range its.ids {
			b.statements[id] = append(b.statements[id], &said)
		}
		if err := b.store(statementSize * (1 + len(its.parts))); err != nil {
			return err
		}
	}
	return nil
}

// lastPart returns the last part of the address of a vulnerability, such as https://nvd.nist.gov/vuln/detail/CVE-2026-1234.
func lastPart(address string) string { return address[strings.LastIndexByte(address, '/')+1:] }

// covers reports whether the statement is about a package of an image. image is whether it is only about that image.
func (s *statement) covers(of *Subject, its *component, binary *binary) (image, covered bool) {
	if of.is(s.product) {
		return true, len(s.parts) == 0 || slices.ContainsFunc(s.parts, func(part purl) bool { return its.has(part, binary) })
	}
	if len(s.parts) > 0 {
		return false, false // the product is another image, or a package with others in it
	}
	return false, its.has(s.product, binary)
}

// is reports whether a product is the image: an image of a registry, or pkg:generic/NAMESPACE/IMAGE.
func (s *Subject) is(product purl) bool {
	switch product.kind {
	case "oci", "docker":
		if slices.Contains(s.Digests, product.version) {
			return true
		}
		if product.version != "" && strings.HasPrefix(product.version, "sha256:") {
			return false
		}
		wanted, own := repository(product.qualifiers.Get("repository_url")), repository(s.Repository)
		return own != "" && (wanted == own && product.name == lastPart(own) || wanted+"/"+product.name == own)
	case "generic":
		return s.Image != "" && product.namespace == s.Namespace && product.name == s.Image && product.version == ""
	}
	return false
}

// repository returns how a repository is compared.
func repository(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "/"))
	for _, scheme := range []string{"https://", "http://", "oci://"} {
		name = strings.TrimPrefix(name, scheme)
	}
	if rest, ok := strings.CutPrefix(name, "index.docker.io/"); ok {
		name = "docker.io/" + rest
	}
	return name
}
