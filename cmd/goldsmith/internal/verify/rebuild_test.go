// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

// server is a server that finishes each build at once.
type server struct {
	*client.Connection
	requests []*v1alpha1.RerunRequest
	created  []*v1alpha1.ImageBuild
	// finish gives a new build its outcome. Without it, a build makes the artifacts that it is to make.
	finish func(*v1alpha1.ImageBuild)
	// refusal is the answer to each request for a build.
	refusal error
}

func newServer(known ...runtime.Object) *server {
	clients := fake.NewClientset(known...)
	s := &server{Connection: &client.Connection{Interface: clients, Namespace: "team"}}
	started := func(build *v1alpha1.ImageBuild) (runtime.Object, error) {
		if s.refusal != nil {
			return nil, s.refusal
		}
		build.Namespace, build.UID = "team", "uid-of-rebuild"
		build.Status.Phase, build.Status.Finished = v1alpha1.BuildSucceeded, true
		build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1, BuilderImage: web().Status.Attempts[0].BuilderImage}}
		build.Status.CurrentAttempt = 1
		if build.Spec.Reproduces != nil {
			for _, want := range build.Spec.Reproduces.Artifacts {
				build.Status.Artifacts = append(build.Status.Artifacts, v1alpha1.Artifact{
					Target: want.Target, Digest: want.Digest, Verified: v1alpha1.ArtifactVerifiedContent,
					Documents: []v1alpha1.ArtifactDocument{{Type: v1alpha1.DocumentLock, Digest: want.Lock}},
				})
			}
		}
		if s.finish != nil {
			s.finish(build)
		}
		return build, clients.Tracker().Add(build.DeepCopy())
	}
	clients.PrependReactor("list", "imagebuilds", func(action clienttesting.Action) (bool, runtime.Object, error) {
		all, err := clients.Tracker().List(action.GetResource(), v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"), "team")
		if err != nil {
			return true, nil, err
		}
		selected := all.(*v1alpha1.ImageBuildList) // the tracker knows no field selectors
		for i := range selected.Items {            // the controller has stored the results by now
			for j := range selected.Items {
				if result := attestation.Verdict(&selected.Items[j], &selected.Items[i], now); result != nil {
					meta.SetStatusCondition(&selected.Items[i].Status.Conditions, *result)
				}
			}
		}
		selected.Items = slices.DeleteFunc(selected.Items, func(build v1alpha1.ImageBuild) bool {
			return !action.(clienttesting.ListAction).GetListRestrictions().Fields.Matches(fields.Set{"metadata.name": build.Name})
		})
		return true, selected, nil
	})
	clients.PrependReactor("create", "imagebuilds/rerun", func(action clienttesting.Action) (bool, runtime.Object, error) {
		s.requests = append(s.requests, action.(clienttesting.CreateAction).GetObject().(*v1alpha1.RerunRequest))
		build := web()
		build.Name = action.(clienttesting.CreateActionImpl).Name + "1"
		build.Spec.Reproduces = attestation.Reproducible(published(""))
		answer, err := started(build)
		return true, answer, err
	})
	clients.PrependReactor("create", "imagebuilds", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "" {
			return false, nil, nil
		}
		build := action.(clienttesting.CreateAction).GetObject().(*v1alpha1.ImageBuild)
		s.created = append(s.created, build.DeepCopy())
		build.Name = build.GenerateName + "x7k2p"
		answer, err := started(build)
		return true, answer, err
	})
	return s
}

// published returns web, with its artifact in a registry.
func published(location string) *v1alpha1.ImageBuild {
	build := web()
	build.Status.Artifacts = []v1alpha1.Artifact{{
		Target: raw, Digest: digest("disk"), Location: location, Verified: v1alpha1.ArtifactVerifiedContent,
		Documents: []v1alpha1.ArtifactDocument{{Type: v1alpha1.DocumentLock, Digest: digest(locked)}},
	}}
	return build
}

// rebuilt returns the output of verify --rebuild, and its exit code.
func rebuilt(ctx context.Context, asked options, argument string, s *server) (stdout, stderr string, code int, err error) {
	var out, complaints bytes.Buffer
	asked.rebuild, asked.out, asked.stderr, asked.clock = true, &out, &complaints, testingclock.NewFakeClock(now)
	asked.show = follow.Options{Out: &out, Stderr: &complaints, Program: "goldsmith", Connection: " --namespace=team"}
	asked.connect = func() (*client.Connection, error) {
		if s == nil {
			return nil, errors.New("no kubeconfig")
		}
		return s.Connection, nil
	}
	err = asked.run(ctx, argument)
	return out.String(), complaints.String(), exit.Code(ctx, err), err
}

// The outcomes of a rebuild.
var (
	otherContent = func(build *v1alpha1.ImageBuild) { build.Status.Artifacts[0].Digest = digest("other disk") }
	otherLock    = func(build *v1alpha1.ImageBuild) {
		otherContent(build)
		build.Status.Artifacts[0].Documents[0].Digest = digest("other lock")
	}
	otherBuilder = func(build *v1alpha1.ImageBuild) {
		otherContent(build)
		build.Status.Attempts[0].BuilderImage = "registry.example.com/debian@" + digest("other builder")
	}
	ended = func(phase v1alpha1.BuildPhase) func(*v1alpha1.ImageBuild) {
		return func(build *v1alpha1.ImageBuild) { build.Status.Phase, build.Status.Artifacts = phase, nil }
	}
)

func TestABuildIsBuiltAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	noLogins(t)
	key := newSigner(t)
	write(t, "key.pub", string(key.public.PEM()))
	write(t, "other.pub", string(newSigner(t).public.PEM()))
	registry := registrytest.New(t, registrytest.Options{Referrers: true})
	location, manifest := pushed(t, registry, "disk", "")
	attach(t, registry, key.bundles(t, statements(t, raw, "disk", location, manifest))...)
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", UID: "image"}}
	image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: "web-7", Number: 7, Artifacts: published(location).Status.Artifacts}
	const differ = "reproduced   no: build web-71 made other content of the same inputs: linux/amd64/raw has sha256:"
	for name, test := range map[string]struct {
		argument string
		key      string
		known    []runtime.Object
		finish   func(*v1alpha1.ImageBuild)
		refusal  error
		code     int
		want     []string
		nothing  bool // nothing is built
	}{
		"as it was":         {want: []string{"✓", "  reproduced   build web-71 made the same content\n"}},
		"that was deleted":  {argument: "web", known: []runtime.Object{image}, want: []string{"  reproduced   build web-71 made the same content\n"}},
		"with another disk": {finish: otherContent, code: exit.NotVerified, want: []string{differ, "\n               see what differs: `goldsmith diff web-7 web-71 --namespace=team`\n", "was not reproduced: the same inputs made other content"}},
		"that was deleted, with another disk": {
			argument: "web", known: []runtime.Object{image}, finish: otherContent, code: exit.NotVerified, want: []string{"`goldsmith diff web-7 web-71 --uid uid-of-web-7 --namespace=team`\n"},
		},
		"of other packages":  {finish: otherLock, code: exit.Failure, want: []string{"reproduced   unknown: build web-71 made other content, and its locks differ", "pin the packages", "nobody can tell whether"}},
		"by another builder": {finish: otherBuilder, code: exit.Failure, want: []string{"reproduced   unknown: build web-71 made other content, with the builder", "the earlier builder; see what differs"}},
		"in vain":            {finish: ended(v1alpha1.BuildFailed), code: exit.BuildFailed, want: []string{"reproduced   unknown: build web-71 was to make", "see why: `goldsmith show web-71 --namespace=team`\n"}},
		"and cancelled":      {finish: ended(v1alpha1.BuildCancelled), code: exit.BuildCancelled, want: []string{"ended as Cancelled"}},
		"without a target":   {finish: func(build *v1alpha1.ImageBuild) { build.Status.Artifacts = nil }, code: exit.NotVerified, want: []string{"linux/amd64/raw is missing"}},
		"as its builder reports": {
			finish: func(build *v1alpha1.ImageBuild) { build.Status.Artifacts[0].Verified = "" }, want: []string{"made the same content, as its builder reports\n"},
		},
		"by an old server":            {finish: func(build *v1alpha1.ImageBuild) { build.Spec.Reproduces = nil }, code: exit.Failure, want: []string{"✓", "update the server"}},
		"by a server that refuses it": {refusal: errors.New("quota exceeded"), code: exit.Failure, want: []string{"✓", "build the artifacts of build web-7 again: quota exceeded"}},
		"that is not verified":        {key: "other.pub", code: exit.NotVerified, want: []string{"✗", "another key signed it"}, nothing: true},
	} {
		t.Run(name, func(t *testing.T) {
			if test.known == nil {
				test.known = []runtime.Object{published(location)}
			}
			s := newServer(test.known...)
			s.finish, s.refusal = test.finish, test.refusal
			asked := options{keys: []string{"key.pub"}}
			if test.key != "" {
				asked.keys[0] = test.key
			}
			argument := "web-7"
			if test.argument != "" {
				argument = test.argument
			}
			stdout, stderr, code, err := rebuilt(t.Context(), asked, argument, s)
			says(t, name, stdout, err, code, test.code, test.want...)
			if announced := strings.Contains(stderr, "build web-7 is verified, and build web-71 makes its artifacts again\n"); announced != strings.Contains(stdout, "reproduced  ") {
				t.Errorf("got\n%s", stderr)
			}
			if test.nothing != (len(s.requests) == 0) {
				t.Errorf("got the requests %+v", s.requests)
			}
			for _, request := range s.requests {
				want := &v1alpha1.RerunRequest{ObjectMeta: metav1.ObjectMeta{UID: "uid-of-web-7"}, Reproduce: true, Message: rebuildMessage}
				if diff := cmp.Diff(want, request); diff != "" {
					t.Errorf("another request (-want +got):\n%s", diff)
				}
			}
		})
	}

	s := newServer(published(location))
	stdout, _, _, err := rebuilt(t.Context(), options{keys: []string{"key.pub"}, format: "jsonpath={.verified} {.artifacts[*].rebuild.build} {.artifacts[*].rebuild.status} {.artifacts[*].rebuild.reason}"}, "web-7", s)
	if err != nil || stdout != "true web-71 True SameContent" {
		t.Errorf("got %q, error %v", stdout, err)
	}
}

// TestABuildWithoutAnImageMayUseItsSecretsAgain if the provenance is about its inputs. Everybody who can push to the registry, and has a key that the user
// trusts, can write another provenance about the build.
func TestABuildWithoutAnImageMayUseItsSecretsAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	noLogins(t)
	key := newSigner(t)
	write(t, "key.pub", string(key.public.PEM()))
	registry := registrytest.New(t, registrytest.Options{Referrers: true})
	location, manifest := pushed(t, registry, "disk", "")
	of := func(url string) *v1alpha1.ImageBuild {
		build := published(location)
		build.Spec.ImageRef, build.Spec.Number = nil, nil
		build.Spec.Inputs.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: url, SecretRef: &v1alpha1.SecretReference{Name: "git-login"}}}
		build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{QueueName: "ours"}
		build.Status.Resolved.Source = &v1alpha1.SourceRevision{Revision: commit}
		build.Status.Resolved.InputsDigest = inputs.Digest(build.Spec.Inputs, nil, "", commit)
		return build
	}
	own := of("https://git.example/a")
	attach(t, registry, key.bundles(t, statementsOf(t, own, raw, "disk", location, manifest)[:1])...)
	for name, test := range map[string]struct {
		known *v1alpha1.ImageBuild
		code  int
		want  string
	}{
		"its inputs":   {own, exit.Success, "made the same content\n"},
		"other inputs": {of("https://other.example/a"), exit.Failure, "build web-7 used Secret git-login of its namespace as source.git.secretRef.name"},
	} {
		s := newServer(test.known)
		stdout, _, code, err := rebuilt(t.Context(), options{keys: []string{"key.pub"}}, "web-7", s)
		says(t, name, stdout, err, code, test.code, test.want)
		if built := len(s.created) == 1 && s.created[0].Spec.Inputs.Source.Git.SecretRef.Name == "git-login" && s.created[0].Spec.Inputs.Template.QueueName == "ours"; built != (test.code == exit.Success) {
			t.Errorf("%s: created %+v", name, s.created)
		}
	}
}

func TestABuildContinuesThatIsNotAwaited(t *testing.T) {
	t.Chdir(t.TempDir())
	key := newSigner(t)
	write(t, "key.pub", string(key.public.PEM()))
	write(t, "disk.raw", "disk")
	write(t, "disk.raw.bundle", key.bundles(t, statements(t, raw, "disk", "", digest("manifest")))[0])
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := newServer()
	s.finish = func(build *v1alpha1.ImageBuild) {
		build.Status.Phase, build.Status.Finished = v1alpha1.BuildRunning, false
	}
	interrupting := writer(func(text []byte) {
		if bytes.Contains(text, []byte("attempt 1")) {
			cancel()
		}
	})
	var out, complaints bytes.Buffer
	asked := options{rebuild: true, keys: []string{"key.pub"}, out: &out, stderr: &complaints, clock: testingclock.NewFakeClock(now)}
	asked.show = follow.Options{Out: &out, Stderr: &interrupted{&complaints, interrupting}, Program: "goldsmith"}
	asked.connect = func() (*client.Connection, error) { return s.Connection, nil }
	err := asked.run(ctx, "disk.raw")
	says(t, "interrupted", out.String(), err, exit.Code(ctx, err), exit.Interrupted, "✓ disk.raw is verified")
	if !strings.Contains(complaints.String(), "build rebuild-web-7-x7k2p continues") {
		t.Errorf("got\n%s", &complaints)
	}
}

type writer func(text []byte)

// interrupted is a buffer whose writer knows each text that is written.
type interrupted struct {
	*bytes.Buffer
	writer
}

// Write implements io.Writer.
func (i *interrupted) Write(text []byte) (int, error) {
	i.writer(text)
	return i.Buffer.Write(text)
}

// based returns web, on the base golden.
func based(channel string) *v1alpha1.ImageBuild {
	build := web()
	build.Spec.Inputs.Base.ImageRef = &v1alpha1.BaseImageReference{Name: "golden", Channel: channel}
	build.Spec.Inputs.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	artifacts := []v1alpha1.Artifact{{Target: raw, Digest: digest("golden disk")}}
	build.Status.Resolved.Base, build.Status.Resolved.BaseDigest = &v1alpha1.BaseBuild{Name: "golden-3", Artifacts: artifacts}, inputs.ArtifactsDigest(artifacts)
	build.Status.Resolved.InputsDigest = inputs.Digest(build.Spec.Inputs, nil, build.Status.Resolved.BaseDigest, "")
	return build
}

// golden returns an Image whose latest build, golden-9, has a content.
func golden(content string) *v1alpha1.Image {
	artifacts := []v1alpha1.Artifact{{Target: raw, Digest: digest(content)}}
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "golden"}}
	image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: "golden-9", Artifacts: artifacts}
	image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "golden-9", Digest: inputs.ArtifactsDigest(artifacts), Artifacts: artifacts}}
	return image
}

// commit is the revision of a source.
const commit = "sha1:0123456789012345678901234567890123456789"

func TestAFileIsBuiltAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	key := newSigner(t)
	write(t, "key.pub", string(key.public.PEM()))
	write(t, "disk.raw", "disk")
	long := web()
	long.Name = strings.Repeat("a", 40) + "-" + strings.Repeat("1", 19)
	long.Spec.Inputs.Output = &v1alpha1.Output{Repository: "registry.example.com/web"}
	long.Spec.Timeouts = &v1alpha1.BuildTimeouts{Run: &v1alpha1.Duration{Duration: time.Hour}}
	long.Spec.Retry = &v1alpha1.RetryPolicy{Limit: new(int32(2))}
	long.Status.Resolved.InputsDigest = inputs.Digest(long.Spec.Inputs, nil, "", "")
	wrong := web()
	wrong.Spec.Inputs.Builder.Name = "another"
	lent := func(template v1alpha1.BuildTemplate) *v1alpha1.ImageBuild {
		build := web()
		build.Spec.Inputs.Template = &template
		build.Status.Resolved.InputsDigest = inputs.Digest(build.Spec.Inputs, nil, "", "")
		return build
	}
	source := func(from v1alpha1.Source, revision string) *v1alpha1.ImageBuild {
		build := web()
		build.Spec.Inputs.Source = &from
		build.Status.Resolved.Source = &v1alpha1.SourceRevision{Revision: revision}
		build.Status.Resolved.InputsDigest = inputs.Digest(build.Spec.Inputs, nil, "", revision)
		return build
	}
	credentials := &v1alpha1.SecretReference{Name: "git-login"}
	token := func(from corev1.EnvVarSource) *v1alpha1.ImageBuild {
		return lent(v1alpha1.BuildTemplate{Env: []corev1.EnvVar{{Name: "TEXT", Value: "text"}, {Name: "TOKEN", ValueFrom: &from}}})
	}
	about := func(build *v1alpha1.ImageBuild) string {
		return key.bundles(t, statementsOf(t, build, raw, "disk", "", digest("manifest")))[0]
	}
	foreign := require.Value(attestation.Make(web(), attestation.Subject{Artifact: &v1alpha1.Artifact{Target: raw, Digest: digest("disk")}, Manifest: digest("m")}, nil, attestation.Builder{}))(t)[:1]
	foreign[0].Payload = bytes.Replace(foreign[0].Payload, []byte(attestation.BuildType), []byte("https://example.com/make"), 1)
	for name, text := range map[string]string{
		"web": about(web()), "long": about(long), "based": about(based("")), "channel": about(based("stable")), "wrong": about(wrong), "foreign": key.bundles(t, foreign)[0],
		"account": about(lent(v1alpha1.BuildTemplate{ServiceAccountName: "deployer"})),
		"default": about(lent(v1alpha1.BuildTemplate{ServiceAccountName: "default"})),
		"secret":  about(token(corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "mirror"}, Key: "token"}})),
		"map":     about(token(corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "proxy"}, Key: "url"}})),
		"git":     about(source(v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://stranger.example/a", SecretRef: credentials}}, commit)),
		"oci":     about(source(v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: "stranger.example/a", SecretRef: credentials}}, digest("files"))),
		"public":  about(source(v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example/a"}}, commit)),
		"queue":   about(lent(v1alpha1.BuildTemplate{QueueName: "theirs"})),
		"bill":    key.bundles(t, statements(t, raw, "disk", "", digest("manifest")))[1],
	} {
		write(t, name, text)
	}
	reproduces := &v1alpha1.Reproduction{
		Name: "web-7", UID: "uid-of-web-7", BuilderImage: web().Status.Attempts[0].BuilderImage,
		Artifacts: []v1alpha1.ReproducedArtifact{{Target: raw, Digest: digest("disk"), Lock: digest(locked)}},
	}
	ofWeb := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{GenerateName: "rebuild-web-7-"}, Spec: v1alpha1.ImageBuildSpec{Inputs: web().Spec.Inputs, Reproduces: reproduces}}
	ofLong := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{GenerateName: "rebuild-" + long.Name[:40] + "-"}, Spec: *long.Spec.DeepCopy()}
	ofLong.Spec.ImageRef, ofLong.Spec.Number, ofLong.Spec.Trigger, ofLong.Spec.Inputs.Output = nil, nil, nil, nil
	ofLong.Spec.Reproduces = reproduces.DeepCopy()
	ofLong.Spec.Reproduces.Name = long.Name
	ofBased := ofWeb.DeepCopy()
	ofBased.Spec.Inputs = based("").Spec.Inputs
	ofDefault := ofWeb.DeepCopy()
	ofDefault.Spec.Inputs.Template = &v1alpha1.BuildTemplate{ServiceAccountName: "default"}
	ofQueue := ofWeb.DeepCopy()
	ofQueue.Spec.Inputs.Template = &v1alpha1.BuildTemplate{}
	ofPublic := ofWeb.DeepCopy()
	ofPublic.Spec.Inputs.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example/a", Ref: strings.TrimPrefix(commit, "sha1:")}}
	ofChannel := ofWeb.DeepCopy()
	ofChannel.Spec.Inputs = based("stable").Spec.Inputs
	resolvedTo := func(content string) func(*v1alpha1.ImageBuild) {
		return func(build *v1alpha1.ImageBuild) {
			build.Status.Resolved = &v1alpha1.ResolvedInputs{BaseDigest: digest(content)}
		}
	}
	another := published("")
	another.UID = "another"
	for name, test := range map[string]struct {
		bundle  string
		asked   options
		known   []runtime.Object
		nowhere bool
		finish  func(*v1alpha1.ImageBuild)
		refusal error
		created *v1alpha1.ImageBuild
		code    int
		want    []string
	}{
		"as it was":                                     {bundle: "web", created: ofWeb, want: []string{"✓", "  reproduced   build rebuild-web-7-x7k2p made the same content\n"}},
		"with all that was declared":                    {bundle: "long", created: ofLong, want: []string{"made the same content\n"}},
		"with another disk":                             {bundle: "web", finish: otherContent, created: ofWeb, code: exit.NotVerified, want: []string{"compare the files: `goldsmith artifacts get rebuild-web-7-x7k2p --target linux/amd64/raw --namespace=team`\n"}},
		"with another disk, whose build is there":       {bundle: "web", known: []runtime.Object{published("")}, finish: otherContent, created: ofWeb, code: exit.NotVerified, want: []string{"`goldsmith diff web-7 rebuild-web-7-x7k2p --namespace=team`\n"}},
		"with another disk, and another build is there": {bundle: "web", known: []runtime.Object{another}, finish: otherContent, created: ofWeb, code: exit.NotVerified, want: []string{"compare the files"}},
		"in vain": {bundle: "web", finish: ended(v1alpha1.BuildFailed), created: ofWeb, code: exit.BuildFailed, want: []string{"unknown: ", "see why: `goldsmith show rebuild-web-7-x7k2p"}},
		"by a server without builder": {
			bundle: "web", refusal: apierrors.NewInvalid(v1alpha1.Kind("ImageBuild").GroupKind(), "", nil), created: ofWeb, code: exit.Failure, want: []string{"✓", "build the artifacts of build web-7 again: ImageBuild"},
		},
		"without a server":            {bundle: "web", nowhere: true, code: exit.Failure, want: []string{"✓", "--rebuild needs a server that builds: no kubeconfig"}},
		"offline":                     {bundle: "web", asked: options{offline: true}, code: exit.Failure, want: []string{"--rebuild needs a server that builds, but --offline reaches none: omit one of them"}},
		"on its base":                 {bundle: "based", known: []runtime.Object{golden("golden disk")}, finish: resolvedTo("golden disk"), created: ofBased, want: []string{"made the same content\n"}},
		"on the channel of its base":  {bundle: "channel", known: []runtime.Object{golden("golden disk")}, finish: resolvedTo("golden disk"), created: ofChannel, want: []string{"made the same content\n"}},
		"on a base that has changed":  {bundle: "based", known: []runtime.Object{golden("golden disk")}, finish: resolvedTo("new disk"), created: ofBased, code: exit.Failure, want: []string{"the base of build web-7 changed before"}},
		"on a base that is not there": {bundle: "based", code: exit.Failure, want: []string{"build web-7 was based on " + digest("golden disk")[:19] + " of build golden-3 of image golden, which namespace team does not have: first build image golden"}},
		"on another base": {bundle: "channel", known: []runtime.Object{golden("new disk")}, code: exit.Failure, want: []string{
			"whose build golden-9 now has " + digest("new disk")[:19] + ": first build image golden so that it has this content", "and promote that build to channel stable; or verify build web-7 by its name",
		}},
		"on a base without a build": {bundle: "based", known: []runtime.Object{&v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "golden"}}}, code: exit.Failure, want: []string{"build web-7 was based on image golden: ", "has no artifacts yet: build it first"}},
		"with the default account":  {bundle: "default", created: ofDefault, want: []string{"made the same content\n"}},
		"with an account":           {bundle: "account", code: exit.Failure, want: []string{"✓", "build web-7 used ServiceAccount deployer of its namespace as template.serviceAccountName, and ", "that of namespace team: verify build web-7 by its name"}},
		"with a Secret":             {bundle: "secret", code: exit.Failure, want: []string{"✓", "build web-7 used Secret mirror of its namespace"}},
		"with a ConfigMap":          {bundle: "map", code: exit.Failure, want: []string{"✓", "build web-7 used ConfigMap proxy of its namespace"}},
		"with a Secret for Git":     {bundle: "git", code: exit.Failure, want: []string{"✓", "build web-7 used Secret git-login of its namespace as source.git.secretRef.name, and "}},
		"with a Secret for files":   {bundle: "oci", code: exit.Failure, want: []string{"✓", "build web-7 used Secret git-login of its namespace as source.oci.secretRef.name, and "}},
		"with files of everybody":   {bundle: "public", created: ofPublic, want: []string{"made the same content\n"}},
		"without their queue":       {bundle: "queue", created: ofQueue, want: []string{"made the same content\n"}},
		"of other inputs":           {bundle: "wrong", code: exit.Failure, want: []string{"read how build web-7 made its artifacts: the inputs have the digest"}},
		"of another system":         {bundle: "foreign", code: exit.Failure, want: []string{"✓", "disk.raw cannot be built again: another system built it, buildType https://example.com/make"}},
		"without provenance":        {bundle: "bill", code: exit.Failure, want: []string{"✓", "disk.raw cannot be built again: no signed provenance was found that tells how"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(test.known...)
			s.finish, s.refusal = test.finish, test.refusal
			asked, where := test.asked, s
			asked.keys, asked.bundles = []string{"key.pub"}, []string{test.bundle}
			if test.nowhere {
				where = nil
			}
			stdout, stderr, code, err := rebuilt(t.Context(), asked, "disk.raw", where)
			says(t, name, stdout, err, code, test.code, test.want...)
			var want []*v1alpha1.ImageBuild
			if test.created != nil {
				want = append(want, test.created)
			}
			if diff := cmp.Diff(want, s.created); diff != "" {
				t.Errorf("created something else (-want +got):\n%s", diff)
			}
			if kept := strings.Contains(stderr, "x7k2p is kept until it expires; to delete it: goldsmith kubectl delete imagebuild "+nameOf(test.created)+" --namespace=team\n"); kept != strings.Contains(stdout, "reproduced  ") {
				t.Errorf("got\n%s", stderr)
			}
		})
	}
}

// nameOf returns the name of a created build, or "" without one.
func nameOf(build *v1alpha1.ImageBuild) string {
	if build == nil {
		return ""
	}
	return build.GenerateName + "x7k2p"
}

// TestTheMembersOfAnIndexAreBuiltAgain builds each build once that has made members of an index.
func TestTheMembersOfAnIndexAreBuiltAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	noLogins(t)
	key := newSigner(t)
	write(t, "key.pub", string(key.public.PEM()))
	for name, test := range map[string]struct {
		builds  []types.UID // of the two members
		created map[types.UID][]string
		finish  func(*v1alpha1.ImageBuild)
		code    int
		want    []string
	}{
		"of one build":  {builds: []types.UID{"one", "one"}, created: map[types.UID][]string{"one": {qcow2, raw}}, want: []string{"made the same content\n"}},
		"of two builds": {builds: []types.UID{"one", "two"}, created: map[types.UID][]string{"one": {raw}, "two": {qcow2}}, want: []string{"made the same content\n"}},
		"with one other disk": {
			builds: []types.UID{"one", "one"}, created: map[types.UID][]string{"one": {qcow2, raw}}, finish: otherContent, code: exit.NotVerified,
			want: []string{"no: build rebuild-web-7-x7k2p made other content of the same inputs: linux/amd64/qcow2 has", "reproduced   build rebuild-web-7-x7k2p made the same content\n"},
		},
	} {
		registry := registrytest.New(t, registrytest.Options{Referrers: true})
		members := []publish.Artifact{
			{Target: raw, Platform: "linux/amd64", MediaType: diskType, Content: inMemory("disk"), Tag: "stable"},
			{Target: qcow2, Platform: "linux/amd64", MediaType: "application/x-qemu-disk", Content: inMemory("small disk"), Tag: "stable"},
		}
		made := require.Value(publish.Push(t.Context(), registry.Host()+"/team/web", members, transport.Options{}))(t)
		for i, uid := range test.builds {
			build := web()
			build.UID = uid
			all := statementsOf(t, build, members[i].Target, []string{"disk", "small disk"}[i], made[i].Location, made[i].Digest)
			members[i].Documents = []publish.Document{{Content: inMemory(key.bundles(t, all)[0]), MediaType: v1alpha1.MediaTypeBundle}}
		}
		require.Value(publish.Push(t.Context(), registry.Host()+"/team/web", members, transport.Options{}))(t)
		index, err := http.Get("http://" + registry.Host() + "/v2/team/web/manifests/stable")
		require.NoError(t, err)
		named := digest(string(require.Value(io.ReadAll(index.Body))(t)))
		require.NoError(t, index.Body.Close())
		all := statements(t, raw, "disk", registry.Host()+"/team/web@"+named, named)
		tag(t, registry, named, key, all[len(all)-1:]) // signed as a whole, too
		s := newServer()
		n := 0
		s.finish = func(build *v1alpha1.ImageBuild) {
			if n++; n > 1 {
				build.Name += "2"
			}
			if test.finish != nil {
				test.finish(build)
			}
		}
		stdout, _, code, err := rebuilt(t.Context(), options{keys: []string{"key.pub"}}, registry.Host()+"/team/web:stable", s)
		says(t, name, stdout, err, code, test.code, test.want...)
		created := map[types.UID][]string{}
		for _, build := range s.created {
			for _, artifact := range build.Spec.Reproduces.Artifacts {
				created[build.Spec.Reproduces.UID] = append(created[build.Spec.Reproduces.UID], artifact.Target)
			}
		}
		if diff := cmp.Diff(test.created, created); diff != "" || len(s.created) != len(slices.Collect(maps.Keys(created))) {
			t.Errorf("%s: created something else (-want +got):\n%s", name, diff)
		}
	}
}

// TestAReproductionIsShown verifies a manifest whose content a later build has made again, and published.
func TestAReproductionIsShown(t *testing.T) {
	t.Chdir(t.TempDir())
	noLogins(t)
	key := newSigner(t)
	write(t, "key.pub", string(key.public.PEM()))
	registry := registrytest.New(t, registrytest.Options{Referrers: true})
	location, manifest := pushed(t, registry, "disk", "stable")
	again := web()
	again.Name, again.UID, again.Spec.Reproduces = "web-8", "uid-of-web-8", attestation.Reproducible(published(location))
	again.Status.Attempts[0].StartTime = metav1.NewTime(now.Add(time.Hour))
	claims := again.DeepCopy() // made of other inputs
	claims.Name, claims.UID, claims.Spec.Inputs.Builder.Name = "web-9", "uid-of-web-9", "copy"
	claims.Status.Attempts[0].StartTime = web().Status.Attempts[0].StartTime // times have seconds
	claims.Status.Resolved.InputsDigest = inputs.Digest(claims.Spec.Inputs, nil, "", "")
	all := statements(t, raw, "disk", location, manifest)
	for _, build := range []*v1alpha1.ImageBuild{again, claims} {
		all = append(all, statementsOf(t, build, raw, "disk", location, manifest)...)
	}
	attach(t, registry, key.bundles(t, all)...)
	asked := options{keys: []string{"key.pub"}, offline: true}
	stdout, _, code, err := shown(t, asked, registry.Host()+"/team/web:stable", nil)
	says(t, "reproduced", stdout, err, code, exit.Success, ": cyclonedx, provenance, reproduction, signature\n",
		"provenance   build web-9 of image web", "and of 2 other builds of the same content\n", "reproduced   by build web-8, of build web-7\n")
	asked.format = "jsonpath={.artifacts[*].reproducedBy[*].build.name} {.artifacts[*].reproducedBy[*].reproduces.uid} {.artifacts[*].provenance[*].build}"
	if stdout, _, _, err := shown(t, asked, registry.Host()+"/team/web:stable", nil); err != nil || stdout != "web-8 uid-of-web-7 web-9 web-7 web-8" {
		t.Errorf("got %q, error %v", stdout, err)
	}
}
