// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/cmd/internal/catalog"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/signing"
)

const web = `apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata: {name: web}
spec:
  builder: {name: mock}
  base: {reference: debian:bookworm}
  parameters: [{name: duration, value: 10ms}, {name: steps, value: "1"}]
  targets: [{platform: linux/amd64, format: raw}]
  template: {resources: {requests: {cpu: 10m}}}
`

// listsPackages lists the packages of image web, whose latest artifact is in a file.
func (s *session) listsPackages(file string) {
	s.t.Helper()
	const table = "NAME          VERSION   ARCHITECTURE\nmock-base     1.0       all\nmock-kernel   6.12.1    all\nmock-shell    5.2       all\n"
	for _, argument := range []string{"web", "web@stable", "web-7", file} {
		s.types("packages", argument).matches("^" + table + "$")
	}
	lock := filepath.Join(s.t.TempDir(), "web.lock")
	s.types("artifacts", "get", "web", "--document", "lock", "-o", lock).says(lock + "\n")
	s.types("packages", lock).matches("^" + table + "$")
	packages := &v1alpha1.ImageBuildPackages{}
	if s.types("packages", "web-7", "--target", "linux/amd64/raw", "-o", "json").reads(packages); packages.Name != "web-7" || len(packages.Locks) != 1 {
		s.t.Errorf("got %+v", packages)
	}
	s.types("packages", "web", "--target", "linux/amd64/iso").fails(exit.Failure, "its targets are linux/amd64/raw\n")
	s.types("vulnerabilities", "web").fails(exit.Failure, "this server has no advisories; its operator sets them with --advisories")
	s.types("packages", "web-3").fails(exit.Failure, "build web-3 has no artifacts: its phase is Failed")
	s.types("__complete", "packages", "web").says("web\timage\n", "web@stable\tweb-7\n", "web-2\tSucceeded\n")
	s.types("__complete", "packages", "web", "--target", "").says("linux/amd64/raw\n")
	s.types("show", "web-7").matches(`\n +packages +3 \(the same as in web-\d+\)\n`)
}

// pushesArtifacts publishes an artifact twice: the server with its build, and the user.
func (s *session) pushesArtifacts() {
	s.t.Helper()
	s.t.Setenv("DOCKER_CONFIG", s.t.TempDir())
	registry := registrytest.New(s.t, registrytest.Options{Referrers: true}) // so that documents need no tags
	s.apply(strings.NewReplacer("{name: web}", "{name: published}", "spec:\n", "spec:\n  output: {repository: "+registry.Host()+"/team/web}\n").Replace(web))
	s.types("build", "published", "--wait").says()
	s.types("artifacts", "published").matches(`VERIFIED +TAG +LOCATION\n.* Content +published-2 +` + registry.Host() + `/team/web@sha256:[0-9a-f]{64}\n`)
	location := s.types("artifacts", "published", "-o", "jsonpath={.status.artifacts[0].location}")
	location.says()
	s.types("artifacts", "push", "published", registry.Host()+"/team/copy:latest").says(strings.Replace(location.out, "/web@", "/copy@", 1) + "\n")
	if tags := registry.Tags("team/copy"); !slices.Equal(tags, []string{"latest"}) {
		s.t.Errorf("got tags %q", tags)
	}
	s.types("artifacts", "push", "web@stable", registry.Host()+"/team/web", "--target", "linux/amd64/iso").fails(exit.Failure, "its targets are linux/amd64/raw\n")
	s.types("__complete", "artifacts", "push", "web").says("web\timage\n", "web@stable\tweb-7\n", "web-2\tSucceeded\n")
	s.types("__complete", "artifacts", "push", "web", "--target", "").says("linux/amd64/raw\n")
}

// provesArtifacts builds signed artifacts again: those of a build, of a manifest, and of a file whose image was deleted.
func (s *session) provesArtifacts() {
	s.t.Helper()
	registry := registrytest.New(s.t, registrytest.Options{Referrers: true})
	s.types("keys", "create", "release", "--namespace", "default").says("SigningKey release signs the builds of namespaces")
	s.apply(strings.NewReplacer("{name: web}", "{name: proven}", "spec:\n", "spec:\n  output: {repository: "+registry.Host()+"/team/proven}\n").Replace(web))
	s.types("build", "proven", "--wait").says("proven-2\n")
	tags := registry.Tags("team/proven")

	s.types("verify", "proven-2", "--rebuild").matches(`(?s)^✓ .* is verified\n.*\n  reproduced +build proven-3 made the same content\n$`)
	s.types("show", "proven-2").matches(`\n  reproduced +build proven-3 made the same content\n`)
	if got := registry.Tags("team/proven"); !slices.Equal(got, tags) {
		s.t.Errorf("the rebuild changed the tags %q to %q", tags, got)
	}
	location := s.types("artifacts", "proven-2", "-o", "jsonpath={.status.artifacts[0].location}")
	location.says()
	s.types("verify", location.out).matches(`(?s): cyclonedx, provenance, reproduction, signature, spdx\n.* build proven-2 of .*\n  reproduced +by build proven-3, of build proven-2\n$`)
	s.types("verify", location.out, "--rebuild", "-o", "jsonpath={.artifacts[*].rebuild.build} {.artifacts[*].rebuild.reason}").matches(`^rebuild-proven-2-[a-z0-9]{5} SameContent$`)

	s.types("build", "proven", "--parameter", "reproducible=false", "--wait").says("proven-4\n")
	s.types("verify", "proven-4", "--rebuild").fails(exit.NotVerified, " was not reproduced: the same inputs made other content\n")
	s.types("show", "proven-4").matches(`\n  reproduced +no: build proven-5 made other content of the same inputs: linux/amd64/raw has sha256:`)

	file := filepath.Join(s.t.TempDir(), "proven.raw")
	s.types("artifacts", "get", "proven-2", "-o", file).says(file + "\n")
	s.types("artifacts", "get", "proven-2", "--document", "bundle", "-o", file+".bundle").says(file + ".bundle\n")
	s.takesNoStatementForAFile(file + ".bundle")
	s.deletesImage("proven")
	s.types("verify", file, "--rebuild").matches(`\n  reproduced +build rebuild-proven-2-[a-z0-9]{5} made the same content\n`)
}

// takesNoStatementForAFile shows the text that the server signed as a file, with the signature of the server: a shell would run what an editor of the image
// wrote there.
func (s *session) takesNoStatementForAFile(bundle string) {
	s.t.Helper()
	signed := require.Value(attestation.ReadBundle(require.Value(os.ReadFile(bundle))(s.t)))(s.t)
	const payloadType = "application/vnd.in-toto+json"
	encoding := fmt.Sprintf("DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(signed.Payload), signed.Payload)
	file := require.Value(signing.ReadFile(strings.NewReader(encoding)))(s.t)
	if file.Digest() != signed.SignedDigest() {
		s.t.Fatalf("the server signed another text than %.80s", encoding)
	}
	directory := s.t.TempDir()
	script, key := filepath.Join(directory, "install.sh"), filepath.Join(directory, "release.pub")
	public := s.types("keys", "get", "release")
	public.says("PUBLIC KEY")
	for name, content := range map[string][]byte{
		script: []byte(encoding), key: []byte(public.out), script + ".sig": signed.Signatures[0].Signature,
		script + ".sigstore.json": require.Value(attestation.OfFile(file).Bundle(signed.Signatures[0]))(s.t),
	} {
		require.NoError(s.t, os.WriteFile(name, content, 0o600))
	}
	for _, keys := range [][]string{nil, {"--offline", "--key", key}, {"--offline", "--file-key", key}} {
		verify := s.types(append([]string{"verify", script}, keys...)...)
		verify.fails(exit.NotVerified, "install.sh is not verified")
		if !strings.Contains(verify.out, "its content is the encoding of a statement") {
			s.t.Errorf("verify %v: got\n%s", keys, verify.out)
		}
	}
}

// plansAFleet asks the archive of two images, one based on the other, for newer versions. The controller checks it later.
func (s *session) plansAFleet() {
	s.t.Helper()
	var newer atomic.Bool
	archive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text := "date: 2026-11-28T10:00:00Z\nopenssl 3.5.6-1\nnginx 1.26-1\n"
		if newer.Load() {
			text = "date: 2026-11-28T12:00:00Z\nopenssl 3.5.6-1\nopenssl 3.5.7-1 security CVE-2026-1\nnginx 1.26-1\n"
		}
		_, _ = io.WriteString(w, text) // the client tells
	}))
	s.t.Cleanup(archive.Close)
	const mock = "parameters: [{name: duration, value: 10ms}, {name: steps, value: \"1\"}"
	for _, one := range [][3]string{{"ssl", "reference: debian:bookworm", "openssl"}, {"site", "imageRef: {name: ssl}", "nginx"}} {
		s.apply(strings.NewReplacer("{name: web}", "{name: "+one[0]+"}", "reference: debian:bookworm", one[1], "spec:\n", "spec:\n  triggers: {onPackageChange: {}}\n",
			mock, mock+", {name: archive, value: \""+archive.URL+"\"}, {name: packages, value: "+one[2]+"}").Replace(web))
	}
	for _, image := range []string{"ssl", "site"} { // then the server changes them no more
		s.waitsForRecord(image + "-1")
		s.waitsForPackages(image, func(packages metav1.Condition) bool { return packages.Reason == v1alpha1.ReasonPackagesUnchanged })
	}
	s.types("plan", "--archive", "now", "--exit-code").matches(`^ARCHIVE +SUITE +STATE +UPDATES\n` + archive.URL + ` +<none> +asked now +0\n\n0 of 4 images would be built; 2 images without triggers.onPackageChange are left out\n$`)
	newer.Store(true)
	before := s.versions()
	s.types("plan", "--archive", "now", "-A").matches(`(?s) asked now +1\n\nNAMESPACE +IMAGE +LAYER +WHEN +PACKAGES\ndefault +ssl +0 +now +openssl 3.5.6-1 → 3.5.7-1 \(CVE-2026-1\)\ndefault +site +1 +after ssl +<none>\n\n2 of 4 images would be built: 1 now, 1 after their bases; 2 images `)
	s.types("plan", "--archive", "now", "--exit-code", "-o", "name").fails(exit.BuildDue)
	if after := s.versions(); after != before {
		s.t.Errorf("the plan has changed the server from %s to %s", before, after)
	}
	archive.Close()
	s.types("plan", "--archive", "now").says("asking it failed: ArchiveUnavailable: ")
	s.types("plan", "--archive", "checked").says(archive.URL)
	s.types("plan", "--archive", "soon").fails(exit.Failure, `--archive is "soon", must be now or checked`)
	s.types("plan", "--archive", "now", "web").fails(exit.Failure, "omit IMAGE")
	s.types("plan", "-A").fails(exit.Failure, "--all-namespaces needs --archive")
	s.types("plan", "--archive", "now", "-n", "empty").tells("there is no image in namespace empty\n")
	for _, name := range []string{"site", "ssl"} {
		s.deletesImage(name)
	}
}

// versions are the resource versions of the Images and their builds.
func (s *session) versions() string {
	s.t.Helper()
	connection := s.connect()
	var all []string
	for _, image := range require.Value(connection.ImagesV1alpha1().Images("").List(s.ctx, metav1.ListOptions{}))(s.t).Items {
		all = append(all, image.Name+" "+image.ResourceVersion)
	}
	for _, build := range require.Value(connection.ImagesV1alpha1().ImageBuilds("").List(s.ctx, metav1.ListOptions{}))(s.t).Items {
		all = append(all, build.Name+" "+build.ResourceVersion)
	}
	return strings.Join(all, ", ")
}

// TestTheVerbsWorkWithAServer is the session of a user with a shell: later commands build on earlier commands.
func TestTheVerbsWorkWithAServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := &session{t: t, ctx: ctx, kubeconfig: serve(ctx, t)}

	const namespace = "apiVersion: v1\nkind: Namespace\n---\n"
	s.types("plan", "-f", "-", "-f", s.t.TempDir()).given(namespace+web).says("image web would be built now, as web-1\n", "Created")
	s.apply(web)
	s.types("plan", "web").says("image web would not be built now\n", "next build   web-2\n", "resources    requests cpu=10m\n")
	s.types("plan", "-f", "-").given(strings.Replace(web, "bookworm", "trixie", 1)).says("web would be built now, as web-2\n", "debian:bookworm → debian:trixie")
	s.types("plan", "-f", "-", "-o", "json").given(strings.Replace(web, "debian:bookworm", "", 1)).fails(exit.Failure, "stdin: plan image web: ", "spec.base")
	s.types("plan", "-f", "-", "--exit-code").given(web).says("web would not be built now\n")
	base := strings.Replace(web, "{name: web}", "{name: base}", 1) + "---\n"
	s.types("plan", "-f", "-").given(base + strings.NewReplacer("{name: web}", "{name: top}", "reference: debian:bookworm", "imageRef: {name: base}").Replace(web)).says("WaitingForBase")
	s.types("plan", "-f", "-", "--exit-code").given(strings.Replace(web, "bookworm", "trixie", 1)).fails(exit.BuildDue)

	s.showsColumnsInK9s()

	s.types("builders").matches(`^NAME +KIND +RUNS +REPORTS +IMAGES +DESCRIPTION +BUILDER\ndebian +executable +(yes|no) +yes +0 +Bootable disks .*\nmock +executable +yes +yes +1 +Test builder .* +/\S+ mock-builder\n$`)
	s.types("builders", "mock").says("mock\n", "  targets       all\n")
	s.types("version").says("Client Version: ", "\nServer Version: v0.1.0\n")
	s.types("__complete", "builders", "m").says("mock\n")

	s.types("build", "web", "--request-id", "nightly", "--wait", "-o", "name").says("imagebuild.images.goldsmith.dev/web-2\n")
	s.types("build", "web", "--request-id", "nightly", "-f").says("web-2\n", "step 1/1")
	s.types("build", "web", "--parameter", "failAt=1", "--wait").fails(exit.BuildFailed, "✗ build web-3 failed after ", ": User/BuilderFailed: ", "\n  next: correct the image or the builder; the log shows the cause: goldsmith logs web-3 --kubeconfig="+s.kubeconfig)
	s.types("show", "web").matches(`(?s)^✗ build web-3 failed after .*: User/BuilderFailed: .* changed +parameters\[failAt\] +none → 1\n +since +web-2\n +log .*failed in step 1 of 1, .*\n +next +goldsmith logs web-3 --kubeconfig=`)
	s.types("show", "web-2", "-o", "name").says("imagebuild.images.goldsmith.dev/web-2\n")
	s.types("__complete", "show", "web").says("web\timage\n", "web-3\tFailed\n")
	s.types("build", "web", "--parameter", "Not A Name=1").fails(exit.Failure, "parameters")
	s.types("build", "nothing").fails(exit.Failure, "no image named nothing in namespace default")

	first, again := &v1alpha1.ImageBuild{}, &v1alpha1.ImageBuild{}
	s.types("rerun", "web-3", "-f").fails(exit.BuildFailed, "• build web-4, attempt 1 of 3\n✗ build web-4 failed after ")
	s.types("logs", "web-4", "-f").fails(exit.BuildFailed, "✗ build web-4 failed after ")
	s.types("rerun", "web-1", "--wait", "-o", "json").reads(again)
	s.types("diff", "web-1", "web-3").matches(`(?s)BUILD +web-1 +web-3\nparameters\[failAt\] +- +1\nphase +Succeeded +Failed \(BuilderFailed\)\n.*artifacts\[linux/amd64/raw\] +sha256:[0-9a-f]{12} +-\n`)
	s.types("diff", "web-3").matches(`BUILD +web-2 +web-3\n`)
	s.types("diff", "web-1").fails(exit.Failure, "image web has no successful build before web-1")
	s.types("diff", "web-3", "--uid", "a").fails(exit.Failure, "--uid and --second-uid need the names of two builds")
	s.types("diff", "web-99").fails(exit.Failure, "no build named web-99 in namespace default")
	s.types("build", "web", "--request-id", "nightly", "-o", "json").reads(first)
	if got, want := again.Status.Artifacts[0].Digest, first.Status.Artifacts[0].Digest; again.Spec.Trigger.RerunOf != "web-1" || got != want {
		t.Errorf("the rerun is %v, of digest %s, want %s", again.Spec.Trigger, got, want)
	}

	s.types("build", "web", "--request-id", "slow", "--parameter", "duration=1h").says("web-6\n")
	s.types("build", "web", "--request-id", "next").says("web-7\n")
	s.waits("web-6", v1alpha1.BuildRunning)
	s.types("queue").matches(`(?s)POSITION +NAME +IMAGE +PRIORITY +WAITING +STARTS +WHY\n1 +web-7 +web +0 .*an earlier build of the image has not finished`)
	s.types("status").says("✓ nothing needs attention: 1 image, 1 ready, 1 building, 1 queued\n")
	s.types("queue", "-A", "-o", "name").says("queuedbuild.images.goldsmith.dev/web-7\n")
	s.types("__complete", "cancel", "web-").says("web-6\t", "web-7\t")
	s.types("__complete", "diff", "web-2", "web-").says("web-6\t", "web-7\t")
	s.types("cancel", "web-6").says("web-6 is being cancelled\n")
	s.types("build", "web", "--request-id", "slow", "--wait").fails(exit.BuildCancelled, "✗ build web-6 was cancelled after ")
	s.types("build", "web", "--request-id", "next", "--wait").says("web-7\n")
	s.types("queue").tells("no build is queued in namespace default\n")

	s.types("cancel", "web").fails(exit.Failure, "Error: web is an image, but cancel takes a build: it has no unfinished build")
	s.types("rerun", "web", "--wait").fails(exit.Failure, "web is an image, but rerun takes a build: the latest build that was not cancelled is web-7: goldsmith rerun web-7 --kubeconfig=", " --wait\n")
	s.types("promote", "web", "stable").fails(exit.Failure, "web is an image, but promote takes a build: the latest successful build is web-7: goldsmith promote web-7 stable --kubeconfig=")
	s.types("cancel", "image/web").fails(exit.Failure, "Error: web is an image, but cancel takes a build: it has no unfinished build")
	s.types("cancel", "image/nothing").fails(exit.Failure, "Error: image/nothing is an image, but cancel takes a build: see `goldsmith cancel --help`")
	s.types("build", "web-7").fails(exit.Failure, "Error: web-7 is a build, but build takes an image: its image is web: goldsmith build web --kubeconfig=")
	s.types("history", "web-7").fails(exit.Failure, "Error: web-7 is a build, but history takes an image: its image is web: goldsmith history web")

	s.types("promote", "web-2", "stable").says("channel stable of image web: none → web-2\n")
	s.types("promote", "web-7", "stable", "--from", "web-2").says("channel stable of image web: web-2 → web-7\n")
	s.types("promote", "web-7", "stable").says("channel stable of image web is web-7 already\n")
	s.types("promote", "web-5", "stable", "--from", "web-2").fails(exit.Failure, "channel was expected to name web-2, but names web-7, moved by ")
	s.types("promote", "web-3", "stable").fails(exit.Failure, "channels[0].build", "Failed")
	s.types("__complete", "promote", "web-2", "").says("stable\tweb-7\n")
	s.types("artifacts", "web@stable").matches(`^TARGET +DIGEST +SIZE +MEDIA TYPE +VERIFIED +LOCATION\nlinux/amd64/raw +sha256:[0-9a-f]{64} +\d+ B +application/x-raw-disk-image +Content +/apis/`)
	s.types("artifacts", "web", "-o", "jsonpath={.metadata.name}").says("web-7")
	file := filepath.Join(t.TempDir(), "web.raw")
	s.types("artifacts", "get", "web@stable", "-o", file).says(file + "\n")
	s.types("artifacts", "get", "web-7", "-o", file).says(file + "\n")
	fetched := require.Value(os.ReadFile(file))(t)
	s.types("artifacts", "get", "imagebuild/web-7", "-o", "-").says(string(fetched))
	s.types("artifacts", "web-7", "-o", "jsonpath={.status.artifacts[0].digest}").says(fmt.Sprintf("sha256:%x", sha256.Sum256(fetched)))
	s.types("artifacts", "get", "web", "--target", "linux/amd64/iso").fails(exit.Failure, "its targets are linux/amd64/raw\n")
	s.types("artifacts", "web-3").fails(exit.Failure, "build web-3 has no artifacts: its phase is Failed")
	s.types("__complete", "artifacts", "get", "web").says("web\timage\n", "web@stable\tweb-7\n", "web-2\tSucceeded\n")
	s.types("__complete", "artifacts", "get", "web", "--target", "").says("linux/amd64/raw\n")

	s.listsPackages(file)

	s.types("suspend", "web").says("image web suspended\n")
	s.types("suspend", "web").says("image web was suspended already\n")
	s.types("status").says("• image default/web  Suspended\n", "\n1 image, 1 ready, 0 building, 0 queued\n")
	s.types("resume", "web", "-o", "yaml").says("kind: Image\n", "suspend: false\n")
	s.types("status").says("✓ 1 image is ready; no build waits\n")
	s.types("suspend", "nothing").fails(exit.Failure, "no image named nothing in namespace default")

	asksTheRecords(s)

	s.types("status", "--watch").stopsAt("image").says("✓ 1 image is ready; no build waits\n")

	s.pushesArtifacts()
	s.provesArtifacts()

	s.plansAFleet()

	uid := s.deletesImage("web")
	s.types("history", "--deleted", "image/web").matches(`^NAME +DELETED +UID\nweb +\d+s ago +` + uid + `\n$`)
	s.types("history", "web", "--uid", uid, "--limit", "1").matches(`^NAME .*\nweb-8 +Failed `)
	s.types("logs", "imagebuild/web-8").fails(exit.Failure, "\n  goldsmith logs imagebuild/web-8 --kubeconfig="+s.kubeconfig+" --uid ")
	s.types("history", "--deleted", "nothing").tells("no deleted image is recorded in namespace default\n")
}

// asksTheRecords reads the records of the session so far, and of a build that it deletes.
func asksTheRecords(s *session) {
	for _, build := range []string{"web-2", "web-4", "web-5", "web-6", "web-7"} {
		s.waitsForRecord(build)
	}
	uid := s.waitsForRecord("web-3")
	connection := s.connect()
	if err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Delete(s.ctx, "web-3", metav1.DeleteOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.types("history", "web").matches(`(?s)^NAME +PHASE +WHY +TRIGGER +TOOK +AGE *\nweb-7 +Succeeded .*\nweb-3 +Failed +BuilderFailed +Manual .*\n.*web-1 +Succeeded`)
	s.types("history", "web", "-o", "wide").matches(`(?s)^NAME .* DELETED +UID +SOURCE +MESSAGE *\nweb-7 +Succeeded .*\nweb-3 +Failed +BuilderFailed +Manual .*` + uid + ` .*\n.*web-1 +Succeeded`)
	s.types("history", "web", "--outcome", "cancelled", "-o", "custom-columns=BUILD:.name,UID:.uid").matches(`^BUILD +UID\nweb-6 +[0-9a-f-]{36}\n$`)
	s.types("history", "web", "--outcome", "Cancelled").matches(`^NAME .*\nweb-6 +Cancelled +CancelRequested .*\n$`)
	s.types("history", "web", "--limit", "1").matches(`^NAME .*\nweb-7 .*\n$`)
	history := &v1alpha1.ImageHistory{}
	if s.types("history", "web", "--limit", "2", "-o", "json").reads(history); len(history.Items) != 2 || history.Items[1].Name != "web-6" || history.Continue == "" {
		s.t.Errorf("the history is %+v", history)
	}
	s.types("history", "web", "--outcome", "Cancelled", "-o", "name").says("imagebuild.images.goldsmith.dev/web-6\n")
	s.types("history", "web", "--trigger", "Schedule").tells("no such build of image web is recorded\n")
	s.types("__complete", "history", "web", "--outcome", "f").says("Failed\n")
	s.types("history", "web", "--since", "yesterday").fails(exit.Failure, "since")
	s.types("history", "nothing").fails(exit.Failure, "no image named nothing in namespace default")
	s.types("history", "web", "--limit", "-1").fails(exit.Failure, "--limit -1: must be 0")
	s.types("logs", "web-3", "--tail=1").fails(exit.Failure, "build web-3 was deleted: ", "\n  goldsmith logs web-3 --kubeconfig="+s.kubeconfig+" --tail=1 --uid "+uid+"\n")
	s.types("logs", "web-3", "--tail=1", "--uid", uid).says("mock builder: failed in step 1 of 1")
	s.types("show", "web-3").matches(`(?s)^build web-3 was deleted; its record:\nNAME .*\nweb-3 +Failed +BuilderFailed .*\nUser/BuilderFailed: .*: goldsmith logs web-3 --kubeconfig=\S+ --uid ` + uid + `\n$`)
	s.types("show", "web-99").fails(exit.Failure, "no image or build named web-99 in namespace default")
	s.types("logs", "web-99").fails(exit.Failure, "no image or build named web-99 in namespace default")
	s.types("diff", "web-3", "web-7").fails(exit.Failure, "build web-3 in namespace default was deleted: ", "\n  goldsmith diff web-3 web-7 --kubeconfig="+s.kubeconfig+" --uid="+uid+"\n")
	s.types("rerun", "web-3", "--message", "try again").fails(exit.Failure, "build web-3 in namespace default was deleted: ", "\n  goldsmith rerun web-3 --kubeconfig="+s.kubeconfig+" --message='try again' --uid="+uid+"\n")
	s.types("cancel", "web-3").fails(exit.Failure, "build web-3 in namespace default was deleted\n")
	s.types("diff", "web-3", "web-7", "--uid", uid).matches(`(?s)BUILD +web-3 +web-7\n.*phase +Failed \(BuilderFailed\) +Succeeded\n`)

	s.types("stats", "web").matches(`(?s)^IMAGE +web\nwindow +30d\nbuilds +4: 4 succeeded, 0 failed, 0 cancelled; .*one-off +3 more.*success +100%\n.*health +\d+ of 100`)
	s.types("stats", "web", "--since", "soon").fails(exit.Failure, "since")
	s.types("stats", "--since", "soon").fails(exit.Failure, "since")
	s.types("stats", "--all-namespaces").matches(`(?s)^NAMESPACE +IMAGE +BUILDS +SUCCESS +P50 +FIXES +FIX P50\n.*default +web +4 +100% +\S+ +<none> +<none>\n`)
	stats := &v1alpha1.ImageStats{}
	if s.types("stats", "web", "-o", "json").reads(stats); stats.Stats.Builds != 4 || stats.Stats.OneOffs != 3 {
		s.t.Errorf("the statistics are %+v", stats.Stats)
	}

	s.types("notes", "web").tells("no note is recorded about image web\n")
	s.types("notes", "web", "two lines\nof it", "--id", "first").matches(`(?s)^20\S+Z  \S+\n    two lines\n    of it\n$`)
	s.types("notes", "web", "something else", "--id", "first").says("    two lines\n")
	s.types("notes", "web", "another'; DROP TABLE notes; --").says("    another'; DROP TABLE notes; --\n")
	s.types("notes", "web").matches(`(?s)^20\S+Z  \S+\n    another'; DROP TABLE notes; --\n\n20\S+Z  \S+\n    two lines\n    of it\n$`)
	s.types("notes", "web", "-").given("lines of\na file\r\n\n").matches(`(?s)^20\S+Z  \S+\n    lines of\n    a file\n$`)
	s.types("notes", "web", "-").given("\n").fails(exit.Failure, "text")
	s.types("notes", "web", strings.Repeat("long", 1025)).fails(exit.Failure, "text")
	s.types("notes", "nothing", "something").fails(exit.Failure, "no image named nothing in namespace default")
	s.types("notes", "web", "something", "--uid", uid).fails(exit.Failure, "--uid lists notes")

	s.changesRetryLimit("web", 7)
	s.types("changes", "web", "-o", "yaml").says("kind: ImageChanges\n", "path: retry.limit\n")
	s.types("changes", "nothing").fails(exit.Failure, "no image named nothing in namespace default")
	s.types("rerun", "web-3", "--uid", uid, "--message", "after it was deleted", "--wait").fails(exit.BuildFailed, "✗ build web-8 failed after ")
	s.types("rerun", "web-3", "--uid", "a").fails(exit.Failure, `imagebuild "web-3" with UID a does not exist and has no record`)
}

// changesRetryLimit changes a field of an image that is no input, and returns once the change is recorded.
func (s *session) changesRetryLimit(image string, limit int) {
	s.t.Helper()
	connection := s.connect()
	patch := fmt.Appendf(nil, `{"spec": {"retry": {"limit": %d}}}`, limit)
	_, err := connection.ImagesV1alpha1().Images(connection.Namespace).Patch(s.ctx, image, types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(s.t, err)
	want := regexp.MustCompile(fmt.Sprintf(`(?s)^GENERATION .*\n\d+ .* retry\.limit +\S+ +%d`, limit))
	for last := ""; ; {
		shown := s.types("changes", image)
		if shown.run(); want.MatchString(shown.out) {
			return
		}
		if s.ctx.Err() != nil {
			s.t.Fatalf("the change is not recorded: %s", last)
		}
		last = shown.out + shown.complaints
	}
}

// deletesImage deletes an image, and returns once its builds are deleted and its deletion is recorded.
func (s *session) deletesImage(name string) (uid string) {
	s.t.Helper()
	connection := s.connect()
	images := connection.ImagesV1alpha1().Images(connection.Namespace)
	image, err := images.Get(s.ctx, name, metav1.GetOptions{})
	require.NoError(s.t, err)
	if err := images.Delete(s.ctx, name, metav1.DeleteOptions{}); err != nil {
		s.t.Fatal(err)
	}
	for {
		shown := s.types("history", "--deleted")
		shown.run()
		builds, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).List(s.ctx, metav1.ListOptions{})
		if err != nil {
			s.t.Fatalf("list the builds of the deleted image %s: %v; its deletion may not be recorded: %s%s", name, err, shown.out, shown.complaints)
		}
		remain := slices.ContainsFunc(builds.Items, func(build v1alpha1.ImageBuild) bool { return metav1.IsControlledBy(&build, image) })
		if !remain && strings.Contains(shown.out, string(image.UID)) {
			return string(image.UID)
		}
	}
}

// serve starts a server in memory and returns its kubeconfig.
func serve(ctx context.Context, t *testing.T) string {
	t.Helper()
	return serveKinds(ctx, t, catalog.Flags{})
}

// serveKinds is serve with kinds of the catalog.
func serveKinds(ctx context.Context, t *testing.T, offered catalog.Flags) string {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	ready, ended := make(chan string, 1), make(chan error, 1)
	executable, err := os.Executable()
	require.NoError(t, err)
	directory := filepath.Join(t.TempDir(), "data")
	go func() {
		ended <- up.Run(ctx, up.Options{Version: "v0.1.0", DataDirectory: directory, Memory: true, Executable: executable, Kinds: offered,
			OnReady: func(_ *rest.Config, kubeconfig string) { ready <- kubeconfig }})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case kubeconfig := <-ready:
		return kubeconfig
	case err := <-ended:
		ended <- err
		t.Fatal("the server ended before it was ready")
		return ""
	}
}
