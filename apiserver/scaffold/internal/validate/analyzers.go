// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"reflect"

	"golang.org/x/tools/go/analysis"
)

const conventions = "https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md"

// Analyzers returns every rule.
func Analyzers() []*analysis.Analyzer {
	finder := &analysis.Analyzer{
		Name:       "apitypes",
		Doc:        "find the types of an API, for the rules",
		Run:        func(pass *analysis.Pass) (any, error) { return find(pass), nil },
		ResultType: reflect.TypeFor[*api](),
	}
	var analyzers []*analysis.Analyzer
	for _, rule := range []rule{
		typeMeta, objectMeta, specStatus, lists, deepCopy,
		jsonTags, documented, fieldNames, optional,
		numbers, times, keyedLists, conditions, enums,
	} {
		analyzers = append(analyzers, rule.analyzer(finder))
	}
	return analyzers
}

// A rule is one thing that the conventions ask for.
type rule struct {
	name    string
	doc     string // what it checks
	section string // anchor in the conventions. Empty for a rule of package builder
	check   func(*api)
}

func (r rule) analyzer(finder *analysis.Analyzer) *analysis.Analyzer {
	url := conventions
	if r.section != "" {
		url += "#" + r.section
	}
	return &analysis.Analyzer{
		Name:     r.name,
		Doc:      r.doc,
		URL:      url,
		Requires: []*analysis.Analyzer{finder},
		Run: func(pass *analysis.Pass) (any, error) {
			found := *pass.ResultOf[finder].(*api)
			found.pass = pass // the finder's own cannot report
			r.check(&found)
			return nil, nil
		},
	}
}
