// SPDX-License-Identifier: Apache-2.0

package result

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func packageOf(name, architecture, version string) string {
	return fmt.Sprintf(`{"package":{"name":%q,"architecture":%q,"version":%q}}`+"\n", name, architecture, version)
}

func TestAnAnswerAboutPackages(t *testing.T) {
	resolved := func(packages int, more string) string {
		return fmt.Sprintf(`{"version":1,"outcome":"Succeeded","resolved":{"packages":%d%s}}`, packages, more)
	}
	openssl, tzdata := packageOf("openssl", "amd64", "3.5.7-1"), packageOf("tzdata", "all", "2026b-0+deb13u1")
	both := []ResolvedPackage{{Name: "openssl", Architecture: "amd64", Version: "3.5.7-1"}, {Name: "tzdata", Architecture: "all", Version: "2026b-0+deb13u1"}}
	for title, test := range map[string]struct {
		message string
		code    int32
		log     string
		want    *Resolution
		failure string // the reason, and a part of the message
	}{
		"complete":                {message: resolved(2, `,"complete":true`), log: "Reading lists\n" + openssl + tzdata, want: &Resolution{Packages: both, Complete: true}},
		"incomplete":              {message: resolved(2, ""), log: openssl + tzdata, want: &Resolution{Packages: both}},
		"not supported":           {message: `{"version":1,"outcome":"Failed","failure":{"reason":"ResolveNotSupported"}}`, code: 1, want: &Resolution{NotSupported: true}},
		"a failure":               {message: failedForGood, code: 1, failure: "BuilderFailed: NoSpace: disk is full"},
		"no message":              {failure: "NoResult: no result"},
		"another exit code":       {message: resolved(0, ""), code: 1, failure: "outcome is Succeeded, but exit code is not 0"},
		"a result of a build":     {message: good, failure: "resolved is missing: set it to the number of packages, or fail with the reason ResolveNotSupported"},
		"an answer, and another":  {message: strings.Replace(answered(0, ""), `"probe"`, `"resolved":{"packages":0},"probe"`, 1), failure: "set only resolved"},
		"fewer lines":             {message: resolved(2, ""), log: openssl, failure: "resolved.packages is 2, but the log has 1 packages"},
		"a package twice":         {message: resolved(2, ""), log: openssl + openssl, failure: "line 2 of the log: the package openssl 3.5.7-1 amd64 is there twice"},
		"a cut line":              {message: resolved(1, ""), log: openssl[:30], failure: "line 1 of the log: is not JSON"},
		"no version":              {message: resolved(1, ""), log: packageOf("openssl", "amd64", ""), failure: `version of a package is "", must have 1 to 256 bytes`},
		"a name with a space":     {message: resolved(1, ""), log: packageOf("open ssl", "amd64", "1"), failure: `name of a package is "open ssl"`},
		"a log that is too long":  {message: resolved(1, ""), log: openssl + strings.Repeat("\n", MaxProbeLog), failure: "the log has more than 8 MiB"},
		"more packages than fit":  {message: resolved(1, ""), log: manyPackages(MaxUpdates + 1), failure: "the log has more than 20000 packages"},
		"a line that is too long": {message: resolved(1, ""), log: paddedTo(MaxUpdateLine+1, strings.TrimSuffix(openssl, "\n")), failure: "line 1 of the log: has more than 4096 bytes"},
	} {
		t.Run(title, func(t *testing.T) {
			got, failure := ParseResolve(test.message, test.code, strings.NewReader(test.log))
			if diff := cmp.Diff(test.want, got); diff != "" || (failure == nil) != (test.failure == "") {
				t.Fatalf("failure %+v, answer %s", failure, diff)
			}
			if failure != nil && !strings.Contains(fmt.Sprintf("%s: %s", failure.Reason, failure.Message), test.failure) {
				t.Errorf("got %s: %s", failure.Reason, failure.Message)
			}
		})
	}
	for title, failure := range map[string]*v1alpha1.BuildFailure{
		"a build": Parse(resolved(0, ""), 0, oneTarget, Policy{}).Failure,
		"tests":   ParseTests(resolved(0, ""), 0, []v1alpha1.ImageTest{{Name: "ours"}}, Policy{}).Failure,
	} {
		if failure == nil || !strings.Contains(failure.Message, "resolved is set, but the input has no resolve") {
			t.Errorf("%s: %+v", title, failure)
		}
	}
}

func manyPackages(n int) string {
	var all strings.Builder
	for i := range n {
		all.WriteString(packageOf(fmt.Sprint("package-", i), "all", "1"))
	}
	return all.String()
}
