// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

// maxIgnored is the maximum number of ignored statements that people are shown.
const maxIgnored = 8

// kind is the kind of the report for programs. The API has no such objects.
const kind = "Verification"

// print prints a report.
func (o *options) print(found *report) error {
	found.Verified = !slices.ContainsFunc(found.Artifacts, func(one *artifact) bool { return one.Outcome != verified })
	if o.format.ForPrograms() {
		text, err := json.Marshal(found)
		if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		if err := json.Unmarshal(text, &object.Object); err != nil {
			return err
		}
		object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
		return o.format.Print(object, o.out)
	}
	lines := tabwriter.NewWriter(output.Colours(o.out), 0, 0, 3, ' ', 0)
	for _, one := range found.Artifacts {
		o.printArtifact(one, lines)
	}
	return lines.Flush()
}

// printArtifact prints an artifact. The tabwriter keeps write errors until its Flush.
func (o *options) printArtifact(of *artifact, lines *tabwriter.Writer) {
	mark, outcome := output.Success, "is verified"
	switch of.Outcome {
	case notSigned:
		mark, outcome = output.Failure, "is not signed: "+of.Message
	case notVerified:
		mark, outcome = output.Failure, "is not verified: "+of.Message
	case revoked:
		mark, outcome = output.Failure, "is not to be used: "+of.Message
	}
	if of.Outcome == verified {
		mark = o.style.Good(mark)
	} else {
		mark = o.style.Bad(mark)
	}
	_, _ = fmt.Fprintf(lines, "%s %s\n", mark, output.OneLine(of.Name+" "+outcome))
	row := func(label string, values ...string) { output.Labelled(lines, label, values...) }
	row("target", of.Target)
	row("content", contentOf(of))
	row("signature", signaturesOf(of)...)
	describes := slices.ContainsFunc(of.Signatures, func(one signature) bool { return one.Statement != attestation.TypeMessage })
	if describes && (of.Members == 0 || len(of.Provenance) > 0) { // the members of an index have the provenance
		provenanceRows(of, row)
		packages := "unknown: nothing that is signed lists packages"
		if of.Packages != nil {
			packages = fmt.Sprint(*of.Packages)
		}
		row("packages", packages)
		row("reproduced", reproductionsOf(of)...)
	}
	row("ignored", ignoredOf(of)...)
}

// contentOf returns the digest of the content, and how it was compared.
func contentOf(of *artifact) string {
	if of.Members > 0 {
		return fmt.Sprintf("an index, members: %d", of.Members)
	}
	switch of.Compared {
	case comparedContent:
		return of.Digest + ", computed from the file"
	case comparedManifest:
		return of.Digest + ", named by the manifest"
	case comparedStatus:
		return of.Digest + ", reported by the server"
	}
	return "none: the layers of an image, which the manifest names"
}

// signaturesOf returns a line for each key, with the statements that it signed.
func signaturesOf(of *artifact) (rows []string) {
	for i := range of.keys {
		var statements []string
		for j := range of.Signatures {
			one := &of.Signatures[j]
			if one.KeyID != of.keys[i].KeyID {
				continue
			}
			statement := shortName(one.Statement)
			if one.Index != "" {
				statement += " of the index"
			}
			statements = append(statements, statement)
		}
		if len(statements) > 0 {
			slices.Sort(statements)
			rows = append(rows, "valid, "+of.keys[i].String()+": "+strings.Join(slices.Compact(statements), ", "))
		}
	}
	if len(rows) == 0 {
		rows = []string{"none by these keys: " + keyNames(of.keys)}
	}
	if slices.ContainsFunc(of.Signatures, func(one signature) bool { return one.Expired }) {
		rows = append(rows, "a statement has no trusted time: nobody can tell whether it was signed before the key expired")
	}
	return rows
}

// shortName returns the name of a type of statements for people.
func shortName(statement string) string {
	switch statement {
	case attestation.TypeSignature, attestation.TypeSimpleSigning, attestation.TypeMessage:
		return "signature"
	case attestation.TypeProvenance:
		return "provenance"
	case attestation.TypeCycloneDX:
		return "cyclonedx"
	case attestation.TypeSPDX:
		return "spdx"
	case attestation.TypeReproduction:
		return "reproduction"
	}
	return statement
}

// provenanceRows prints the newest provenance.
func provenanceRows(of *artifact, row func(label string, values ...string)) {
	if len(of.Provenance) == 0 {
		row("provenance", "none: no signed provenance was found")
		return
	}
	one := &of.Provenance[0]
	if one.BuildType != attestation.BuildType {
		row("provenance", "of another system, buildType "+one.BuildType)
	} else {
		row("provenance", declaration(one))
	}
	if more := len(of.Provenance) - 1; more > 0 {
		row("", fmt.Sprintf("and of %d other builds of the same content", more))
	}
	system := one.BuilderID
	if one.Version != "" {
		system += ", Goldsmith " + one.Version
	}
	row("built by", system)
	image := one.Builder
	if one.BuilderImage != "" {
		image = strings.TrimSpace(image + " " + one.BuilderImage)
	}
	row("builder", image)
	if one.StartedOn != nil {
		row("started", one.StartedOn.UTC().Format(time.RFC3339))
	}
	row("inputs", strings.TrimPrefix(fmt.Sprintf("%s, dependencies: %d", one.InputsDigest, one.Dependencies), ", "))
}

// reproductionsOf returns the result of --rebuild, and a line for each build that made the content again.
func reproductionsOf(of *artifact) (rows []string) {
	if result := of.Rebuild; result != nil {
		rows = append(rows, output.Answer(result.Status, result.Message), result.Remedy)
	}
	for i := range of.ReproducedBy {
		rows = append(rows, "by build "+of.ReproducedBy[i].Build.Name+", of build "+of.ReproducedBy[i].Reproduces.Name)
	}
	return rows
}

// declaration returns who declared and requested a build.
func declaration(of *provenance) string {
	text := "build " + of.Build
	if of.Image != "" {
		text += " of image " + of.Image
	}
	text += " in namespace " + of.Namespace
	switch {
	case of.RequestedBy != "":
		text += ", requested by " + of.RequestedBy
	case of.Reason != "":
		text += ", reason " + string(of.Reason)
	}
	return text
}

// ignoredOf returns a line for each statement that does not count.
func ignoredOf(of *artifact) (rows []string) {
	if len(of.Ignored) == 1 && of.Message == of.Ignored[0].String() {
		return nil
	}
	for i := range of.Ignored {
		if i == maxIgnored {
			return append(rows, fmt.Sprintf("and %d more", len(of.Ignored)-maxIgnored))
		}
		rows = append(rows, of.Ignored[i].String())
	}
	return rows
}
