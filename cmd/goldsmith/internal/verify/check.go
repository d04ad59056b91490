// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// report is what the verb found out.
type report struct {
	// Verified is true if each artifact is verified.
	Verified  bool        `json:"verified"`
	Keys      []key       `json:"keys"`
	Artifacts []*artifact `json:"artifacts"`

	// connection and build are those of the build that the user named. They are nil for a file or a reference.
	connection *client.Connection
	build      *v1alpha1.ImageBuild
}

// Outcomes of an artifact.
const (
	verified    = "Verified"
	notSigned   = "NotSigned"
	notVerified = "NotVerified"
	revoked     = "Revoked"
)

// artifact is an artifact with the signatures that count.
type artifact struct {
	// Name is the file, or REPOSITORY@DIGEST of the manifest, or the name of the build.
	Name   string `json:"name"`
	Build  string `json:"build,omitempty"`
	Target string `json:"target,omitempty"`
	// Digest is the digest of the content, and Compared what the digest was compared with the statements for.
	Digest   string `json:"digest,omitempty"`
	Compared string `json:"compared,omitempty"`
	// Manifest is the digest of the manifest.
	Manifest string `json:"manifest,omitempty"`
	// Members is the number of manifests of an index. Zero if this is not one.
	Members int `json:"members,omitempty"`
	// Outcome is Verified, NotSigned, NotVerified or Revoked. Message says why.
	Outcome string `json:"outcome"`
	Message string `json:"message,omitempty"`
	// Signatures are valid.
	Signatures []signature `json:"signatures,omitempty"`
	// Provenance has the newest first, and builds that reproduce another build last: the same content can be built more than once.
	Provenance []provenance `json:"provenance,omitempty"`
	// ReproducedBy are the builds that made the content again of the same inputs, as signed statements say.
	ReproducedBy []attestation.Reproduction `json:"reproducedBy,omitempty"`
	// Rebuild is the result of --rebuild.
	Rebuild *rebuild `json:"rebuild,omitempty"`
	// Packages is the number of packages in the signed bill of materials, or else in the signed provenance.
	Packages *int `json:"packages,omitempty"`
	// Ignored are statements that do not count.
	Ignored []ignored `json:"ignored,omitempty"`

	keys []key
	// subject is the digest that statements have to be about.
	subject string
	// file is the file. Nil for anything else.
	file *signing.File
	// subjects are those of Goldsmith's provenance: the manifest and the content.
	subjects []string
}

// What the digest of a content comes from.
const (
	comparedContent  = "Content"  // the content was read
	comparedManifest = "Manifest" // the manifest, which was read, names the content
	comparedStatus   = "Status"   // the server reports it
)

// signature is a valid signature of a statement about the artifact.
type signature struct {
	Key string `json:"key"`
	// KeyID is the digest of the public key.
	KeyID   string `json:"keyID"`
	Expired bool   `json:"expired,omitempty"`
	// Statement is the type of the statement.
	Statement string `json:"statement"`
	// Source is where the statement is.
	Source string `json:"source"`
	// Index is the digest of the index that the statement is about, which names the manifest. Empty for a statement about the artifact.
	Index string `json:"index,omitempty"`

	key *key
}

// ignored is a statement that does not count.
type ignored struct {
	Source string `json:"source"`
	Reason string `json:"reason"`
}

// String returns the statement for people.
func (i ignored) String() string { return i.Source + ": " + i.Reason }

// provenance is what a signed provenance says.
type provenance struct {
	Namespace    string                 `json:"namespace,omitempty"`
	Image        string                 `json:"image,omitempty"`
	Build        string                 `json:"build,omitempty"`
	BuildUID     string                 `json:"buildUID,omitempty"`
	Reason       v1alpha1.TriggerReason `json:"reason,omitempty"`
	RequestedBy  string                 `json:"requestedBy,omitempty"`
	BuildType    string                 `json:"buildType"`
	BuilderID    string                 `json:"builderID"`
	Builder      string                 `json:"builder,omitempty"`
	BuilderImage string                 `json:"builderImage,omitempty"`
	Version      string                 `json:"version,omitempty"`
	StartedOn    *metav1.Time           `json:"startedOn,omitempty"`
	InputsDigest string                 `json:"inputsDigest,omitempty"`
	Dependencies int                    `json:"dependencies"`

	made *attestation.Provenance
}

// add adds an artifact to the report. Statements have to be about the subject.
func (r *report) add(of *artifact, subject string) *artifact {
	of.keys, of.subject = r.Keys, subject
	r.Artifacts = append(r.Artifacts, of)
	return of
}

// ignore records why a statement does not count.
func (a *artifact) ignore(source, reason string) {
	if one := (ignored{source, reason}); !slices.Contains(a.Ignored, one) {
		a.Ignored = append(a.Ignored, one)
	}
}

// visit verifies a statement. It reads what a statement says only after one of its signatures was verified.
func (a *artifact) visit(source string, signed *attestation.Signed, err error) {
	if err != nil {
		a.ignore(source, err.Error())
		return
	}
	var valid []*key
	for i := range a.keys {
		if slices.ContainsFunc(signed.Signatures, func(s v1alpha1.StatementSignature) bool { return a.keys[i].verifies(signed, a.file, s.Signature) }) {
			valid = append(valid, &a.keys[i])
		}
	}
	if len(valid) == 0 {
		a.ignore(source, a.whyInvalid(signed))
		return
	}
	content, err := signed.Content()
	switch {
	case err != nil:
		a.ignore(source, err.Error())
		return
	case !content.About(a.subject) && len(content.Digests) == 0:
		a.ignore(source, "the statement is about nothing")
		return
	case !content.About(a.subject):
		a.ignore(source, aboutAnother(content))
		return
	}
	if err := a.learn(content); err != nil {
		a.ignore(source, err.Error())
		return
	}
	for _, key := range valid {
		one := signature{Key: key.Name, KeyID: key.KeyID, Expired: key.Expired, Statement: content.Type, Source: source, key: key}
		if !slices.Contains(a.Signatures, one) {
			a.Signatures = append(a.Signatures, one)
		}
	}
}

// whyInvalid returns why no key verifies a statement.
func (a *artifact) whyInvalid(signed *attestation.Signed) string {
	if signed.Type == attestation.TypeMessage {
		if why := a.whyNoFile(signed); why != "" {
			return why
		}
	} else if !slices.ContainsFunc(a.keys, func(one key) bool { return !one.Files }) {
		return "it is signed as a statement, which --file-key does not verify: name the public key with --key"
	}
	for _, signature := range signed.Signatures {
		if signature.KeyID == "" {
			continue
		}
		if slices.ContainsFunc(a.keys, func(one key) bool {
			return one.KeyID == signature.KeyID && one.Files == (signed.Type == attestation.TypeMessage)
		}) {
			return "the signature is not valid: the statement or the signature was changed"
		}
		return "another key signed it: " + signature.KeyID
	}
	return "none of the keys signed it, or the statement was changed"
}

// whyNoFile returns why a signature of a file as it is cannot be one of this file by any of the keys, or "".
func (a *artifact) whyNoFile(signed *attestation.Signed) string {
	if a.file == nil {
		return "it is the signature of a file, which says nothing about a manifest"
	}
	if err := a.file.Unsignable(); err != nil {
		return err.Error()
	}
	if content, err := signed.Content(); err == nil && !content.About(a.subject) {
		return aboutAnother(content)
	}
	if !slices.ContainsFunc(a.keys, func(one key) bool { return one.Files }) {
		return "it is the signature of the file as it is, which keys of statements do not verify: if its signer uses `goldsmith keys sign` or " +
			"cosign sign-blob with a key for files, name the public key with --file-key"
	}
	return ""
}

// aboutAnother returns why a statement about another artifact does not count.
func aboutAnother(content *attestation.Content) string {
	return "the statement is about another artifact: " + content.Digests[len(content.Digests)-1]
}

// learn reads what a statement says that counts.
func (a *artifact) learn(content *attestation.Content) error {
	switch content.Type {
	case attestation.TypeProvenance:
		made, err := content.Provenance()
		if err != nil {
			return err
		}
		if made.BuildType == attestation.BuildType {
			a.subjects = append(a.subjects, content.Digests...)
		}
		external, internal := &made.External, &made.Internal
		one := provenance{
			Namespace: external.Namespace, Image: external.Image, Build: internal.Build, BuildUID: made.InvocationID, Reason: internal.Reason,
			RequestedBy: internal.RequestedBy, BuildType: made.BuildType, BuilderID: made.BuilderID,
			Builder: cmp.Or(external.Inputs.Builder.Name, external.Inputs.Builder.Image), BuilderImage: made.BuilderImage, Version: made.Version,
			StartedOn: made.StartedOn, InputsDigest: internal.InputsDigest, Dependencies: made.Dependencies, made: made,
		}
		if !slices.ContainsFunc(a.Provenance, func(other provenance) bool { return one.BuildUID != "" && other.BuildUID == one.BuildUID }) {
			a.Provenance = append(a.Provenance, one)
		}
		if a.Packages == nil && made.Packages > 0 {
			a.Packages = &made.Packages
		}
	case attestation.TypeReproduction:
		made, err := content.Reproduction()
		if err != nil {
			return err
		}
		if !slices.Contains(a.ReproducedBy, *made) {
			a.ReproducedBy = append(a.ReproducedBy, *made)
		}
	case attestation.TypeCycloneDX:
		number, err := content.Packages()
		if err != nil {
			return err
		}
		a.Packages = &number
	}
	return nil
}

// conclude decides about the artifact. The place is where statements were looked for. A problem is why it is not verified whatever was signed, or "".
func (a *artifact) conclude(place, problem string) {
	a.ReproducedBy = slices.DeleteFunc(a.ReproducedBy, func(one attestation.Reproduction) bool {
		return !slices.ContainsFunc(a.Provenance, func(of provenance) bool { return one.Of(of.made) }) // everybody can create builds that claim it
	})
	slices.SortStableFunc(a.Provenance, func(one, other provenance) int {
		switch last := a.reproduces(&one); {
		case last == a.reproduces(&other):
		case last:
			return 1
		default:
			return -1
		}
		newer := 0
		if first, second := one.StartedOn, other.StartedOn; first != nil && second != nil {
			newer = second.Compare(first.Time)
		}
		return cmp.Or(newer, cmp.Compare(len(other.Build), len(one.Build)), cmp.Compare(other.Build, one.Build)) // web-10 is newer than web-9
	})
	switch {
	case problem != "":
		a.Outcome, a.Message = notVerified, problem
	case len(a.Signatures) > 0:
		a.Outcome = verified
	case len(a.Ignored) > 0:
		a.Outcome, a.Message = notVerified, a.Ignored[0].String()
	default:
		a.Outcome, a.Message = notSigned, "there is no signed statement in "+place
	}
}

// reproduces reports whether a build made the artifact of another build again.
func (a *artifact) reproduces(of *provenance) bool {
	return slices.ContainsFunc(a.ReproducedBy, func(one attestation.Reproduction) bool {
		return of.BuildUID != "" && string(one.Build.UID) == of.BuildUID
	})
}

// failure returns the error of the verb, if an artifact is not verified.
func (r *report) failure() error {
	code := exit.Success
	var failed []string
	for _, one := range r.Artifacts {
		switch one.Outcome {
		case notSigned:
			code = cmp.Or(code, exit.NotSigned)
		case notVerified, revoked:
			code = exit.NotVerified
		}
		if one.Outcome != verified {
			failed = append(failed, one.Name)
		}
	}
	switch {
	case len(r.Artifacts) == 0:
		return errors.New("there is no artifact to verify")
	case code == exit.Success:
		return nil
	}
	what := "is not signed"
	if code == exit.NotVerified {
		what = "is not verified"
	}
	return &exit.Error{Code: code, Err: fmt.Errorf("%s %s", strings.Join(failed, ", "), what)}
}
