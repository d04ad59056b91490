// SPDX-License-Identifier: Apache-2.0

// Package schema is the verb that writes the schemas of the API for editors and checks without a server. It reads the OpenAPI
// document that the program carries, and needs no server.
package schema

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/ownfile"
)

// The formats.
const (
	formatJSONSchema = "jsonschema"
	formatOpenAPI    = "openapi"
)

var formats = []string{formatJSONSchema, formatOpenAPI}

// image is the kind whose JSON schema the verb prints.
const image = "Image"

// ImagePath is the path of the JSON schema of Images below the folder of JSON schemas.
var ImagePath = jsonSchemaPath(image)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	format, directory := formatJSONSchema, ""
	command := &cobra.Command{
		Use:   "schema",
		Short: "Write the schemas of the API, for editors and CI",
		Long: "Print the JSON schema of an Image, or the OpenAPI document of the API. With -o, write the schemas of all " +
			"kinds that a manifest can declare to files: JSON schemas in the layout of kubeconform and the CRDs-catalog, " +
			"DIR/GROUP/KIND_VERSION.json, or OpenAPI in the layout of kubectl-validate, DIR/apis/GROUP/VERSION.json. The " +
			"command replaces files of these names, and changes no other file. The command needs no server.",
		Example: "  goldsmith schema -o schemas\n" +
			"  goldsmith schema --format openapi -o schemas",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			files, err := filesIn(format)
			if err != nil {
				return err
			}
			if directory == "" {
				_, err := command.OutOrStdout().Write(printed(files))
				return err
			}
			return write(files, directory, command.OutOrStdout())
		},
	}
	command.Flags().StringVar(&format, "format", format, "`format` of the schemas: "+strings.Join(formats, " or "))
	command.Flags().StringVarP(&directory, "output-directory", "o", "", "`directory` for the files; empty prints one schema")
	err := errors.Join(
		command.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)),
		command.MarkFlagDirname("output-directory"),
	)
	if err != nil {
		panic(err) // cannot fail: the lines above add the flags
	}
	return command
}

// Image returns the JSON schema of Images.
func Image() ([]byte, error) {
	files, err := JSONSchemas()
	return files[ImagePath], err
}

// filesIn returns the files of a format by their path.
func filesIn(format string) (map[string][]byte, error) {
	switch format {
	case formatJSONSchema:
		return JSONSchemas()
	case formatOpenAPI:
		return OpenAPI()
	}
	return nil, fmt.Errorf("unknown format %q: set --format to %s", format, strings.Join(formats, " or "))
}

// printed returns the one file that is printed.
func printed(files map[string][]byte) []byte {
	if image, ok := files[ImagePath]; ok {
		return image
	}
	return files[openAPIPath]
}

// write writes the files below a directory, and names them.
func write(files map[string][]byte, directory string, out io.Writer) error {
	for _, path := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(directory, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // as any file that is committed
			return fmt.Errorf("create the directory of %s: %w", file, err)
		}
		if err := ownfile.Write(file, files[path], 0o644); err != nil { // as any file that is committed
			return fmt.Errorf("write %s: %w", file, err)
		}
		if _, err := fmt.Fprintf(out, "wrote %s\n", file); err != nil {
			return err
		}
	}
	return nil
}

// openAPIPath is where kubectl-validate looks for the schemas of the API's group and version.
var openAPIPath = "apis/" + v1alpha1.SchemeGroupVersion.String() + ".json"

// jsonSchemaPath is where kubeconform and editors look for the schema of a kind, with the template of the CRDs-catalog.
func jsonSchemaPath(kind string) string {
	return v1alpha1.SchemeGroupVersion.Group + "/" + strings.ToLower(kind) + "_" + v1alpha1.SchemeGroupVersion.Version + ".json"
}

// OpenAPI returns the OpenAPI document of the API by its path in the layout of kubectl-validate. It has no zero defaults, which the
// generator gives to all required fields: kubectl-validate would fill in a field that is missing, and accept the manifest.
func OpenAPI() (map[string][]byte, error) {
	api, err := parse(openapi.Document())
	if err != nil {
		return nil, err
	}
	dropZeroDefaults(api.all)
	content, err := encode(api.all)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{openAPIPath: content}, nil
}
