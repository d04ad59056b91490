// SPDX-License-Identifier: Apache-2.0

// Package validate finds violations of the conventions of Kubernetes APIs, in packages of API types:
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
//
// The rules are those of sigs.k8s.io/kube-api-linter, and a few that it lacks.
package validate

import (
	"fmt"
	"regexp"

	"golang.org/x/tools/go/analysis"
	"sigs.k8s.io/kube-api-linter/pkg/analysis/registry"
	"sigs.k8s.io/kube-api-linter/pkg/config"
	_ "sigs.k8s.io/kube-api-linter/pkg/registration" // every linter
)

// configuration is that of linters whose defaults do not fit an API server that stores protobuf and validates in Go.
var configuration = config.LintersConfig{
	"conditions":     map[string]any{"isFirstField": "Ignore", "useProtobuf": "Ignore"}, // a served version keeps its numbers
	"jsontags":       map[string]any{"fieldNameMatch": "SuggestFix"},
	"optionalfields": map[string]any{"pointers": map[string]any{"preference": "WhenRequired"}},
	"requiredfields": map[string]any{"omitempty": map[string]any{"policy": "Ignore"}, "omitzero": map[string]any{"policy": "Forbid"}}, // a required field is always written
	"namingconventions": map[string]any{"conventions": []map[string]any{{
		"name": "abbreviations", "operation": "Inform", "message": "all letters of an abbreviation have the same case",
		"violationMatcher": "[a-z0-9](Api|Cidr|Cpu|Dns|Gid|Https?|Id|Ip|Json|Os|Pid|Ssh|Tcp|Tls|Ttl|Udp|Uid|Ur[il]|Uuid|Yaml)s?([A-Z]|$)",
	}}},
}

// linters are those that are enabled by default, but for nonpointerstructs: in Go, a struct of optional fields can be required.
var linters = config.Linters{Enable: []string{"namingconventions"}, Disable: []string{"nonpointerstructs"}}

// Exception drops findings of a linter whose message matches a regular expression. Without the name of a linter, it drops findings
// of every linter. Reason tells why the findings are no mistakes.
type Exception struct{ Linter, Message, Reason string }

// exceptions hold for every API.
var exceptions = []Exception{
	{"", `(^|field )[a-z]\w*\.\w`, "a struct that is not exported is part of no API"},
	{"commentstart", `metav1\.(Object|List)Meta`, "the embedded metadata is the same in every kind"},
	{"optionalfields", "has a valid zero value", "an optional field whose zero value means that it is absent needs no pointer, and Go validates what is no marker"},
}

// Analyzers returns every rule, without the findings that are exceptions. It fails if a linter is configured wrongly.
func Analyzers() ([]*analysis.Analyzer, error) {
	analyzers, err := registry.DefaultRegistry().InitializeLinters(linters, configuration)
	if err != nil {
		return nil, fmt.Errorf("configure kube-api-linter: %w", err)
	}
	analyzers = append(analyzers, lists, specStatus, mergeKeys, enums, documented, times)
	for i, analyzer := range analyzers {
		for _, exception := range exceptions {
			if exception.Linter == "" || exception.Linter == analyzer.Name {
				analyzers[i] = without(analyzers[i], regexp.MustCompile(exception.Message))
			}
		}
	}
	return analyzers, nil
}

// without returns an analyzer that drops findings.
func without(analyzer *analysis.Analyzer, message *regexp.Regexp) *analysis.Analyzer {
	filtered := *analyzer
	filtered.Run = func(pass *analysis.Pass) (any, error) {
		inner := *pass
		inner.Report = func(finding analysis.Diagnostic) {
			if !message.MatchString(finding.Message) {
				pass.Report(finding)
			}
		}
		return analyzer.Run(&inner)
	}
	return &filtered
}
