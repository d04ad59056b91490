// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheDocumentsOfADirectoryAreRead(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	path := func(name string) string { return filepath.Join(directory, name) }
	require.NoError(t, os.MkdirAll(path("below"), 0o700))
	for name, content := range map[string]string{
		"b.yaml": "b", "a.yaml": "a", ".a.yaml": "hidden", "a.yaml~": "editor", "notes.txt": "no document", "below/c.yaml": "c",
		"large.yaml": strings.Repeat("x", 1<<20+1), "full.yaml": strings.Repeat("x", 1<<20), "latin.yaml": "\xff",
	} {
		require.NoError(t, os.WriteFile(path(name), []byte(content), 0o600))
	}
	require.NoError(t, os.Mkdir(path("directory.yaml"), 0o700))
	require.NoError(t, unix.Mkfifo(path("pipe.yaml"), 0o600))
	require.NoError(t, os.Symlink("gone", path("link.yaml")))
	files, problems := Place{Path: directory, MaxMiB: 1}.Read()
	var got []string
	for _, file := range files {
		got = append(got, fmt.Sprintf("%s %d", filepath.Base(file.Path), len(file.Content)))
	}
	for _, problem := range problems {
		got = append(got, strings.TrimPrefix(problem.Error(), directory+"/"))
	}
	want := `a.yaml 1
b.yaml 1
full.yaml 1048576
directory.yaml: it is not a regular file
large.yaml: it is larger than 1 MiB
latin.yaml: it is not UTF-8
link.yaml: no such file or directory
pipe.yaml: it is not a regular file`
	if got := strings.Join(got, "\n"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for _, optional := range []bool{true, false} {
		if files, problems := (Place{Path: path("gone.yaml"), Optional: optional, MaxMiB: 1}).Read(); len(files) != 0 || (len(problems) == 0) != optional {
			t.Errorf("a missing file, optional %t: %v %v", optional, files, problems)
		}
	}
}

func TestAFileHasDocumentsThatBeginAtLines(t *testing.T) {
	t.Parallel()
	content := `# comment
---
a: 1
--- # next
b: {
...
---x: 1
--- text
c: 1
c: 2
`
	var got []string
	for _, document := range Split([]byte(content)) {
		text, err := document.JSON()
		got = append(got, fmt.Sprintf("%d %s %v", document.Line, text, err))
	}
	want := `1 null <nil>
3 {"a":1} <nil>
5  yaml: line 5: did not find expected node content: correct the file
7 {"---x":1} <nil>
8  text follows the separator: write it in the next line`
	if got := strings.Join(got, "\n"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if _, err := (Document{Line: 3, Text: []byte("c: 1\nc: 2\n")}).JSON(); err == nil || !strings.Contains(err.Error(), `line 4: key "c" already set in map`) {
		t.Errorf("a field that is set twice: %v", err)
	}
}
