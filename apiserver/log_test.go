// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing/iotest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/buildlog"
)

var _ = Describe("The log of a build", func() {
	var (
		namespace string
		builds    typed.ImageBuildInterface
		first     types.UID
		second    types.UID
	)
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		builds = buildsIn(namespace)
		first, second = types.UID("first-"+rand()), types.UID("second-"+rand())
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
	})
	read := func(ctx context.Context, options v1alpha1.ImageBuildLogOptions) (string, []string, error) {
		result := logRequest(namespace, options).Do(ctx)
		raw, _ := result.Raw() // the client's error lacks the server's message
		var warnings []string
		for _, warning := range result.Warnings() {
			warnings = append(warnings, warning.Text)
		}
		return string(raw), warnings, result.Error()
	}

	Describe("when not followed", func() {
		It("is empty with a warning as long as no attempt was started", func(ctx SpecContext) {
			text, warnings, err := read(ctx, v1alpha1.ImageBuildLogOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(text).To(BeEmpty())
			Expect(warnings).To(ConsistOf("imagebuild once has no log: no attempt was started"))
		})

		It("is empty with a warning as long as the attempt has no container that has started", func(ctx SpecContext) {
			write(ctx, builds, startAttempt(1))
			text, warnings, err := read(ctx, v1alpha1.ImageBuildLogOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(text).To(BeEmpty())
			Expect(warnings).To(ConsistOf("attempt 1 of imagebuild once has no log: its container has not started"))

			write(ctx, builds, bindPod(1, first))
			logs.set(first, notStarted)
			text, warnings, err = read(ctx, v1alpha1.ImageBuildLogOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(text).To(BeEmpty())
			Expect(warnings).To(ConsistOf("attempt 1 of imagebuild once has no log: its container has not started"))
		})

		It("is that of the current attempt, or of the requested attempt", func(ctx SpecContext) {
			logs.set(first, text("one\n"))
			logs.set(second, text("two\n"))
			write(ctx, builds, startAttempt(1), bindPod(1, first))
			write(ctx, builds, endAttempt(1, v1alpha1.AttemptFailed))
			write(ctx, builds, startAttempt(2), bindPod(2, second))
			Expect(read(ctx, v1alpha1.ImageBuildLogOptions{})).To(Equal("two\n"))
			Expect(read(ctx, v1alpha1.ImageBuildLogOptions{Attempt: new(int32(1))})).To(Equal("one\n"))
		})

		It("answers 404 for an attempt that does not exist", func(ctx SpecContext) {
			_, _, err := read(ctx, v1alpha1.ImageBuildLogOptions{Attempt: new(int32(1))})
			Expect(err).To(And(Satisfy(apierrors.IsNotFound), WithTransform(fieldsOf, ConsistOf("attempt"))))
		})

		It("answers 410 once the pod is deleted, with the time of the deletion", func(ctx SpecContext) {
			write(ctx, builds, startAttempt(1), bindPod(1, first))
			write(ctx, builds, succeed(1))
			for _, follow := range []bool{false, true} {
				_, _, err := read(ctx, v1alpha1.ImageBuildLogOptions{Follow: follow})
				Expect(err).To(And(Satisfy(apierrors.IsGone), MatchError(ContainSubstring("deleted after the attempt ended at 20"))))
			}
		})

		It("does not look whole if it cannot be read to its end", func(ctx SpecContext) {
			logs.set(first, func(context.Context, corev1.PodLogOptions) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader("one\n"), iotest.ErrReader(errors.New("the node is lost")))), nil
			})
			write(ctx, builds, startAttempt(1), bindPod(1, first))
			stream := must(logRequest(namespace, v1alpha1.ImageBuildLogOptions{}).Stream(ctx))
			defer func() { Expect(stream.Close()).To(Succeed()) }()
			text, err := io.ReadAll(stream)
			Expect(err).To(HaveOccurred())
			Expect(string(text)).To(Equal("one\n"))
		})

		It("passes on what is asked for, and stops at the limit", func(ctx SpecContext) {
			var got corev1.PodLogOptions
			logs.set(first, func(_ context.Context, options corev1.PodLogOptions) (io.ReadCloser, error) {
				got = options
				return io.NopCloser(strings.NewReader("2030-01-02T03:04:06Z 0123456789")), nil
			})
			write(ctx, builds, startAttempt(1), bindPod(1, first))
			since := metav1.NewTime(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
			Expect(read(ctx, v1alpha1.ImageBuildLogOptions{
				TailLines: new(int64(3)), SinceTime: &since, Timestamps: true, LimitBytes: new(int64(4)),
			})).To(Equal("2030-01-02T03:04:06Z 0123"))
			Expect(got.TailLines).To(HaveValue(BeEquivalentTo(3)))
			Expect(got.SinceTime.Equal(&since)).To(BeTrue())
			Expect(got.Timestamps).To(BeTrue())
			Expect(got.Follow).To(BeFalse())
		})

		It("names every parameter that is wrong", func(ctx SpecContext) {
			_, _, err := read(ctx, v1alpha1.ImageBuildLogOptions{Attempt: new(int32(0)), TailLines: new(int64(-1)), LimitBytes: new(int64(0))})
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			Expect(fieldsOf(err)).To(ConsistOf("attempt", "tailLines", "limitBytes"))
		})
	})

	Describe("when followed", func() {
		It("waits for the first attempt, goes on with the next, and ends with the build", func(ctx SpecContext) {
			log := follow(ctx, namespace, v1alpha1.ImageBuildLogOptions{})
			one, two := newPipe(), newPipe()
			logs.set(first, one.open)
			logs.set(second, two.open)

			write(ctx, builds, startAttempt(1))
			write(ctx, builds, bindPod(1, first), setPhase(v1alpha1.BuildRunning))
			one.write("hello\n")
			Eventually(ctx, log.text).Should(Equal("hello\n"), "each line comes at once")
			one.write("world\n")
			Eventually(ctx, log.text).Should(Equal("hello\nworld\n"))
			one.end()
			write(ctx, builds, endAttempt(1, v1alpha1.AttemptDisrupted))
			write(ctx, builds, startAttempt(2), bindPod(2, second))
			two.write("again\n")
			Eventually(ctx, log.text).Should(Equal("hello\nworld\nagain\n"))
			two.end()
			write(ctx, builds, succeed(2))
			Eventually(ctx, log.done).Should(BeClosed())
			Expect(log.err).NotTo(HaveOccurred())
		})

		It("delivers the log of a build that succeeded without having been seen to run", func(ctx SpecContext) {
			log := follow(ctx, namespace, v1alpha1.ImageBuildLogOptions{})
			logs.set(first, text("quick\n"))
			write(ctx, builds, startAttempt(1))
			write(ctx, builds, bindPod(1, first), succeed(1))
			Eventually(ctx, log.done).Should(BeClosed())
			Expect(log.text()).To(Equal("quick\n"))
		})

		It("waits until a pod's container has started, and leaves out attempts that never had one", func(ctx SpecContext) {
			log := follow(ctx, namespace, v1alpha1.ImageBuildLogOptions{})
			logs.set(first, notStarted)
			logs.set(second, text("two\n"))
			write(ctx, builds, startAttempt(1), bindPod(1, first))
			write(ctx, builds, endAttempt(1, v1alpha1.AttemptDisrupted))
			write(ctx, builds, startAttempt(2), bindPod(2, second))
			write(ctx, builds, succeed(2))
			Eventually(ctx, log.done).Should(BeClosed())
			Expect(log.text()).To(Equal("two\n"))
		})

		It("begins with the current attempt", func(ctx SpecContext) {
			logs.set(first, text("one\n"))
			logs.set(second, text("two\n"))
			write(ctx, builds, startAttempt(1), bindPod(1, first))
			write(ctx, builds, endAttempt(1, v1alpha1.AttemptFailed))
			write(ctx, builds, startAttempt(2), bindPod(2, second))
			log := follow(ctx, namespace, v1alpha1.ImageBuildLogOptions{})
			write(ctx, builds, succeed(2))
			Eventually(ctx, log.done).Should(BeClosed())
			Expect(log.text()).To(Equal("two\n"))
		})

		It("ends after one attempt if that is asked for", func(ctx SpecContext) {
			logs.set(first, text("one\n"))
			write(ctx, builds, startAttempt(1), bindPod(1, first))
			write(ctx, builds, endAttempt(1, v1alpha1.AttemptFailed))
			log := follow(ctx, namespace, v1alpha1.ImageBuildLogOptions{Attempt: new(int32(1))})
			Eventually(ctx, log.done).Should(BeClosed())
			Expect(log.text()).To(Equal("one\n"))
		})

		It("stops at the limit over all attempts", func(ctx SpecContext) {
			logs.set(first, text("12345"))
			logs.set(second, text("67890"))
			log := follow(ctx, namespace, v1alpha1.ImageBuildLogOptions{LimitBytes: new(int64(7))})
			write(ctx, builds, startAttempt(1), bindPod(1, first))
			write(ctx, builds, endAttempt(1, v1alpha1.AttemptFailed))
			write(ctx, builds, startAttempt(2), bindPod(2, second))
			Eventually(ctx, log.done).Should(BeClosed())
			Expect(log.text()).To(Equal("1234567"))
		})

		It("ends when the build is deleted", func(ctx SpecContext) {
			log := follow(ctx, namespace, v1alpha1.ImageBuildLogOptions{})
			Expect(builds.Delete(ctx, "once", metav1.DeleteOptions{})).To(Succeed())
			Eventually(ctx, log.done).Should(BeClosed())
		})

		It("serves many readers of one build", func(ctx SpecContext) {
			logs.set(first, text("quick\n"))
			var followers []*followed
			for range 5 {
				followers = append(followers, follow(ctx, namespace, v1alpha1.ImageBuildLogOptions{}))
			}
			write(ctx, builds, startAttempt(1))
			write(ctx, builds, bindPod(1, first), succeed(1))
			for _, log := range followers {
				Eventually(ctx, log.done).Should(BeClosed())
				Expect(log.err).NotTo(HaveOccurred())
				Expect(log.text()).To(Equal("quick\n"))
			}
		})

		It("closes the log as soon as the reader disconnects", func(ctx SpecContext) {
			opened, left := make(chan struct{}), make(chan struct{})
			logs.set(first, func(ctx context.Context, _ corev1.PodLogOptions) (io.ReadCloser, error) {
				reader, writer := io.Pipe()
				close(opened)
				go func() {
					<-ctx.Done()
					close(left)
					writer.CloseWithError(ctx.Err())
				}()
				return reader, nil
			})
			write(ctx, builds, startAttempt(1), bindPod(1, first))
			reading, leave := context.WithCancel(ctx)
			log := follow(reading, namespace, v1alpha1.ImageBuildLogOptions{})
			Eventually(ctx, opened).Should(BeClosed())
			Expect(left).NotTo(BeClosed())
			leave()
			Eventually(ctx, left).Should(BeClosed())
			Eventually(ctx, log.done).Should(BeClosed())
		})
	})
})

func logRequest(namespace string, options v1alpha1.ImageBuildLogOptions) *restclient.Request {
	return client.ImagesV1alpha1().RESTClient().Get().Namespace(namespace).Resource("imagebuilds").Name("once").SubResource("log").
		VersionedParams(&options, scheme.ParameterCodec)
}

// followed is a log that is being read.
type followed struct {
	lock sync.Mutex
	read bytes.Buffer
	done chan struct{} // closed at the end of the log; err is set before
	err  error
}

// follow starts to follow the log of the build "once". It returns once the server has answered.
func follow(ctx context.Context, namespace string, options v1alpha1.ImageBuildLogOptions) *followed {
	GinkgoHelper()
	options.Follow = true
	stream := must(logRequest(namespace, options).Stream(ctx))
	f := &followed{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		defer func() { f.err = joinClose(f.err, stream.Close()) }()
		_, f.err = io.Copy(f, stream)
	}()
	return f
}

func joinClose(err, closing error) error {
	if err != nil {
		return err
	}
	return closing
}

func (f *followed) Write(p []byte) (int, error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.read.Write(p)
}

func (f *followed) text() string {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.read.String()
}

type openLog = func(context.Context, corev1.PodLogOptions) (io.ReadCloser, error)

func text(content string) openLog {
	return func(context.Context, corev1.PodLogOptions) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content)), nil
	}
}

func notStarted(context.Context, corev1.PodLogOptions) (io.ReadCloser, error) {
	return nil, fmt.Errorf("reading: %w", buildlog.ErrNotStarted)
}

// pipe is a log that a spec writes.
type pipe struct {
	reader *io.PipeReader
	writer *io.PipeWriter
}

func newPipe() *pipe {
	reader, writer := io.Pipe()
	return &pipe{reader: reader, writer: writer}
}

func (p *pipe) open(context.Context, corev1.PodLogOptions) (io.ReadCloser, error) {
	return p.reader, nil
}

func (p *pipe) write(line string) {
	GinkgoHelper()
	must(p.writer.Write([]byte(line)))
}

func (p *pipe) end() {
	GinkgoHelper()
	Expect(p.writer.Close()).To(Succeed())
}
