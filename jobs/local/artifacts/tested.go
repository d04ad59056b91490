// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"fmt"
	"io/fs"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Tested is an artifact that a build has tested.
type Tested struct {
	// Target and Digest are those of the artifact.
	Target, Digest string
	// Report is the report about its tests. Report is nil if the tests made no report.
	Report *Document
}

// RecordTested adds artifacts that a build has tested to those that the index has of the build, with the reports about them. Take has returned the
// contents of the reports before. The artifacts are the build's own, or those of other builds of its namespace, with the documents about them, except
// reports about other tests. An artifact that the index does not have is left out, unless it has a report: then nothing is added, and the error is
// fs.ErrNotExist. Without a change, RecordTested writes nothing.
func (s *Store) RecordTested(build Build, tested []Tested) error {
	err := s.retryWithRoom(0, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.recordTested(build, tested)
	})
	if err != nil {
		return fmt.Errorf("record the tested artifacts of build %s/%s: %w", build.Namespace, build.Name, err)
	}
	return nil
}

func (s *Store) recordTested(build Build, tested []Tested) error {
	var all []Artifact
	for _, r := range s.records {
		if r.Build.UID == build.UID && r.Build.Namespace == build.Namespace {
			all = append(all, r.Artifact)
		}
	}
	changed := false
	for _, of := range tested {
		at := slices.IndexFunc(all, func(a Artifact) bool { return a.Target == of.Target && a.Content.Digest == of.Digest })
		if at < 0 {
			other := s.artifactOf(build.Namespace, of)
			if other == nil && of.Report != nil {
				return fmt.Errorf("artifact %s with digest %s: %w", of.Target, of.Digest, fs.ErrNotExist)
			}
			if other == nil {
				continue
			}
			all, at, changed = append(all, *other), len(all), true
		}
		if of.Report != nil && !slices.Contains(all[at].Documents, *of.Report) {
			all[at].Documents, changed = append(slices.Clone(all[at].Documents), *of.Report), true
		}
	}
	if !changed {
		return nil
	}
	return s.record(build, all)
}

// artifactOf returns the artifact of the namespace that was recorded last, without reports about its tests, or nil.
func (s *Store) artifactOf(namespace string, tested Tested) *Artifact {
	for _, r := range slices.Backward(s.records) {
		if r.Build.Namespace == namespace && r.Artifact.Target == tested.Target && r.Artifact.Content.Digest == tested.Digest {
			made := r.Artifact
			made.Documents = nil
			for _, document := range r.Artifact.Documents {
				if document.Type != v1alpha1.DocumentTestReport {
					made.Documents = append(made.Documents, document)
				}
			}
			return &made
		}
	}
	return nil
}
