// SPDX-License-Identifier: Apache-2.0

package advisories_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

// zipped is a zip archive of files: name and content, one after the other.
func zipped(t *testing.T, files ...string) *bytes.Reader {
	t.Helper()
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	for i := 0; i < len(files); i += 2 {
		require.Value(require.Value(writer.Create(files[i]))(t).Write([]byte(files[i+1])))(t)
	}
	require.NoError(t, writer.Close())
	return bytes.NewReader(archive.Bytes())
}

func TestFormatsAreRecognised(t *testing.T) {
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	require.Value(writer.Write([]byte(tracker)))(t)
	require.NoError(t, writer.Close())
	for name, c := range map[string]struct {
		content *bytes.Reader
		format  string
		entries int
	}{
		"tracker":             {bytes.NewReader([]byte(tracker)), advisories.FormatDebianTracker, 12},
		"tracker, compressed": {bytes.NewReader(compressed.Bytes()), advisories.FormatDebianTracker, 12},
		"a byte order mark":   {bytes.NewReader([]byte("\xef\xbb\xbf \n" + tracker)), advisories.FormatDebianTracker, 12},
		"one entry of OSV":    {bytes.NewReader([]byte(dsa)), advisories.FormatOSV, 1},
		"lines of OSV":        {bytes.NewReader([]byte(dsa + "\n" + npm + "\n\n" + ranges + "\n")), advisories.FormatOSV, 3},
		"an array of OSV":     {bytes.NewReader([]byte("[" + dsa + "," + npm + "]\n")), advisories.FormatOSV, 2},
		"an archive of OSV":   {zipped(t, "DSA-1.json", dsa, "README.md", "text", "GHSA.json", npm), advisories.FormatOSV, 2},
		"OpenVEX":             {bytes.NewReader([]byte(vex(""))), advisories.FormatOpenVEX, 1},
		"OpenVEX documents":   {bytes.NewReader([]byte(vex(said(`{"@id": "pkg:deb/debian/a"}`)) + vex(""))), advisories.FormatOpenVEX, 2},
	} {
		set, err := advisories.ReadFile(c.content, c.content.Size())
		if err != nil || set.Format != c.format || set.Entries != c.entries || set.Skipped != 0 {
			t.Errorf("%s: got %+v, %v", name, set, err)
		}
	}
}

func TestWhatIsNoAdvisoryIsRefused(t *testing.T) {
	entry := func(extra string) string { return `{"id": "CVE-2026-1", ` + extra + `}` }
	for name, c := range map[string]struct{ content, want string }{
		"empty":                        {"", "it is empty, must be the JSON of Debian's security tracker"},
		"a page":                       {"<!DOCTYPE html><title>502</title>", `it begins with "<!DOCTYPE html><titl", must be`},
		"a number":                     {"42", `it begins with "42"`},
		"null":                         {"null", `it begins with "null"`},
		"an empty object":              {"{}", "there is no advisory in it"},
		"an empty array":               {"[]", "there is no advisory in it"},
		"an array of numbers":          {"[1]", `it begins with "[1]"`},
		"an array of something else":   {`[{"name": "x"}]`, `its first entry begins with the field "name"`},
		"sources without entries":      {`{"a": {}}`, "there is no advisory in it"},
		"another object":               {`{"kind": "Image"}`, "are no JSON of a known format, at byte 16: source package \"kind\": found Image, must be an object"},
		"not in UTF-8":                 {"\xff\xfe{\x00", "it begins with"},
		"only entries that make none":  {`{"id": ""}`, `there is no advisory in it: 1 entries make no sense, the first: an entry has the id ""`},
		"truncated":                    {tracker[:len(tracker)-100], "the advisories end in the middle of an entry, after"},
		"truncated in an array":        {"[" + dsa, "the advisories end in the middle of an entry"},
		"more after the object":        {tracker + "x", "there is more after the end of the object"},
		"a second object":              {tracker + tracker, "there is more after the end of the object"},
		"more after the array":         {"[" + dsa + "]" + dsa, "there is more after the end of the array"},
		"deep nesting of an entry":     {entry(`"affected": ` + strings.Repeat("[", 1_000_000)), "exceeded max depth"},
		"deep nesting of ignored text": {entry(`"references": ` + strings.Repeat(`{"a":`, 1_000_000)), "exceeded max depth"},
		"deep nesting in the tracker":  {`{"a": {"CVE-2026-1": ` + strings.Repeat(`{"a":`, 1_000_000), "exceeded max depth"},
		"an endless text":              {entry(`"details": "` + strings.Repeat("x", 9<<20) + `"`), "an entry has more than 8 MiB"},
		"an endless name":              {`{"` + strings.Repeat("x", 9<<20) + `": {}}`, "it is no JSON"},
		"an endless list":              {entry(`"affected": [` + strings.Repeat("{},", 100_001) + `{}]`), "an entry has a list of more than 100000 items"},
		"an endless ID":                {`{"a": {"` + strings.Repeat("x", 9<<20) + `": {}}}`, "an entry has more than 8 MiB"},
		"another format than before":   {dsa + vex(""), ""},
	} {
		set, err := advisories.Read(strings.NewReader(c.content))
		if c.want == "" {
			if err != nil || set.Entries != 1 || set.Skipped != 1 {
				t.Errorf("%s: got %+v, %v", name, set, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestEntriesThatCannotBeReadAreCounted(t *testing.T) {
	const good = `{"id": "CVE-2026-1", "affected": [{"package": {"ecosystem": "Debian:13", "name": "good"}, "versions": ["1"]}]}`
	affected := func(text string) string { return `{"id": "CVE-2026-2", "affected": [` + text + `]}` }
	for name, c := range map[string]struct{ content, want string }{
		"no ID":                        {`{"summary": "x"}` + good, `an entry has the id ""`},
		"a NUL in the ID":              {`{"id": "CVE\u0000"}` + good, `an entry has the id "CVE"`},
		"an ID of a megabyte":          {`{"id": "` + strings.Repeat("x", 1<<20) + `"}` + good, "an entry has the id"},
		"many aliases":                 {`{"id": "CVE-2026-2", "aliases": ["` + strings.Repeat(`a","`, 2000) + `a"]}` + good, "CVE-2026-2 has more than 2000 aliases"},
		"a number as ID":               {`{"id": 7}` + good, "cannot unmarshal number"},
		"affected is a text":           {`{"id": "CVE-2026-2", "affected": "all"}` + good, "cannot unmarshal string"},
		"a package without a name":     {affected(`{"package": {"ecosystem": "Debian:13"}, "versions": ["1"]}`) + good, `CVE-2026-2 affects the package "" of Debian`},
		"a version that is no version": {affected(`{"package": {"ecosystem": "Debian:13", "name": "a"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "!"}]}]}`) + good, `CVE-2026-2 has an event with the version "!"`},
		"a tracked text":               {`{"a": {"CVE-2026-1": {"releases": {"trixie": {"status": "open"}}}, "CVE-2026-2": "x"}}`, "CVE-2026-2 of a: json: cannot unmarshal string"},
		"a tracked version": {`{"a": {"CVE-2026-1": {"releases": {"trixie": {"status": "resolved", "fixed_version": "1:2:!"}}}}}`,
			`CVE-2026-1 of a in trixie is "resolved", fixed in "1:2:!"`},
		"a tracked status": {`{"a": {"CVE-2026-1": {"releases": {"trixie": {"status": "<none>"}}}}}`, `CVE-2026-1 of a in trixie is "<none>"`},
		"a tracked ID":     {`{"a": {"CVE\u001b": {}, "CVE-2026-1": {}}}`, `"CVE\x1b" of "a" is no ID`},
		"a document":       {vex("") + `{"@context": "https://example.com"}`, `a document has the @context "https://example.com"`},
		"a status":         {vex(`{"vulnerability": {"name": "CVE-1"}, "products": ["pkg:npm/a"], "status": "safe"}`), `about "CVE-1" of https://example.com/vex/1 has the status "safe"`},
		"no vulnerability": {vex(`{"products": ["pkg:npm/a"], "status": "fixed"}`), `about "" of https://example.com/vex/1 has no name of a vulnerability`},
		"a product":        {vex(`{"vulnerability": {"name": "CVE-1"}, "products": ["web", "pkg:npm/a%zz", "pkg:npm"], "status": "fixed"}`), `has the product "web", which is no package URL`},
		"subcomponents":    {vex(`{"vulnerability": {"name": "CVE-1"}, "products": [{"@id": "pkg:oci/a", "subcomponents": ["libfoo"]}], "status": "fixed"}`), "has only subcomponents that are no package URLs"},
	} {
		set, err := advisories.Read(strings.NewReader(c.content))
		if err != nil || set.Skipped == 0 || !strings.Contains(set.Problem, c.want) || len(set.Problem) > v1alpha1.MaxMessageBytes {
			t.Errorf("%s: got %+v, %v", name, set, err)
		}
	}
}

func TestArchivesCannotBeBombs(t *testing.T) {
	bomb := zipped(t, "a.json", `{"id": "CVE-2026-1", "details": "`+strings.Repeat("x", 20<<20)+`"}`)
	var many []string
	for i := range 40_000 {
		many = append(many, fmt.Sprintf("%01000d.json", i), "")
	}
	damaged := zipped(t, "a.json", dsa)
	content := require.Value(io.ReadAll(damaged))(t)
	content[60] ^= 1
	for name, c := range map[string]struct {
		archive *bytes.Reader
		want    string
	}{
		"a long entry":     {bomb, "a.json in the zip archive: an entry has more than 8 MiB"},
		"a long directory": {zipped(t, many...), "it has more than 32 MiB: use the archive of one distribution"},
		"damaged":          {bytes.NewReader(content), "a.json in the zip archive: read the advisories: "},
		"truncated":        {bytes.NewReader(content[:len(content)-10]), "read the directory of the zip archive: "},
		"an empty entry":   {zipped(t, "a.json", ""), "a.json in the zip archive: it is empty"},
		"no entries":       {zipped(t, "a.txt", "x"), "there is no advisory in it"},
		"two formats":      {zipped(t, "a.json", dsa, "b.json", vex("")), "the first entry is of the format OSV, a later one is of OpenVEX: use a source for each format"},
	} {
		if _, err := advisories.ReadFile(c.archive, c.archive.Size()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if _, err := advisories.ReadFile(bomb, advisories.MaxZipBytes+1); err == nil || !strings.Contains(err.Error(), "more than 512 MiB") {
		t.Errorf("a large archive: %v", err)
	}
}

func TestMemoryAndSizeAreLimited(t *testing.T) {
	content := string(trackerOf(10, 1000, 1000))
	for name, c := range map[string]struct {
		memory, size, entry int64
		want                string
	}{
		"memory": {100 << 10, 1 << 30, 1 << 20, "advisories need more than 512 MiB of memory: use those of one distribution"},
		"size":   {1 << 30, 100 << 10, 1 << 20, "advisories have more than 4 GiB: use those of one distribution"},
		"entry":  {1 << 30, 1 << 30, 500, "an entry has more than 8 MiB"},
	} {
		if _, err := advisories.ReadWithin(strings.NewReader(content), c.memory, c.size, c.entry); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	releases := make([]string, 100_000)
	for i := range releases {
		releases[i] = fmt.Sprintf(`"r%d": {"status": "undetermined"}`, i)
	}
	for name, content := range map[string]string{
		"releases":   `{"a": {"CVE-2026-1": {"releases": {` + strings.Join(releases, ",") + `}}}}`,
		"statements": vex(said(strings.Repeat(`{"@id": "pkg:deb/debian/expat"},`, 100_000) + `{"@id": "pkg:deb/debian/expat"}`)),
		"versions": `{"id": "CVE-2026-1", "affected": [{"package": {"ecosystem": "Debian:13", "name": "a"}, "versions": ["` +
			strings.Repeat(`1","`, 500_000) + `1"]}]}`,
	} {
		if _, err := advisories.ReadWithin(strings.NewReader(content), 4<<20, 1<<30, 64<<20); err == nil || !strings.Contains(err.Error(), "of memory") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAnErrorOfTheFileIsToldAsSuch(t *testing.T) {
	broken := io.MultiReader(strings.NewReader(tracker[:len(tracker)/2]+strings.Repeat(" ", 100<<10)), &failing{})
	if _, err := advisories.Read(broken); err == nil || err.Error() != "read the advisories: input/output error" {
		t.Errorf("got %v", err)
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errors.New("input/output error") }

func TestDescriptionsAreOneLineOfPrintableCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"two\nlines \u202eand\ttabs\u0000": "two lines and tabs",
		strings.Repeat("é", 1000):          strings.Repeat("é", advisories.MaxDescription-1) + "…",
		strings.Repeat("漢", 1000):          strings.Repeat("漢", advisories.MaxDescription-1) + "…",
		"":                                 "",
	} {
		entry := fmt.Sprintf(`{"id": "CVE-2026-1", "details": %q, "affected": [{"package": {"ecosystem": "Debian:13", "name": "a"}, "versions": ["1"]}]}`, text)
		entry = strings.ReplaceAll(entry, `\x00`, `\u0000`)
		got := advisories.Match(read(t, entry), advisories.Subject{Locks: []*v1alpha1.Lock{lockOf("debian 13", "a 1")}}).Items[0].Description
		if got != want || utf8.RuneCountInString(got) > advisories.MaxDescription {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{tracker, debianCVE, dsa + npm, "[" + ranges + "]", listed, vex(said(`{"@id": "pkg:generic/a/b", "subcomponents": ["pkg:npm/a"]}`))} {
		f.Add([]byte(text))
	}
	subject := advisories.Subject{Namespace: "a", Image: "b", Locks: []*v1alpha1.Lock{
		lockOf("debian 13", "openssl 3.5.4-1~deb13u1", "expat 2.5.0-1"), lockOf("alpine 3.22.1", "musl 1.2.5-r8"), ofOthers("pkg:npm/a@1", "pkg:deb/debian/pad@1:2.1?distro=trixie"),
	}}
	f.Fuzz(func(t *testing.T, content []byte) {
		set, err := advisories.Read(bytes.NewReader(content))
		if err != nil {
			return
		}
		result := advisories.Match([]*advisories.Set{set}, subject)
		if len(result.Unmatched) == 0 || !v1alpha1.Printable(strings.Join(result.Unmatched, "")) {
			t.Errorf("unmatched: %q", result.Unmatched)
		}
		for _, item := range result.Items {
			if item.ID == "" || item.Source == "" || len(item.Packages) == 0 || !v1alpha1.Printable(item.ID+item.FixedVersion+item.Description+item.Justification) {
				t.Errorf("%+v", item)
			}
		}
	})
}
