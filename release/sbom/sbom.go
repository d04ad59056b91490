// SPDX-License-Identifier: Apache-2.0

// Package sbom writes software bills of materials (CycloneDX, https://cyclonedx.org) of programs, from what the Go linker has recorded in them.
package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"goldsmith.dev/goldsmith/release/source"
)

// Component is a component that no program names, such as a package of Debian.
type Component struct {
	Name, Version, PackageURL string
}

// Write writes the bill of a file of the release, which has programs and further components. The same programs have the same bill.
func Write(out io.Writer, from *source.Source, file string, programs []string, further []Component) error {
	bill := cdx.NewBOM()
	components := map[string]cdx.Component{}
	for _, program := range programs {
		generator, err := bin.NewGenerator(program, bin.WithIncludeStdlib(true), bin.WithVersionOverride(from.Version), bin.WithLogger(zerolog.Nop()))
		if err != nil {
			return fmt.Errorf("read program %s: %w", program, err)
		}
		generated, err := generator.Generate()
		if err != nil {
			return fmt.Errorf("read program %s: %w", program, err)
		}
		for _, component := range *generated.Components {
			components[component.BOMRef] = component
		}
	}
	for _, component := range further {
		components[component.PackageURL] = cdx.Component{
			BOMRef: component.PackageURL, Type: cdx.ComponentTypeLibrary, Name: component.Name, Version: component.Version, PackageURL: component.PackageURL,
		}
	}
	var list []cdx.Component
	for _, component := range components {
		list = append(list, component)
	}
	slices.SortFunc(list, func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	bill.Components = &list
	bill.Metadata = &cdx.Metadata{
		Timestamp:  from.Time.Format("2006-01-02T15:04:05Z"),
		Component:  &cdx.Component{BOMRef: file, Type: cdx.ComponentTypeApplication, Name: file, Version: from.Version},
		Properties: &[]cdx.Property{{Name: "goldsmith:commit", Value: from.Commit}},
	}
	sum := sha256.New()
	_, _ = fmt.Fprintln(sum, file, from.Version, from.Commit) // a hash returns no error
	bill.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, []byte(hex.EncodeToString(sum.Sum(nil)))).URN()
	return cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bill)
}
