// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

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

	setsMirror      bool   // a parameter sets what packages are installed from
	machineMirror   string // empty: that of the build; none: no mirror
	machineSecurity string // the same
}

// newConfiguration reads the parameters of an input. The error has everything that the user of the image must correct in the input.
func newConfiguration(input *render.Input) (*configuration, error) {
	value := func(name string) string { return strings.TrimSpace(input.Parameters[name]) }
	c := &configuration{
		based:      input.Base.Image != "",
		packages:   items(input, paramPackages),
		mirror:     strings.TrimSuffix(value(paramMirror), "/"),
		security:   strings.TrimSuffix(value(paramSecurityMirror), "/"),
		expired:    value(paramAcceptExpired) == "true",
		components: items(input, paramComponents),
		arguments:  strings.Join(strings.Fields(value(paramKernelArguments)), " "),
		hostname:   value(paramHostname),
		locale:     value(paramLocale),
		timeZone:   value(paramTimeZone),
		kernel:     kernels[value(paramKernel)],
		sizeBytes:  sizeOf(value(paramSize)),

		setsMirror:      value(paramMirror)+value(paramSecurityMirror)+value(paramSnapshot)+value(paramComponents) != "",
		machineMirror:   strings.TrimSuffix(value(paramMachineMirror), "/"),
		machineSecurity: strings.TrimSuffix(value(paramMachineSecurityMirror), "/"),
	}
	if !c.based {
		c.hostname, c.locale, c.timeZone = cmp.Or(c.hostname, defaultHostname), cmp.Or(c.locale, defaultLocale), cmp.Or(c.timeZone, defaultTimeZone)
		c.kernel = cmp.Or(c.kernel, kernels[kernelCloud])
	}
	if at := value(paramSnapshot); at != "" {
		c.snapshot = true
		c.mirror, c.security = snapshots+"/debian/"+at, snapshots+"/debian-security/"+at
	}
	if len(c.components) == 0 {
		c.components = []string{defaultComponents}
	}
	for _, unit := range items(input, paramServices) {
		if name, disabled := strings.CutPrefix(unit, "-"); disabled {
			c.disabled = append(c.disabled, name)
		} else {
			c.enabled = append(c.enabled, name)
		}
	}
	users, problems := readUsers(input.Parameters[paramUsers], parameterPath.Key(paramUsers))
	c.users = users
	return c, inputError(append(checkInput(input), problems...))
}

// items returns the different items of a list: apt refuses a component that is there twice.
func items(input *render.Input, parameter string) []string {
	var items []string
	for _, item := range strings.FieldsFunc(input.Parameters[parameter], func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		if !slices.Contains(items, item) {
			items = append(items, item)
		}
	}
	return items
}

// sizeOf returns the bytes of a size, or 0 for what has not the form of the schema.
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
