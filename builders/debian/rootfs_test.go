// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/jobs/result"
)

// The outputs are those of mmdebstrap 1.5.7 and apt 3.0, with a mirror that failed in this way.
func TestFaultsOfMmdebstrapAreExplained(t *testing.T) {
	infrastructure := result.Failure{Reason: "MirrorUnavailable", Class: v1alpha1.FailureInfrastructure}
	for name, want := range map[string]result.Failure{
		"inrelease-404":                 {Reason: "NotAMirror", Class: v1alpha1.FailureUser, Message: "parameter mirror: http://deb.debian.org/debian is no mirror that has trixie"},
		"inrelease-503":                 with(infrastructure, "Failed to fetch http://deb.debian.org/debian/dists/trixie/InRelease 503 Service Unavailable [IP: 127.0.0.1 3150]"),
		"inrelease-403":                 with(infrastructure, "Failed to fetch http://deb.debian.org/debian/dists/trixie/InRelease 403 Forbidden [IP: 127.0.0.1 3150]"),
		"inrelease-byte":                {Reason: "WrongSignature", Class: v1alpha1.FailureConfig, Message: "http://deb.debian.org/debian trixie InRelease: its signature is not one of Debian: set parameter mirror to a mirror of Debian"},
		"inrelease-expired":             {Reason: "ReleaseFileExpired", Class: v1alpha1.FailureConfig, Message: "http://deb.debian.org/debian/dists/trixie/InRelease is expired: is the clock right? For a mirror that is kept in one state, set parameter acceptExpired to true"},
		"disk-full-40M":                 {Reason: "DiskFull", Class: v1alpha1.FailureConfig, Message: "the disk on which the builder works is full: No space left on device"},
		"deb-byte":                      with(infrastructure, "Failed to fetch http://deb.debian.org/debian/pool/main/b/base-files/base-files_13.8%2bdeb13u8_amd64.deb Hash Sum mismatch"),
		"deb-404":                       with(infrastructure, "Failed to fetch http://deb.debian.org/debian/pool/main/b/base-files/base-files_13.8%2bdeb13u8_amd64.deb 404 Not Found [IP: 127.0.0.1 3150]"),
		"unknown-package":               {Reason: "UnknownPackage", Class: v1alpha1.FailureUser, Message: "parameter packages: the mirror has no package nginxx"},
		"unreachable-connection-closed": with(infrastructure, "Failed to fetch http://deb.debian.org/debian/dists/trixie/InRelease Connection failed [IP: 127.0.0.1 3150]"),
		"unreachable-proxy-refused":     with(infrastructure, "Failed to fetch http://deb.debian.org/debian/dists/trixie/InRelease Unable to connect to 127.0.0.1:3199:"),
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata/mmdebstrap", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			got := failureOf(explain(strings.Split(string(text), "\n"), errors.New("mmdebstrap: exit status 25")))
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func with(failure result.Failure, message string) result.Failure {
	failure.Message = message
	return failure
}

func TestAnUnknownPackageHasTheNameOfTheUser(t *testing.T) {
	got := explain([]string{"E: Unable to locate package curl+:amd64"}, nil)
	if want := "UnknownPackage: parameter packages: the mirror has no package curl+"; got == nil || got.Error() != want {
		t.Errorf("failure %v, want %s", got, want)
	}
}

func TestAnUnknownFaultHasTheErrorsOfMmdebstrap(t *testing.T) {
	got := failureOf(explain([]string{"I: extracting", "E: one thing", "W: noise", "E: mmdebstrap failed to run"}, errors.New("mmdebstrap: exit status 25")))
	want := &result.Failure{Reason: "PackagesNotInstalled", Class: v1alpha1.FailureUser, Message: "mmdebstrap: exit status 25: E: one thing"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// goldsmith is the program of the builder if its name is that of the program.
func TestTheHookOfDpkgHasTheNameOfTheProgram(t *testing.T) {
	if path.Base(dpkgHook) != path.Base(tools.Program) || dpkgHook == tools.Program {
		t.Errorf("the hook is %s, the program %s", dpkgHook, tools.Program)
	}
}
