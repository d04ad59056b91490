// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

const digest = "sha256:4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865"

// due is the plan of an Image that would be built.
func due() *v1alpha1.ImagePlan {
	return &v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: "debian", Namespace: "team"}, Status: v1alpha1.ImagePlanStatus{
		Build: true, Reason: "SpecChange", Message: "the inputs are not those of debian-7", BuildName: "debian-8", InputsDigest: digest, BaseDigest: digest,
		Changes: []v1alpha1.InputChange{
			{Path: "parameters[edition]", From: "12", To: "13"},
			{Path: "source.inline.files[motd]", From: "größe", To: "two\nlines"},
			{Path: "base", To: "debian:trixie"},
			{Path: "targets[1]", From: "linux/amd64, qcow2"},
		},
		Job: &runtime.RawExtension{Raw: []byte(`{"kind": "Job", "metadata": {"name": "debian-8-1"}, "spec": {"template": {"spec": {"containers": [
			{"image": "builder:v1", "command": ["/bin/build", "--fast"],
			 "resources": {"requests": {"memory": "1Gi", "cpu": "500m"}, "limits": {"memory": "2Gi"}}}]}}}}`)},
		NextScheduleTime: &metav1.Time{Time: time.Date(2026, time.May, 1, 3, 0, 0, 0, time.UTC)},
	}}
}

func TestABaseOfTheSameFilesIsBuiltFirst(t *testing.T) {
	missing := func(name, base, channel string) *v1alpha1.ImagePlan {
		plan := &v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team"}, Status: v1alpha1.ImagePlanStatus{Reason: string(v1alpha1.ReasonBaseNotFound)}}
		plan.Spec.Base.ImageRef = &v1alpha1.BaseImageReference{Name: base, Channel: channel}
		return plan
	}
	plans := []*v1alpha1.ImagePlan{missing("cart", "shop", ""), missing("shop", "debian", ""), due(), missing("web", "golden", ""), missing("api", "debian", "stable")}
	awaitDeclared(plans)
	var got []string
	for _, plan := range plans {
		got = append(got, plan.Status.Reason)
	}
	if want := []string{"WaitingForBase", "WaitingForBase", "SpecChange", "BaseNotFound", "BaseNotFound"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDescribesAPlanForPeople(t *testing.T) {
	idle := due()
	idle.Status.Build, idle.Status.Reason, idle.Status.Message = false, "UpToDate", "the inputs are those of debian-7"
	idle.Status.Changes, idle.Status.BaseDigest, idle.Status.NextScheduleTime = nil, "", nil
	idle.Status.Job.Raw = []byte(`{"metadata": {"name": "debian-8-1"}, "spec": {"template": {"spec": {"containers": [{"image": "builder:v1"}]}}}}`)
	now := time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC)
	packages := due()
	packages.Status.Changes, packages.Status.BaseDigest, packages.Status.InputsDigest, packages.Status.Job = nil, "", "", nil
	packages.Status.Build, packages.Status.NextScheduleTime = false, nil
	packages.Status.Reason, packages.Status.Message = "PackagesChanged", "new packages"
	packages.Status.Packages = &v1alpha1.PackagesPlan{
		Reason: "PackagesChanged", Message: "the build starts at 2026-05-01T02:00:00Z", CheckTime: &metav1.Time{Time: now.Add(-5 * time.Minute)}, UpdateCount: 2,
		Updates: []v1alpha1.PackageUpdate{{Name: "openssl", From: "1:3.5.4-1", To: "1:3.5.7-1", Advisories: []string{"CVE-2026-2", "CVE-2026-1"}}, {Name: "tz\x1bdata", From: "1", To: "2"}},
	}
	for _, test := range []struct {
		name string
		plan *v1alpha1.ImagePlan
		want string
	}{
		{"would be built", due(), `image debian would be built now, as debian-8
  why          SpecChange: the inputs are not those of debian-7
  changes      parameters[edition]         12                 → 13
               source.inline.files[motd]   größe              → "two\nlines"
               base                        none               → debian:trixie
               targets[1]                  linux/amd64, qcow2 → none
  inputs       ` + digest + `
  base         ` + digest + `
  job          debian-8-1 (the end of the name depends on the UID of the build)
  builder      builder:v1
  command      /bin/build --fast
  resources    requests cpu=500m, memory=1Gi
               limits memory=2Gi
  next start   2026-05-01T03:00:00Z by the schedule
`},
		{"would not be built", idle, `image debian would not be built now
  why          UpToDate: the inputs are those of debian-7
  inputs       ` + digest + `
  next build   debian-8
  job          debian-8-1 (the end of the name depends on the UID of the build)
  builder      builder:v1
`},
		{"waits for a window", packages, `image debian would not be built now
  why        PackagesChanged: new packages
  packages   PackagesChanged: the build starts at 2026-05-01T02:00:00Z (archives checked 5m ago)
             NAME       FROM        TO          FIXES
             openssl    1:3.5.4-1   1:3.5.7-1   CVE-2026-2, CVE-2026-1
             tz^[data   1           2
`},
		{"cannot be built", &v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Status: v1alpha1.ImagePlanStatus{
			Reason: "SourceNotFound", Message: "no ConfigMap\x1b[2J named\n\tfiles"}}, `image debian would not be built now
  why   SourceNotFound: no ConfigMap^[[2J named  files
`},
	} {
		var out bytes.Buffer
		if err := describe(test.plan, now, &out); err != nil || out.String() != test.want {
			t.Errorf("%s: got error %v and\n%s\nwant\n%s", test.name, err, &out, test.want)
		}
	}
	broken := due()
	broken.Status.Job.Raw = []byte("{")
	if err := describe(broken, now, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "read the Job in the plan of image debian") {
		t.Errorf("a Job that cannot be read: got error %v", err)
	}
}

func TestPlansAnImageAsItIs(t *testing.T) {
	for _, test := range []struct {
		answer error
		format output.Format
		want   string
	}{
		{want: "image debian would be built now, as debian-8\n"},
		{format: output.Wide, want: "image debian would be built now, as debian-8\n"},
		{format: output.JSON, want: `"kind": "ImagePlan"`},
		{format: output.Name, want: "imageplan.images.goldsmith.dev/debian\n"},
		{answer: apierrors.NewNotFound(v1alpha1.Resource("images"), "debian"), want: "error: no image named debian in namespace team"},
		{answer: errors.New("away"), want: "error: plan image debian: away"},
	} {
		clients := fake.NewClientset()
		clients.PrependReactor("get", "images/plan", func(clienttesting.Action) (bool, runtime.Object, error) { return true, due(), test.answer })
		var out bytes.Buffer
		err := ofImage(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, "debian", &options{format: test.format, clock: clock.RealClock{}}, &out)
		if message, isError := strings.CutPrefix(test.want, "error: "); isError {
			if err == nil || err.Error() != message {
				t.Errorf("got error %v, want %q", err, message)
			}
			continue
		}
		if err != nil || !strings.Contains(out.String(), test.want) {
			t.Errorf("got %q, error %v, want %q", &out, err, test.want)
		}
		if test.format == output.JSON && !json.Valid(out.Bytes()) {
			t.Errorf("no JSON: %s", &out)
		}
	}
}
