// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// kernels are the packages of kernels.
var kernels = map[string]string{kernelCloud: "linux-image-cloud-amd64", kernelGeneric: "linux-image-amd64"}

// configuration is what the parameters of an image declare. If the image adds to another one, what is not set stays as it is there.
type configuration struct {
	based      bool // on another image
	packages   []string
	mirror     string // empty: that of the tools
	security   string // empty: that of the tools; none: no mirror
	snapshot   bool
	expired    bool // release files may have expired
	components []string
	users      []user
	enabled    []string // units
	disabled   []string
	kernel     string
	arguments  string
	hostname   string
	locale     string
	timeZone   string
	sizeBytes  int64 // 0: as much as the root file system needs, and some more
}

// newConfiguration reads the parameters. The server has checked them, but a builder in a cluster may be registered without its schema.
func newConfiguration(input *render.Input) (*configuration, error) {
	if input.Base.Image == "" && input.Base.Reference != Base {
		return nil, fail("UnknownBase", "base.reference is %q, must be %s: the builder makes images of this release", input.Base.Reference, Base)
	}
	if err := checkCapabilities(input); err != nil {
		return nil, err
	}
	value := func(name string) string { return strings.TrimSpace(input.Parameters[name]) }
	c := &configuration{
		based:     input.Base.Image != "",
		mirror:    strings.TrimSuffix(value(paramMirror), "/"),
		security:  strings.TrimSuffix(value(paramSecurityMirror), "/"),
		expired:   value(paramAcceptExpired) == "true",
		arguments: strings.Join(strings.Fields(value(paramKernelArguments)), " "),
		hostname:  value(paramHostname),
		locale:    value(paramLocale),
		timeZone:  value(paramTimeZone),
		kernel:    kernels[value(paramKernel)],
	}
	if !c.based {
		c.hostname, c.locale, c.timeZone = cmp.Or(c.hostname, defaultHostname), cmp.Or(c.locale, defaultLocale), cmp.Or(c.timeZone, defaultTimeZone)
		c.kernel = cmp.Or(c.kernel, kernels[kernelCloud])
	}
	if at := value(paramSnapshot); at != "" {
		if c.mirror != "" || c.security != "" {
			return nil, fail(reasonParameter, "set either parameter %s or the parameters %s and %s", paramSnapshot, paramMirror, paramSecurityMirror)
		}
		c.snapshot = true
		c.mirror, c.security = snapshots+"/debian/"+at, snapshots+"/debian-security/"+at
	}
	var err error
	if c.packages, err = items(input, paramPackages, formPackage); err != nil {
		return nil, err
	}
	if c.components, err = items(input, paramComponents, formWord); err != nil {
		return nil, err
	}
	if len(c.components) == 0 {
		c.components = []string{defaultComponents}
	}
	units, err := items(input, paramServices, formUnit)
	if err != nil {
		return nil, err
	}
	for _, unit := range units {
		if name, disabled := strings.CutPrefix(unit, "-"); disabled {
			c.disabled = append(c.disabled, name)
		} else {
			c.enabled = append(c.enabled, name)
		}
	}
	if strings.ContainsFunc(c.arguments, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"'\{}$;`, r) }) {
		return nil, fail(reasonParameter, "parameter %s has a character that the configuration of GRUB cannot have unquoted", paramKernelArguments)
	}
	if c.users, err = readUsers(input.Parameters[paramUsers]); err != nil {
		return nil, err
	}
	c.sizeBytes = sizeOf(value(paramSize))
	return c, nil
}

const (
	reasonParameter = "InvalidParameter"
	reasonTarget    = "TargetNotSupported"
)

// checkCapabilities returns what the server would refuse.
func checkCapabilities(input *render.Input) error {
	capabilities := Capabilities()
	var parameters []v1alpha1.Parameter
	for _, name := range slices.Sorted(maps.Keys(input.Parameters)) {
		parameters = append(parameters, v1alpha1.Parameter{Name: name, Value: input.Parameters[name]})
	}
	if errs := capabilities.CheckParameters("debian", parameters, field.NewPath("parameters")); len(errs) > 0 {
		return fail(reasonParameter, "%v", errs.ToAggregate())
	}
	if errs := capabilities.CheckTargets("debian", input.BuildTargets(), field.NewPath("targets")); len(errs) > 0 {
		return fail(reasonTarget, "%v", errs.ToAggregate())
	}
	return nil
}

// items returns the items of a list, each of which has a form.
func items(input *render.Input, parameter, form string) ([]string, error) {
	whole := regexp.MustCompile(`\A(` + form + `)\z`)
	var list []string
	for item := range strings.FieldsFuncSeq(input.Parameters[parameter], func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		if !whole.MatchString(item) {
			return nil, fail(reasonParameter, "parameter %s: %q is not valid: each item must match %s", parameter, item, form)
		}
		list = append(list, item)
	}
	return list, nil
}

// sizeOf returns the bytes of a size that has the form of the schema, or 0.
func sizeOf(text string) int64 {
	number, err := strconv.ParseInt(strings.TrimRight(text, "MG"), 10, 32)
	switch {
	case err != nil:
		return 0
	case strings.HasSuffix(text, "G"):
		return number * gib
	}
	return number * mib
}

// sizeText is the reverse of sizeOf, for a whole number of MiB.
func sizeText(bytes int64) string {
	if bytes%gib == 0 {
		return fmt.Sprintf("%dG", bytes/gib)
	}
	return fmt.Sprintf("%dM", bytes/mib)
}
