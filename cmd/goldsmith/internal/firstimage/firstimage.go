// SPDX-License-Identifier: Apache-2.0

// Package firstimage is the verb that writes a user's first image to a file, and on request a builder of the user's own.
package firstimage

import (
	"bytes"
	_ "embed" // for the two files
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
)

// defaultName is the name of an image that the user did not name.
const defaultName = "first"

//go:embed image.yaml
var imageTemplate string

//go:embed builder.sh
var builderScript []byte

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	shell := false
	command := &cobra.Command{
		Use:   "init [IMAGE]",
		Short: "Write a first image to a file, and print the next steps",
		Long: "Write an image to IMAGE.yaml in the working directory, and print the next steps. With --shell, also " +
			"write a builder to IMAGE-builder.sh, a shell script for your own steps. The command never overwrites " +
			"a file.",
		Example: "  goldsmith init web\n" +
			"  goldsmith init web --shell",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, args []string) error {
			name := defaultName
			if len(args) > 0 {
				name = args[0]
			}
			return write(name, shell, command.OutOrStdout())
		},
	}
	command.Flags().BoolVar(&shell, "shell", false, "additional builder script, IMAGE-builder.sh")
	return command
}

// first has the values for the template of the image.
type first struct {
	Name     string
	Manifest string // name of the image's file
	Script   string // path of the builder's file; empty: the image has the builder mock
}

func write(name string, shell bool, out io.Writer) error {
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return fmt.Errorf("image name %q: %s", name, strings.Join(problems, "; "))
	}
	image := &first{Name: name, Manifest: name + ".yaml"}
	if shell {
		script, err := filepath.Abs(name + "-builder.sh") // a builder is registered by its absolute path
		if err != nil {
			return fmt.Errorf("find the working directory: %w", err)
		}
		image.Script = script
	}
	manifest, err := image.manifest()
	if err != nil {
		return err
	}
	if shell {
		if err := create(image.Script, builderScript, 0o755); err != nil {
			return err
		}
	}
	if err := create(image.Manifest, manifest, 0o644); err != nil {
		if shell {
			err = errors.Join(err, os.Remove(image.Script)) // both files or none, so that the command can be repeated
		}
		return err
	}
	_, err = io.WriteString(out, image.nextSteps())
	return err
}

func (f *first) manifest() ([]byte, error) {
	parsed, err := template.New(f.Manifest).Parse(imageTemplate)
	if err != nil {
		return nil, fmt.Errorf("parse the template of %s: %w", f.Manifest, err)
	}
	var manifest bytes.Buffer
	if err := parsed.Execute(&manifest, f); err != nil {
		return nil, fmt.Errorf("fill in the template of %s: %w", f.Manifest, err)
	}
	return manifest.Bytes(), nil
}

// create writes a file that must not exist.
func create(path string, content []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: delete the file, or choose another name", filepath.Base(path))
	}
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

func (f *first) nextSteps() string {
	var text strings.Builder
	server, first := "goldsmith up", "start a server, unless one runs"
	fmt.Fprintf(&text, "wrote %s: an image named %s\n", f.Manifest, f.Name)
	if f.Script != "" {
		fmt.Fprintf(&text, "wrote %s: its builder\n", filepath.Base(f.Script))
		first = "stop any server that does not have this builder, then start a server that has it"
		server += fmt.Sprintf(` --builder %s="$PWD/%s"`, f.Name, filepath.Base(f.Script))
	}
	fmt.Fprintf(&text, `
In one terminal, %s:

  %s

In a second terminal, in this directory, see what would be built, have it built, and follow the build:

  goldsmith plan -f %s
  goldsmith kubectl apply -f %[3]s
  goldsmith logs %[4]s -f
  goldsmith kubectl describe image %[4]s
`, first, server, f.Manifest, f.Name)
	return text.String()
}
