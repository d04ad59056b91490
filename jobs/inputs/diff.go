// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"cmp"
	"fmt"
	"maps"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// maxChanges is how many changes Diff returns at most.
const maxChanges = 32

// Snapshot is the inputs of an image at one time.
type Snapshot struct {
	Inputs v1alpha1.BuildInputs
	// Files are the files by name, wherever they came from.
	Files map[string]string
	// Summarized is set if Files has the contents.Summary of each file instead of its content.
	Summarized bool
	// BaseDigest is the digest of the Image that base.imageRef names. It is empty if the base is not an Image, or was not resolved.
	BaseDigest string
}

// Taken is the snapshot of inputs and of their resolution, which is nil if they did not resolve.
func Taken(inputs v1alpha1.BuildInputs, resolved *v1alpha1.ResolvedInputs) Snapshot {
	taken := Snapshot{Inputs: inputs, Files: Files(inputs, resolved)}
	if resolved != nil {
		taken.BaseDigest = resolved.BaseDigest
	}
	return taken
}

// Diff returns how two snapshots differ, sorted by path. A change of only the order of environment variables comes last.
// Values are shortened to 128 characters that contain the difference, and files are shown as a short digest and their size. If there are more than 32
// changes, the last one reports how many are left out. Fields that Digest ignores are no differences, except the channel of
// the base, because it may be the cause of a changed digest.
func Diff(before, after Snapshot) []v1alpha1.InputChange {
	changes := Changes(before.values(), after.values(), path.compare, path.String)
	return LimitChanges(append(changes, envOrder(before.Inputs.Template, after.Inputs.Template)...), maxChanges)
}

// path is a field, or the named element of one.
type path struct{ field, name string }

func (p path) compare(other path) int {
	return cmp.Or(cmp.Compare(p.field, other.field), cmp.Compare(p.name, other.name))
}

func (p path) String() string {
	if p.name == "" {
		return p.field
	}
	return p.field + InBrackets(p.name)
}

func (s Snapshot) values() map[path]Value {
	values := map[path]Value{{field: "builder"}: TextValue(builderText(s.Inputs.Builder))}
	if image := s.Inputs.Base.ImageRef; image != nil {
		values[path{field: "base.imageRef"}] = TextValue(baseText(image))
		if s.BaseDigest != "" {
			values[path{field: "base.digest"}] = TextValue(s.BaseDigest)
		}
	} else {
		values[path{field: "base.reference"}] = TextValue(s.Inputs.Base.Reference)
	}
	for _, parameter := range s.Inputs.Parameters {
		values[path{"parameters", parameter.Name}] = TextValue(parameter.Value)
	}
	for _, target := range s.Inputs.Targets {
		name := target.Platform + "/" + string(target.Format)
		values[path{"targets", name}] = TextValue(name)
	}
	maps.Copy(values, outputValues(s.Inputs.Output))
	maps.Copy(values, templateValues(s.Inputs.Template))
	valueOf := FileValue
	if s.Summarized {
		valueOf = summaryValue
	}
	for name, content := range s.Files {
		values[path{"files", name}] = valueOf(content)
	}
	return values
}

// builderText is a builder in one line. A builder by image cannot be confused with a builder by name.
func builderText(builder v1alpha1.BuilderReference) string {
	if builder.Image == "" {
		return builder.Name
	}
	if len(builder.Command) == 0 {
		return "image " + builder.Image
	}
	return fmt.Sprintf("image %s %q", builder.Image, builder.Command)
}

// baseText is a base Image in one line.
func baseText(image *v1alpha1.BaseImageReference) string {
	if image.Channel == "" {
		return image.Name
	}
	return image.Name + ", channel " + image.Channel
}
