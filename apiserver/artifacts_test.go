// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
)

// fakeArtifacts are the artifacts that the server keeps: the specs add contents.
type fakeArtifacts struct {
	lock     sync.Mutex
	contents map[string]func() (io.ReadSeekCloser, error)
}

func newFakeArtifacts() *fakeArtifacts {
	return &fakeArtifacts{contents: map[string]func() (io.ReadSeekCloser, error){}}
}

// add keeps a content, and returns its artifact.
func (f *fakeArtifacts) add(target, content string) v1alpha1.Artifact {
	artifact := artifactOf(target, content)
	f.set(artifact.Digest, func() (io.ReadSeekCloser, error) { return readable{bytes.NewReader([]byte(content))}, nil })
	return artifact
}

func (f *fakeArtifacts) set(digest string, open func() (io.ReadSeekCloser, error)) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.contents[digest] = open
}

func (f *fakeArtifacts) Open(_ context.Context, digest string) (io.ReadSeekCloser, error) {
	f.lock.Lock()
	open, ok := f.contents[digest]
	f.lock.Unlock()
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", digest, fs.ErrNotExist)
	}
	return open()
}

func (f *fakeArtifacts) Has(digest string) bool {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.contents[digest] != nil
}

func artifactOf(target, content string) v1alpha1.Artifact {
	return v1alpha1.Artifact{
		Target: target, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))), SizeBytes: int64(len(content)), MediaType: "application/x-raw-disk-image",
		Verified: v1alpha1.ArtifactVerifiedContent,
	}
}

type readable struct{ io.ReadSeeker }

func (readable) Close() error { return nil }

// broken is a content that cannot be read to its end.
type broken struct{ *bytes.Reader }

func (b broken) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p[:1]); n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	return 0, errors.New("the disk is lost")
}

func (broken) WriteTo(io.Writer) (int64, error) {
	return 0, errors.New("the server reads from the disk")
}

func (broken) Close() error { return nil }

var _ = Describe("The artifacts of a build", func() {
	const content = "0123456789"
	var (
		namespace string
		raw       v1alpha1.Artifact
		base      string
	)
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		base = "/apis/images.goldsmith.dev/v1alpha1/namespaces/" + namespace + "/imagebuilds/"
		raw = kept.add("linux/amd64/raw", content)
		must(buildsIn(namespace).Create(ctx, newBuild("once"), metav1.CreateOptions{}))
	})
	// finish lets the build succeed with artifacts.
	finish := func(ctx SpecContext, artifacts ...v1alpha1.Artifact) {
		write(ctx, buildsIn(namespace), startAttempt(1))
		write(ctx, buildsIn(namespace), func(status *v1alpha1.ImageBuildStatus) {
			succeed(1)(status)
			status.Artifacts = artifacts
		})
	}
	send := func(ctx SpecContext, user *restclient.Config, method, path string, headers ...string) (*http.Response, string) {
		GinkgoHelper()
		request := must(http.NewRequestWithContext(ctx, method, user.Host+base+path, nil))
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		answer := must(must(restclient.HTTPClientFor(user)).Do(request))
		body, err := io.ReadAll(answer.Body)
		Expect(answer.Body.Close()).To(Succeed())
		Expect(err).NotTo(HaveOccurred())
		return answer, string(body)
	}
	ask := func(ctx SpecContext, method, path string, headers ...string) (*http.Response, string) {
		GinkgoHelper()
		return send(ctx, config, method, path, headers...)
	}
	refused := func(answer *http.Response, body string) metav1.Status {
		GinkgoHelper()
		Expect(answer.Header.Get("Content-Type")).To(Equal("application/json"))
		var status metav1.Status
		Expect(json.Unmarshal([]byte(body), &status)).To(Succeed(), "%s", body)
		Expect(status.Code).To(BeEquivalentTo(answer.StatusCode))
		return status
	}

	It("are answered whole, and their headers describe them", func(ctx SpecContext) {
		finish(ctx, raw)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			answer, body := ask(ctx, method, "once/artifacts/"+raw.Digest, "Accept-Encoding", "gzip")
			Expect(answer.StatusCode).To(Equal(http.StatusOK))
			if method == http.MethodGet {
				Expect(body).To(Equal(content))
			}
			Expect(answer.ContentLength).To(BeEquivalentTo(len(content)))
			Expect(answer.Header).NotTo(HaveKey("Content-Encoding"))
			sum := sha256.Sum256([]byte(content))
			for name, want := range map[string]string{
				"Content-Type": raw.MediaType, "Content-Disposition": `attachment; filename=once-linux-amd64.raw`, "X-Content-Type-Options": "nosniff",
				"ETag": `"` + raw.Digest + `"`, "Accept-Ranges": "bytes", "Repr-Digest": "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":",
			} {
				Expect(answer.Header.Get(name)).To(Equal(want), name)
			}
		}
	})

	It("are answered in parts", func(ctx SpecContext) {
		finish(ctx, raw)
		path, tag := "once/artifacts/"+raw.Digest, `"`+raw.Digest+`"`
		for _, c := range []struct {
			headers []string
			code    int
			want    string
		}{
			{[]string{"Range", "bytes=4-"}, http.StatusPartialContent, "456789"},
			{[]string{"Range", "bytes=-2", "If-Range", tag}, http.StatusPartialContent, "89"},
			{[]string{"Range", "bytes=4-", "If-Range", `"sha256:other"`}, http.StatusOK, content},
			{[]string{"If-None-Match", tag}, http.StatusNotModified, ""},
		} {
			answer, body := ask(ctx, http.MethodGet, path, c.headers...)
			Expect(answer.StatusCode).To(Equal(c.code), "%v", c.headers)
			Expect(body).To(Equal(c.want), "%v", c.headers)
		}
		answer, body := ask(ctx, http.MethodGet, path, "Range", "bytes=10-")
		Expect(refused(answer, body).Code).To(BeEquivalentTo(http.StatusRequestedRangeNotSatisfiable))
		Expect(answer.Header.Get("Content-Range")).To(Equal("bytes */10"))
		Expect(body).To(ContainSubstring("its size is 10 bytes"))
	})

	It("are found with their documents", func(ctx SpecContext) {
		sbom, provenance := kept.add("", `{"sbom":1}`), kept.add("", `{"provenance":1}`)
		raw.Documents = []v1alpha1.ArtifactDocument{
			{Type: v1alpha1.DocumentSBOM, Digest: sbom.Digest, SizeBytes: sbom.SizeBytes, MediaType: "application/spdx+json", Verified: sbom.Verified},
			{Type: v1alpha1.DocumentProvenance, Digest: provenance.Digest, SizeBytes: provenance.SizeBytes, MediaType: "text/html\n", Verified: sbom.Verified},
		}
		finish(ctx, raw)
		answer, body := ask(ctx, http.MethodGet, "once/artifacts/"+sbom.Digest)
		Expect(body).To(Equal(`{"sbom":1}`))
		Expect(answer.Header.Get("Content-Type")).To(Equal("application/spdx+json"))
		Expect(answer.Header.Get("Content-Disposition")).To(Equal("attachment; filename=once-linux-amd64.raw.spdx"))
		_, body = ask(ctx, http.MethodGet, "once/artifacts/"+provenance.Digest)
		Expect(body).To(Equal(`{"provenance":1}`))
	})

	It("are found with the report about their tests", func(ctx SpecContext) {
		report, builds := kept.add("", "<testsuites/>"), buildsIn(namespace)
		tested := newBuild("tested")
		tested.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}
		must(builds.Create(ctx, tested, metav1.CreateOptions{}))
		writeTo(ctx, builds, "tested", startAttempt(1))
		writeTo(ctx, builds, "tested", endAttempt(1, v1alpha1.AttemptSucceeded), func(status *v1alpha1.ImageBuildStatus) {
			status.Phase, status.Artifacts = v1alpha1.BuildTesting, []v1alpha1.Artifact{raw}
			status.Tests = []v1alpha1.TestStatus{{Name: "boots", Target: raw.Target, Gates: true, Report: &v1alpha1.ArtifactDocument{
				Type: v1alpha1.DocumentTestReport, Digest: report.Digest, SizeBytes: report.SizeBytes, MediaType: "application/vnd.junit+xml", Verified: report.Verified,
			}}}
		})
		answer, body := ask(ctx, http.MethodGet, "tested/artifacts/"+report.Digest)
		Expect(body).To(Equal("<testsuites/>"))
		Expect(answer.Header.Get("Content-Disposition")).To(Equal("attachment; filename=tested-tests.xml"))
	})

	It("are those of the build, and an error names them", func(ctx SpecContext) {
		other := kept.add("linux/amd64/raw", "of another build")
		_, body := ask(ctx, http.MethodGet, "once/artifacts/"+other.Digest)
		Expect(body).To(ContainSubstring("imagebuild once has no artifacts"))
		finish(ctx, raw)
		for path, c := range map[string]struct {
			code int
			says string
		}{
			"once/artifacts/" + other.Digest:               {http.StatusNotFound, "linux/amd64/raw " + raw.Digest},
			"once/artifacts":                               {http.StatusBadRequest, "needs a digest at the end of its path: imagebuild once has linux/amd64/raw " + raw.Digest},
			"once/artifacts/":                              {http.StatusBadRequest, "needs a digest"},
			"once/artifacts/sha256:1":                      {http.StatusBadRequest, `the digest "sha256:1" must be`},
			"once/artifacts/" + raw.Digest + "/x":          {http.StatusBadRequest, "must be sha256: and 64 hex digits"},
			"once/artifacts/..%2f..%2f" + raw.Digest:       {http.StatusBadRequest, "must be sha256: and 64 hex digits"},
			"never/artifacts/" + raw.Digest:                {http.StatusNotFound, `"never" not found`},
			"never-1/artifacts/" + raw.Digest:              {http.StatusNotFound, `"never-1" not found`},
			"once/artifacts/" + raw.Digest + "?dryRun=All": {http.StatusBadRequest, "dryRun is not supported"},
		} {
			answer, body := ask(ctx, http.MethodGet, path)
			status := refused(answer, body)
			Expect(status.Code).To(BeEquivalentTo(c.code), path)
			Expect(status.Message).To(ContainSubstring(c.says), path)
		}
		answer, body := ask(ctx, http.MethodDelete, "once/artifacts/"+raw.Digest)
		Expect(refused(answer, body).Code).To(BeEquivalentTo(http.StatusMethodNotAllowed))
	})

	It("that are not kept are explained", func(ctx SpecContext) {
		elsewhere, nowhere, lost := artifactOf("linux/amd64/iso", "elsewhere"), artifactOf("linux/amd64/oci", "nowhere"), artifactOf("linux/amd64/vmdk", "lost")
		elsewhere.Location, lost.Location = "https://images.example.com/debian.iso", base+"once/artifacts/"+lost.Digest
		damaged := kept.add("linux/amd64/qcow2", "damaged")
		damaged.SizeBytes++
		unreadable := artifactOf("linux/arm64/raw", "unreadable")
		kept.set(unreadable.Digest, func() (io.ReadSeekCloser, error) { return nil, errors.New("permission denied") })
		foreign := kept.add("linux/amd64/raw", "of another namespace")
		foreign.Location, foreign.Verified = "https://images.example.com/foreign", "" // what its builder reported
		finish(ctx, elsewhere, nowhere, lost, damaged, unreadable, foreign)
		for digest, c := range map[string]struct {
			code int
			says string
		}{
			elsewhere.Digest:  {http.StatusNotFound, "get it from https://images.example.com/debian.iso"},
			foreign.Digest:    {http.StatusNotFound, "get it from https://images.example.com/foreign"},
			nowhere.Digest:    {http.StatusNotFound, "not kept by this server, and its builder reported no location"},
			lost.Digest:       {http.StatusGone, "artifact linux/amd64/vmdk is no longer kept: build again"},
			damaged.Digest:    {http.StatusInternalServerError, "its size is 7 bytes, not 8"},
			unreadable.Digest: {http.StatusInternalServerError, "open the artifact linux/arm64/raw of imagebuild once: permission denied"},
		} {
			answer, body := ask(ctx, http.MethodGet, "once/artifacts/"+digest)
			status := refused(answer, body)
			Expect(status.Code).To(BeEquivalentTo(c.code), c.says)
			Expect(status.Message).To(ContainSubstring(c.says))
		}
	})

	It("do not look whole if they cannot be read to their end", func(ctx SpecContext) {
		artifact := artifactOf("linux/amd64/raw", "cannot be read")
		kept.set(artifact.Digest, func() (io.ReadSeekCloser, error) {
			return endless{broken{bytes.NewReader([]byte("cannot"))}, artifact.SizeBytes}, nil
		})
		finish(ctx, artifact)
		_, err := client.ImagesV1alpha1().RESTClient().Get().AbsPath(base + "once/artifacts/" + artifact.Digest).DoRaw(ctx)
		Expect(err).To(HaveOccurred())
	})

	It("have no timeout", func(ctx SpecContext) {
		finish(ctx, raw)
		answer, body := ask(ctx, http.MethodGet, "once/artifacts/"+raw.Digest+"?timeout=1ns")
		Expect(answer.StatusCode).To(Equal(http.StatusOK), "%s", body)
		Expect(body).To(Equal(content))
	})

	It("need the permission to get imagebuilds/artifacts", func(ctx SpecContext) {
		mayGet := func(_ context.Context, asked authorizer.Attributes) (authorizer.Decision, string, error) {
			if asked.GetVerb() == "get" && asked.GetResource() == "imagebuilds" && asked.GetSubresource() == "artifacts" && asked.GetName() == "once" {
				return authorizer.DecisionAllow, "", nil
			}
			return authorizer.DecisionNoOpinion, "", nil
		}
		running := start(ctx, apiserver.Register(builder.New("test"), apiserver.Options{Artifacts: kept}).
			WithGuests(authenticator.TokenFunc(asTenant), authorizer.AuthorizerFunc(mayGet)))
		theirs := running.ClientConfig()
		theirs.BearerToken = "tenant"
		for path, code := range map[string]int{
			"once/artifacts/" + raw.Digest: http.StatusNotFound, "once": http.StatusForbidden, "twice/artifacts/" + raw.Digest: http.StatusForbidden,
		} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				answer, _ := send(ctx, theirs, method, path)
				Expect(answer.StatusCode).To(Equal(code), "%s %s", method, path)
			}
		}
	})

	It("stay while their deleted build is the latest success of its image", func(ctx SpecContext) {
		images, builds := imagesIn(namespace), buildsIn(namespace)
		image := must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		must(images.Instantiate(ctx, "debian", request("one"), metav1.CreateOptions{}))
		path := "debian-1/artifacts/" + raw.Digest
		image.Status = newImageStatus(image)
		image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{
			Name: "debian-1", Number: 1, InputsDigest: digest('a'), CompletionTime: metav1.Now(), Artifacts: []v1alpha1.Artifact{raw},
		}
		image.ResourceVersion = ""
		must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{}))
		answer, _ := ask(ctx, http.MethodGet, path)
		Expect(answer.StatusCode).To(Equal(http.StatusNotFound), "the build exists, and has no artifacts")
		Expect(builds.Delete(ctx, "debian-1", metav1.DeleteOptions{})).To(Succeed())
		answer, body := ask(ctx, http.MethodGet, path)
		Expect(answer.StatusCode).To(Equal(http.StatusOK), "%s", body)
		Expect(body).To(Equal(content))
		answer, _ = ask(ctx, http.MethodGet, "debian-2/artifacts/"+raw.Digest)
		Expect(answer.StatusCode).To(Equal(http.StatusNotFound))
	})

	It("stay while a channel names their deleted build", func(ctx SpecContext) {
		images, builds := imagesIn(namespace), buildsIn(namespace)
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		must(images.Instantiate(ctx, "debian", request("one"), metav1.CreateOptions{}))
		writeTo(ctx, builds, "debian-1", startAttempt(1))
		writeTo(ctx, builds, "debian-1", func(status *v1alpha1.ImageBuildStatus) {
			succeed(1)(status)
			status.Artifacts = []v1alpha1.Artifact{raw}
		})
		set := func(channels ...v1alpha1.ImageChannel) {
			GinkgoHelper()
			must(images.UpdateChannels(ctx, "debian", &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: channels}, metav1.UpdateOptions{}))
		}
		set(v1alpha1.ImageChannel{Name: "stable", Build: "debian-1"})
		Expect(builds.Delete(ctx, "debian-1", metav1.DeleteOptions{})).To(Succeed())
		answer, body := ask(ctx, http.MethodGet, "debian-1/artifacts/"+raw.Digest)
		Expect(answer.StatusCode).To(Equal(http.StatusOK), "%s", body)
		Expect(body).To(Equal(content))
		set()
		answer, _ = ask(ctx, http.MethodGet, "debian-1/artifacts/"+raw.Digest)
		Expect(answer.StatusCode).To(Equal(http.StatusNotFound))
	})
})

// endless is a broken content whose size is that of the whole content.
type endless struct {
	broken
	size int64
}

func (e endless) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return e.size, nil
	}
	return e.broken.Seek(offset, whence)
}
