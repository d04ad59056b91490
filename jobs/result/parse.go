// SPDX-License-Identifier: Apache-2.0

package result

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var digestPattern = regexp.MustCompile(`\Asha256:[0-9a-f]{64}\z`)

// ValidDigest reports whether a text is "sha256:" and 64 lower-case hex digits.
func ValidDigest(text string) bool { return digestPattern.MatchString(text) }

// Outcome is the outcome of a builder: either artifacts, one for each target and in their order, or a failure.
type Outcome struct {
	Artifacts []v1alpha1.Artifact
	Failure   *v1alpha1.BuildFailure
}

// Parse judges a builder that has ended by its message and its exit code. If only one of the two is a failure, the outcome is
// a failure. A message that violates the contract is InvalidResult if the exit code is 0. Otherwise the exit code decides.
// Unknown fields are ignored. A failure always has the exit code.
func Parse(message string, exitCode int32, targets []v1alpha1.Target) Outcome {
	if strings.TrimSpace(message) == "" {
		return failed(judgeExit(exitCode, v1alpha1.ReasonNoResult, "no result"))
	}
	result, err := decode(message)
	if err != nil {
		return failed(judgeExit(exitCode, v1alpha1.ReasonInvalidResult, "invalid result: "+err.Error()))
	}
	if result.Outcome == OutcomeFailed {
		return failed(judgeFailure(exitCode, result.Failure))
	}
	artifacts, err := result.artifacts(targets)
	if err != nil {
		return failed(judgeExit(exitCode, v1alpha1.ReasonInvalidResult, "invalid result: "+err.Error()))
	}
	if exitCode != 0 {
		return failed(judgeExit(exitCode, v1alpha1.ReasonInvalidResult, "outcome is Succeeded, but exit code is not 0"))
	}
	return Outcome{Artifacts: artifacts}
}

func failed(failure *v1alpha1.BuildFailure) Outcome {
	return Outcome{Failure: failure}
}

// message is a Result that distinguishes a missing size from 0.
type message struct {
	Result
	Artifacts []struct {
		Artifact
		SizeBytes *int64 `json:"sizeBytes"`
	} `json:"artifacts"`
}

func decode(text string) (*message, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("longer than %d bytes", MaxBytes)
	}
	decoded := &message{}
	if err := json.UnmarshalCaseSensitivePreserveInts([]byte(text), decoded); err != nil {
		if len(text) == MaxBytes {
			return nil, fmt.Errorf("not JSON, probably cut at %d bytes", MaxBytes)
		}
		return nil, fmt.Errorf("not JSON that matches the builder contract: %w", err)
	}
	switch {
	case decoded.Version != Version:
		return nil, fmt.Errorf("version is %d, must be %d", decoded.Version, Version)
	case decoded.Outcome != OutcomeSucceeded && decoded.Outcome != OutcomeFailed:
		return nil, fmt.Errorf("outcome is %q, must be %s or %s", decoded.Outcome, OutcomeSucceeded, OutcomeFailed)
	case decoded.Outcome == OutcomeSucceeded && decoded.Failure != nil && *decoded.Failure != Failure{}:
		return nil, errors.New("outcome is Succeeded, but failure is set")
	}
	return decoded, nil
}

// artifacts returns the artifacts of the message, in the order of the targets.
func (m *message) artifacts(targets []v1alpha1.Target) ([]v1alpha1.Artifact, error) {
	formats := make(map[string]v1alpha1.ArtifactFormat, len(targets))
	for _, target := range targets {
		formats[TargetName(target)] = target.Format
	}
	made := make(map[string]v1alpha1.Artifact, len(targets))
	for _, artifact := range m.Artifacts {
		format, known := formats[artifact.Target]
		_, twice := made[artifact.Target]
		switch {
		case !known:
			return nil, fmt.Errorf("artifact for %q, which is not a target of the build", artifact.Target)
		case twice:
			return nil, fmt.Errorf("two artifacts for %q", artifact.Target)
		case !ValidDigest(artifact.Digest):
			return nil, fmt.Errorf("digest of artifact %q is %q, must be sha256: and 64 hex digits", artifact.Target, artifact.Digest)
		case artifact.SizeBytes == nil:
			return nil, fmt.Errorf("artifact %q has no sizeBytes", artifact.Target)
		case *artifact.SizeBytes < 0:
			return nil, fmt.Errorf("sizeBytes of artifact %q is negative", artifact.Target)
		}
		made[artifact.Target] = v1alpha1.Artifact{
			Target:    artifact.Target,
			Digest:    artifact.Digest,
			SizeBytes: *artifact.SizeBytes,
			MediaType: MediaType(format),
		}
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
func judgeFailure(exitCode int32, said *Failure) *v1alpha1.BuildFailure {
	if said == nil {
		said = &Failure{}
	}
	reason := v1alpha1.ReasonBuilderFailed
	if said.Retryable || exitCode == ExitTempFail {
		reason = v1alpha1.ReasonBuilderTempFail
	}
	return failure(exitCode, reason, failureText(exitCode, said))
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
