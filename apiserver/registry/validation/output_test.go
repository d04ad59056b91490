// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestARepositoryNamesItsHostAndItsPath(t *testing.T) {
	const form = "must be HOST[:PORT]/PATH"
	for repository, want := range map[string]string{
		"registry.example.com/web": "", "registry.example.com:5000/team/web": "", "localhost/web": "", "127.0.0.1:5000/web": "", "[::1]:5000/web": "",
		"[::1]/web": "", "docker.io/library/web": "",
		"web":                          "must name its host, such as docker.io/library/web",
		"team/web":                     "must name its host, such as docker.io/team/web",
		"registry.example.com":         "must have a path, such as registry.example.com/team/web",
		"localhost:5000":               "must have a path, such as localhost:5000/team/web",
		"registry.example.com/Web":     form,
		"Team/web":                     form,
		"Registry.example.com/web":     form,
		"registry.example.com:0/web":   form,
		"registry.example.com:65536/a": form,
		"registry.example.com/web:1":   "must have neither a tag nor a digest",
		"me:secret@r.example.com/web":  form,
		"https://me:secret@r.example":  "neither a digest nor a user and a password: set secretRef",
		"r.example.com/web@sha256:00":  "neither a digest nor",
	} {
		errs := validateRepository(repository, field.NewPath("repository"))
		if len(errs) > 1 || (len(errs) == 1) != (want != "") || want != "" && !strings.Contains(errs[0].Detail, want) {
			t.Errorf("%s: got %v, want %q", repository, errs, want)
		}
		if strings.Contains(fmt.Sprint(errs), "secret@") {
			t.Errorf("the error has the password: %v", errs)
		}
	}
}
