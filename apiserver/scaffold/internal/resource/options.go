// SPDX-License-Identifier: Apache-2.0

// Package resource scaffolds an API resource: types, storage provider, strategy, validation, table, registration, and
// tests of all that against a server in memory.
package resource

import (
	"errors"
	"fmt"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Options describe the resource to scaffold.
type Options struct {
	// Group is the API group, such as widgets.example.com.
	Group string
	// Version is the version of the group, such as v1alpha1.
	Version string
	// Kind is the kind's name, such as Widget.
	Kind string
	// Plural is the resource's name. Defaults to the English plural of the kind.
	Plural string
	// ShortName is the short name that kubectl accepts. Optional.
	ShortName string
	// Namespaced reports whether objects are in namespaces.
	Namespaced bool
	// Directory is the target directory, in a module that uses the builder.
	Directory string
	// License is named in the first line of each file, as an SPDX identifier. Optional.
	License string
}

var (
	kindName    = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	consonantY  = regexp.MustCompile(`[^aeiou]y$`)
	versionName = regexp.MustCompile(`^v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$`)
)

// notPackages are names that a kind's package cannot have.
var notPackages = []string{"builder", "internal", "main", "resources", "server", "testdata", "vendor"}

// notKinds are declared in the package of the types.
var notKinds = []string{"AddToScheme", "GroupName", "Kind", "Resource", "SchemeGroupVersion"}

// complete sets the defaults and returns what is wrong, by flag.
func (o *Options) complete() error {
	var errs []error
	wrong := func(flag, value, problem string) {
		errs = append(errs, fmt.Errorf("--%s %q: %s", flag, value, problem))
	}
	if problems := validation.IsDNS1123Subdomain(o.Group); len(problems) > 0 || !strings.Contains(o.Group, ".") {
		wrong("group", o.Group, "must be a DNS name of several parts in lower case, such as widgets.example.com")
	}
	if first, _, _ := strings.Cut(o.Group, "."); slices.Contains(notPackages, first) {
		wrong("group", o.Group, "cannot begin with what is no name of a Go package, "+first)
	}
	if !versionName.MatchString(o.Version) {
		wrong("version", o.Version, "must be like v1, v1beta2 or v1alpha1")
	}
	switch {
	case !kindName.MatchString(o.Kind) || len(o.Kind) > validation.DNS1035LabelMaxLength:
		wrong("kind", o.Kind, "must be in camel case and begin with a capital letter, such as Widget")
	case strings.HasSuffix(o.Kind, "List"):
		wrong("kind", o.Kind, "must not end with List: the list of a kind comes with it")
	case slices.Contains(notKinds, o.Kind):
		wrong("kind", o.Kind, "is declared in the package of the types already")
	case token.IsKeyword(o.singular()) || slices.Contains(notPackages, o.singular()):
		wrong("kind", o.Kind, "cannot be the name of a Go package, "+o.singular())
	}
	if o.Plural == "" {
		o.Plural = plural(o.singular())
	}
	if problems := validation.IsDNS1035Label(o.Plural); len(problems) > 0 {
		wrong("plural", o.Plural, "must be letters and digits in lower case, such as widgets")
	}
	if problems := validation.IsDNS1035Label(o.ShortName); o.ShortName != "" && len(problems) > 0 {
		wrong("short-name", o.ShortName, "must be letters and digits in lower case, such as wd")
	}
	return errors.Join(errs...)
}

func (o *Options) singular() string { return strings.ToLower(o.Kind) }

// plural is the English plural of a noun.
func plural(noun string) string {
	switch {
	case consonantY.MatchString(noun):
		return strings.TrimSuffix(noun, "y") + "ies"
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "sh"):
		return noun + "es"
	default:
		return noun + "s"
	}
}

// typesDirectory is the folder of the group version's types.
func (o *Options) typesDirectory() string {
	group, _, _ := strings.Cut(o.Group, ".")
	return path.Join("apis", group, o.Version)
}

// serverDirectory is the folder of the resource.
func (o *Options) serverDirectory() string { return path.Join("apiserver", o.singular()) }

// modelPackage is the prefix of the types' names in OpenAPI: the group from right to left, and the version.
func (o *Options) modelPackage() string {
	parts := strings.Split(o.Group, ".")
	slices.Reverse(parts)
	return strings.Join(append(parts, o.Version), ".")
}
