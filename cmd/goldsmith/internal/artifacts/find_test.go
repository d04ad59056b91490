// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestABuildIsFoundByItsNameItsImageOrAChannel(t *testing.T) {
	image := func(name, latest string, channels ...v1alpha1.ImageChannel) *v1alpha1.Image {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name)}}
		image.Status.Channels = channels
		if latest != "" {
			image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: latest, Number: 3, Artifacts: debian7().Status.Artifacts}
		}
		return image
	}
	unsuccessful := func(name string, phase v1alpha1.BuildPhase) v1alpha1.ImageBuild {
		build := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
		build.Spec.Number, build.Status.Phase, build.Status.Finished = new(int64(2)), phase, phase.Finished()
		return build
	}
	running := unsuccessful("debian-8", v1alpha1.BuildRunning)
	tested := func(name string, phase v1alpha1.BuildPhase, failure *v1alpha1.BuildFailure) *v1alpha1.ImageBuild {
		build := unsuccessful(name, phase)
		build.Status.Artifacts, build.Status.Failure = debian7().Status.Artifacts, failure
		return &build
	}
	succeeded := debian7()
	succeeded.Spec.Number = new(int64(7))
	clients := fake.NewClientset(succeeded, &running,
		tested("tested-1", v1alpha1.BuildFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureTest, Reason: v1alpha1.ReasonTestsFailed, Message: "test web failed"}),
		tested("tested-2", v1alpha1.BuildTesting, nil), tested("tested-3", v1alpha1.BuildCancelled, nil),
		image("debian", "debian-3", v1alpha1.ImageChannel{Name: "stable", Build: "debian-7"}, v1alpha1.ImageChannel{Name: "older", Build: "debian-2"},
			v1alpha1.ImageChannel{Name: "old", Build: "debian-3", Artifacts: debian7().Status.Artifacts}),
		image("fedora", "fedora-3", v1alpha1.ImageChannel{Name: "stable", Build: "fedora-3"}), image("new", ""), image("building", ""), image("failing", ""), image("untested", ""))
	clients.PrependReactor("list", "imagebuilds", func(action clienttesting.Action) (bool, runtime.Object, error) {
		builds := &v1alpha1.ImageBuildList{}
		switch action.(clienttesting.ListAction).GetListRestrictions().Fields.String() {
		case "spec.imageRef.uid=debian,status.phase=Succeeded":
			builds.Items = []v1alpha1.ImageBuild{*succeeded}
		case "spec.imageRef.uid=building":
			builds.Items = []v1alpha1.ImageBuild{unsuccessful("building-2", v1alpha1.BuildRunning)}
		case "spec.imageRef.uid=failing":
			failed := unsuccessful("failing-2", v1alpha1.BuildFailed)
			failed.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "no space"}
			builds.Items = []v1alpha1.ImageBuild{failed}
		case "spec.imageRef.uid=untested":
			builds.Items = []v1alpha1.ImageBuild{*tested("untested-2", v1alpha1.BuildFailed, nil)}
		}
		return true, builds, nil
	})
	connection := &client.Connection{Interface: clients, Namespace: "team"}
	for argument, want := range map[string]struct{ build, stderr, fails string }{
		"debian-7":              {build: "debian-7"},
		"imagebuild/debian-7":   {build: "debian-7"},
		"debian":                {build: "debian-7", stderr: "the latest successful build of image debian is debian-7\n"},
		"debian@stable":         {build: "debian-7", stderr: "channel stable of image debian is debian-7\n"},
		"image/debian@stable":   {build: "debian-7", stderr: "channel stable of image debian is debian-7\n"},
		"fedora":                {build: "fedora-3", stderr: "the latest successful build of image fedora is fedora-3\n"},
		"fedora@stable":         {build: "fedora-3", stderr: "channel stable of image fedora is fedora-3\n"},
		"fedora-3":              {build: "fedora-3"},
		"tested-1":              {build: "tested-1", stderr: "warning: build tested-1 has artifacts, but it failed: TestsFailed: test web failed\n"},
		"tested-2":              {build: "tested-2", stderr: "warning: build tested-2 has artifacts, but its tests have not ended; wait for build tested-2: `goldsmith logs tested-2 -f`\n"},
		"tested-3":              {build: "tested-3", stderr: "warning: build tested-3 has artifacts, but it was cancelled\n"},
		"debian-8":              {fails: "build debian-8 has no artifacts: its phase is Running; wait for build debian-8: `goldsmith logs debian-8 -f`"},
		"new":                   {fails: "image new has no build yet: `goldsmith plan new` shows what would start one"},
		"building":              {fails: "image building has no successful build yet: the phase of build building-2 is Running; wait for build building-2: `goldsmith logs building-2 -f`"},
		"untested":              {fails: "image untested has no successful build yet: the phase of build untested-2 is Failed; see `goldsmith logs untested-2`; to use its artifacts all the same, name the build instead of the image"},
		"failing":               {fails: "image failing has no successful build yet: the phase of build failing-2 is Failed: BuilderFailed: no space; see `goldsmith logs failing-2`"},
		"new@stable":            {fails: "image new has no channel stable: it has no channels"},
		"debian@testing":        {fails: "image debian has no channel testing: its channels are stable, older, old"},
		"debian@old":            {build: "debian-3", stderr: "channel old of image debian is debian-3\n"},
		"debian-3":              {build: "debian-3"},
		"debian@older":          {stderr: "channel older of image debian is debian-2\n", fails: "build debian-2, which channel older of image debian names, was deleted"},
		"imagebuild/debian-7@x": {fails: "must be IMAGE, IMAGE@CHANNEL or BUILD"},
		"debian@":               {fails: "must be IMAGE, IMAGE@CHANNEL or BUILD"},
		"imagebuild/debian":     {fails: "no build named debian in namespace team"},
		"image/debian-7":        {fails: "no image named debian-7 in namespace team"},
		"nothing":               {fails: "no image or build named nothing in namespace team"},
	} {
		var stderr bytes.Buffer
		build, err := Find(t.Context(), connection, argument, &stderr)
		if stderr.String() != want.stderr {
			t.Errorf("%s: stderr %q", argument, &stderr)
		}
		if want.fails != "" {
			if err == nil || !strings.Contains(err.Error(), want.fails) {
				t.Errorf("%s: got error %v", argument, err)
			}
			continue
		}
		if err != nil || build.Name != want.build || len(build.Status.Artifacts) != 1 {
			t.Errorf("%s: got %v, error %v", argument, build, err)
		}
	}
}

func TestArtifactsAreListedWithTheirDocuments(t *testing.T) {
	build := debian7()
	build.Status.Artifacts[0].Documents = []v1alpha1.ArtifactDocument{
		{Type: v1alpha1.DocumentLock, Digest: digestOf("lock"), SizeBytes: 1024, MediaType: v1alpha1.LockMediaType},
		{Type: v1alpha1.DocumentSBOM, Digest: digestOf("sbom"), SizeBytes: 2048, MediaType: "application/spdx+json"},
	}
	report := func(of string) *v1alpha1.ArtifactDocument {
		return &v1alpha1.ArtifactDocument{Type: v1alpha1.DocumentTestReport, Digest: digestOf(of), SizeBytes: 3072, MediaType: "application/vnd.junit+xml"}
	}
	build.Status.Tests = []v1alpha1.TestStatus{
		{Name: "boots", Target: "linux/amd64/raw", Report: report("report")}, {Name: "web", Target: "linux/amd64/raw", Report: report("report")},
		{Name: "other", Target: "linux/amd64/qcow2", Report: report("of another artifact")}, {Name: "none", Target: "linux/amd64/raw"},
		{Name: "ours", Target: "linux/amd64/raw", Report: report("ours")},
	}
	var out bytes.Buffer
	require.NoError(t, list(build, nil, &out))
	want := `^TARGET +DIGEST +SIZE +MEDIA TYPE +VERIFIED +LOCATION
linux/amd64/raw +` + digestOf(text) + ` +10 B +application/x-raw-disk-image +Content +/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/debian-7/artifacts/` + digestOf(text) + `
linux/amd64/raw lock +` + digestOf("lock") + ` +1.0 KiB +application/vnd\.goldsmith\.lock\.v1\+json +<none> +<none>
linux/amd64/raw spdx +` + digestOf("sbom") + ` +2.0 KiB +application/spdx\+json +<none> +<none>
linux/amd64/raw junit +` + digestOf("report") + ` +3.0 KiB +application/vnd\.junit\+xml +<none> +<none>
linux/amd64/raw junit-ours +` + digestOf("ours") + ` +3.0 KiB +application/vnd\.junit\+xml +<none> +<none>
$`
	if !regexp.MustCompile(want).MatchString(out.String()) {
		t.Errorf("got\n%s", &out)
	}
	out.Reset()
	build.Status.Tests = nil
	build.Status.Artifacts[0].Tag, build.Status.Artifacts[0].Location = "debian-7", "registry.example.com/debian@"+digestOf("manifest")
	require.NoError(t, list(build, nil, &out))
	want = `^TARGET +DIGEST +SIZE +MEDIA TYPE +VERIFIED +TAG +LOCATION
linux/amd64/raw +` + digestOf(text) + ` +10 B +application/x-raw-disk-image +Content +debian-7 +registry\.example\.com/debian@` + digestOf("manifest") + `
linux/amd64/raw lock +` + digestOf("lock") + ` +1.0 KiB +application/vnd\.goldsmith\.lock\.v1\+json +<none> +<none> +<none>
linux/amd64/raw spdx +` + digestOf("sbom") + ` +2.0 KiB +application/spdx\+json +<none> +<none> +<none>
$`
	if !regexp.MustCompile(want).MatchString(out.String()) {
		t.Errorf("got\n%s", &out)
	}
}

func TestALostArtifactHasNoLocation(t *testing.T) {
	f := newFixture(t, refuse(http.StatusGone, "no longer kept"), refuse(http.StatusInternalServerError, "cannot read the disk"))
	build := debian7()
	lost := lostContents(t.Context(), f.connection, build)
	var out bytes.Buffer
	require.NoError(t, list(build, lost, &out))
	if !strings.HasSuffix(out.String(), " Content    <lost>\n") {
		t.Errorf("got\n%s", &out)
	}
	if unknown := lostContents(t.Context(), f.connection, build); len(unknown) > 0 {
		t.Errorf("after an error, %v are lost", unknown)
	}
	if there := lostContents(t.Context(), f.connection, build); len(there) > 0 {
		t.Errorf("there, but %v are lost", there)
	}
	build.Status.Artifacts[0].Location = "registry.example.com/debian@" + digestOf("manifest")
	if lostContents(t.Context(), f.connection, build); len(f.ranges) != 3 {
		t.Errorf("%d requests, though a registry has the artifact", len(f.ranges))
	}
	const remedy = "build image debian again and promote that build to channel stable, or restore a backup that has artifacts"
	build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian"}
	if got := remedyForLost("debian@stable", build); got != remedy {
		t.Errorf("got %q", got)
	}
}
