// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAnUnavailableDatabaseIsAskedOnce(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		asked++
		refusal := apierrors.NewServiceUnavailable("the database does not answer").ErrStatus
		refusal.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		out.Header().Set("Content-Type", "application/json")
		out.Header().Set("Retry-After", "0")
		out.WriteHeader(int(refusal.Code))
		_ = json.NewEncoder(out).Encode(refusal) // the client closed the connection
	}))
	defer server.Close()
	connection := &client.Connection{
		Interface: versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}), Namespace: "team",
	}
	err := run(t.Context(), connection, compared{"web-1", "a-uid"}, compared{name: "web-2"}, "", t.Output())
	if err == nil || err.Error() != "compare build web-2 with web-1: the database does not answer" || asked != 1 {
		t.Errorf("asked %d times, got error %v", asked, err)
	}
}

func TestTheLastGoodBuildIsTheNewestThatIsNotOneOff(t *testing.T) {
	build := func(number int64, oneOff bool) v1alpha1.ImageBuild {
		return v1alpha1.ImageBuild{
			TypeMeta:   metav1.TypeMeta{APIVersion: "images.goldsmith.dev/v1alpha1", Kind: "ImageBuild"},
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("web-%d", number), Namespace: "team"},
			Spec:       v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{Name: "web", UID: "web-uid"}, Number: &number, OneOff: &oneOff},
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, request *http.Request) {
		var answer any = build(4, false)
		if selector := request.URL.Query().Get("fieldSelector"); selector != "" {
			answer = v1alpha1.ImageBuildList{
				TypeMeta: metav1.TypeMeta{APIVersion: "images.goldsmith.dev/v1alpha1", Kind: "ImageBuildList"},
				Items:    []v1alpha1.ImageBuild{build(1, false), build(2, false), build(3, true), build(4, false), build(5, false)},
			}
			if selector != "spec.imageRef.uid=web-uid,status.phase=Succeeded" {
				t.Errorf("got selector %q", selector)
			}
		}
		out.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(out).Encode(answer) // the client closed the connection
	}))
	defer server.Close()
	connection := &client.Connection{
		Interface: versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}), Namespace: "team",
	}
	if good, err := lastGood(t.Context(), connection, "web-4"); err != nil || good != "web-2" {
		t.Errorf("got build %q, error %v", good, err)
	}
}

func TestADifferenceIsATable(t *testing.T) {
	duration := &metav1.Duration{Duration: 62 * time.Second}
	for name, test := range map[string]struct {
		difference v1alpha1.ImageBuildDiff
		want       []string
	}{
		"inputs and artifacts": {
			v1alpha1.ImageBuildDiff{
				From:   v1alpha1.ComparedBuild{Name: "web-1", Phase: v1alpha1.BuildSucceeded, Attempts: 1, Duration: duration},
				To:     v1alpha1.ComparedBuild{Name: "web-2", Phase: v1alpha1.BuildFailed, Failure: v1alpha1.ReasonOOMKilled, Attempts: 3},
				Inputs: []v1alpha1.InputChange{{Path: "parameters[motd]", From: "two\nlines", To: "\x1b[31mred"}, {Path: "parameters[new]", To: "-"}},
				Artifacts: []v1alpha1.ArtifactChange{
					{Target: "linux/amd64/raw", From: "sha256:1"}, {Target: "linux/arm64/raw", From: "sha256:0123456789abcd", To: "sha256:0123456789abce"},
				},
			},
			[]string{
				"BUILD                        web-1                   web-2",
				`parameters[motd]             "two\nlines"            "\x1b[31mred"`,
				`parameters[new]              -                       "-"`,
				"phase                        Succeeded               Failed (OOMKilled)",
				"attempts                     1                       3",
				"duration                     1m2s                    -",
				"artifacts[linux/amd64/raw]   sha256:1                -",
				"artifacts[linux/arm64/raw]   sha256:0123456789abcd   sha256:0123456789abce",
			},
		},
		"tests and revocations": {
			v1alpha1.ImageBuildDiff{
				From: v1alpha1.ComparedBuild{
					Name: "web-1", Phase: v1alpha1.BuildSucceeded,
					Revoked: &v1alpha1.Revocation{Time: metav1.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), By: "anna", Reason: "wrong\nkey"},
				},
				To:     v1alpha1.ComparedBuild{Name: "web-2", Phase: v1alpha1.BuildSucceeded},
				Inputs: []v1alpha1.InputChange{{Path: "base", From: "a", To: "b"}},
				Tests:  []v1alpha1.TestChange{{Name: "boots", To: v1alpha1.TestPassed}, {Name: "web", From: v1alpha1.TestFailed, To: v1alpha1.TestFlaky}},
			},
			[]string{
				"BUILD        web-1                                        web-2",
				"base         a                                            b",
				"phase        Succeeded                                    Succeeded",
				"attempts     0                                            0",
				"duration     -                                            -",
				`revoked      "2026-05-01T12:00:00Z by anna: wrong\nkey"   -`,
				"test boots   -                                            Passed",
				"test web     Failed                                       Flaky",
			},
		},
		"packages": {
			v1alpha1.ImageBuildDiff{
				From: v1alpha1.ComparedBuild{Name: "web-1", Phase: v1alpha1.BuildSucceeded}, To: v1alpha1.ComparedBuild{Name: "web-2", Phase: v1alpha1.BuildSucceeded},
				Packages: []v1alpha1.PackageChanges{{Targets: []string{"linux/amd64/raw"}, Unchanged: 310, Changes: []v1alpha1.PackageChange{
					{Name: "libc6", Architecture: "amd64", From: "2.41-1", To: "2.41-2"}, {Name: "libc6", Architecture: "i386", To: "2.41-2"},
					{Name: "linux", Architecture: "amd64", From: "6.11"}, {Name: "linux", Architecture: "amd64", From: "6.12"},
					{Name: "nginx\x1b[31m", Architecture: "amd64", From: "1.26.3-3"}, {Name: "openssl", Architecture: "amd64", From: "3.5.6-1", To: "3.5.7-1"},
					{Name: "vim", Architecture: "amd64", To: "9"}, {Name: "vim-common", Architecture: "all", To: "9"},
				}}},
				PackagesMessage: "build web-1 has no lock of linux/arm64/raw",
			},
			[]string{
				"BUILD                 web-1       web-2",
				"packages              315         315",
				"package libc6:amd64   2.41-1      2.41-2",
				"package libc6:i386    -           2.41-2",
				"package linux         6.11        -",
				"package linux         6.12        -",
				"package nginx^[[31m   1.26.3-3    -",
				"package openssl       3.5.6-1     3.5.7-1",
				"package vim           -           9",
				"package vim-common    -           9",
				"phase                 Succeeded   Succeeded",
				"attempts              0           0",
				"duration              -           -",
				"packages: build web-1 has no lock of linux/arm64/raw",
				"the inputs of both builds are the same",
			},
		},
		"packages of several artifacts": {
			v1alpha1.ImageBuildDiff{
				From: v1alpha1.ComparedBuild{Name: "web-1", Phase: v1alpha1.BuildSucceeded}, To: v1alpha1.ComparedBuild{Name: "web-2", Phase: v1alpha1.BuildSucceeded},
				Inputs: []v1alpha1.InputChange{{Path: "base", From: "a", To: "b"}},
				Packages: []v1alpha1.PackageChanges{
					{Targets: []string{"linux/amd64/raw", "linux/amd64/iso"}, Changes: []v1alpha1.PackageChange{{Name: "vim", Architecture: "amd64", From: "8", To: "9"}}},
					{Targets: []string{"linux/arm64/raw"}, Changes: []v1alpha1.PackageChange{{Name: "vim", Architecture: "arm64", To: "9"}}},
					{Targets: []string{"linux/arm64/iso"}, Unchanged: 3},
				},
			},
			[]string{
				"BUILD                                        web-1       web-2",
				"base                                         a           b",
				"packages[linux/amd64/raw, linux/amd64/iso]   1           1",
				"package vim                                  8           9",
				"packages[linux/arm64/raw]                    0           1",
				"package vim                                  -           9",
				"phase                                        Succeeded   Succeeded",
				"attempts                                     0           0",
				"duration                                     -           -",
			},
		},
		"nothing": {
			v1alpha1.ImageBuildDiff{From: v1alpha1.ComparedBuild{Name: "a", Phase: v1alpha1.BuildRunning}, To: v1alpha1.ComparedBuild{Name: "b", Phase: v1alpha1.BuildRunning}},
			[]string{"BUILD      a         b", "phase      Running   Running", "attempts   0         0", "duration   -         -", "the inputs of both builds are the same"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			require.NoError(t, describe(&test.difference, false, &out))
			if diff := cmp.Diff(strings.Join(test.want, "\n")+"\n", out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestManyPackagesAreCutUnlessTheFormatIsWide(t *testing.T) {
	difference := &v1alpha1.ImageBuildDiff{Packages: []v1alpha1.PackageChanges{{Targets: []string{"linux/amd64/raw"}}}}
	for i := range 60 {
		changes := &difference.Packages[0].Changes
		*changes = append(*changes, v1alpha1.PackageChange{Name: fmt.Sprintf("lib%02d", i), Architecture: "amd64", To: "1"})
	}
	for wide, want := range map[bool]int{false: 40, true: 60} {
		var out strings.Builder
		require.NoError(t, describe(difference, wide, &out))
		if got := strings.Count(out.String(), "package lib"); got != want || wide == strings.Contains(out.String(), "\n20 more packages differ: -o wide lists them\n") {
			t.Errorf("wide %t: got %d packages in\n%s", wide, got, &out)
		}
	}
}
