// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// builder returns a registered builder that runs a program, if it is a path, or a container image.
func builder(name, program string, change ...func(*v1alpha1.Builder)) *v1alpha1.Builder {
	builder := &v1alpha1.Builder{ObjectMeta: metav1.ObjectMeta{Name: name}, Image: program}
	if words := strings.Fields(program); strings.HasPrefix(program, "/") {
		builder.Image, builder.Executable = "", &v1alpha1.BuilderExecutable{Path: words[0], Args: words[1:]}
	}
	for _, change := range change {
		change(builder)
	}
	return builder
}

func reporting(builder *v1alpha1.Builder) { builder.Reports = true }

func image(namespace, name string, builder v1alpha1.BuilderReference, resolved ...string) *v1alpha1.Image {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{Builder: builder}}}
	for _, reason := range resolved {
		image.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ImageInputsResolved, Status: metav1.ConditionFalse, Reason: reason}}
	}
	return image
}

func usedBuilders() []runtime.Object {
	return []runtime.Object{
		image("team", "a", v1alpha1.BuilderReference{Name: "mock"}), image("team", "b", v1alpha1.BuilderReference{Name: "mock"}),
		image("other", "c", v1alpha1.BuilderReference{Name: "mock"}), image("team", "d", v1alpha1.BuilderReference{Name: "moc"}),
		image("other", "e", v1alpha1.BuilderReference{Name: "moc"}), image("other", "f", v1alpha1.BuilderReference{Name: "moc"}),
		image("team", "g", v1alpha1.BuilderReference{Image: "example.com/packer:1"}),
		image("team", "h", v1alpha1.BuilderReference{Image: "example.com/packer:2"}, "BuilderNotAllowed"),
	}
}

func TestListsRegisteredBuildersAndThoseThatImagesUse(t *testing.T) {
	local := []runtime.Object{
		builder("mock", "/bin/goldsmith mock-builder", reporting), builder("tester", "/bin/goldsmith tester"),
		builder("shell", "/tools/shell", reporting, func(b *v1alpha1.Builder) {
			b.Description, b.Executable.Problem = "Makes disks", "/tools/shell is not an executable file"
		}),
	}
	for _, test := range []struct {
		name, namespace string
		registered      []runtime.Object
		want            string
	}{
		{"on one machine", "", local, `
NAME     KIND         RUNS        REPORTS   IMAGES   DESCRIPTION   BUILDER
mock     executable   yes         yes       3        <none>        /bin/goldsmith mock-builder
shell    executable   no          yes       0        Makes disks   /tools/shell is not an executable file
moc      <none>       no          no        3        <none>        not registered; used by other/e, other/f and 1 more
<none>   image        <unknown>   no        1        <none>        example.com/packer:1
<none>   image        no          no        1        <none>        example.com/packer:2: not allowed here; used by team/h
`},
		{"for one namespace", "other", local, `
NAME    KIND         RUNS   REPORTS   IMAGES   DESCRIPTION   BUILDER
mock    executable   yes    yes       1        <none>        /bin/goldsmith mock-builder
shell   executable   no     yes       0        Makes disks   /tools/shell is not an executable file
moc     <none>       no     no        2        <none>        not registered; used by other/e, other/f
`},
		{"in a cluster", "other", []runtime.Object{
			builder("mock", "mock-builder:v1", reporting),
			builder("packer", "example.com/packer:2", func(b *v1alpha1.Builder) { b.Description = "Packs" }),
		}, `
NAME     KIND     RUNS        REPORTS   IMAGES   DESCRIPTION   BUILDER
mock     image    <unknown>   yes       1        <none>        mock-builder:v1
packer   image    <unknown>   no        0        Packs         example.com/packer:2
moc      <none>   no          no        2        <none>        not registered; used by other/e, other/f
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, stderr bytes.Buffer
			connection := &client.Connection{Interface: fake.NewClientset(append(usedBuilders(), test.registered...)...), Namespace: "team"}
			if err := run(t.Context(), connection, test.namespace, &out, &stderr); err != nil || stderr.Len() > 0 {
				t.Fatalf("error %v (%s)", err, &stderr)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestShowsWhatABuilderTakesAndMakes(t *testing.T) {
	schema := func(text string) func(*v1alpha1.Builder) {
		return func(builder *v1alpha1.Builder) { builder.Parameters = &runtime.RawExtension{Raw: []byte(text)} }
	}
	connection := &client.Connection{Interface: fake.NewClientset(
		builder("disk", "/tools/disk --fast", schema(`{"description":"How","required":["size"],"additionalProperties":true,"properties":{
"size":{"pattern":"^[0-9]+M$","description":"Size of\nthe disk"},"sector":{"type":"integer","enum":[512,4096],"default":512},"label":{"default":"","newKeyword":1}}}`),
			func(b *v1alpha1.Builder) {
				b.Description, b.Executable.Problem, b.Executable.Workers = "Makes\x1b[2J disks", "/tools/disk is not an executable file", new(int32(2))
				b.Targets = []v1alpha1.BuilderTarget{{Platform: "linux/amd64", Format: "raw"}, {Format: "oci"}}
			}),
		builder("shell", "example.com/shell:1", reporting, func(b *v1alpha1.Builder) {
			b.Probe = true
			b.Reasons = []v1alpha1.BuilderReason{
				{Reason: "NoSpace", Class: v1alpha1.FailureConfig, Meaning: "the volume \x1b is full", Remedy: "free space"}, {Reason: "MirrorDown", Class: v1alpha1.FailureInfrastructure, Meaning: "the mirror is unreachable"},
			}
		}), builder("tester", "/bin/goldsmith tester", schema(`{}`)), builder("none", "/tools/none", schema(`{}`), func(b *v1alpha1.Builder) {
			b.Base = &runtime.RawExtension{Raw: []byte(`{"enum":["debian:trixie","debian:sid"],"description":"Releases"}`)}
			b.FileNames = &runtime.RawExtension{Raw: []byte(`{"pattern":"^root/","patternErrorMessage":"must begin with root/"}`)}
		}), builder("broken", "/tools/broken", schema(`[]`)),
	)}
	for name, want := range map[string]string{
		"tester": `
tester
  executable   /bin/goldsmith tester
  runs         yes
  reports      no
  probe        no
  targets      none: it runs the tests of images
  parameters   none
`, "disk": `
disk
  description   Makes^[[2J disks
  executable    /tools/disk --fast
  runs          no
  problem       /tools/disk is not an executable file
  workers       2
  reports       no
  probe         no
  targets       linux/amd64/raw, */oci
  parameters    3, and others
                How

PARAMETER   TYPE      REQUIRED   DEFAULT   VALUES              DESCRIPTION
label       string    no         ""        any                 <none>
sector      integer   no         512       one of 512, 4096    <none>
size        string    yes        <none>    matches ^[0-9]+M$   Size of the disk
`, "shell": `
shell
  image        example.com/shell:1
  runs         <unknown>
  reports      yes
  probe        yes
  targets      all
  parameters   all: the builder checks them itself

REASON       CLASS            MEANING                     WHAT TO DO
NoSpace      Config           the volume ^[ is full       free space
MirrorDown   Infrastructure   the mirror is unreachable   <none>
`, "none": `
none
  executable   /tools/none
  runs         yes
  reports      no
  probe        no
  targets      all
  base         one of debian:trixie, debian:sid
               Releases
  files        must begin with root/
  parameters   none
`,
	} {
		found, err := get(t.Context(), connection, name)
		if err != nil {
			t.Fatal(err)
		}
		out := &bytes.Buffer{}
		if err := show(found, out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), out.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	broken, err := get(t.Context(), connection, "broken")
	if err == nil {
		err = show(broken, t.Output())
	}
	if err == nil || !strings.HasPrefix(err.Error(), "read the parameters of Builder broken: ") {
		t.Errorf("a broken schema: %v", err)
	}
}

func TestWhatCannotBeReadIsExplained(t *testing.T) {
	resource := v1alpha1.Resource("builders")
	for _, test := range []struct {
		refusal   error
		list, get string
	}{
		{apierrors.NewGenericServerResponse(http.StatusNotFound, "get", resource, "", "404 page not found", 0, true),
			"list the builders: the server has no resource builders, because it is older than this command: update the server, or use the goldsmith of its version",
			"get builder dsk: the server has no resource builders, because it is older than this command: update the server, or use the goldsmith of its version"},
		{apierrors.NewForbidden(resource, "", errors.New("no")),
			"list the builders: builders.images.goldsmith.dev is forbidden: no; ask the operator which builders are registered, or for this permission in a ClusterRoleBinding",
			"get builder dsk: builders.images.goldsmith.dev is forbidden: no; ask the operator which builders are registered, or for this permission in a ClusterRoleBinding"},
		{errors.New("connection refused"), "list the builders: connection refused", "get builder dsk: connection refused"},
		{nil, "", "no builder is registered as \"dsk\": `goldsmith builders` lists the registered builders"},
	} {
		clientset := fake.NewClientset()
		if test.refusal != nil {
			clientset.PrependReactor("*", "builders", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, test.refusal })
		}
		connection := &client.Connection{Interface: clientset}
		_, getting := get(t.Context(), connection, "dsk")
		for i, err := range []error{run(t.Context(), connection, "", t.Output(), t.Output()), getting} {
			want := []string{test.list, test.get}[i]
			if (err == nil) != (want == "") || err != nil && err.Error() != want {
				t.Errorf("got error %v, want %s", err, want)
			}
		}
	}
}
