// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"goldsmith.dev/goldsmith/jobs/result"
)

// InvalidError reports a result that does not agree with its files. It is the builder's fault.
type InvalidError struct {
	// Text says what is wrong.
	Text string
}

func (e *InvalidError) Error() string { return e.Text }

// Paths returns the path of the file of each content of a result that has one. Several contents can have the same file.
func Paths(reported *result.Result) (paths []string) {
	for _, content := range reported.Contents() {
		if content.File != "" {
			paths = append(paths, filepath.Clean(content.File))
		}
	}
	return paths
}

// Complete compares what a builder reported about its files with what was read, by Paths, and adds what the builder did not report. The
// error is the first of the builder's faults, which is an *InvalidError, or else the first other fault.
func Complete(reported *result.Result, read map[string]Taken) error {
	var invalid, fault error
	for name, content := range reported.NamedContents() {
		if content.File == "" {
			continue
		}
		err := complete(content, read[filepath.Clean(content.File)], name)
		if _, ok := errors.AsType[*InvalidError](err); ok {
			invalid = cmp.Or(invalid, err)
		} else {
			fault = cmp.Or(fault, err)
		}
	}
	return cmp.Or(invalid, fault)
}

func complete(content *result.Content, file Taken, name string) error {
	if problem, ok := errors.AsType[*FileError](file.Err); ok {
		return &InvalidError{name + ": " + problem.Error()}
	}
	if file.Err != nil {
		return fmt.Errorf("%s: %w", name, file.Err)
	}
	if err := content.Confirm(name, file.Content.Digest, file.Content.SizeBytes); err != nil {
		return &InvalidError{err.Error()}
	}
	return nil
}
