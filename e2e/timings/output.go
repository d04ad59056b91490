// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// outputFile is the file in the folder of a target's reports that .ci/run writes the target's output to.
const outputFile = "output.log"

// lastLines is how many lines of a target's output are shown if no spec failed.
const lastLines = 15

// output is the output of a target: its lines that are not empty, without colours.
type output struct {
	file  string
	lines []string
}

// readOutputs reads the outputs of targets. Only .ci/run keeps them.
func readOutputs(folder string, targets []string) (map[string]output, error) {
	outputs := map[string]output{}
	for _, target := range targets {
		file := filepath.Join(folder, target, outputFile)
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		outputs[target] = newOutput(file, string(text))
	}
	return outputs, nil
}

func newOutput(file, text string) output {
	o := output{file: file}
	for line := range strings.Lines(colour.ReplaceAllString(text, "")) {
		if line = strings.TrimRight(line, "\r\n\t "); line != "" {
			o.lines = append(o.lines, line)
		}
	}
	return o
}

// failure returns why a target failed that has no failed spec.
func (o output) failure(r repository) *failure {
	if o.file == "" {
		return &failure{}
	}
	return &failure{kept: "output: " + r.relative(o.file), message: o.lines[max(0, len(o.lines)-lastLines):]}
}

var (
	buildFailed  = regexp.MustCompile(`^FAIL\t.* \[build failed\]$`)
	compileError = regexp.MustCompile(`^(?:\./)?(\S+\.go:\d+):\d+: `)
)

// addCompileErrors replaces gotestsum's "[build failed]" with the errors of the compiler, which are in the output of the target and
// in no report. If the package has none, an imported package has.
func (o output) addCompileErrors(pkg string, f *failure) {
	if !slices.ContainsFunc(f.message, buildFailed.MatchString) {
		return
	}
	var inPackage, all []string
	for _, line := range o.lines {
		if match := compileError.FindStringSubmatch(line); match != nil && !slices.Contains(all, line) {
			all = append(all, line)
			if filepath.Dir(match[1]) == pkg {
				inPackage = append(inPackage, line)
			}
		}
	}
	if len(inPackage) > 0 {
		all = inPackage
	}
	if len(all) > 0 {
		f.message, f.place = all, compileError.FindStringSubmatch(all[0])[1]
	}
}
