// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// document is what Digest hashes and Diff compares. It embeds the types of the API, so that each of their fields counts by default.
// The deviations are the fields declared here, which replace the field of the same JSON name, and the lines of newDocument.
// A changed document rebuilds every image: fields keep their order, and a new field of the API must be omitted if it is empty.
type document struct {
	Base       documentBase      `json:"base"`
	Builder    documentBuilder   `json:"builder"`
	Files      map[string]string `json:"files"`
	Output     *documentOutput   `json:"output,omitempty"`
	Parameters map[string]any    `json:"parameters"`
	Source     *documentSource   `json:"source,omitempty"`
	Targets    []documentTarget  `json:"targets"`
	Template   map[string]any    `json:"template,omitempty"`
	v1alpha1.BuildInputs
}

type documentBase struct {
	Digest string `json:"digest,omitempty"`
	Image  string `json:"image,omitempty"`
	v1alpha1.Base
}

type documentBuilder struct {
	Command []string `json:"command,omitempty"`
	Image   string   `json:"image,omitempty"`
	v1alpha1.BuilderReference
}

type documentOutput struct {
	Repository string `json:"repository"`
	Secret     string `json:"secret,omitempty"`
	v1alpha1.Output
}

// documentSource has what a source resolved to in the place of the ref or the tag that named it.
type documentSource struct {
	Git *documentGit `json:"git,omitempty"`
	OCI *documentOCI `json:"oci,omitempty"`
	v1alpha1.Source
}

type documentGit struct {
	Revision string `json:"revision,omitempty"`
	v1alpha1.GitSource
}

type documentOCI struct {
	Revision string `json:"revision,omitempty"`
	v1alpha1.OCISource
}

type documentTarget struct {
	Format v1alpha1.ArtifactFormat `json:"format"`
	v1alpha1.Target
}

func newDocument(inputs v1alpha1.BuildInputs, files map[string]string, baseDigest, revision string) *document {
	if files == nil {
		files = map[string]string{}
	}
	counted := &document{
		BuildInputs: inputs,
		Base:        newDocumentBase(inputs.Base, baseDigest),
		Builder:     documentBuilder{BuilderReference: inputs.Builder, Command: inputs.Builder.Command, Image: inputs.Builder.Image},
		Files:       files,
		Parameters:  make(map[string]any, len(inputs.Parameters)),
		Source:      newDocumentSource(inputs.Source, revision),
		Targets:     make([]documentTarget, 0, len(inputs.Targets)),
		Template:    documentTemplate(inputs.Template),
	}
	if output := inputs.Output; output != nil {
		counted.Output = &documentOutput{Output: *output, Repository: output.Repository}
		counted.Output.TagTemplate = cmp.Or(output.TagTemplate, v1alpha1.DefaultTagTemplate)
		counted.Output.SecretRef = copyWithout(output.SecretRef, func(ref *v1alpha1.SecretReference) {
			counted.Output.Secret, ref.Name = ref.Name, "" // it counts, because a corrected name must start a new build
		})
	}
	// The order of parameters and targets does not count.
	for _, parameter := range inputs.Parameters {
		counted.Parameters[parameter.Name] = parameter.Value
		if copyWithout(&parameter, func(p *v1alpha1.Parameter) { p.Name, p.Value = "", "" }) != nil {
			counted.Parameters[parameter.Name] = parameter
		}
	}
	for _, target := range inputs.Targets {
		counted.Targets = append(counted.Targets, documentTarget{Target: target, Format: target.Format})
	}
	slices.SortFunc(counted.Targets, func(a, b documentTarget) int {
		return cmp.Or(cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Format, b.Format))
	})
	return counted
}

// newDocumentSource returns a source without its files, which count by name and content, wherever they come from. It is nil if nothing is left.
func newDocumentSource(source *v1alpha1.Source, revision string) *documentSource {
	if source == nil {
		return nil
	}
	counted := &documentSource{}
	if git := source.Git; git != nil {
		counted.Git = &documentGit{Revision: revision, GitSource: *git}
		counted.Git.Ref = ""
	}
	if oci := source.OCI; oci != nil {
		counted.OCI = &documentOCI{Revision: revision, OCISource: *oci}
		counted.OCI.Tag = ""
	}
	rest := copyWithout(source, func(source *v1alpha1.Source) {
		source.Inline = copyWithout(source.Inline, func(inline *v1alpha1.InlineSource) { inline.Files = nil })
		source.ConfigMapRef = copyWithout(source.ConfigMapRef, func(ref *v1alpha1.ConfigMapReference) { ref.Name = "" })
		source.Git, source.OCI = nil, nil
	})
	if rest != nil {
		counted.Source = *rest
	}
	return copyWithout(counted, func(*documentSource) {})
}

// newDocumentBase returns a reference, or the name of an Image and the digest of its artifacts. Which channel or build has these
// artifacts does not count.
func newDocumentBase(base v1alpha1.Base, digest string) documentBase {
	counted := documentBase{Base: base}
	counted.ImageRef = copyWithout(base.ImageRef, func(ref *v1alpha1.BaseImageReference) {
		counted.Digest, counted.Image, counted.Reference = digest, ref.Name, ""
		ref.Name, ref.Channel = "", ""
	})
	return counted
}

// documentTemplate returns the fields of a template that can change an artifact or decide whether a build succeeds: raising the
// memory of a failed build must start a new build. queueName does not count, because a new queue is no reason to build again, and
// neither does another text for the same quantity. It is empty for an empty template.
func documentTemplate(template *v1alpha1.BuildTemplate) map[string]any {
	template = copyWithout(template, func(template *v1alpha1.BuildTemplate) {
		template.QueueName = ""
		template.Affinity = copyWithout(template.Affinity, func(*corev1.Affinity) {})
		template.Resources = copyWithout(template.Resources, func(resources *v1alpha1.ResourceRequirements) {
			resources.Limits, resources.Requests = canonical(resources.Limits), canonical(resources.Requests)
		})
	})
	if template == nil {
		return nil
	}
	return toJSONObject(template)
}

// canonical returns quantities in their canonical form. It is nil if there are none.
func canonical(quantities map[string]v1alpha1.Quantity) map[string]v1alpha1.Quantity {
	if len(quantities) == 0 {
		return nil
	}
	all := make(map[string]v1alpha1.Quantity, len(quantities))
	for name, quantity := range quantities {
		all[name] = v1alpha1.NewQuantity(quantity.Amount())
	}
	return all
}

// copyWithout returns a copy of an object, from which remove has removed fields. It is nil if no field is left.
func copyWithout[T any](object *T, remove func(*T)) *T {
	if object == nil {
		return nil
	}
	rest := *object
	remove(&rest)
	if reflect.ValueOf(rest).IsZero() {
		return nil
	}
	return &rest
}

// toJSONObject returns an object as maps, lists and strings, whose keys are sorted when it is encoded. The order of the fields in the types of
// k8s.io/api is not stable.
func toJSONObject(object any) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(mustCanonicalJSON(object)))
	decoder.UseNumber()
	var members map[string]any
	if err := decoder.Decode(&members); err != nil {
		panic(err) // it was encoded a moment ago
	}
	return members
}
