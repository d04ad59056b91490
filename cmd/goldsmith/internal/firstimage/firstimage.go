// SPDX-License-Identifier: Apache-2.0

// Package firstimage is the verb that writes a user's first image to a file, and on request a builder of the user's own.
package firstimage

import (
	"bytes"
	"cmp"
	_ "embed" // for the two files
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/schema"
)

// defaultName is the name of an image that the user did not name.
const defaultName = "first"

// defaultBuilder is the builder of an image whose user chose none.
const defaultBuilder = "mock"

//go:embed image.yaml
var imageTemplate string

//go:embed builder.sh
var builderScript []byte

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	shell, chosen := false, ""
	command := &cobra.Command{
		Use:   "init [IMAGE]",
		Short: "Write a first image to a file, and print the next steps",
		Long: "Write an image to IMAGE.yaml in the working directory, and print the next steps. Its builder is mock, which only tries " +
			"things out, or that of --builder. With --shell, also " +
			"write a builder to IMAGE-builder.sh, a shell script for your own steps. If " + schema.ImagePath +
			" does not exist, also write this schema, with which editors complete the image. The command never " +
			"overwrites a file.",
		Example: "  goldsmith init web\n" +
			"  goldsmith init web --builder debian\n" +
			"  goldsmith init web --shell",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, args []string) error {
			name := defaultName
			if len(args) > 0 {
				name = args[0]
			}
			image := &first{Name: name}
			if err := image.choose(chosen); err != nil {
				return err
			}
			return image.write(shell, command.OutOrStdout())
		},
	}
	command.Flags().BoolVar(&shell, "shell", false, "additional builder script, IMAGE-builder.sh")
	command.Flags().StringVar(&chosen, "builder", defaultBuilder, "builder of the image: "+strings.Join(builders.Names(), " or "))
	command.MarkFlagsMutuallyExclusive("shell", "builder")
	return command
}

// first has the values for the template of the image.
type first struct {
	Name     string
	Manifest string // name of the image's file
	Script   string // path of the builder's file; empty: the image has a builder that ships
	Schema   string // path of the schema for editors
	chosen   string // name of a builder that ships; empty: the default one
}

// file is a file to create.
type file struct {
	path    string
	content []byte
	mode    fs.FileMode
	purpose string // in the list of what was written
}

// choose sets the builder, by its name.
func (f *first) choose(builder string) error {
	if !slices.Contains(builders.Names(), builder) {
		return fmt.Errorf("builder %q is none of %s: set one of them as --builder, then name yours in the file", builder, strings.Join(builders.Names(), ", "))
	}
	f.chosen = builder
	return nil
}

// Builder returns the builder of the image, or if it has a script the default one.
func (f *first) Builder() builders.Builder {
	builder, _ := builders.Find(cmp.Or(f.chosen, defaultBuilder))
	return builder
}

// Parameters returns the parameters of the image, with their values in YAML.
func (f *first) Parameters() ([]v1alpha1.Parameter, error) {
	parameters := f.Builder().First.Values(f.Name)
	for i := range parameters {
		text, err := yaml.Marshal(parameters[i].Value)
		if err != nil {
			return nil, err
		}
		parameters[i].Value = strings.TrimSpace(string(text))
	}
	return parameters, nil
}

func (f *first) write(shell bool, out io.Writer) error {
	if problems := validation.IsDNS1123Label(f.Name); len(problems) > 0 {
		return fmt.Errorf("image name %q: %s", f.Name, strings.Join(problems, "; "))
	}
	f.Manifest, f.Schema = f.Name+".yaml", schema.ImagePath
	if shell {
		script, err := filepath.Abs(f.Name + "-builder.sh") // a builder is registered by its absolute path
		if err != nil {
			return fmt.Errorf("find the working directory: %w", err)
		}
		f.Script = script
	}
	files, err := f.files()
	if err != nil {
		return err
	}
	for i, of := range files {
		if err := create(of); err != nil {
			for _, written := range files[:i] { // all files or none, so that the command can be repeated
				err = errors.Join(err, os.Remove(written.path))
			}
			return err
		}
	}
	var written strings.Builder
	for _, of := range files {
		fmt.Fprintf(&written, "wrote %s: %s\n", of.path, of.purpose)
	}
	_, err = io.WriteString(out, written.String()+f.nextSteps())
	return err
}

// files returns the files to create. The schema of an earlier call stays.
func (f *first) files() ([]file, error) {
	manifest, err := f.manifest()
	if err != nil {
		return nil, err
	}
	files := []file{{f.Manifest, manifest, 0o644, "an image named " + f.Name}}
	if f.Script != "" {
		files = append(files, file{filepath.Base(f.Script), builderScript, 0o755, "its builder"})
	}
	if _, err := os.Lstat(f.Schema); err == nil {
		return files, nil
	}
	content, err := schema.Image()
	if err != nil {
		return nil, err
	}
	return append(files, file{f.Schema, content, 0o644, "its schema, for editors"}), nil
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
func create(of file) error {
	if err := os.MkdirAll(filepath.Dir(of.path), 0o755); err != nil { //nolint:gosec // as the working directory
		return fmt.Errorf("create the directory of %s: %w", of.path, err)
	}
	opened, err := os.OpenFile(of.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, of.mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: delete the file, or choose another name", of.path)
	}
	if err != nil {
		return err
	}
	_, err = opened.Write(of.content)
	return errors.Join(err, opened.Close())
}

func (f *first) nextSteps() string {
	var text strings.Builder
	server, first := "goldsmith up", "start a server, unless one runs"
	if f.Script != "" {
		first = "stop any server that does not have this builder, then start a server that has it"
		server += fmt.Sprintf(` --builder %s="$PWD/%s"`, f.Name, filepath.Base(f.Script))
	}
	if runtime.GOOS != "linux" {
		first = "on a Linux machine, " + first
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
