// SPDX-License-Identifier: Apache-2.0

package reference_test

import (
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/jobs/source/reference"
)

func TestCheckNamesTheFieldThatCannotBeUsed(t *testing.T) {
	const valid = "https://git.example.com/team/images.git"
	git := func(url, ref, path string) reference.Source {
		return reference.Source{Git: &reference.Git{URL: url, Ref: ref, Path: path}}
	}
	oci := func(repository, tag string) reference.Source {
		return reference.Source{OCI: &reference.OCI{Repository: repository, Tag: tag}}
	}
	for _, test := range []struct {
		name       string
		source     reference.Source
		withSecret bool
		field      string // empty for a valid source
		message    string
	}{
		{"https", git(valid, "", ""), true, "", ""},
		{"http", git("http://git.lan/images", "main", "a/b"), false, "", ""},
		{"http with a Secret", git("http://git.lan/images", "main", ""), true, "git.url", "without encryption"},
		{"ssh", git("ssh://git@git.lan:2222/images.git", "refs/tags/v1", "."), true, "", ""},
		{"scp", git("git@git.lan:team/images.git", "feature/a.b", "./a/"), true, "", ""},
		{"scp with IPv6", git("git@[fd00::1]:images", strings.Repeat("a", 40), ""), true, "", ""},
		{"no URL", git("", "", ""), false, "git.url", "must be set"},
		{"credentials", git("https://user:password@git.lan/images", "", ""), false, "git.url", "no credentials"},
		{"a token", git("https://password@git.lan/images", "", ""), false, "git.url", "no credentials"},
		{"a password of ssh", git("ssh://git:password@git.lan/images", "", ""), false, "git.url", "no password"},
		{"no user of ssh", git("ssh://git.lan/images", "", ""), false, "git.url", "user of ssh"},
		{"a file", git("file:///etc", "", ""), false, "git.url", "must begin with https://"},
		{"the Git protocol", git("git://git.lan/images", "", ""), false, "git.url", "must begin with https://"},
		{"a program", git("ext::sh -c id", "", ""), false, "git.url", "no spaces"},
		{"a program without spaces", git("ext::id", "", ""), false, "git.url", "USER@HOST:PATH"},
		{"a path", git("/srv/images.git", "", ""), false, "git.url", "USER@HOST:PATH"},
		{"an option", git("--upload-pack=id", "", ""), false, "git.url", "USER@HOST:PATH"},
		{"an option as user", git("-oProxyCommand=id@git.lan:a", "", ""), false, "git.url", "hyphen"},
		{"an option as host", git("ssh://git@-oProxyCommand=id/a", "", ""), false, "git.url", "hyphen"},
		{"an option as path", git("git@git.lan:-a", "", ""), false, "git.url", "hyphen"},
		{"a query", git(valid+"?token=password", "", ""), false, "git.url", "no query"},
		{"a fragment", git(valid+"#main", "", ""), false, "git.url", "no query and no fragment"},
		{"a control character", git("https://git.lan/a\nb", "", ""), false, "git.url", "control characters"},
		{"an encoded control character", git("https://git.lan/a%0ab", "", ""), false, "git.url", "control characters"},
		{"a port", git("https://git.lan:99999/a", "", ""), false, "git.url", "port"},
		{"no path", git("https://git.lan/", "", ""), false, "git.url", "path of a repository"},
		{"two dots in a ref", git(valid, "a..b", ""), false, "git.ref", "name that Git allows"},
		{"an option as ref", git(valid, "--upload-pack", ""), false, "git.ref", "hyphen"},
		{"a range", git(valid, "main~1", ""), false, "git.ref", "commit"},
		{"a reflog", git(valid, "main@{1}", ""), false, "git.ref", "@{"},
		{"a lock", git(valid, "refs/heads/a.lock", ""), false, "git.ref", ".lock"},
		{"an empty part", git(valid, "refs//heads", ""), false, "git.ref", "empty"},
		{"an absolute path", git(valid, "", "/etc"), false, "git.path", "relative"},
		{"a path out of the tree", git(valid, "", "a/../../b"), false, "git.path", "have .. in it"},
		{"a path in .git", git(valid, "", "a/.GIT/hooks"), false, "git.path", ".git"},
		{"a path of control characters", git(valid, "", "a\x00b"), false, "git.path", "printable"},
		{"OCI", oci("registry.lan:5000/team/files", "v1"), true, "", ""},
		{"OCI with a digest", oci("registry.lan/files", "sha256:"+strings.Repeat("a", 64)), true, "", ""},
		{"OCI with a tag in its repository", oci("registry.lan/files:v1", ""), false, "oci.repository", "without a tag"},
		{"OCI with a scheme", oci("oci://registry.lan/files", ""), false, "oci.repository", "without a scheme"},
		{"OCI with credentials", oci("https://user:password@registry.lan/files", ""), false, "oci.repository", "scheme"},
		{"OCI with a bad tag", oci("registry.lan/files", "a b"), false, "oci.tag", "must be a tag"},
		{"OCI with a short digest", oci("registry.lan/files", "sha256:12"), false, "oci.tag", "digest"},
		{"nothing", reference.Source{}, false, "git", "must be set"},
		{"both", reference.Source{Git: &reference.Git{}, OCI: &reference.OCI{}}, false, "oci", "together"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := reference.Check(test.source, test.withSecret)
			if test.field == "" {
				if len(found) > 0 {
					t.Errorf("unexpected: %v", found)
				}
				return
			}
			if len(found) != 1 || found[0].Field != test.field || !strings.Contains(found[0].Message, test.message) {
				t.Fatalf("got %v", found)
			}
			if strings.Contains(found[0].Error(), "password@") || strings.Contains(found[0].Error(), "=password") {
				t.Errorf("the error has credentials: %s", found[0].Error())
			}
		})
	}
}

func TestARemoteIsWhereTheRepositoryIs(t *testing.T) {
	for url, want := range map[string]reference.Remote{
		"https://git.lan/a/b.git":         {Scheme: "https", Host: "git.lan", Port: "443", Path: "/a/b.git"},
		"http://git.lan:8080/a":           {Scheme: "http", Host: "git.lan", Port: "8080", Path: "/a"},
		"ssh://git@[fd00::1]:2222/a":      {Scheme: "ssh", User: "git", Host: "fd00::1", Port: "2222", Path: "/a"},
		"ssh://git@git.lan/~/a":           {Scheme: "ssh", User: "git", Host: "git.lan", Port: "22", Path: "a"},
		"git@git.lan:a/b.git":             {Scheme: "ssh", User: "git", Host: "git.lan", Port: "22", Path: "a/b.git"},
		"org-1@[fd00::1]:/srv/images.git": {Scheme: "ssh", User: "org-1", Host: "fd00::1", Port: "22", Path: "/srv/images.git"},
	} {
		got, err := (&reference.Git{URL: url}).Remote()
		if err != nil || *got != want {
			t.Errorf("%s: got %+v, %v", url, got, err)
		}
	}
}
