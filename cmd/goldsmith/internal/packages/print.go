// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"fmt"
	"io"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// maxSources is the maximum number of sources of packages that people see.
const maxSources = 8

// print prints packages. For people, where names the build or the file. The only table has its summary on stderr, so that other
// programs read the table alone.
func (o *options) print(found *v1alpha1.ImageBuildPackages, where string) error {
	if o.format.ForPrograms() {
		return o.format.Print(found, o.out)
	}
	summary := o.stderr
	if len(found.Locks) > 1 {
		summary = o.out
	}
	for i := range found.Locks {
		if i > 0 {
			if _, err := fmt.Fprintln(o.out); err != nil {
				return err
			}
		}
		if err := summarize(&found.Locks[i], where, summary); err != nil {
			return err
		}
		if err := list(found.Locks[i].Lock.Packages, o.format == output.Wide, o.out); err != nil {
			return err
		}
	}
	return nil
}

// summarize tells how many packages a lock has, and where they came from.
func summarize(found *v1alpha1.ArtifactLock, where string, out io.Writer) error {
	number, of := fmt.Sprintf("%d packages", len(found.Lock.Packages)), ""
	if len(found.Lock.Packages) == 1 {
		number = "1 package"
	}
	if distribution := found.Lock.Distribution; distribution != nil {
		of = " of " + strings.TrimSpace(distribution.ID+" "+distribution.Version)
	}
	if len(found.Targets) > 0 {
		where = strings.Join(found.Targets, ", ") + " of " + where
	}
	lines := []string{number + of + " in " + where}
	for i := range found.Lock.Sources {
		if i == maxSources {
			lines = append(lines, fmt.Sprintf("and %d more sources", len(found.Lock.Sources)-maxSources))
			break
		}
		lines = append(lines, "from "+describe(&found.Lock.Sources[i]))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(out, output.OneLine(line)); err != nil {
			return err
		}
	}
	return nil
}

// describe returns a source of packages, with the date of its release file.
func describe(source *v1alpha1.PackageSource) string {
	text := strings.Join(strings.Fields(source.URI+" "+source.Suite+" "+source.Component), " ")
	if release := source.Release; release != nil && release.Date != nil {
		text += ", " + release.Date.UTC().Format(time.RFC3339)
	}
	return text
}

// list prints a table of packages.
func list(packages []v1alpha1.Package, wide bool, out io.Writer) error {
	columns := []string{"Name", "Version", "Architecture"}
	if wide {
		columns = append(columns, "Source", "Licence")
	}
	rows := make([][]any, len(packages))
	for i := range packages {
		each := &packages[i]
		rows[i] = []any{output.OneLine(each.Name), output.OneLine(each.Version), output.OneLine(each.Architecture)}
		if wide {
			rows[i] = append(rows[i], orNone(sourceOf(each)), orNone(each.Licence))
		}
	}
	return output.Table(columns, rows, out)
}

// sourceOf returns the name of the source package, with its version if that differs from the version of the package.
func sourceOf(each *v1alpha1.Package) string {
	switch source := each.Source; {
	case source == nil:
		return ""
	case source.Version == "" || source.Version == each.Version:
		return source.Name
	default:
		return source.Name + " " + source.Version
	}
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return output.OneLine(text)
}
