// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "testing"

func TestAPasswordOfAURLIsHidden(t *testing.T) {
	for text, want := range map[string]string{
		"get http://me:secret@host/debian: 401":           "get http://[hidden]@host/debian: 401",
		`"https://me:secret@a", "ftp://:secret@b:21/x@y"`: `"https://[hidden]@a", "ftp://[hidden]@b:21/x@y"`,
		"http://me:sec@secret@host":                       "http://[hidden]@host",
		"http://me:@host":                                 "http://[hidden]@host",
		"https://host:4873/@scope/package":                "",
		"ssh://git@host/repository":                       "",
		"http://host:80 and me@example.com":               "",
		`{"url":"http://host:80","mail":"me@example"}`:    "",
		"registry.example.com/team/web@sha256:00":         "",
	} {
		has := want != ""
		if !has {
			want = text
		}
		if got := HidePasswords(text); got != want || HasPassword(text) != has {
			t.Errorf("%s: %s, want %s; has a password: %t", text, got, want, HasPassword(text))
		}
	}
	if got := CutMessage("http://me:secret@host: refused"); got != "http://[hidden]@host: refused" {
		t.Errorf("message of a status: %s", got)
	}
}
