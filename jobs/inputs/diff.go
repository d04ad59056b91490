// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"cmp"
	"fmt"
	"strings"

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
	// Source is what source.git or source.oci resolved to. It is nil for other sources, or if it was not resolved.
	Source *v1alpha1.SourceRevision
}

// NewSnapshot returns the snapshot of inputs and of their resolution, which is nil if they did not resolve.
func NewSnapshot(inputs v1alpha1.BuildInputs, resolved *v1alpha1.ResolvedInputs) Snapshot {
	taken := Snapshot{Inputs: inputs, Files: Files(inputs, resolved)}
	if resolved != nil {
		taken.BaseDigest, taken.Source = resolved.BaseDigest, resolved.Source
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

// values are the values of the document by path. Files are added from the snapshot, which may have only their summaries.
func (s Snapshot) values() map[path]Value {
	values := map[path]Value{}
	s.addValues(values, "", toJSONObject(newDocument(s.Inputs, nil, s.BaseDigest, Revision(s.Source))))
	return values
}

// addValues adds the values of a field of the document. By default, objects are shown by field, and other values as text or JSON.
func (s Snapshot) addValues(values map[path]Value, field string, value any) {
	object, isObject := value.(map[string]any)
	switch field {
	case "builder.name", "builder.image", "builder.command":
		values[path{field: "builder"}] = TextValue(builderText(s.Inputs.Builder))
	case "base.image": // with the channel, because it may be the cause of a changed digest
		if channel := s.Inputs.Base.ImageRef.Channel; channel != "" {
			value = fmt.Sprint(value, ", channel ", channel)
		}
		values[path{field: "base.imageRef"}] = jsonValue(value)
	case "source.git.revision", "source.oci.revision": // with its summary, which tells people what has changed
		values[path{field: field}] = ValueOf(s.Source.Revision, RevisionText(s.Source))
	case "output.secret":
		values[path{field: "output.secretRef"}] = jsonValue(value)
	case "files":
		valueOf := FileValue
		if s.Summarized {
			valueOf = summaryValue
		}
		for name, content := range s.Files {
			values[path{field, name}] = valueOf(content)
		}
	case "parameters", "template.nodeSelector", "template.resources.limits", "template.resources.requests":
		for name, member := range object {
			values[path{field, name}] = jsonValue(member)
		}
	case "targets":
		for _, target := range s.Inputs.Targets {
			name := target.Platform + "/" + string(target.Format)
			values[path{field, name}] = TextValue(name)
			if copyWithout(&target, func(t *v1alpha1.Target) { t.Platform, t.Format = "", "" }) != nil {
				values[path{field, name}] = jsonValue(target)
			}
		}
	case "template.env":
		for _, variable := range s.Inputs.Template.Env {
			values[path{field, variable.Name}] = ValueOf(string(mustCanonicalJSON(variable)), envText(variable))
		}
	default:
		if !isObject || len(object) == 0 || field == "template.affinity" {
			values[path{field: field}] = jsonValue(value)
			return
		}
		for name, member := range object {
			s.addValues(values, strings.TrimPrefix(field+"."+name, "."), member)
		}
	}
}

// jsonValue is a text, or the JSON of another value.
func jsonValue(value any) Value {
	if text, ok := value.(string); ok {
		return TextValue(text)
	}
	return TextValue(string(mustCanonicalJSON(value)))
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
