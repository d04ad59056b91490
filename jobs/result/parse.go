// SPDX-License-Identifier: Apache-2.0

package result

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"k8s.io/utils/ptr"
	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/wrongtype"
)

var digestPattern = regexp.MustCompile(`\Asha256:[0-9a-f]{64}\z`)

// ValidDigest reports whether a text is "sha256:" and 64 lower-case hex digits.
func ValidDigest(text string) bool { return digestPattern.MatchString(text) }

// Outcome is the outcome of a builder: either artifacts, one for each target and in their order, or a failure.
type Outcome struct {
	Artifacts []v1alpha1.Artifact
	Failure   *v1alpha1.BuildFailure
	// Ignored names the fields of the message that the contract does not have, such as misspelt ones, next to Artifacts. The message
	// of a failure has them at its end.
	Ignored string
}

// Parse judges a builder that has ended by its message and its exit code. If only one of the two is a failure, the outcome is
// a failure. A message that violates the contract is InvalidResult if the exit code is 0. Otherwise the exit code decides.
// Unknown fields are ignored, and named. A failure always has the exit code.
func Parse(message string, exitCode int32, targets []v1alpha1.Target, policy Policy) Outcome {
	if strings.TrimSpace(message) == "" {
		return failureOutcome(judgeExit(exitCode, v1alpha1.ReasonNoResult, "no result"))
	}
	limit := MaxBytes
	if policy.Checked {
		limit = maxCheckedBytes
	}
	result, err := decode(message, limit)
	if err != nil {
		return failureOutcome(judgeExit(exitCode, v1alpha1.ReasonInvalidResult, "invalid result: "+err.Error()))
	}
	if result.Outcome == OutcomeFailed {
		return failureOutcome(judgeFailure(exitCode, result.Failure, result.unknown))
	}
	if !policy.Checked || result.Check == nil { // an agent that read no file passes it on as it was
		result.forgetCheck()
	}
	check := ptr.Deref(result.Check, Check{})
	artifacts, err := result.artifacts(targets, policy, incomplete) // such a violation is why no file was read
	if unread := exitCode != 0 || check != (Check{}); err == nil && (!policy.Checked || !unread) {
		artifacts, err = result.artifacts(targets, policy, complete)
	}
	if err == nil && check.Invalid != "" {
		err = errors.New(check.Invalid)
	}
	if err != nil {
		return failureOutcome(judgeExit(exitCode, v1alpha1.ReasonInvalidResult, ignoring("invalid result: "+err.Error(), result.Ignored)))
	}
	if exitCode != 0 {
		return failureOutcome(judgeExit(exitCode, v1alpha1.ReasonInvalidResult, "outcome is Succeeded, but exit code is not 0"))
	}
	if check.NotStored != "" {
		return failureOutcome(failure(exitCode, v1alpha1.ReasonArtifactNotStored, check.NotStored))
	}
	if failed := check.NotPublished; failed != nil {
		return Outcome{Failure: failure(exitCode, failed.Reason, failed.Message)}
	}
	if refused := check.NotAttested; refused != nil {
		return Outcome{Failure: refused.failure(exitCode)}
	}
	return Outcome{Artifacts: artifacts, Ignored: result.Ignored}
}

// failure returns the failure of a build whose artifacts nobody signs. A reason that only a broken publisher tells is a fault of the infrastructure.
func (n *NotAttested) failure(exitCode int32) *v1alpha1.BuildFailure {
	if !Refusal(n.Reason) {
		return failure(exitCode, v1alpha1.ReasonArtifactNotStored, fmt.Sprintf("the publisher ended with the unknown reason %.40q: %s", n.Reason, n.Message))
	}
	return failure(exitCode, n.Reason, n.Message)
}

// ignoring adds to a fault what the message has and the contract does not: a misspelt field is often the cause.
func ignoring(fault, ignored string) string {
	if ignored == "" {
		return fault
	}
	return fault + "; ignored: " + ignored
}

// Readable returns the result in the message of a builder that ended with exit code 0, so that the files that it names can be
// read: a success that follows the contract, in which digests and sizes of files may be missing. Check and Verified are empty.
// For any other message it returns nil, and Parse returns a failure, whatever its policy.
func Readable(message string, targets []v1alpha1.Target, policy Policy) *Result {
	result, err := decode(message, MaxBytes)
	if err != nil || result.Outcome != OutcomeSucceeded {
		return nil
	}
	result.forgetCheck()
	if _, err := result.artifacts(targets, policy, incomplete); err != nil {
		return nil
	}
	return result
}

// FullDisk returns the result of a failure for want of room on the disk, or nil.
func FullDisk(message string) *Result {
	result, err := decode(message, MaxBytes)
	if err != nil || result.Outcome != OutcomeFailed || result.Failure == nil || result.Failure.Reason != ReasonDiskFull {
		return nil
	}
	result.forgetCheck()
	return result
}

// Message returns the message of a result whose files were read. Only Parse with Policy.Checked reads it.
func (r *Result) Message() (string, error) {
	text, err := json.Marshal(r)
	return string(text), err
}

// Checked reports whether a message is one of Result.Message with a Check.
func Checked(message string) bool {
	result, err := decode(message, maxCheckedBytes)
	return err == nil && result.Check != nil
}

func failureOutcome(failure *v1alpha1.BuildFailure) Outcome {
	return Outcome{Failure: failure}
}

// forgetCheck removes what only Goldsmith may set.
func (r *Result) forgetCheck() {
	r.Check, r.Ignored, r.Tagged = nil, r.unknown, nil
	if r.Report != nil {
		r.Report.Verified = ""
	}
	for i := range r.Artifacts {
		artifact := &r.Artifacts[i]
		artifact.Tag, artifact.Packages, artifact.Made = "", nil, nil
	}
	for _, content := range r.Contents() {
		content.Verified = ""
	}
}

// maxCheckedBytes is the maximum length of a message whose files were read: the digests and sizes make it longer.
const maxCheckedBytes = 16 * MaxBytes

func decode(text string, limit int) (*Result, error) {
	if len(text) > limit {
		return nil, fmt.Errorf("longer than %d bytes", limit)
	}
	decoded := &Result{}
	unknown, err := kjson.UnmarshalStrict([]byte(text), decoded)
	if err != nil {
		if len(text) == MaxBytes {
			return nil, fmt.Errorf("not JSON, probably cut at %d bytes", MaxBytes)
		}
		return nil, fmt.Errorf("not JSON that matches the builder contract: %w", wrongtype.Explain(err))
	}
	names := make([]string, len(unknown))
	for i := range unknown {
		names[i] = unknown[i].Error()
	}
	decoded.unknown = v1alpha1.CutMessage(strings.Join(names, ", "))
	for i := range decoded.Artifacts {
		if lock := decoded.Artifacts[i].Lock; lock != nil {
			lock.MediaType = cmp.Or(lock.MediaType, v1alpha1.LockMediaType)
		}
	}
	fault := ""
	switch {
	case decoded.Version != Version:
		fault = fmt.Sprintf("version is %d, must be %d", decoded.Version, Version)
	case decoded.Outcome != OutcomeSucceeded && decoded.Outcome != OutcomeFailed:
		fault = fmt.Sprintf("outcome is %q, must be %s or %s", decoded.Outcome, OutcomeSucceeded, OutcomeFailed)
	case decoded.Outcome == OutcomeSucceeded && decoded.Failure != nil && *decoded.Failure != Failure{}:
		fault = "outcome is Succeeded, but failure is set"
	}
	if fault != "" {
		return nil, errors.New(ignoring(fault, decoded.unknown))
	}
	return decoded, nil
}

// completeness is whether the digest and the size of a file may be missing.
type completeness bool

const (
	complete   completeness = true
	incomplete completeness = false
)

// artifacts returns the artifacts of the result, in the order of the targets.
func (r *Result) artifacts(targets []v1alpha1.Target, policy Policy, required completeness) ([]v1alpha1.Artifact, error) {
	if err := r.checkBuild(); err != nil {
		return nil, err
	}
	formats := make(map[string]v1alpha1.ArtifactFormat, len(targets))
	for _, target := range targets {
		formats[TargetName(target)] = target.Format
	}
	made := make(map[string]v1alpha1.Artifact, len(targets))
	for i := range r.Artifacts {
		artifact := &r.Artifacts[i]
		format, known := formats[artifact.Target]
		_, twice := made[artifact.Target]
		switch {
		case !known:
			return nil, fmt.Errorf("artifact for %q, which is not a target of the build", artifact.Target)
		case twice:
			return nil, fmt.Errorf("two artifacts for %q", artifact.Target)
		}
		valid, err := artifact.validate(format, policy, required)
		if err != nil {
			return nil, err
		}
		made[artifact.Target] = *valid
	}
	artifacts := make([]v1alpha1.Artifact, 0, len(targets))
	for _, target := range targets {
		artifact, ok := made[TargetName(target)]
		if !ok {
			return nil, fmt.Errorf("no artifact for target %q", TargetName(target))
		}
		artifacts = append(artifacts, artifact)
	}
	return artifacts, nil
}

func (a *Artifact) validate(format v1alpha1.ArtifactFormat, policy Policy, required completeness) (*v1alpha1.Artifact, error) {
	content := a.Content
	content.MediaType = cmp.Or(content.MediaType, MediaType(format))
	if err := content.validate(fmt.Sprintf("artifact %q", a.Target), policy, required); err != nil {
		return nil, err
	}
	for key, value := range a.Annotations {
		if key == "" || !v1alpha1.Printable(key) || !v1alpha1.Printable(value) {
			return nil, fmt.Errorf("annotation %q of artifact %q: key and value must be printable, and the key not empty", key, a.Target)
		}
	}
	for of, document := range a.Reported() {
		completed := required
		if unread(of, document) { // it is nowhere: the artifact is nowhere either, or the builder published it
			completed = incomplete
		}
		if err := a.validateDocument(of, document, policy, completed); err != nil {
			return nil, err
		}
	}
	return a.status(content.MediaType), nil
}

// unread reports whether a document is a lock that nobody has read, so that the status does not have it.
func unread(of v1alpha1.ArtifactDocumentType, content *Content) bool {
	return of == v1alpha1.DocumentLock && content.Verified == "" && content.Location == ""
}

// Status returns what the status of a build says about an artifact that was read and published.
func (a *Artifact) Status() *v1alpha1.Artifact {
	return a.status(cmp.Or(a.MediaType, MediaType(v1alpha1.ArtifactFormat(path.Base(a.Target)))))
}

func (a *Artifact) status(mediaType string) *v1alpha1.Artifact {
	var documents []v1alpha1.ArtifactDocument
	for of, content := range a.Reported() {
		if !unread(of, content) {
			documents = append(documents, *documentOf(of, content))
		}
	}
	for i := range a.Made {
		made := &a.Made[i]
		document := documentOf(made.Type, &made.Content)
		document.MadeBy = v1alpha1.DocumentMadeByGoldsmith
		documents = append(documents, *document)
	}
	return &v1alpha1.Artifact{
		Target:      a.Target,
		Digest:      a.Digest,
		SizeBytes:   ptr.Deref(a.SizeBytes, 0),
		MediaType:   mediaType,
		Location:    a.Location,
		Verified:    a.Verified,
		Annotations: a.Annotations,
		Documents:   documents,
		Packages:    a.Packages,
		Tag:         a.Tag,
	}
}

// validateDocument checks a document that the builder made.
func (a *Artifact) validateDocument(of v1alpha1.ArtifactDocumentType, content *Content, policy Policy, required completeness) error {
	name := fmt.Sprintf("%s of artifact %q", strings.ToLower(string(of)), a.Target)
	switch {
	case content.File == "" && content.Location == "":
		return errUnlocated(name)
	case of == v1alpha1.DocumentLock && content.MediaType != v1alpha1.LockMediaType:
		return fmt.Errorf("mediaType of %s is %q, must be %s: write that version of locks", name, content.MediaType, v1alpha1.LockMediaType)
	case v1alpha1.OnlyByGoldsmith(content.MediaType):
		return fmt.Errorf("mediaType of %s is %q, which only Goldsmith reports: set another one, such as application/vnd.in-toto+json", name, content.MediaType)
	}
	return content.validate(name, policy, required)
}

func documentOf(of v1alpha1.ArtifactDocumentType, content *Content) *v1alpha1.ArtifactDocument {
	return &v1alpha1.ArtifactDocument{
		Type:      of,
		Digest:    content.Digest,
		SizeBytes: ptr.Deref(content.SizeBytes, 0),
		MediaType: content.MediaType,
		Location:  content.Location,
		Verified:  content.Verified,
	}
}

func errUnlocated(name string) error {
	return fmt.Errorf("%s has neither file nor location: set file to its path in the output directory, or location to where it can be fetched", name)
}

// validate checks the content of what the name tells.
func (c *Content) validate(name string, policy Policy, required completeness) error {
	optional := required == incomplete && c.File != ""
	lost := policy.RequireKept && required == complete && !policy.Checked // nobody has read the file
	switch {
	case c.File == "" && c.Location == "" && !policy.AllowUnlocated:
		return errUnlocated(name)
	case c.File != "" && (!filepath.IsLocal(c.File) || filepath.Clean(c.File) == "."):
		return fmt.Errorf("file of %s is %q, must be a path in the output directory, and relative to it", name, c.File)
	case !v1alpha1.Printable(c.File):
		return fmt.Errorf("file of %s is %q, must have printable characters only", name, c.File)
	case len(c.Location) > v1alpha1.MaxLocationBytes:
		return fmt.Errorf("location of %s is longer than %d bytes", name, v1alpha1.MaxLocationBytes)
	case !v1alpha1.ValidLocation(c.Location):
		return fmt.Errorf("location of %s is %q, must be a URL or an OCI reference, printable and without spaces", name, c.Location)
	case strings.HasPrefix(c.Location, "/apis/"):
		return fmt.Errorf("location of %s is %q, a path of this server, which only Goldsmith sets: set file, or a URL or an OCI reference", name, c.Location)
	case v1alpha1.HasPassword(c.Location):
		return fmt.Errorf("location of %s has a password, which everybody who can read the build would read: remove it", name)
	case !v1alpha1.ValidMediaType(c.MediaType):
		return fmt.Errorf("mediaType of %s is %q, must be a media type without parameters, such as application/gzip", name, c.MediaType)
	case c.Digest == "" && !optional:
		return fmt.Errorf("%s has no digest", name)
	case c.Digest != "" && !ValidDigest(c.Digest):
		return fmt.Errorf("digest of %s is %q, must be sha256: and 64 hex digits", name, c.Digest)
	case c.SizeBytes == nil && !optional:
		return fmt.Errorf("%s has no sizeBytes", name)
	case c.SizeBytes != nil && *c.SizeBytes < 0:
		return fmt.Errorf("sizeBytes of %s is negative", name)
	case c.File != "" && c.Location == "" && lost:
		return fmt.Errorf("%s is a file, which is deleted with its pod: set spec.output of the image, so that Goldsmith publishes it, or location to where the builder published it", name)
	}
	return nil
}

// judgeExit judges by the exit code. onZero is the reason if the exit code is 0, and fault is the fault of the result.
func judgeExit(exitCode int32, onZero v1alpha1.FailureReason, fault string) *v1alpha1.BuildFailure {
	reason := v1alpha1.ReasonBuilderFailed
	switch exitCode {
	case 0:
		reason = onZero
	case ExitTempFail:
		reason = v1alpha1.ReasonBuilderTempFail
	}
	return failure(exitCode, reason, v1alpha1.CutMessage(fmt.Sprintf("%s: builder ended with %s", fault, exitText(exitCode))))
}

// judgeFailure judges a builder that reports a failure itself.
func judgeFailure(exitCode int32, said *Failure, ignored string) *v1alpha1.BuildFailure {
	if said == nil {
		said = &Failure{}
	}
	reason, unheeded := said.resolveReason(exitCode)
	if ignored != "" && unheeded != "" {
		ignored += ", "
	}
	return failure(exitCode, reason, v1alpha1.CutMessage(ignoring(failureText(exitCode, said), ignored+unheeded)))
}

// resolveReason returns the reason of the failure, and why its class is ignored. If another attempt may help, each class but Infrastructure is
// ignored: an attempt in vain costs less than a missing image.
func (f *Failure) resolveReason(exitCode int32) (reason v1alpha1.FailureReason, unheeded string) {
	reason, known := map[v1alpha1.FailureClass]v1alpha1.FailureReason{
		"":                             v1alpha1.ReasonBuilderFailed,
		v1alpha1.FailureUser:           v1alpha1.ReasonBuilderFailed,
		v1alpha1.FailureConfig:         v1alpha1.ReasonBuilderMisconfigured,
		v1alpha1.FailureInfrastructure: v1alpha1.ReasonBuilderTempFail,
	}[f.Class]
	retryable := f.Retryable || exitCode == ExitTempFail
	switch {
	case !known:
		reason, unheeded = v1alpha1.ReasonBuilderFailed, fmt.Sprintf("class %q, must be User, Config or Infrastructure", f.Class)
	case retryable && f.Class != "" && f.Class != v1alpha1.FailureInfrastructure:
		unheeded = fmt.Sprintf("class %q, because another attempt may help", f.Class)
	}
	if retryable {
		reason = v1alpha1.ReasonBuilderTempFail
	}
	return reason, unheeded
}

func failure(exitCode int32, reason v1alpha1.FailureReason, message string) *v1alpha1.BuildFailure {
	f := reason.Failure("%s", message)
	f.ExitCode = &exitCode
	return f
}

func failureText(exitCode int32, said *Failure) string {
	reason, message := v1alpha1.CutMessage(said.Reason), v1alpha1.CutMessage(said.Message)
	switch {
	case reason == "" && message == "":
		return fmt.Sprintf("failure without reason and message: builder ended with %s", exitText(exitCode))
	case reason == "":
		return message
	case message == "":
		return reason
	}
	return v1alpha1.CutMessage(reason + ": " + message)
}

// exitText is the text of an exit code. An exit code above 128 stands for a signal.
func exitText(exitCode int32) string {
	const signalBase, lastSignal = 128, 64
	if exitCode > signalBase && exitCode <= signalBase+lastSignal {
		return fmt.Sprintf("exit code %d (signal %d)", exitCode, exitCode-signalBase)
	}
	return fmt.Sprintf("exit code %d", exitCode)
}
