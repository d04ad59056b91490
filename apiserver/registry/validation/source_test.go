// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// TestSourcesThatAreRefused has a row for each way in which a source would leak, or fail only when it is fetched. No error repeats credentials.
func TestSourcesThatAreRefused(t *testing.T) {
	const password = "s3cret"
	secret := &v1alpha1.SecretReference{Name: "git"}
	git := func(change func(*v1alpha1.GitSource)) *v1alpha1.Source {
		source := &v1alpha1.GitSource{URL: "https://git.example.com/team/images.git", Ref: "main", Path: "web", SecretRef: secret}
		change(source)
		return &v1alpha1.Source{Git: source}
	}
	url := func(url string) *v1alpha1.Source { return git(func(g *v1alpha1.GitSource) { g.URL = url }) }
	oci := func(repository, tag string) *v1alpha1.Source {
		return &v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: repository, Tag: tag, SecretRef: secret}}
	}
	for name, test := range map[string]struct {
		source *v1alpha1.Source
		want   string // the path of the error and a part of its message; empty: the source is accepted
	}{
		"https":                          {source: url("https://git.example.com/team/images.git")},
		"ssh":                            {source: url("git@git.example.com:team/images.git")},
		"a public repository over http":  {source: git(func(g *v1alpha1.GitSource) { g.URL, g.SecretRef = "http://git.example.com/a", nil })},
		"the default branch":             {source: git(func(g *v1alpha1.GitSource) { g.Ref, g.Path = "", "" })},
		"an artifact":                    {source: oci("registry.lan:5000/team/web", "stable")},
		"credentials in the URL":         {source: url("https://user:" + password + "@git.example.com/a"), want: "spec.source.git.url must have no credentials; write them into the Secret"},
		"a token in the URL":             {source: url("https://" + password + "@git.example.com/a"), want: "spec.source.git.url must have no credentials"},
		"a password of ssh":              {source: url("ssh://git:" + password + "@git.example.com/a"), want: "spec.source.git.url must have no password"},
		"a Secret without encryption":    {source: url("http://git.example.com/a"), want: "spec.source.git.url must be https, because http sends the credentials"},
		"a file":                         {source: url("file:///etc"), want: "spec.source.git.url must begin with https://"},
		"a path":                         {source: url("/etc"), want: "spec.source.git.url must be https://HOST/PATH"},
		"a program":                      {source: url("ext::sh -c id"), want: "spec.source.git.url must have no spaces"},
		"an option":                      {source: url("ssh://-oProxyCommand=id@git.example.com/a"), want: "spec.source.git.url must name a host"},
		"a query with a token":           {source: url("https://git.example.com/a?token=" + password), want: "spec.source.git.url must have no query"},
		"a fragment":                     {source: url("https://git.example.com/a#main"), want: "spec.source.git.url must have no query and no fragment"},
		"a control character in the URL": {source: url("https://git.example.com/a\n" + "b"), want: "spec.source.git.url must have no spaces, control characters"},
		"no URL":                         {source: url(""), want: "spec.source.git.url must be set"},
		"a ref with a control character": {source: git(func(g *v1alpha1.GitSource) { g.Ref = "a\x1b[2J" }), want: "spec.source.git.ref must have no spaces, control characters"},
		"a ref that is an option":        {source: git(func(g *v1alpha1.GitSource) { g.Ref = "--upload-pack=id" }), want: "spec.source.git.ref must be a name that Git allows"},
		"a path out of the tree":         {source: git(func(g *v1alpha1.GitSource) { g.Path = "web/../../b" }), want: "spec.source.git.path must be relative to the repository"},
		"an absolute path":               {source: git(func(g *v1alpha1.GitSource) { g.Path = "/etc" }), want: "spec.source.git.path must be relative to the repository"},
		"a path into .git":               {source: git(func(g *v1alpha1.GitSource) { g.Path = "web/.GIT" }), want: "spec.source.git.path must not be in .git"},
		"a path with a line break":       {source: git(func(g *v1alpha1.GitSource) { g.Path = "a\nb" }), want: "spec.source.git.path must have printable characters only"},
		"a URL of a registry":            {source: oci("https://registry.example.com/team/web", ""), want: "spec.source.oci.repository must be HOST[:PORT]/PATH"},
		"credentials of a registry":      {source: oci("user:"+password+"@registry.example.com/team/web", ""), want: "spec.source.oci.repository must be HOST[:PORT]/PATH"},
		"a tag in the repository":        {source: oci("registry.example.com/team/web:stable", ""), want: "spec.source.oci.repository must be HOST[:PORT]/PATH"},
		"a bad tag":                      {source: oci("registry.example.com/team/web", "a b"), want: "spec.source.oci.tag must be a tag, or a digest"},
	} {
		t.Run(name, func(t *testing.T) {
			errs := validateSource(test.source, field.NewPath("spec", "source"))
			if test.want == "" {
				if len(errs) > 0 {
					t.Errorf("got %v", errs)
				}
				return
			}
			path, message, _ := strings.Cut(test.want, " ")
			if len(errs) != 1 || errs[0].Field != path || !strings.HasPrefix(errs[0].Detail, message) {
				t.Errorf("got %v, want %s", errs, test.want)
			}
			if text := errs.ToAggregate().Error(); strings.Contains(text, password) || strings.ContainsAny(text, "\n\x1b") {
				t.Errorf("the error has credentials or control characters: %q", text)
			}
		})
	}
}

// A build that belongs to no Image needs a commit or a digest, because nobody checks its source.
func TestSourcesOfBuildsWithoutAnImage(t *testing.T) {
	commit, digest := strings.Repeat("a", 40), "sha256:"+strings.Repeat("b", 64)
	git := func(ref string) *v1alpha1.Source {
		return &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a", Ref: ref}}
	}
	oci := func(tag string) *v1alpha1.Source {
		return &v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: "registry.example.com/a", Tag: tag}}
	}
	for name, test := range map[string]struct {
		source *v1alpha1.Source
		want   []string
	}{
		"no source":          {nil, nil},
		"files":              {&v1alpha1.Source{Inline: &v1alpha1.InlineSource{}}, nil},
		"a commit":           {git(commit), nil},
		"a commit, SHA-256":  {git(commit + strings.Repeat("c", 24)), nil},
		"a branch":           {git("main"), []string{"spec.inputs.source.git.ref"}},
		"a short commit":     {git(commit[:39]), []string{"spec.inputs.source.git.ref"}},
		"the default branch": {git(""), []string{"spec.inputs.source.git.ref"}},
		"a digest":           {oci(digest), nil},
		"a tag":              {oci("stable"), []string{"spec.inputs.source.oci.tag"}},
		"the tag latest":     {oci(""), []string{"spec.inputs.source.oci.tag"}},
	} {
		var got []string
		for _, err := range FixedSource(test.source, field.NewPath("spec", "inputs", "source")) {
			got = append(got, err.Field)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got errors of %q, want %q", name, got, test.want)
		}
	}
}
