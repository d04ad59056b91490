// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/source"
)

// noise returns text that compresses badly, the same for the same seed.
func noise(seed uint64, size int) string {
	random := rand.New(rand.NewPCG(seed, 0))
	text := make([]byte, size)
	for i := range text {
		text[i] = byte(random.UintN(256))
	}
	return string(text)
}

// read returns the entries of a directory: modes, contents or targets by path.
func read(t testing.TB, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		name, info := strings.TrimPrefix(path, folder+"/"), require.Value(entry.Info())(t)
		switch {
		case entry.IsDir():
			found[name] = info.Mode().String()
		case entry.Type() == fs.ModeSymlink:
			found[name] = "-> " + require.Value(os.Readlink(path))(t)
		default:
			found[name] = info.Mode().String() + " " + string(require.Value(os.ReadFile(path))(t))
		}
		return nil
	}))
	return found
}

func gitSource(url, ref, path string) source.Source {
	return source.Source{Git: &source.Git{URL: url, Ref: ref, Path: path}}
}

// wantError checks the reason of an error, and that its text has each of some texts.
func wantError(t testing.TB, err error, reason string, texts ...string) {
	t.Helper()
	failure, ok := errors.AsType[*source.Error](err)
	if !ok {
		t.Fatalf("got %v, want an error with the reason %s", err, reason)
	}
	if failure.Reason != reason || failure.Temporary != (reason == source.Unavailable) {
		t.Errorf("got the reason %s (temporary: %t), want %s: %v", failure.Reason, failure.Temporary, reason, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in the error: %v", text, err)
		}
	}
}

func TestTheFilesOfACommitAreFetched(t *testing.T) {
	for _, test := range []struct {
		name        string
		ssh, filter bool
	}{
		{name: "https"},
		{name: "https with filters", filter: true},
		{name: "ssh", ssh: true},
		{name: "ssh with filters", ssh: true, filter: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t, "sha1")
			r.git(nil, "config", "uploadpack.allowFilter", fmt.Sprint(test.filter))
			large := noise(1, 100_000)
			commit := r.commit("refs/heads/main", "Build web\n\nSecond line",
				item{name: "README", data: "a"},
				item{name: "large", data: large},
				item{name: "larger", data: large + "more"}, // a delta, as is largest
				item{name: "largest", data: "first" + large + "more"},
				item{name: "web", tree: []item{
					{name: "again", data: large},
					{name: "empty"},
					{name: "link", mode: "120000", data: "../web/run"},
					{name: "run", mode: "100755", data: "#!/bin/sh\n"},
					{name: "same as the link", data: "../web/run"},
				}})
			r.git(nil, "gc", "--quiet")
			var url string
			var o source.Options
			if test.ssh {
				server := serveSSH(r)
				url, o = server.url(), server.options()
			} else {
				url, o = serveTLS(t, r.handler())
			}

			revision := require.Value(source.Resolve(t.Context(), gitSource(url, "main", ""), o))(t)
			want := &source.Revision{ID: "sha1:" + commit, Ref: "refs/heads/main", Summary: "Build web", Time: time.Unix(1700000000, 0).UTC()}
			if diff := cmp.Diff(want, revision); diff != "" {
				t.Errorf("the revision differs: %s", diff)
			}

			web := map[string]string{
				"again": "-rw-r--r-- " + large, "empty": "-rw-r--r-- ", "link": "-> ../web/run", "run": "-rwxr-xr-x #!/bin/sh\n",
				"same as the link": "-rw-r--r-- ../web/run",
			}
			all := map[string]string{
				"README": "-rw-r--r-- a", "large": "-rw-r--r-- " + large, "larger": "-rw-r--r-- " + large + "more",
				"largest": "-rw-r--r-- first" + large + "more", "web": "drwxr-xr-x",
			}
			for name, content := range web {
				all["web/"+name] = content
			}
			folder := t.TempDir()
			tree := require.Value(source.Fetch(t.Context(), gitSource(url, "main", ""), revision.ID, folder, o))(t)
			if diff := cmp.Diff(all, read(t, folder)); diff != "" {
				t.Errorf("the files differ: %s", diff)
			}
			if tree.Files != 8 || tree.Links != 1 || tree.Bytes < 400_000 || tree.Downloaded < 100_000 || tree.Downloaded > 150_000 {
				t.Errorf("got %+v", tree)
			}
			if modified := require.Value(os.Stat(filepath.Join(folder, "web")))(t).ModTime(); !modified.Equal(want.Time) {
				t.Errorf("the directory was modified at %s", modified)
			}

			delete(web, "link") // out of the directory
			_, err := source.Fetch(t.Context(), gitSource(url, "main", "web"), revision.ID, t.TempDir(), o)
			wantError(t, err, source.Unsupported, `the link "link" leads to "../web/run"`)
		})
	}
}

func TestOnlyTheDirectoryIsWritten(t *testing.T) {
	r := newRepository(t, "sha1")
	commit := r.commit("refs/heads/main", "m",
		item{name: "a", tree: []item{{name: "b", tree: []item{{name: "file", data: "wanted"}}}}},
		item{name: "large", data: noise(1, 100_000)},
		item{name: "module", mode: "160000", id: strings.Repeat("1", 40)}, // outside of the directory
	)
	url, o := serveTLS(t, r.handler())
	fetch := func(path string) (string, error) {
		folder := t.TempDir()
		_, err := source.Fetch(t.Context(), gitSource(url, "", path), "sha1:"+commit, folder, o)
		return folder, err
	}
	written := map[string]string{"file": "-rw-r--r-- wanted"}
	if diff := cmp.Diff(written, read(t, require.Value(fetch("./a/b/"))(t))); diff != "" {
		t.Errorf("the files differ: %s", diff)
	}
	o.Limits.File = 50_000 // a server without filters sends the large file, too
	_, err := fetch("a/b")
	wantError(t, err, source.TooLarge, "the commit has a file of 100000 bytes, more than 50000 bytes")
	r.git(nil, "config", "uploadpack.allowFilter", "true")
	if diff := cmp.Diff(written, read(t, require.Value(fetch("a/b"))(t))); diff != "" {
		t.Errorf("the files differ: %s", diff)
	}
	_, err = fetch("")
	wantError(t, err, source.TooLarge, `"large" has more than 50000 bytes`)
}

func TestACommitThatNoRefNames(t *testing.T) {
	r := newRepository(t, "sha1")
	commits := map[string]string{
		"in the history": r.commit("refs/heads/main", "old", item{name: "a", data: "old"}),
		"tagged":         r.commit("refs/heads/other", "tagged", item{name: "a", data: "tagged"}),
		"lost":           r.commit("refs/heads/lost", "lost", item{name: "a", data: "lost"}),
		"far back":       r.commit("refs/heads/long", "far", item{name: "a", data: "far"}),
	}
	r.commit("refs/heads/main", "new", item{name: "a", data: "new"})
	r.git(nil, "tag", "-a", "-m", "annotated", "v1", commits["tagged"])
	r.git(nil, "update-ref", "-d", "refs/heads/other")
	r.git(nil, "update-ref", "-d", "refs/heads/lost")
	var stream strings.Builder
	for i := range 60 {
		_, _ = fmt.Fprintf(&stream, "commit refs/heads/long\ncommitter A <a@example.com> 1700000000 +0000\ndata 1\nm\n")
		if i == 0 {
			_, _ = fmt.Fprintf(&stream, "from refs/heads/long^0\n")
		}
		_, _ = fmt.Fprintf(&stream, "M 644 inline a\ndata <<EOF\n%d\nEOF\n\n", i)
	}
	r.git([]byte(stream.String()), "fast-import", "--quiet")
	tls, https := serveTLS(t, r.handler())
	server := serveSSH(r)
	secure := server.options()
	for _, test := range []struct {
		commit, ref, allow string
		text               string // of the error; empty if the commit is found
	}{
		{commit: "in the history", ref: "main"},
		{commit: "in the history", ref: commits["in the history"]}, // of the default branch
		{commit: "in the history", ref: "main", allow: "allowReachableSHA1InWant"},
		{commit: "far back", ref: "long"},
		{commit: "far back", ref: commits["far back"], allow: "allowReachableSHA1InWant"},
		{commit: "tagged", ref: "v1"},
		{commit: "lost", ref: "lost", text: "does not give this commit"},
		{commit: "lost", ref: "main", text: "it is not in the history of the ref"},
		{commit: "lost", ref: "lost", allow: "allowReachableSHA1InWant", text: "does not give this commit"},
		{commit: "lost", ref: "lost", allow: "allowAnySHA1InWant"},
	} {
		if test.allow != "" {
			r.git(nil, "config", "uploadpack."+test.allow, "true")
		}
		for url, o := range map[string]source.Options{tls: https, server.url(): secure} {
			folder := t.TempDir()
			_, err := source.Fetch(t.Context(), gitSource(url, test.ref, ""), "sha1:"+commits[test.commit], folder, o)
			if test.text != "" {
				wantError(t, err, source.NotFound, test.text)
				continue
			}
			require.NoError(t, err)
			content, _, _ := strings.Cut(test.commit, " ")
			if got := read(t, folder)["a"]; got != "-rw-r--r-- "+map[string]string{"in": "old", "far": "far", "tagged": "tagged", "lost": "lost"}[content] {
				t.Errorf("%+v: got %s", test, got)
			}
		}
		if test.allow != "" {
			r.git(nil, "config", "--unset", "uploadpack."+test.allow)
		}
	}

	// The message of such a commit is known only if the server gives commits by their IDs, and a history is limited.
	pinned := gitSource(server.url(), commits["in the history"], "")
	revision := require.Value(source.Resolve(t.Context(), pinned, secure))(t)
	if *revision != (source.Revision{ID: "sha1:" + commits["in the history"]}) {
		t.Errorf("got %+v", revision)
	}
	secure.Limits.Entries = 2
	_, err := source.Fetch(t.Context(), pinned, revision.ID, t.TempDir(), secure)
	wantError(t, err, source.NotFound, "the history of the ref is too large (the commit has 6 objects")
}

func TestRepositoriesOfSHA256(t *testing.T) {
	r := newRepository(t, "sha256")
	r.commit("refs/heads/main", "m", item{name: "a"})
	url, o := serveTLS(t, r.handler())
	_, err := source.Resolve(t.Context(), gitSource(url, "", ""), o)
	wantError(t, err, source.Unsupported, "repositories of SHA-256 are not supported")
	server := serveSSH(r)
	_, err = source.Resolve(t.Context(), gitSource(server.url(), "", ""), server.options())
	wantError(t, err, source.Unsupported, "repositories of SHA-256 are not supported")
	_, err = source.Fetch(t.Context(), gitSource(url, "", ""), "sha256:"+strings.Repeat("1", 64), t.TempDir(), o)
	wantError(t, err, source.Unsupported, "of SHA-1")
}

func TestARefNamesACommit(t *testing.T) {
	r := newRepository(t, "sha1")
	first := r.commit("refs/heads/main", "first", item{name: "a"})
	second := r.commit("refs/heads/feature/x", "second", item{name: "a", data: "2"})
	r.git(nil, "tag", "-a", "-m", "annotated", "v1", first)
	r.git(nil, "tag", "-a", "-m", "of a tag", "v1-again", "v1")
	r.git(nil, "update-ref", "refs/heads/both", first)
	r.git(nil, "update-ref", "refs/tags/both", second)
	r.git(nil, "update-ref", "refs/heads/main-2", second) // main is its prefix
	r.git(nil, "update-ref", "refs/pull/1/head", second)
	r.git(nil, "tag", "files", r.tree(item{name: "a"}))
	r.git(nil, "config", "uploadpack.allowReachableSHA1InWant", "true")
	url, o := serveTLS(t, r.handler())
	for _, test := range []struct {
		ref, name, commit string
		reason, text      string
	}{
		{ref: "", name: "refs/heads/main", commit: first},
		{ref: "HEAD", name: "refs/heads/main", commit: first},
		{ref: "main", name: "refs/heads/main", commit: first},
		{ref: "feature/x", name: "refs/heads/feature/x", commit: second},
		{ref: "refs/pull/1/head", name: "refs/pull/1/head", commit: second},
		{ref: "v1", name: "refs/tags/v1", commit: first},
		{ref: "v1-again", name: "refs/tags/v1-again", commit: first},
		{ref: "refs/tags/both", name: "refs/tags/both", commit: second},
		{ref: second, name: "", commit: second},
		{ref: "both", reason: source.Unsupported, text: "refs/heads/both or refs/tags/both"},
		{ref: "mai", reason: source.NotFound, text: "no ref refs/heads/mai or refs/tags/mai"},
		{ref: "files", reason: source.Unsupported, text: "leads to a tree"},
		{ref: strings.Repeat("1", 40), reason: source.NotFound, text: "does not give this commit"},
		{ref: strings.Repeat("1", 64), reason: source.Unsupported, text: "SHA-256"},
		{ref: first[:12], reason: source.NotFound, text: "give all 40 digits of a commit: an abbreviated one is not resolved"},
	} {
		revision, err := source.Resolve(t.Context(), gitSource(url, test.ref, ""), o)
		if test.reason != "" {
			wantError(t, err, test.reason, test.text)
			continue
		}
		require.NoError(t, err)
		if revision.Ref != test.name || revision.ID != "sha1:"+test.commit {
			t.Errorf("%s: got %+v", test.ref, revision)
		}
	}
	r.git(nil, "update-ref", "refs/heads/feature/x", first) // backwards
	back := require.Value(source.Resolve(t.Context(), gitSource(url, "feature/x", ""), o))(t)
	if back.ID != "sha1:"+first || back.Summary != "first" {
		t.Errorf("got %+v", back)
	}

	empty := newRepository(t, "sha1")
	url, o = serveTLS(t, empty.handler())
	_, err := source.Resolve(t.Context(), gitSource(url, "", ""), o)
	wantError(t, err, source.NotFound, "no default branch, or no commit")
	server := serveSSH(empty)
	_, err = source.Resolve(t.Context(), gitSource(server.url(), "", ""), server.options())
	wantError(t, err, source.NotFound, "no default branch, or no commit")
}

func TestAMessageIsShownInItsEncoding(t *testing.T) {
	r := newRepository(t, "sha1")
	url, o := serveTLS(t, r.handler())
	for _, test := range []struct{ encoding, message, want string }{
		{"ISO-8859-1", "Gr\xfc\xdfe aus K\xf6ln\nmore", "Grüße aus Köln"},
		{"latin1", "Gr\xfc\xdfe", "Grüße"},
		{"KOI8-R", "\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"},
		{"", "Grüße", "Grüße"},
		{"", "Gr\xfc\xdfe \x1b[31m", "Gr\uFFFD\uFFFDe  [31m"},
		{"no-such-encoding", "Gr\xfc\xdfe", "Gr\uFFFDe"},
	} {
		encoding := ""
		if test.encoding != "" {
			encoding = "encoding " + test.encoding + "\n"
		}
		const person = "A <a@example.com> 1700000000 +0100\n"
		commit := r.git([]byte("tree "+r.tree(item{name: "a"})+"\nauthor "+person+"committer "+person+encoding+"\n"+test.message), "hash-object", "-w", "--stdin", "-t", "commit")
		r.git(nil, "update-ref", "refs/heads/main", commit)
		if got := require.Value(source.Resolve(t.Context(), gitSource(url, "", ""), o))(t).Summary; got != test.want {
			t.Errorf("%q in %q: got %q", test.message, test.encoding, got)
		}
	}
}

func TestAURLCanHaveAPercentSign(t *testing.T) {
	r := newRepository(t, "sha1")
	commit := r.commit("refs/heads/main", "m", item{name: "a"})
	moved := filepath.Join(filepath.Dir(r.folder), "100% a%41 b.git")
	require.NoError(t, os.Rename(r.folder, moved))
	r.folder = moved
	url, o := serveTLS(t, r.handler())
	url = strings.TrimSuffix(url, "images.git") + "100%25%20a%2541%20b.git"
	revision := require.Value(source.Resolve(t.Context(), gitSource(url, "", ""), o))(t)
	if want := (source.Revision{ID: "sha1:" + commit, Ref: "refs/heads/main", Summary: "m", Time: time.Unix(1700000000, 0).UTC()}); *revision != want {
		t.Errorf("got %+v", revision)
	}
	require.Value(source.Fetch(t.Context(), gitSource(url, "", ""), revision.ID, t.TempDir(), o))(t)
}

func TestTreesThatCannotBeWritten(t *testing.T) {
	r := newRepository(t, "sha1")
	link := func(name, target string) item { return item{name: name, mode: "120000", data: target} }
	small := source.Limits{Entries: 3, File: 1000, Written: 1500}
	for _, test := range []struct {
		name   string
		path   string
		items  []item
		limits source.Limits
		reason string // empty if the tree is written
		text   string
	}{
		{name: "a submodule", items: []item{{name: "a", tree: []item{{name: "module", mode: "160000", id: strings.Repeat("1", 40)}}}}, reason: source.Unsupported, text: `"a/module" is a submodule`},
		{name: "Git LFS", items: []item{{name: "disk.img", data: "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"}}, reason: source.Unsupported, text: `"disk.img" is a pointer of Git LFS`},
		{name: "an absolute link", items: []item{link("a", "/etc/passwd")}, reason: source.Unsupported, text: `the link "a" leads to "/etc/passwd"`},
		{name: "a link out of the tree", items: []item{{name: "d", tree: []item{link("a", "../../x")}}}, reason: source.Unsupported, text: `the link "d/a"`},
		{name: "a link out of the tree through a link", items: []item{link("a", "d/up"), {name: "d", tree: []item{link("up", "..")}}, link("x", "a/../x")}, reason: source.Unsupported, text: `the link "x"`},
		{name: "links in the tree", items: []item{link("a", "d/up/d"), {name: "d", tree: []item{link("up", "..")}}, link("nowhere", "missing/file"), link("x", "a/up/x")}},
		{name: "a link out of the tree through a link in another case", items: []item{link("x", "ä/../y"), link("Ä", ".")}, reason: source.Unsupported, text: `the link "x" leads to "ä/../y"`},
		{name: "links that differ in case", items: []item{link("README", "readme"), {name: "readme"}, {name: "xt_MARK.c"}, {name: "xt_mark.c"}, link("xt_Mark.c", "xt_mark.c")}},
		{name: "an empty link", items: []item{link("a", "")}, reason: source.Unsupported, text: `the link "a"`},
		{name: "a long link", items: []item{link("a", strings.Repeat("a", 5000))}, reason: source.Unsupported, text: `the link "a"`},
		{name: ".git", items: []item{{name: "d", tree: []item{{name: ".git", tree: []item{{name: "config"}}}}}}, reason: source.Unsupported, text: `"d/.git"`},
		{name: ".GIT", items: []item{{name: ".GIT", data: "gitdir: x"}}, reason: source.Unsupported, text: `".GIT"`},
		{name: "strange names", items: []item{{name: "A"}, {name: "a"}, {name: "a\\b"}, {name: "git~1"}, {name: "\xff\n"}}},
		{name: "the parent", items: []item{{name: "..", tree: []item{{name: "x"}}}}, reason: source.Unsupported, text: `".."`},
		{name: "a slash", items: []item{{name: "a/../../b"}}, reason: source.Unsupported, text: `"a/../../b"`},
		{name: "a long name", items: []item{{name: strings.Repeat("a", 256)}}, reason: source.Unsupported, text: "too long"},
		{name: "the same name twice", items: []item{{name: "a", data: "1"}, {name: "a", data: "2"}}, reason: source.Unsupported, text: `"a" exists twice`},
		{name: "a link that becomes a directory", items: []item{link("a", "d"), {name: "a", tree: []item{{name: "x"}}}, {name: "d", tree: []item{{name: "y"}}}}, reason: source.Unsupported, text: `"a" exists twice`},
		{name: "a device", items: []item{{name: "a", mode: "20000"}}, reason: source.Unsupported, text: `"a" is a submodule`},
		{name: "a path that is missing", path: "b", items: []item{{name: "a", tree: []item{{name: "x"}}}}, reason: source.NotFound, text: `no directory "b"`},
		{name: "a path of a file", path: "a/x", items: []item{{name: "a", tree: []item{{name: "x"}}}}, reason: source.NotFound, text: `"x", which is no directory`},
		{name: "a path of a link", path: "l", items: []item{{name: "a", tree: []item{{name: "x"}}}, link("l", "a")}, reason: source.NotFound, text: `"l", which is no directory`},
		{name: "a large file", limits: small, items: []item{{name: "a", data: noise(1, 1001)}}, reason: source.TooLarge, text: "a file of 1001 bytes, more than 1000 bytes"},
		{name: "large files", limits: small, items: []item{{name: "a", data: noise(1, 1000)}, {name: "b", data: noise(2, 1000)}}, reason: source.TooLarge, text: "more than 1500 bytes"},
		{name: "many files", limits: small, items: []item{{name: "a"}, {name: "b"}, {name: "c"}, {name: "d"}}, reason: source.TooLarge, text: "more than 3 files"},
		{name: "many objects", limits: source.Limits{Entries: 2}, items: []item{{name: "a", data: "1"}, {name: "b", data: "2"}, {name: "c", data: "3"}, {name: "d", data: "4"}}, reason: source.TooLarge, text: "6 objects, more than 4"},
		{name: "compressed files", limits: source.Limits{Written: 1000}, items: []item{{name: "a", data: strings.Repeat("a", 5000)}}, reason: source.TooLarge, text: "4000 bytes"},
		{name: "a large download", limits: source.Limits{Download: 1000}, items: []item{{name: "a", data: noise(1, 5000)}}, reason: source.TooLarge, text: "sends more than 1000 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			commit := r.commit("refs/heads/main", "m", test.items...)
			url, o := serveTLS(t, r.handler())
			o.Limits = test.limits
			outside := t.TempDir()
			folder := filepath.Join(outside, "a", "b")
			require.NoError(t, os.MkdirAll(folder, 0o755))
			_, err := source.Fetch(t.Context(), gitSource(url, "", test.path), "sha1:"+commit, folder, o)
			if test.reason == "" {
				require.NoError(t, err)
			} else {
				wantError(t, err, test.reason, test.text)
			}
			if entries := require.Value(filepath.Glob(outside + "/*/*"))(t); len(entries) != 1 {
				t.Errorf("files were written outside of the directory: %v", entries)
			}
			if _, err := os.Lstat(filepath.Join(folder, ".git")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the directory has .git: %v", err)
			}
		})
	}
}

func TestAContextEndsAFetch(t *testing.T) {
	r := newRepository(t, "sha1")
	r.commit("refs/heads/main", "m", item{name: "a"})
	url, o := serveTLS(t, r.handler())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.Resolve(ctx, gitSource(url, "", ""), o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
