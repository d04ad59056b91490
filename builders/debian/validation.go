// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const reasonInput = "InvalidInput"

// parameterPath is the path of the parameters in the input of the builder.
var parameterPath = field.NewPath("parameters")

// Check returns why the builder refuses its input, or nil. It needs neither the tools nor the network.
func Check(getenv func(string) string) *result.Failure {
	input, err := readInput(getenv(render.EnvInput))
	switch {
	case err != nil:
	case input.Probe != nil:
		err = checkProbe(input.Probe)
	default:
		_, err = newConfiguration(input)
	}
	if err == nil {
		return nil
	}
	return failureOf(err)
}

// inputError returns the failure for what the user of the image must correct, or nil.
func inputError(problems field.ErrorList) error {
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, len(problems))
	for i, problem := range problems {
		texts[i] = problem.Error()
	}
	return fail(reasonInput, "%s", strings.Join(texts, "; "))
}

// checkInput returns what is wrong with an input, except for its users. The server has checked most of it, too, but a builder in a cluster may be
// registered without its document, and files can be those of a ConfigMap.
func checkInput(input *render.Input) field.ErrorList {
	capabilities := Capabilities()
	var problems field.ErrorList
	if input.Base.Image == "" {
		problems = capabilities.CheckBase(Name, v1alpha1.Base{Reference: input.Base.Reference}, field.NewPath("base"))
	}
	users := capabilities.Parameters.Properties[paramUsers]
	users.ContentSchema = nil // readUsers checks more
	capabilities.Parameters.Properties[paramUsers] = users
	for _, name := range slices.Sorted(maps.Keys(input.Parameters)) {
		for _, problem := range capabilities.CheckValues(Name, []v1alpha1.Parameter{{Name: name, Value: input.Parameters[name]}}, parameterPath) {
			problem.Field = parameterPath.Key(name).String() // they are a list only in the API
			problems = append(problems, problem)
		}
	}
	problems = append(problems, checkMirrors(input)...)
	problems = append(problems, contradictions(input, paramPackages, func(item string) (name, declared string) {
		name, declared, _ = strings.Cut(item, "=")
		return name, declared
	})...)
	problems = append(problems, contradictions(input, paramServices, func(item string) (name, declared string) {
		name = strings.TrimSuffix(strings.TrimPrefix(item, "-"), ".service")
		return name, strings.TrimSuffix(strings.TrimSuffix(item, ".service"), name)
	})...)
	problems = append(problems, capabilities.CheckFiles(Name, input.Files, field.NewPath("files"))...)
	return append(problems, capabilities.CheckTargets(Name, input.BuildTargets(), field.NewPath("targets"))...)
}

// checkMirrors returns what the forms of the parameters of mirrors do not tell.
func checkMirrors(input *render.Input) field.ErrorList {
	var problems field.ErrorList
	for _, name := range []string{paramMirror, paramSecurityMirror, paramMachineMirror, paramMachineSecurityMirror} {
		value := input.Parameters[name]
		// A text with @ is refused by its form. The error would repeat a part of the password.
		if _, err := url.Parse(value); err != nil && !strings.Contains(value, "@") {
			problems = append(problems, field.Invalid(parameterPath.Key(name), value, "must be a URL: "+cause(err).Error()))
		}
		replaced := name == paramMirror || name == paramSecurityMirror
		if replaced && value != "" && input.Parameters[paramSnapshot] != "" {
			problems = append(problems, field.Forbidden(parameterPath.Key(name), "remove it or "+paramSnapshot+", which replaces it"))
		}
	}
	if at := input.Parameters[paramSnapshot]; at != "" {
		if _, err := time.Parse("20060102T150405Z", at); err != nil {
			problems = append(problems, field.Invalid(parameterPath.Key(paramSnapshot), at, "must be a time that there is, such as 20260901T000000Z"))
		}
	}
	return problems
}

// contradictions returns an error for each item of a list that declares something else about the same name than an item before it.
func contradictions(input *render.Input, parameter string, read func(item string) (name, declared string)) field.ErrorList {
	var problems field.ErrorList
	before := map[string]string{}
	for _, item := range items(input, parameter) {
		name, declared := read(item)
		if other, found := before[name]; found && other != declared {
			problems = append(problems, field.Invalid(parameterPath.Key(parameter), item, "contradicts another item about "+name+": remove one of them"))
		}
		before[name] = declared
	}
	return problems
}
