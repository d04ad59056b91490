// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// MaxParts is how many questions a check has at most. The next check asks for the other packages.
	MaxParts = 32
	// partBytes is about how much of the packages a question has: what exceeds it comes in further questions.
	partBytes = 150 << 10
	// maxUpdateBytes is about how long the texts of all updates of an Archive may be, so that it can be stored.
	maxUpdateBytes = 512 << 10
)

// Demand is what Images ask of an archive.
type Demand struct {
	Archive Archive
	// Images is how many Images ask.
	Images int32
	// Components are those of the locks, sorted.
	Components []string
	// Packages are those to ask for, with the date of the newest release file that a lock with the package was made from.
	Packages map[Package]time.Time
}

// Demands are those of all Images, by the names of Archives.
type Demands map[string]*Demand

// Add adds what a content asks of its archives.
func (d Demands) Add(content *Content) {
	for _, archive := range content.Archives() {
		name := archive.Name()
		of := d[name]
		if of == nil {
			of = &Demand{Archive: archive, Packages: map[Package]time.Time{}}
			d[name] = of
		}
		of.Images++
		var date time.Time
		for _, origin := range content.origins {
			if origin.archive != archive {
				continue
			}
			date = origin.date
			for _, component := range origin.components {
				if at, has := slices.BinarySearch(of.Components, component); !has {
					of.Components = slices.Insert(of.Components, at, component)
				}
			}
		}
		for one := range content.packages {
			if last, has := of.Packages[one]; !has || date.After(last) {
				of.Packages[one] = date
			}
		}
	}
}

// Questions returns the packages as questions for a builder, by architecture and name. Those that are not covered come first, because the questions may
// not have room for all.
func (d *Demand) Questions(covered map[Package]bool) []map[string]map[string][]string {
	var all []map[string]map[string][]string
	bytes := partBytes
	ordered := sorted(maps.Keys(d.Packages))
	slices.SortStableFunc(ordered, func(a, b Package) int { return compareBool(covered[a], covered[b]) })
	for _, one := range ordered {
		if bytes += len(one.Name) + len(one.Version) + len(`"":["",],`); bytes >= partBytes {
			all = append(all, map[string]map[string][]string{})
			bytes = 0
		}
		part := all[len(all)-1]
		if part[one.Architecture] == nil {
			part[one.Architecture] = map[string][]string{}
		}
		part[one.Architecture][one.Name] = append(part[one.Architecture][one.Name], one.Version)
	}
	return all[:min(len(all), MaxParts)]
}

// Report sets the counts of a status, and drops updates of packages that nobody asks for. The security updates come first. How many updates the status
// does not list stays, as far as there are other packages that can have them.
func (d *Demand) Report(status *v1alpha1.ArchiveStatus) {
	status.Images, status.Packages = d.Images, int32(len(d.Packages)) //nolint:gosec // locks have at most 20,000 packages
	unlisted := int(status.UpdateCount) - len(status.Updates)
	status.Updates = slices.DeleteFunc(status.Updates, func(update v1alpha1.PackageUpdate) bool {
		_, wanted := d.Packages[Package{update.Name, update.From, update.Architecture}]
		return !wanted
	})
	slices.SortFunc(status.Updates, func(a, b v1alpha1.PackageUpdate) int {
		return cmp.Or(compareBool(b.Security, a.Security), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.From, b.From))
	})
	unlisted = max(0, min(unlisted, len(d.Packages)-len(status.Updates)))
	status.UpdateCount = int32(len(status.Updates) + unlisted) //nolint:gosec // as above
	bytes := 0
	fits := slices.IndexFunc(status.Updates, func(update v1alpha1.PackageUpdate) bool {
		bytes += len(update.Name) + len(update.Architecture) + len(update.From) + len(update.To)
		for _, advisory := range update.Advisories {
			bytes += len(advisory)
		}
		return bytes > maxUpdateBytes
	})
	if fits < 0 {
		fits = len(status.Updates)
	}
	status.Updates = status.Updates[:min(fits, v1alpha1.MaxArchiveUpdates)]
}

// Digest identifies a set of packages.
func Digest[V any](packages map[Package]V) string {
	var text strings.Builder
	for _, one := range sorted(maps.Keys(packages)) {
		fmt.Fprintf(&text, "%s %s %s\n", one.Name, one.Version, one.Architecture)
	}
	return contents.Digest([]byte(text.String()))
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func sorted(packages iter.Seq[Package]) []Package {
	return slices.SortedFunc(packages, func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
}
