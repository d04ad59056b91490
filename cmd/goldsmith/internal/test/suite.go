// SPDX-License-Identifier: Apache-2.0

package test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/plan"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// maxFile is the maximum size of a file beside a manifest, as of all files of a source.
const maxFile = 64 << 10

// suite has tests, and the files for goss.
type suite struct {
	tests []v1alpha1.ImageTest
	files map[string]string
	// origin is where the tests are declared, for people.
	origin string
	// directory is that of the manifest, whose files goss can use. It is empty without a manifest.
	directory string
}

// suiteOf returns the tests of the manifest of -f, or else those of a build, which may be nil.
func (o *options) suiteOf(build *v1alpha1.ImageBuild) (*suite, error) {
	switch {
	case o.manifest == "" && build == nil:
		return &suite{}, nil
	case o.manifest == "":
		return &suite{tests: build.Spec.Tests, files: inputs.Files(build.Spec.Inputs, build.Status.Resolved), origin: "build " + build.Name}, nil
	}
	image, err := plan.ReadImage(o.manifest, o.in)
	if err != nil {
		return nil, err
	}
	declared := &suite{tests: image.Spec.Tests, files: map[string]string{}, origin: "image " + image.Name, directory: "."}
	if o.manifest != "-" {
		declared.directory = filepath.Dir(o.manifest)
	}
	if source := image.Spec.Source; source != nil && source.Inline != nil {
		declared.files = source.Inline.Files
	}
	return declared, nil
}

// choose reduces a suite to the tests that the user wants and that can run on this machine, and sets the target of each. The user is told
// which tests are left out.
func (o *options) choose(from *suite, targets []v1alpha1.Target) (*suite, error) {
	if len(from.tests) == 0 {
		if err := o.tell("no tests are declared: the only test, boots, is that the disk boots until multi-user.target"); err != nil {
			return nil, err
		}
		from = &suite{tests: []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}}
	}
	for _, name := range o.only {
		if inputs.FindTest(from.tests, name) == nil {
			return nil, fmt.Errorf("--only %q: %s has no such test: its tests are %s", name, origin(from), strings.Join(namesOf(from.tests), ", "))
		}
	}
	chosen := &suite{files: map[string]string{}}
	for i := range from.tests {
		test := from.tests[i]
		if len(o.only) > 0 && !slices.Contains(o.only, test.Name) {
			continue
		}
		if reason := unfit(&test, targets); reason != "" {
			if len(o.only) > 0 {
				return nil, fmt.Errorf("--only %q: %s", test.Name, reason)
			}
			if err := o.tell(fmt.Sprintf("test %s is left out: %s", output.OneLine(test.Name), reason)); err != nil {
				return nil, err
			}
			continue
		}
		test.Target = inputs.TestTarget(&test, targets)
		if err := from.addFile(&test, chosen.files); err != nil {
			return nil, err
		}
		chosen.tests = append(chosen.tests, test)
	}
	if len(chosen.tests) == 0 {
		return nil, errors.New("no test is left that can run on this machine: test a build on the server, with `goldsmith test BUILD`")
	}
	return chosen, nil
}

// unfit returns why a test cannot run on this machine, or "".
func unfit(test *v1alpha1.ImageTest, targets []v1alpha1.Target) string {
	switch {
	case test.Runner != nil:
		return "its runner is the builder " + output.OneLine(test.Runner.Name) + " of the server"
	case inputs.TestTarget(test, targets) != "":
		return ""
	case test.Target != "":
		return "it tests " + output.OneLine(test.Target)
	}
	return "there is no disk that can boot, which is amd64 and raw or qcow2"
}

// addFile adds the file of a test for goss.
func (s *suite) addFile(test *v1alpha1.ImageTest, to map[string]string) error {
	if test.Goss == "" {
		return nil
	}
	text, ok := s.files[test.Goss]
	missing := fmt.Errorf("test %s: goss: %s is no file of spec.source", test.Name, output.OneLine(test.Goss))
	switch {
	case ok:
		to[test.Goss] = text
		return nil
	case s.directory == "":
		return missing
	case path.IsAbs(test.Goss) || !filepath.IsLocal(test.Goss):
		return fmt.Errorf("test %s: goss %q: must be the relative path of a file", test.Name, test.Goss)
	}
	read, err := artifacts.ReadFile(filepath.Join(s.directory, test.Goss), maxFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrInvalid) {
		return fmt.Errorf("%w, and no file beside the manifest", missing)
	}
	if err != nil {
		return fmt.Errorf("test %s: goss: %w", test.Name, err)
	}
	to[test.Goss] = string(read)
	return nil
}

func origin(of *suite) string {
	if of.origin == "" {
		return "FILE"
	}
	return of.origin
}

func namesOf(tests []v1alpha1.ImageTest) (names []string) {
	for i := range tests {
		names = append(names, tests[i].Name)
	}
	return names
}
