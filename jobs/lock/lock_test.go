// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/lock"
)

const good = `{"version": 1, "tools": "sha256:0000000000000000000000000000000000000000000000000000000000000000", "later": [1],
 "distribution": {"id": "debian", "version": "13"},
 "sources": [{"uri": "http://mirror.example/debian", "suite": "trixie", "component": "main",
   "release": {"date": "2026-11-20T08:00:00Z", "sha256": "0000000000000000000000000000000000000000000000000000000000000000"}}],
 "packages": [{"name": "openssl", "version": "3.5.6-1", "architecture": "amd64", "source": {"name": "openssl", "version": "3.5.6-1"},
   "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "licence": "Apache-2.0 and Expat"}]}`

func TestALockIsRead(t *testing.T) {
	read := require.Value(lock.Read([]byte(good)))(t)
	if len(read.Sources) != 1 || read.Sources[0].Release.Date == nil || len(read.Packages) != 1 || read.Packages[0].Source.Name != "openssl" {
		t.Errorf("%+v", read)
	}
	for _, least := range []string{`{"version":1,"packages":[]}`, `{"version":1,"packages":[{"name":"a","version":"1","architecture":"all"}]}`} {
		require.Value(lock.Read([]byte(least)))(t)
	}
}

// Everything that a lock must not be is told by the name of the field.
func TestBadLocksAreRefused(t *testing.T) {
	many := func(count int, text string) string { return strings.TrimSuffix(strings.Repeat(text+",", count), ",") }
	numbered := make([]string, v1alpha1.MaxLockPackages+1)
	for i := range numbered {
		numbered[i] = fmt.Sprintf(`{"name":"p%d","version":"1","architecture":"all"}`, i)
	}
	for name, test := range map[string]struct{ lock, says string }{
		"nothing":                   {``, "is not a JSON object"},
		"a list":                    {`[]`, "is not a JSON object"},
		"two":                       {good + good, "is not a JSON object"},
		"no version":                {`{}`, "version is missing: set it to 1"},
		"a later version":           {`{"version": 2, "packages": {}}`, "version is 2, must be 1"},
		"other capitals":            {`{"VERSION":1,"Packages":[]}`, "version is missing: set it to 1"},
		"two versions":              {`{"version":2,"Version":1,"packages":[]}`, "version is 2, must be 1"},
		"a misspelt list":           {`{"version":1,"package":[{"name":"a","version":"1","architecture":"all"}]}`, "packages is missing: list the packages, or set it to []"},
		"null":                      {`{"version":1,"packages":null}`, "packages is missing"},
		"a byte order mark":         {"\xef\xbb\xbf" + good, "begins with a byte order mark"},
		"another encoding":          {strings.Replace(good, "openssl", "\xff", 1), "is not UTF-8"},
		"a fraction":                {`{"version": 1.5}`, "version is 1.5, must be 1"},
		"another type":              {`{"version": 1, "packages": {}}`, "packages"},
		"too long":                  {`{"version": 1, "x": "` + strings.Repeat("x", v1alpha1.MaxLockBytes) + `"}`, "has more than 8388608 bytes"},
		"too many packages":         {`{"version":1,"packages":[` + strings.Join(numbered, ",") + `]}`, "has 20001 packages, at most 20000 are allowed"},
		"empty packages":            {`{"version":1,"packages":[{}` + strings.Repeat(",{}", v1alpha1.MaxLockBytes/3-20) + `]}`, "packages, at most 20000 are allowed"},
		"too many sources":          {`{"version":1,"packages":[],"sources":[` + many(1001, `{"uri":"http://a"}`) + `]}`, "has 1001 sources, at most 1000 are allowed"},
		"twice the same":            {`{"version":1,"packages":[` + many(2, `{"name":"a","version":"1","architecture":"all"}`) + `]}`, "packages[1] is the same as packages[0], a 1 all"},
		"no name":                   {strings.Replace(good, `"name": "openssl", "version": "3.5.6-1", "arch`, `"version": "3.5.6-1", "arch`, 1), "packages[0].name is missing"},
		"an empty version":          {strings.Replace(good, `"version": "3.5.6-1", "arch`, `"version": "", "arch`, 1), "packages[0].version is missing"},
		"no architecture":           {strings.Replace(good, `"architecture": "amd64"`, `"arch": "amd64"`, 1), "packages[0].architecture is missing"},
		"an escape":                 {strings.Replace(good, `"name": "openssl", "version": "3.5.6-1", "arch`, `"name": "a\u001b[31m", "version": "3.5.6-1", "arch`, 1), `packages[0].name is "a\x1b[31m", must be one line of printable characters`},
		"an override of directions": {strings.Replace(good, `3.5.6-1", "arch`, `3\u202e5", "arch`, 1), `packages[0].version is "3\u202e5", must be one line of printable characters`},
		"a space":                   {strings.Replace(good, `"amd64"`, `"amd 64"`, 1), `packages[0].architecture is "amd 64", must not contain spaces`},
		"a long name":               {strings.Replace(good, `"amd64"`, `"`+strings.Repeat("x", 5000)+`"`, 1), "packages[0].architecture has 5000 bytes, must have at most 4096 bytes"},
		"a password":                {strings.Replace(good, `http://`, `http://me:secret@`, 1), "sources[0].uri has a URL with a user, a query or a fragment"},
		"a user":                    {strings.Replace(good, `http://`, `https://ghp_token@`, 1), "sources[0].uri has a URL with a user, a query or a fragment"},
		"a signed URL":              {strings.Replace(good, `/debian"`, `/debian?X-Amz-Signature=1"`, 1), "sources[0].uri has a URL with a user, a query or a fragment"},
		"an unprintable password":   {strings.Replace(good, `http://`, `http://me:secret@\u001b`, 1), "sources[0].uri"},
		"a source of nothing":       {strings.Replace(good, `"uri"`, `"url"`, 1), "sources[0].uri is missing"},
		"a digest of packages":      {strings.Replace(good, `"sha256": "0`, `"sha256": "A`, 2), "sha256 is"},
		"tools":                     {strings.Replace(good, `"sha256:0`, `"0`, 1), "tools is"},
		"a distribution":            {strings.Replace(good, `"debian", "version"`, `"Debian GNU/Linux", "version"`, 1), "distribution.id is"},
		"a package URL with %z":     {strings.Replace(good, `"licence"`, `"purl": "pkg:npm/a%zz", "licence"`, 1), "packages[0].purl is"},
		"a purl with a password":    {strings.Replace(good, `"licence"`, `"purl": "pkg:generic/a@1?download_url=https%3A%2F%2Fme%3Asecret@host/", "licence"`, 1), "packages[0].purl has a URL with a user"},
		"a purl with a token":       {strings.Replace(good, `"licence"`, `"purl": "pkg:npm/x@1?vcs_url=git%2Bhttps://ghp_secret@github.com/a/b", "licence"`, 1), "packages[0].purl has a URL with a user"},
		"a purl with a signed URL":  {strings.Replace(good, `"licence"`, `"purl": "pkg:generic/x@1?download_url=https://h/x%3FX-Amz-Signature=secret", "licence"`, 1), "packages[0].purl has a URL with a user"},
		"a fragment":                {strings.Replace(good, `/debian"`, `/a#access_token=secret"`, 1), "sources[0].uri has a URL with a user"},
		"a version of git":          {strings.Replace(good, `"version": "3.5.6-1", "arch`, `"version": "git+https://oauth2:secret@github.com/a/b", "arch`, 1), "packages[0].version has a URL with a user"},
		"a date of another era":     {strings.Replace(good, `2026-11-20T08:00:00Z`, `9999-12-31T23:00:00-02:00`, 1), "sources[0].release.date is 10000-01-01T01:00:00Z, must be from 1970 to 9999"},
		"long tools":                {strings.Replace(good, `"sha256:0`, `"`+strings.Repeat("0", 5000), 1), "tools is"},
		"a package URL":             {strings.Replace(good, `"licence"`, `"purl": "npm/left-pad", "licence"`, 1), "packages[0].purl is"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lock.Read([]byte(test.lock))
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") || strings.ContainsAny(err.Error(), "\x1b\u202e") || len(err.Error()) > 1100 {
				t.Errorf("the error is %.300q, want %q", fmt.Sprint(err), test.says)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, content []byte) {
		read, err := lock.Read(content)
		if err != nil {
			return
		}
		text := require.Value(json.Marshal(read))(t)
		again := require.Value(lock.Read(text))(t)
		if written := require.Value(json.Marshal(again))(t); !bytes.Equal(text, written) {
			t.Errorf("%s is read as %s", text, written)
		}
	})
}

func TestPackagesAreCompared(t *testing.T) {
	of := func(all ...string) *v1alpha1.Lock {
		made := &v1alpha1.Lock{}
		for _, one := range all {
			parts := strings.Split(one, " ")
			made.Packages = append(made.Packages, v1alpha1.Package{Name: parts[0], Version: parts[1], Architecture: parts[2]})
			if last := &made.Packages[len(made.Packages)-1]; len(parts) > 3 {
				last.PURL, last.SHA256, _ = strings.Cut(parts[3], "#")
			}
		}
		return made
	}
	changes, unchanged := lock.Compare(
		of("openssl 3.5.6-1 amd64", "libc6 2.41 amd64", "libc6 2.41 i386", "left-pad 1 all", "left-pad 2 all", "old 1 all", "same 1 all", "kernel 5.1 amd64", "kernel 5.2 amd64", "requests 1.0 all pkg:npm/requests@1.0", "semver 7 all pkg:npm/semver@7", "semver 7 all pkg:cargo/semver@7", "file 1 all #a", "hash 1 all #a"),
		of("same 1 all", "openssl 3.5.7-1 amd64", "libc6 2.41 amd64", "libc6 2.42 i386", "left-pad 2 all", "left-pad 3 all", "left-pad 4 all", "new 1 all", "kernel 5.2 amd64", "kernel 5.3 amd64", "requests 1.0 all pkg:pypi/requests@1.0", "semver 8 all pkg:npm/semver@8?x=y", "semver 7 all pkg:cargo/semver@7", "file 1 all #b", "hash 1 all"),
	)
	want := []v1alpha1.PackageChange{
		{Name: "file", Architecture: "all", From: "1", To: "1"},
		{Name: "kernel", Architecture: "amd64", To: "5.3"},
		{Name: "kernel", Architecture: "amd64", From: "5.1"},
		{Name: "left-pad", Architecture: "all", To: "3"},
		{Name: "left-pad", Architecture: "all", To: "4"},
		{Name: "left-pad", Architecture: "all", From: "1"},
		{Name: "libc6", Architecture: "i386", From: "2.41", To: "2.42"},
		{Name: "new", Architecture: "all", To: "1"},
		{Name: "old", Architecture: "all", From: "1"},
		{Name: "openssl", Architecture: "amd64", From: "3.5.6-1", To: "3.5.7-1"},
		{Name: "requests", Architecture: "all", To: "1.0"},
		{Name: "requests", Architecture: "all", From: "1.0"},
		{Name: "semver", Architecture: "all", From: "7", To: "8"},
	}
	if !reflect.DeepEqual(changes, want) || unchanged != 6 {
		t.Errorf("%d unchanged, %+v", unchanged, changes)
	}
}
