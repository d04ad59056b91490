// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// readInput reads the input, and what is made from it: the input's fields without build and attempt.
func readInput(path string) (*render.Input, map[string]any, error) {
	if path == "" {
		return nil, nil, fmt.Errorf("$%s is not set", render.EnvInput)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the input: %w", err)
	}
	input, err := render.ParseInput(text)
	if err != nil {
		return nil, nil, err
	}
	made, err := withoutIdentity(text)
	if err != nil {
		return nil, nil, fmt.Errorf("read the input: %w", err)
	}
	return input, made, nil
}

// withoutIdentity returns the fields of an input, without those that tell one build, or one build of the base, from another.
func withoutIdentity(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	delete(fields, "build")
	delete(fields, "attempt")
	if base, ok := fields["base"].(map[string]any); ok {
		delete(base, "build")
		artifacts, _ := base["artifacts"].([]any)
		for _, artifact := range artifacts {
			if artifact, ok := artifact.(map[string]any); ok {
				delete(artifact, "location")
			}
		}
	}
	return fields, nil
}

// artifactFor returns what is made for a target: the canonical input with this target alone. Artifacts of two targets
// therefore differ, and a target's artifact does not depend on the other targets.
func artifactFor(target render.InputTarget, made map[string]any) ([]byte, error) {
	fields := maps.Clone(made)
	fields["targets"] = []render.InputTarget{target}
	return inputs.CanonicalJSON(fields)
}

// fail ends a build that was told to fail.
func (b *builder) fail() int {
	if b.behaviour.crash != "" {
		complain(b.stderr, fmt.Errorf("crashes (%s)", b.behaviour.crash))
		return crash(b.behaviour.crash)
	}
	message := "failed, as it was told to"
	if b.behaviour.steps > 0 {
		message = fmt.Sprintf("failed in step %d of %d, as it was told to", b.behaviour.failAt, b.behaviour.steps)
	}
	complain(b.stderr, errors.New(message))
	return b.leave(result.Result{
		Outcome: result.OutcomeFailed,
		Failure: &result.Failure{Reason: b.behaviour.failReason, Message: message, Class: b.behaviour.failClass, Retryable: b.behaviour.retryable},
	})
}

// finish makes an artifact for each target and their lock, and ends the build.
func (b *builder) finish(targets []render.InputTarget, made map[string]any) int {
	message := result.Result{Outcome: result.OutcomeSucceeded}
	for _, target := range targets {
		artifact, err := b.makeArtifact(target, made)
		if err != nil {
			return b.refuse("OutputNotWritable", fmt.Errorf("make the artifact for %s: %w", target.Name, err))
		}
		message.Artifacts = append(message.Artifacts, artifact)
	}
	if b.behaviour.lock != lockNone {
		if err := b.makeLock(message.Artifacts); err != nil {
			return b.refuse("OutputNotWritable", fmt.Errorf("make the lock: %w", err))
		}
	}
	return b.leave(message)
}

// makeLock writes a lock, which all artifacts share. A result with 16 targets has no room for its digest and size: Goldsmith computes them.
func (b *builder) makeLock(artifacts []result.Artifact) error {
	text, err := json.Marshal(v1alpha1.Lock{
		Version: v1alpha1.LockVersion, Distribution: b.behaviour.distribution, Sources: b.behaviour.sources,
		Packages: append([]v1alpha1.Package{}, b.behaviour.packages...),
	})
	if err != nil {
		return err
	}
	if b.behaviour.lock == lockMalformed {
		text = text[:len(text)/2]
	}
	const name = "lock.json"
	for i := range artifacts {
		artifacts[i].Lock = &result.Content{File: name}
	}
	return os.WriteFile(filepath.Join(b.outputDir, name), text, 0o644) //nolint:gosec // other users take it from there
}

func (b *builder) makeArtifact(target render.InputTarget, made map[string]any) (result.Artifact, error) {
	content, err := artifactFor(target, made)
	if err != nil {
		return result.Artifact{}, err
	}
	name := strings.ReplaceAll(target.Platform, "/", "-") + "." + string(target.Format)
	if err := os.WriteFile(filepath.Join(b.outputDir, name), content, 0o644); err != nil { //nolint:gosec // other users take it from there
		return result.Artifact{}, err
	}
	digest := contents.Digest(content)
	if b.behaviour.result == resultBadDigest {
		digest = "sha256:not-a-digest"
	}
	return result.Artifact{Target: target.Name, Content: result.Content{File: name, Digest: digest, SizeBytes: new(int64(len(content)))}}, nil
}

// leave writes the result, in the way it was told to, and returns the exit code.
func (b *builder) leave(message result.Result) int {
	text, err := b.encode(message)
	if err == nil && text != nil {
		err = os.WriteFile(b.resultPath, text, 0o644) //nolint:gosec // the kubelet or the agent reads it
	}
	if err != nil {
		complain(b.stderr, fmt.Errorf("leave the result: %w", err))
		return 1
	}
	return b.behaviour.exitCode
}

// encode is the message as it was told to leave it; nil is none.
func (b *builder) encode(message result.Result) ([]byte, error) {
	message.Version = result.Version
	text, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	switch b.behaviour.result {
	case resultNone:
		return nil, nil
	case resultMalformed:
		return text[:len(text)/2], nil
	case resultOversized:
		// Neither the beginning nor the end of it, which is what a kubelet keeps, is a result.
		return fmt.Appendf(text[:len(text)-1], `,"padding":%q}`, strings.Repeat("x", result.MaxBytes)), nil
	}
	return text, nil
}
