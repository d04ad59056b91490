// SPDX-License-Identifier: Apache-2.0

// Command openapi-gen is that of kube-openapi, for types with the tags of validation-gen, so that a limit is written once.
// The original reads only its own markers, such as +k8s:validation:maxLength=63. This command adds the marker for each tag that has one.
package main

import (
	"log"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/gengo/v2"
	"k8s.io/gengo/v2/generator"
	"k8s.io/gengo/v2/types"
	"k8s.io/kube-openapi/cmd/openapi-gen/args"
	"k8s.io/kube-openapi/pkg/generators"
)

func main() {
	options := args.New()
	options.AddFlags(pflag.CommandLine)
	pflag.Parse()
	if err := options.Validate(); err != nil {
		log.Fatal(err)
	}
	header, err := gengo.GoBoilerplate(options.GoHeaderFile, gengo.StdBuildTag, gengo.StdGeneratedBy)
	if err != nil {
		log.Fatal(err)
	}
	for _, targets := range []func(*generator.Context, *args.Args, []byte) []generator.Target{generators.GetModelNameTargets, generators.GetOpenAPITargets} {
		err := gengo.Execute(generators.NameSystems(), generators.DefaultNameSystem(), func(context *generator.Context) []generator.Target {
			for _, input := range context.Inputs {
				for _, declared := range context.Universe[input].Types {
					mark(declared)
				}
			}
			return targets(context, options, header)
		}, gengo.StdBuildTag, pflag.Args())
		if err != nil {
			log.Fatal(err)
		}
	}
}

// mark adds the markers of the fields of a type.
func mark(declared *types.Type) {
	for i := range declared.Members {
		member := &declared.Members[i]
		added := map[string]string{}
		for _, line := range member.CommentLines {
			for name, value := range markers(line, member.Type) {
				if added[name] == "" || !strings.HasPrefix(line, "+k8s:format=") { // a limit of the field is lower than that of its format
					added[name] = value
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(added)) {
			member.CommentLines = append(member.CommentLines, "+k8s:validation:"+name+"="+added[name])
		}
	}
}

// markers returns the markers for a tag of a field, by name.
func markers(tag string, of *types.Type) map[string]string {
	if !strings.HasPrefix(tag, "+k8s:") {
		return nil
	}
	switch name, value, _ := strings.Cut(strings.TrimPrefix(tag, "+k8s:"), "="); name {
	case "minimum", "maximum", "maxLength", "maxItems", "maxProperties":
		return map[string]string{name: value}
	case "maxBytes":
		return map[string]string{"maxLength": value} // in characters: a text never has more of them than bytes
	case "required":
		switch {
		case of.Kind == types.Slice:
			return map[string]string{"minItems": "1"}
		case of == types.String:
			return map[string]string{"minLength": "1"}
		}
	case "format":
		switch value {
		case "k8s-short-name":
			return map[string]string{"maxLength": "63", "pattern": `"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"`}
		case "k8s-long-name":
			return map[string]string{"maxLength": "253"}
		}
	}
	return nil
}
