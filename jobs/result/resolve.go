// SPDX-License-Identifier: Apache-2.0

package result

import (
	"errors"
	"fmt"
	"io"
	"strings"

	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/wrongtype"
)

// ReasonResolveNotSupported is the reason of a builder that cannot tell which packages a build would install.
const ReasonResolveNotSupported = "ResolveNotSupported"

const (
	// packagePrefix is how each line of the log with a package begins.
	packagePrefix = `{"package":`

	maxPackageText = 256 // bytes
)

// Resolved is the answer of a builder which packages a build would install, next to these packages in its log.
type Resolved struct {
	// Packages is the number of packages in the log.
	Packages int `json:"packages"`
	// Complete is whether a build would install no other packages. A script that installs packages makes an answer incomplete.
	Complete bool `json:"complete,omitempty"`
}

// PackageLine is a line of the log of a builder that answers which packages a build would install.
type PackageLine struct {
	Package ResolvedPackage `json:"package"`
}

// ResolvedPackage is a package that a build would install, as locks write it.
type ResolvedPackage struct {
	Name         string `json:"name"`
	Architecture string `json:"architecture"`
	Version      string `json:"version"`
}

// Resolution is a valid answer of a builder which packages a build would install.
type Resolution struct {
	// NotSupported is whether the builder cannot tell. The other fields are then empty.
	NotSupported bool
	// Packages are in the order of the log.
	Packages []ResolvedPackage
	// Complete is whether a build would install no other packages.
	Complete bool
}

// ParseResolve judges a builder that has ended and was asked which packages a build would install, as ParseProbe does. Exactly one of the answer
// and the failure is nil.
func ParseResolve(message string, exitCode int32, log io.Reader) (*Resolution, *v1alpha1.BuildFailure) {
	if said, err := decode(message, MaxBytes); err == nil && said.Failure != nil && said.Failure.Reason == ReasonResolveNotSupported {
		return &Resolution{NotSupported: true}, nil
	}
	var packages []ResolvedPackage
	result, failure := judgeAnswer(message, exitCode, (*Result).checkResolved, func(result *Result) error {
		err := readAnswer(log, packagePrefix, "packages", func(text []byte) (string, error) {
			one, err := readPackage(text)
			packages = append(packages, one)
			return fmt.Sprintf("package %s %s %s", one.Name, one.Version, one.Architecture), err
		})
		if err == nil && len(packages) != result.Resolved.Packages {
			err = fmt.Errorf("resolved.packages is %d, but the log has %d packages: write each as one line to standard output, before the result", result.Resolved.Packages, len(packages))
		}
		return err
	})
	if failure != nil {
		return nil, failure
	}
	return &Resolution{Packages: packages, Complete: result.Resolved.Complete}, nil
}

// checkResolved checks a success apart from the packages in the log.
func (r *Result) checkResolved() error {
	switch {
	case r.Resolved == nil:
		return errors.New(ignoring("resolved is missing: set it to the number of packages, or fail with the reason "+ReasonResolveNotSupported, r.unknown))
	case r.isBuild() || r.Probe != nil:
		return errors.New("it has artifacts, tests, a report or probe, but the input asks for packages: set only resolved")
	}
	return nil
}

// readPackage reads a line with a package, and ignores unknown fields.
func readPackage(text []byte) (ResolvedPackage, error) {
	read := PackageLine{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &read); err != nil {
		return read.Package, fmt.Errorf("is not JSON that matches the builder contract: %w", wrongtype.Explain(err))
	}
	for _, field := range [][2]string{{"name", read.Package.Name}, {"architecture", read.Package.Architecture}, {"version", read.Package.Version}} {
		name, value := field[0], field[1]
		if value == "" || !line(value, maxPackageText) || strings.Contains(value, " ") {
			return read.Package, fmt.Errorf("%s of a package is %.100q, must have 1 to %d bytes, all printable, and no spaces", name, value, maxPackageText)
		}
	}
	return read.Package, nil
}
