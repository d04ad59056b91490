// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

const text = "0123456789"

// answer answers one request in place of the server.
type answer func(http.ResponseWriter, *http.Request)

// server serves the artifact with the text. Each request takes the next answer; later requests are answered as they should be.
type server struct {
	answers []answer
	ranges  []string
}

func (s *server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	s.ranges = append(s.ranges, request.Header.Get("Range"))
	if at := request.Header.Get("Range"); at != "" && request.Header.Get("If-Range") != `"`+path.Base(request.URL.Path)+`"` {
		http.Error(writer, "If-Range", http.StatusBadRequest)
		return
	}
	if len(s.answers) > 0 {
		next := s.answers[0]
		s.answers = s.answers[1:]
		next(writer, request)
		return
	}
	correctly(writer, request)
}

func correctly(writer http.ResponseWriter, request *http.Request) {
	for _, content := range []string{text, bom, layout(), disk} {
		if digest := digestOf(content); request.URL.Path == v1alpha1.ArtifactPath("team", "debian-7", digest) {
			writer.Header().Set("ETag", `"`+digest+`"`)
			http.ServeContent(writer, request, "", time.Time{}, strings.NewReader(content))
			return
		}
	}
	http.NotFound(writer, request)
}

// cut breaks the connection off after some bytes.
func cut(after int) answer {
	return func(writer http.ResponseWriter, request *http.Request) {
		correctly(&cutter{writer, after}, request)
	}
}

type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(data []byte) (int, error) {
	if c.left < len(data) {
		_, _ = c.ResponseWriter.Write(data[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(data)
	return c.ResponseWriter.Write(data)
}

func refuse(code int, message string) answer {
	return func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		writer.WriteHeader(code)
		_, _ = fmt.Fprintf(writer, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": %q, "code": %d}`, message, code)
	}
}

// whole ignores the header Range.
func whole(writer http.ResponseWriter, request *http.Request) {
	request.Header.Del("Range")
	correctly(writer, request)
}

func say(text string) answer {
	return func(writer http.ResponseWriter, _ *http.Request) { _, _ = writer.Write([]byte(text)) }
}

func digestOf(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

// instant is a clock whose timers fire at once.
type instant struct {
	clock.RealClock
	waits []time.Duration
}

func (i *instant) NewTimer(d time.Duration) clock.Timer {
	i.waits = append(i.waits, d)
	return i.RealClock.NewTimer(0)
}

// fixture fetches from a server into a directory.
type fixture struct {
	*server
	t           *testing.T
	connection  *client.Connection
	clock       *instant
	stderr, out bytes.Buffer
	directory   string
	asked       *options
}

func newFixture(t *testing.T, answers ...answer) *fixture {
	t.Helper()
	f := &fixture{server: &server{answers: answers}, t: t, clock: &instant{}, directory: t.TempDir()}
	serving := httptest.NewServer(f.server)
	t.Cleanup(serving.Close)
	config := &rest.Config{Host: serving.URL}
	f.connection = &client.Connection{Interface: versioned.NewForConfigOrDie(config), Namespace: "team", Config: config}
	f.asked = &options{file: f.directory, out: &f.out, stderr: &f.stderr, clock: f.clock, again: "promote another build"}
	return f
}

func (f *fixture) run() error { return f.asked.run(f.t.Context(), f.connection, debian7()) }

func (f *fixture) fetch() *fetch {
	f.t.Helper()
	build := debian7()
	return require.Value(newFetch(f.connection, &contentsOf(build, &build.Status.Artifacts[0])[0], f.asked))(f.t)
}

const name = "debian-7-linux-amd64.raw"

func (f *fixture) partial() string { return name + "." + digestOf(text)[7:19] + ".partial" }

func (f *fixture) write(name, content string) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(filepath.Join(f.directory, name), []byte(content), 0o600))
}

// files returns the contents of the files of the directory.
func (f *fixture) files() map[string]string {
	f.t.Helper()
	contents := map[string]string{}
	for _, entry := range require.Value(os.ReadDir(f.directory))(f.t) {
		contents[entry.Name()] = string(require.Value(os.ReadFile(filepath.Join(f.directory, entry.Name())))(f.t))
	}
	return contents
}

func debian7() *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian-7"}}
	build.Status.Artifacts = []v1alpha1.Artifact{{
		Target: "linux/amd64/raw", Digest: digestOf(text), SizeBytes: int64(len(text)), MediaType: "application/x-raw-disk-image",
		Location: v1alpha1.ArtifactPath("team", "debian-7", digestOf(text)), Verified: v1alpha1.ArtifactVerifiedContent,
	}}
	return build
}

func TestAFetchContinuesUntilTheFileIsVerified(t *testing.T) {
	unavailable, expired := refuse(http.StatusServiceUnavailable, "the storage restarts"), refuse(http.StatusUnauthorized, "the token has expired")
	for title, test := range map[string]struct {
		answers       []answer
		partial, file string // their contents before the fetch; empty for no file
		force         bool
		ranges        []string
		waits         int
		// fails is a part of the error, and left the file or the partial file after it.
		fails, left string
	}{
		"in one request":                            {ranges: []string{""}},
		"after interruptions":                       {answers: []answer{cut(4), cut(3)}, ranges: []string{"", "bytes=4-", "bytes=7-"}, waits: 2},
		"after requests without a byte":             {answers: []answer{cut(4), cut(0), unavailable, unavailable, unavailable}, ranges: []string{"", "bytes=4-", "bytes=4-", "bytes=4-", "bytes=4-", "bytes=4-"}, waits: 5},
		"with the beginning of an earlier call":     {partial: text[:6], ranges: []string{"bytes=6-"}},
		"with all bytes of an earlier call":         {partial: text},
		"with too many bytes of an earlier call":    {partial: text + "x", ranges: []string{""}},
		"through a proxy without ranges":            {answers: []answer{cut(4), whole}, ranges: []string{"", "bytes=4-"}, waits: 1},
		"with new credentials":                      {answers: []answer{cut(4), expired}, ranges: []string{"", "bytes=4-", "bytes=4-"}, waits: 1},
		"in place of another file":                  {file: "another", force: true, ranges: []string{""}},
		"not if it is there":                        {file: text},
		"not over another file":                     {file: "another", fails: "exists, and is not the artifact linux/amd64/raw of build debian-7: replace it with --force", left: "another"},
		"not over another file of its size":         {file: "9876543210", fails: "replace it with --force", left: "9876543210"},
		"not with other bytes":                      {answers: []answer{say("9876543210")}, ranges: []string{""}, fails: "damaged: its digest is " + digestOf("9876543210") + ", not " + digestOf(text)},
		"not with other bytes of an earlier call":   {partial: "x", ranges: []string{"bytes=1-"}, fails: "its partial file was removed: run the command again"},
		"not without credentials":                   {answers: []answer{cut(4), expired, expired}, ranges: []string{"", "bytes=4-", "bytes=4-"}, waits: 1, fails: "the token has expired", left: text[:4]},
		"not if it is not kept":                     {answers: []answer{refuse(http.StatusGone, "no longer kept: build again")}, ranges: []string{""}, fails: "the server has lost the artifact linux/amd64/raw of build debian-7: promote another build"},
		"not without progress":                      {answers: []answer{cut(4), cut(0), cut(0), cut(0), cut(0), unavailable}, ranges: []string{"", "bytes=4-", "bytes=4-", "bytes=4-", "bytes=4-", "bytes=4-"}, waits: 5, fails: "6 requests in a row got nothing: the storage restarts", left: text[:4]},
		"not from a server that sends another part": {answers: []answer{cut(4), part("bytes 0-9/10")}, ranges: []string{"", "bytes=4-"}, waits: 1, fails: "the server answered other bytes (bytes 0-9/10) than those from 4", left: text[:4]},
	} {
		t.Run(title, func(t *testing.T) {
			f := newFixture(t, test.answers...)
			f.asked.force = test.force
			if test.partial != "" {
				f.write(f.partial(), test.partial)
			}
			if test.file != "" {
				f.write(name, test.file)
			}
			err := f.run()
			if !slices.Equal(f.ranges, test.ranges) || len(f.clock.waits) != test.waits {
				t.Errorf("got requests %q and %d waits: %s", f.ranges, len(f.clock.waits), &f.stderr)
			}
			files := f.files()
			if test.fails == "" {
				if err != nil || len(files) != 1 || files[name] != text || f.out.String() != filepath.Join(f.directory, name)+"\n" || !strings.Contains(f.stderr.String(), "verified\n") {
					t.Errorf("got %v, %q, %q and error %v", files, &f.out, &f.stderr, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.fails) || f.out.Len() > 0 {
				t.Errorf("got error %v", err)
			}
			delete(files, "")
			if left := files[name] + files[f.partial()]; left != test.left || left == "" && len(files) > 0 {
				t.Errorf("left %v", files)
			}
			if test.left == text[:4] && !strings.Contains(f.stderr.String(), f.partial()+" keeps 4 B of 10 B: run the command again to continue") {
				t.Errorf("stderr %q", &f.stderr)
			}
		})
	}
}

func part(contentRange string) answer {
	return func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Range", contentRange)
		writer.WriteHeader(http.StatusPartialContent)
		_, _ = writer.Write([]byte(text))
	}
}

func TestAServerThatRestartsIsNamedWithoutTheAddressOfTheArtifact(t *testing.T) {
	f := newFixture(t)
	f.connection.Config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &restarting{next, true} })
	require.NoError(t, f.run())
	if !strings.Contains(f.stderr.String(), "• interrupted after 0 B, continuing: connection refused\n") {
		t.Errorf("stderr %q", &f.stderr)
	}
}

// restarting refuses the first request.
type restarting struct {
	http.RoundTripper
	down bool
}

func (r *restarting) RoundTrip(request *http.Request) (*http.Response, error) {
	if r.down {
		r.down = false
		return nil, errors.New("connection refused")
	}
	return r.RoundTripper.RoundTrip(request)
}

func TestTheStandardOutputGetsTheContentOnce(t *testing.T) {
	for title, test := range map[string]struct {
		answers    []answer
		out, fails string
	}{
		"whole":       {out: text},
		"interrupted": {answers: []answer{cut(4), whole}, out: text},
		"damaged":     {answers: []answer{say("9876543210")}, out: "9876543210", fails: "is damaged"},
	} {
		f := newFixture(t, test.answers...)
		f.asked.file = "-"
		err := f.run()
		if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) || f.out.String() != test.out {
			t.Errorf("%s: got %q and error %v", title, &f.out, err)
		}
	}
}

// full is a disk with space for 4 bytes.
type full struct{ bytes.Buffer }

func (d *full) Write(data []byte) (int, error) {
	n, _ := d.Buffer.Write(data[:min(len(data), 4-d.Len())])
	if n < len(data) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestAFullDiskEndsTheFetchAndKeepsThePartialFile(t *testing.T) {
	f := newFixture(t)
	f.asked.out, f.asked.file = &full{}, "-"
	if err := f.run(); err == nil || !strings.Contains(err.Error(), "no space left on device") || len(f.ranges) != 1 {
		t.Errorf("got error %v after %d requests", err, len(f.ranges))
	}

	f.write(f.partial(), text[:4])
	path := filepath.Join(f.directory, f.partial())
	readOnly := require.Value(os.Open(path))(t)
	defer func() { require.NoError(t, readOnly.Close()) }()
	err := f.fetch().complete(t.Context(), readOnly)
	if err = f.fetch().explain(err, path); !errors.As(err, new(*fs.PathError)) || len(f.ranges) != 2 {
		t.Errorf("got error %v after %d requests", err, len(f.ranges))
	}
	if !strings.Contains(f.stderr.String(), path+" keeps 4 B of 10 B: run the command again to continue") {
		t.Errorf("stderr %q", &f.stderr)
	}
}

func TestAnInterruptedFetchKeepsThePartialFile(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	f := newFixture(t, func(writer http.ResponseWriter, request *http.Request) {
		stop()
		<-request.Context().Done()
		cut(4)(writer, request)
	})
	f.write(f.partial(), text[:6])
	err := f.asked.run(ctx, f.connection, debian7())
	if !errors.Is(err, context.Canceled) || f.files()[f.partial()] != text[:6] || !strings.Contains(f.stderr.String(), "keeps 6 B of 10 B") {
		t.Errorf("got error %v, left %v, stderr %q", err, f.files(), &f.stderr)
	}
}

func TestOnlyOneCommandWritesAPartialFile(t *testing.T) {
	f := newFixture(t)
	held := require.Value(openPartial(filepath.Join(f.directory, f.partial())))(t)
	if err := f.run(); err == nil || !strings.Contains(err.Error(), "another command fetches the same artifact") {
		t.Errorf("got error %v", err)
	}
	require.NoError(t, held.Close())
	require.NoError(t, f.run())
}

func TestFilesThatAreNotRegularStay(t *testing.T) {
	f := newFixture(t)
	fifo := filepath.Join(f.directory, "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	f.asked.file, f.asked.force = fifo, true
	if err := f.run(); err == nil || !strings.Contains(err.Error(), fifo+" is no regular file: write to it with `-o -`") {
		t.Errorf("got error %v", err)
	}
}

// In a directory such as /tmp, others can make a file or a link of the name of the partial file.
func TestAPartialFileOfOthersIsLeftAlone(t *testing.T) {
	for name, place := range map[string]func(victim, path string) error{"a link": os.Symlink, "a second name": os.Link} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			victim := filepath.Join(t.TempDir(), "victim")
			require.NoError(t, os.WriteFile(victim, []byte(text[:4]), 0o600))
			path := filepath.Join(f.directory, f.partial())
			require.NoError(t, place(victim, path))
			err := f.run()
			if err == nil || !strings.Contains(err.Error(), path+" is a link, or not a file of yours alone: remove it, or name another file") {
				t.Errorf("the error is %v", err)
			}
			if content := string(require.Value(os.ReadFile(victim))(t)); content != text[:4] || len(f.ranges) > 0 {
				t.Errorf("the other file has %q after %d requests", content, len(f.ranges))
			}
		})
	}
}

func TestOneContentIsChosen(t *testing.T) {
	several := debian7()
	several.Status.Artifacts = append(several.Status.Artifacts, v1alpha1.Artifact{
		Target: "linux/amd64/oci", Digest: digestOf("oci"), Location: "registry.example.com/debian:7",
		Documents: []v1alpha1.ArtifactDocument{
			{Type: v1alpha1.DocumentSBOM, Digest: digestOf("sbom"), Location: "https://example.com/debian.cdx.json", MediaType: "application/vnd.cyclonedx+json"},
			{Type: v1alpha1.DocumentSBOM, Digest: digestOf("spdx"), Location: "https://example.com/debian.spdx.json", MediaType: "application/spdx+json"},
			{Type: v1alpha1.DocumentProvenance, Digest: digestOf("statement"), Location: "https://example.com/statement", MediaType: v1alpha1.MediaTypeProvenance},
			{Type: v1alpha1.DocumentProvenance, Digest: digestOf("bundle"), Location: "https://example.com/bundle", MediaType: v1alpha1.MediaTypeBundle},
			{Type: v1alpha1.DocumentProvenance, Digest: digestOf("own"), Location: "https://example.com/own", MediaType: "application/vnd.in-toto+json"},
		},
	})
	alone := debian7()
	alone.Status.Artifacts[0].Location, alone.Status.Artifacts[0].Verified = "", ""
	published := debian7() // and kept
	published.Status.Artifacts[0].Location = "https://example.com/debian.raw"
	for _, test := range []struct {
		build            *v1alpha1.ImageBuild
		target, document string
		want             string
	}{
		{several, "", "", "build debian-7 has several artifacts: choose one with --target: linux/amd64/raw, linux/amd64/oci"},
		{several, "linux/arm64/raw", "", "build debian-7 has no artifact for target linux/arm64/raw: its targets are linux/amd64/raw, linux/amd64/oci"},
		{several, "linux/amd64/raw", "sbom", "artifact linux/amd64/raw of build debian-7 has no sbom"},
		{several, "linux/amd64/raw", "licence", `--document "licence": must be lock, sbom, cyclonedx, spdx, provenance, bundle, self-reported or junit`},
		{several, "linux/amd64/oci", "", "the server does not keep the artifact linux/amd64/oci of build debian-7: fetch it from registry.example.com/debian:7" +
			" with a client of that place, such as oras or skopeo for an OCI reference, and compare its digest with " + digestOf("oci")},
		{several, "linux/amd64/oci", "sbom", "the server does not keep the cyclonedx of artifact linux/amd64/oci of build debian-7: fetch it from https://example.com/debian.cdx.json with curl"},
		{several, "linux/amd64/oci", "spdx", "the server does not keep the spdx of artifact linux/amd64/oci of build debian-7: fetch it from https://example.com/debian.spdx.json with curl"},
		{several, "linux/amd64/oci", "provenance", "the server does not keep the provenance of artifact linux/amd64/oci of build debian-7: fetch it from https://example.com/statement with curl"},
		{several, "linux/amd64/oci", "bundle", "the server does not keep the bundle of artifact linux/amd64/oci of build debian-7: fetch it from https://example.com/bundle with curl"},
		{several, "linux/amd64/oci", "self-reported", "the server does not keep the self-reported of artifact linux/amd64/oci of build debian-7: fetch it from https://example.com/own with curl"},
		{several, "linux/amd64/raw", "bundle", "artifact linux/amd64/raw of build debian-7 has no bundle"},
		{alone, "", "", "the server does not keep the artifact linux/amd64/raw of build debian-7, and its builder reported no location"},
	} {
		f := newFixture(t)
		f.asked.target, f.asked.document = test.target, test.document
		if err := f.asked.run(t.Context(), f.connection, test.build); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s %s: got error %v", test.target, test.document, err)
		}
		if len(f.ranges) > 0 {
			t.Errorf("%s %s: got %d requests", test.target, test.document, len(f.ranges))
		}
	}
	f := newFixture(t)
	if err := f.asked.run(t.Context(), f.connection, published); err != nil || len(f.ranges) == 0 {
		t.Errorf("a published artifact that the server keeps: got error %v, %d requests", err, len(f.ranges))
	}
}

func TestATerminalShowsABar(t *testing.T) {
	f := newFixture(t, cut(4))
	f.asked.style = output.Style{Rewrites: true}
	require.NoError(t, f.run())
	shown := f.stderr.String()
	for _, want := range []string{"\r[                        ]   0%  0 B of 10 B", "interrupted after 4 B, continuing: unexpected EOF\n", "\n✓ artifact linux/amd64/raw of build debian-7: 10 B, " + digestOf(text) + ", verified\n"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in %q", want, shown)
		}
	}
	bar := &progress{size: 1 << 30, at: 256 << 20}
	if got, want := bar.line(2*time.Second), "[######                  ]  25%  256 MiB of 1.0 GiB  128 MiB/s  6s left"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
