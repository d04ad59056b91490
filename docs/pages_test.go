// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	repository = ".."
	// vocabulary lists the words of the pages that the dictionary lacks, one on each line, sorted.
	vocabulary = "vocabulary.txt"
)

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	all := pages(t)
	anchors := map[string][]string{}
	for _, page := range all {
		anchors[page.path] = page.anchors()
	}
	for _, page := range all {
		for _, link := range page.links() {
			path, anchor, _ := strings.Cut(link, "#")
			target := page.path
			if path != "" {
				target = filepath.Join(filepath.Dir(page.path), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page.path, link, err)
				continue
			}
			if filepath.Ext(target) == ".md" && anchor != "" && !slices.Contains(anchors[target], anchor) {
				t.Errorf("%s links to %s: the page has no such heading", page.path, link)
			}
		}
	}
}

func TestEveryPageIsInTheIndex(t *testing.T) {
	index := readPage(t, filepath.Join(repository, "docs", "README.md"))
	listed := []string{index.path, filepath.Join(repository, ".github", "pull_request_template.md")}
	for _, link := range index.links() {
		listed = append(listed, filepath.Join(repository, "docs", link))
	}
	for _, page := range pages(t) {
		if !slices.Contains(listed, page.path) {
			t.Errorf("docs/README.md does not list %s", page.path)
		}
	}
}

// TestEveryWordIsKnown asks hunspell for the words that its dictionary of British English lacks. `make test` needs no hunspell,
// `make verify` does.
func TestEveryWordIsKnown(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "hunspell", "-d", "en_GB", "-l").Run(); err != nil {
		t.Skip("make verify checks the spelling: no hunspell with British English: ", err)
	}
	all := pages(t)
	text := ""
	for _, page := range all {
		text += page.prose
	}
	hunspell := exec.CommandContext(t.Context(), "hunspell", "-d", "en_GB", "-i", "utf-8", "-l")
	hunspell.Stdin = strings.NewReader(text)
	out, err := hunspell.Output()
	require.NoError(t, err)
	known := readVocabulary(t)
	unknown := slices.Sorted(slices.Values(strings.Fields(string(out))))
	for _, word := range slices.Compact(unknown) {
		if slices.Contains(known, word) || slices.Contains(known, strings.ToLower(word)) {
			continue
		}
		for _, page := range all {
			if line := page.words[strings.ToLower(word)]; line > 0 {
				t.Errorf("%s:%d: %s: correct it, or add it to docs/%s", page.path, line, word, vocabulary)
			}
		}
	}
}

// TestTheVocabularyIsSortedAndUsed does not ask whether a dictionary lacks the words: dictionaries of other versions differ.
func TestTheVocabularyIsSortedAndUsed(t *testing.T) {
	known := readVocabulary(t)
	if !slices.IsSorted(known) {
		t.Errorf("docs/%s is not sorted: LC_ALL=C sort -o docs/%[1]s docs/%[1]s", vocabulary)
	}
	all := pages(t)
	for i, word := range known {
		if i > 0 && word == known[i-1] {
			t.Errorf("docs/%s has %s twice", vocabulary, word)
		}
		if !slices.ContainsFunc(all, func(page page) bool { return page.words[strings.ToLower(word)] > 0 }) {
			t.Errorf("no page needs %s of docs/%s", word, vocabulary)
		}
	}
}

// TestTheVersionsOfClientsAreThoseOfTheTests compares the page of clients with the modules that its tests require.
func TestTheVersionsOfClientsAreThoseOfTheTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "e2e", "clients", "go.mod"))
	require.NoError(t, err)
	rows := readPage(t, "clients.md").text
	for module, client := range map[string]string{
		"helm.sh/helm/v4":                "| Helm 4 | %s |",
		"sigs.k8s.io/cli-utils":          "| `cli-utils` %s |",
		"github.com/fluxcd/pkg/ssa":      "| pkg/ssa %s,",
		"github.com/yannh/kubeconform":   "[kubeconform](editors.md#check-manifests-in-ci) | %s |",
		"github.com/yuin/gopher-lua":     "`gopher-lua` %s |",
		"k8s.io/client-go":               "| client-go | %s |",
		"sigs.k8s.io/controller-runtime": "| controller-runtime | %s |",
	} {
		version := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(module) + ` v(\S+)$`).FindSubmatch(text)
		if version == nil {
			t.Errorf("e2e/clients/go.mod does not require %s", module)
		} else if row := fmt.Sprintf(client, version[1]); !strings.Contains(rows, row) {
			t.Errorf("docs/clients.md does not contain %q", row)
		}
	}
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	page := page{text: strings.Join([]string{
		"# What's in `status.latestSuccessful`?", "## A [link](x.md), twice", "## A link, twice", "```", "# a comment", "```",
		"| <a id=\"a-row\"></a>symptom |", "### snake_case – and a dash",
	}, "\n")}
	want := []string{"whats-in-statuslatestsuccessful", "a-link-twice", "a-link-twice-1", "a-row", "snake_case--and-a-dash"}
	if got := page.anchors(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

type page struct {
	path  string // relative to this folder
	text  string
	prose string         // what people read as sentences, on the same lines
	words map[string]int // of the prose, in lower case, with the first line of each
}

// pages returns every page that is committed, or would be. git lists them, because go test would take no result from its cache
// after any change of a folder that the tests open themselves, and .git is in the root.
func pages(t *testing.T) []page {
	t.Helper()
	git := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "*.md")
	git.Dir = repository
	out, err := git.Output()
	require.NoError(t, err)
	var pages []page
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		path := filepath.Join(repository, name)
		if _, err := os.Stat(path); os.IsNotExist(err) {
			continue // deleted, which git does not know yet
		}
		pages = append(pages, readPage(t, path))
	}
	return pages
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	p := page{path: path, text: string(text), words: map[string]int{}}
	p.prose = p.withoutBlocks()
	for _, not := range []*regexp.Regexp{tag, codeSpan, target, name} {
		p.prose = not.ReplaceAllStringFunc(p.prose, blank)
	}
	number := 0
	for line := range strings.Lines(p.prose) {
		number++
		for word := range strings.FieldsFuncSeq(strings.ToLower(line), func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' }) {
			if p.words[word] == 0 {
				p.words[word] = number
			}
		}
	}
	return p
}

func readVocabulary(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(vocabulary)
	require.NoError(t, err)
	return strings.Fields(string(text))
}

var (
	codeSpan = regexp.MustCompile("`[^`\n]*`")
	target   = regexp.MustCompile(`\]\(([^)\s]+)\)|(?m:^\[[^\]]+\]: (\S+)$)`)
	tag      = regexp.MustCompile(`(?s)<!--.*?-->|</?[a-z][^>]*>`)
	// name is no word: a path, an identifier, an acronym, a figure with its unit, and the end of a genitive.
	name       = regexp.MustCompile(`\S+[/#]\S+|\w+[.:]\w+|\w+[A-Z0-9_]\w*|\d\w*|'s\b`)
	anchorOfID = regexp.MustCompile(`<a id="([^"]+)">`)
)

// blank returns the ends of lines in a match, so that lines stay.
func blank(match string) string {
	return " " + strings.Repeat("\n", strings.Count(match, "\n"))
}

// withoutBlocks returns the page with an empty line for each line of its fenced blocks.
func (p page) withoutBlocks() string {
	open, text := false, strings.Builder{}
	for line := range strings.Lines(p.text) {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if open || fence {
			line = "\n"
		}
		open = open != fence
		text.WriteString(line)
	}
	return text.String()
}

// links returns the relative links of the page.
func (p page) links() []string {
	var links []string
	for _, found := range target.FindAllStringSubmatch(codeSpan.ReplaceAllStringFunc(p.withoutBlocks(), blank), -1) {
		if link := found[1] + found[2]; !strings.Contains(link, ":") {
			links = append(links, link)
		}
	}
	return links
}

// anchors returns what a link to a place on the page can name, as GitHub makes it of a heading.
func (p page) anchors() []string {
	var anchors []string
	times := map[string]int{}
	for line := range strings.Lines(p.withoutBlocks()) {
		for _, found := range anchorOfID.FindAllStringSubmatch(line, -1) {
			anchors = append(anchors, found[1])
		}
		marks, heading, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.Trim(marks, "#") != "" || len(marks) > 6 {
			continue
		}
		heading = target.ReplaceAllString(heading, "]")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsMark(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, heading)
		if times[anchor]++; times[anchor] > 1 {
			anchor = fmt.Sprintf("%s-%d", anchor, times[anchor]-1)
		}
		anchors = append(anchors, anchor)
	}
	return anchors
}
