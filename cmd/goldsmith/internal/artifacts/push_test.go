// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/result"
)

// keptBuild is a build with artifacts and documents that the server keeps, of a file and of an image.
func keptBuild() *v1alpha1.ImageBuild {
	build := debian7()
	file := &build.Status.Artifacts[0]
	file.Annotations = map[string]string{"org.opencontainers.image.version": "13"}
	file.Documents = []v1alpha1.ArtifactDocument{
		{
			Type: v1alpha1.DocumentSBOM, Digest: digestOf(bom), SizeBytes: int64(len(bom)), MediaType: "application/vnd.cyclonedx+json",
			Verified: v1alpha1.ArtifactVerifiedContent,
		},
		{Type: v1alpha1.DocumentProvenance, Digest: digestOf("elsewhere"), Location: "https://example.com/provenance", MediaType: "application/vnd.in-toto+json"},
	}
	build.Status.Artifacts = append(build.Status.Artifacts, v1alpha1.Artifact{
		Target: "linux/arm64/oci", Digest: digestOf(layout()), SizeBytes: int64(len(layout())), MediaType: result.MediaTypeLayout, Verified: v1alpha1.ArtifactVerifiedContent,
	})
	return build
}

// pushFixture pushes from the server of a fixture to a registry.
type pushFixture struct {
	*fixture
	registry *registrytest.Registry
	push     *push
}

func newPushFixture(t *testing.T, options registrytest.Options, answers ...answer) *pushFixture {
	t.Helper()
	f := &pushFixture{newFixture(t, answers...), registrytest.New(t, options), nil}
	f.push = &push{out: &f.out, stderr: &f.stderr, clock: f.clock}
	login(t, f.registry, registrytest.Password)
	return f
}

func (f *pushFixture) run(suffix string, build *v1alpha1.ImageBuild) error {
	f.t.Helper()
	require.NoError(f.t, f.push.parse(f.registry.Host()+"/team/debian"+suffix))
	return f.push.run(f.t.Context(), f.connection, build)
}

func TestPushedArtifactsAreThoseOfABuildThatPublishes(t *testing.T) {
	published := registrytest.New(t, registrytest.Options{})
	artifacts := []publish.Artifact{
		{
			Target: "linux/amd64/raw", Platform: "linux/amd64", MediaType: "application/x-raw-disk-image", Content: contentOf(text),
			Annotations: map[string]string{"org.opencontainers.image.version": "13"},
			Documents:   []publish.Document{{Content: contentOf(bom), MediaType: "application/vnd.cyclonedx+json"}},
		},
		{Target: "linux/arm64/oci", Platform: "linux/arm64", MediaType: result.MediaTypeLayout, Content: contentOf(layout())},
	}
	expected := require.Value(publish.Push(t.Context(), published.Host()+"/team/debian", artifacts, transport.Options{}))(t)
	const at = "127.0.0.1/team/debian"
	for title, test := range map[string]struct {
		suffix, target string
		want           []publish.Pushed
		tags           []string
		stderr         string
	}{
		"by digest": {want: expected, stderr: "• pushing 2 artifacts of build debian-7, 5.0 KiB, to " + at + "\n" +
			"✓ artifact linux/amd64/raw of build debian-7: 10 B, " + digestOf(text) + ", pushed\n"},
		"with a tag":        {suffix: ":stable", want: expected, tags: []string{"stable"}, stderr: "✓ tag " + at + ":stable names an index of the 2 artifacts\n"},
		"the only artifact": {suffix: ":stable", target: "linux/amd64/raw", want: expected[:1], tags: []string{"stable"}, stderr: "✓ tag " + at + ":stable names the artifact\n"},
	} {
		t.Run(title, func(t *testing.T) {
			f := newPushFixture(t, registrytest.Options{Auth: "Bearer", Referrers: true})
			f.push.target = test.target
			require.NoError(t, f.run(test.suffix, keptBuild()))
			var want strings.Builder
			for _, pushed := range test.want {
				want.WriteString(strings.ReplaceAll(pushed.Location, published.Host(), f.registry.Host()) + "\n")
			}
			if f.out.String() != want.String() {
				t.Errorf("got\n%swant\n%s", &f.out, &want)
			}
			if stderr := strings.ReplaceAll(f.stderr.String(), f.registry.Host(), "127.0.0.1"); !strings.Contains(stderr, test.stderr) {
				t.Errorf("stderr\n%s", stderr)
			}
			if tags := f.registry.Tags("team/debian"); !slices.Equal(tags, test.tags) {
				t.Errorf("got tags %q", tags)
			}
			if status, content := f.registry.Get("/team/debian/blobs/" + digestOf(bom)); status != http.StatusOK || string(content) != bom {
				t.Errorf("got SBOM %q with %d", content, status)
			}
			if len(test.tags) > 0 {
				_, content := f.registry.Get("/team/debian/manifests/stable")
				var index struct{ Manifests []struct{ Digest string } }
				require.NoError(t, json.Unmarshal(content, &index))
				if len(test.want) > 1 && len(index.Manifests) != len(test.want) || len(test.want) == 1 && digestOf(string(content)) != test.want[0].Digest {
					t.Errorf("the tag names %s", content)
				}
			}
		})
	}
}

// slow is a clock on which each step takes a second.
type slow struct{ *instant }

func (slow) Since(time.Time) time.Duration { return time.Second }

func TestAPushReadsTheServerAgainAfterFaults(t *testing.T) {
	f := newPushFixture(t, registrytest.Options{}, cut(4), refuse(http.StatusServiceUnavailable, "the storage restarts"))
	f.push.target = "linux/amd64/raw"
	f.push.style, f.push.clock = output.Style{Rewrites: true}, slow{f.clock}
	f.registry.Inject(1, http.MethodPut, "/blobs/uploads/", registrytest.Reset(50))
	require.NoError(t, f.run(":7", keptBuild()))
	if _, content := f.registry.Get("/team/debian/blobs/" + digestOf(text)); string(content) != text {
		t.Errorf("got %q", content)
	}
	for _, want := range []string{"\r[                        ]   0%  0 B of 36 B", "] 100%  36 B of 36 B", "interrupted after 4 B, continuing: unexpected EOF\n",
		"• retrying: push to " + f.registry.Host() + "/team/debian: no answer of 127.0.0.1: "} {
		if !strings.Contains(f.stderr.String(), want) {
			t.Errorf("no %q in %q", want, &f.stderr)
		}
	}
}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestAPushThatCannotSucceedHasARemedy(t *testing.T) {
	elsewhere := keptBuild()
	elsewhere.Status.Artifacts[1].Verified, elsewhere.Status.Artifacts[1].Location = "", "registry.example.com/debian@"+digestOf("manifest")
	for title, test := range map[string]struct {
		build            *v1alpha1.ImageBuild
		target, password string
		answers          []answer
		fails            string // HOST is the registry
	}{
		"no such target": {target: "linux/amd64/iso", fails: "build debian-7 has no artifact for target linux/amd64/iso: its targets are linux/amd64/raw, linux/arm64/oci"},
		"elsewhere": {build: elsewhere, fails: "the server does not keep the artifact linux/arm64/oci of build debian-7, and only what it keeps can be pushed: " +
			"copy it from registry.example.com/debian@" + digestOf("manifest")},
		"no longer kept":    {answers: []answer{refuse(http.StatusGone, "no longer kept: build again")}, fails: "the server does not keep the artifact linux/amd64/raw of build debian-7: no longer kept: build again"},
		"not reachable":     {answers: slices.Repeat([]answer{cut(0)}, maxFailures), fails: "read the artifact linux/amd64/raw of build debian-7 from the server: 6 requests in a row got nothing: unexpected EOF"},
		"without an answer": {answers: slices.Repeat([]answer{abort}, 4*maxFailures), fails: "from the server: 6 requests in a row got nothing: EOF"},
		"damaged":           {answers: slices.Repeat([]answer{say("9876543210")}, 2), fails: "the content has another digest than " + digestOf(text)},
		"denied":            {password: "wrong", fails: "push 2 artifacts of build debian-7: push to HOST/team/debian: push content of linux/amd64/raw (" + digestOf(text)[:19] + "): HTTP 401 Unauthorized"},
		"with a remedy":     {password: "wrong", fails: "; run: docker login HOST"},
	} {
		t.Run(title, func(t *testing.T) {
			f := newPushFixture(t, registrytest.Options{Auth: "Basic"}, test.answers...)
			f.push.target = test.target
			if test.password != "" {
				login(t, f.registry, test.password)
			}
			build := keptBuild()
			if test.build != nil {
				build = test.build
			}
			err := f.run(":stable", build)
			if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(test.fails, "HOST", f.registry.Host())) {
				t.Errorf("got error %v", err)
			}
			if f.out.Len() > 0 || len(f.registry.Tags("team/debian")) > 0 {
				t.Errorf("got %q and tags %q", &f.out, f.registry.Tags("team/debian"))
			}
		})
	}
}

func TestPlainHTTPIsForTheRegistryThatTheUserNames(t *testing.T) {
	p := &push{}
	require.NoError(t, p.parse("registry.example.com:5000/team/debian"))
	for plain, want := range map[bool][]string{false: nil, true: {"registry.example.com:5000"}} {
		if options := require.Value(registryOptions(p.repository, plain, nil))(t); !slices.Equal(options.PlainHTTP, want) || len(options.Logins) == 0 {
			t.Errorf("plain HTTP %t: got %+v", plain, options)
		}
	}
}

func TestDestinations(t *testing.T) {
	for destination, want := range map[string]struct{ repository, tag, fails string }{
		"registry.example.com/team/debian:stable": {"registry.example.com/team/debian", "stable", ""},
		"localhost:5000/debian":                   {"localhost:5000/debian", "", ""},
		"docker.io/library/debian":                {"docker.io/library/debian", "", ""},
		"team/debian":                             {fails: "must begin with the host of the registry, such as registry.example.com/team/debian"},
		"debian:stable":                           {fails: "must begin with the host of the registry"},
		"registry.example.com/Debian":             {fails: "with PATH in lower case"},
		"https://registry.example.com/debian":     {fails: "must be HOST[:PORT]/PATH"},
		"registry.example.com/d@" + digestOf("x"): {fails: "must have no digest"},
	} {
		p := &push{}
		err := p.parse(destination)
		if want.fails != "" {
			if err == nil || !strings.Contains(err.Error(), want.fails) {
				t.Errorf("%s: got error %v", destination, err)
			}
			continue
		}
		if err != nil || p.repository.Name() != want.repository || p.tag != want.tag {
			t.Errorf("%s: got %v:%s and error %v", destination, p.repository, p.tag, err)
		}
	}
}

func TestAContentOfTheServerIsAFile(t *testing.T) {
	f := newFixture(t)
	build := keptBuild()
	content := contentsOf(build, &build.Status.Artifacts[1])[0]
	shown := &progress{out: &f.stderr, clock: f.clock}
	file := &remote{kept: require.Value(newKept(f.connection, &content, f.clock, shown.interrupted))(t), ctx: t.Context()}
	require.NoError(t, iotest.TestReader(file, []byte(layout())))
	require.NoError(t, file.Close())
}
