// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

const (
	// every is the time between two requests of a probe.
	every = 200 * time.Millisecond
	// probed is the name of the Image in the requests. It is suspended, so no other client writes to it.
	probed = "probe"
)

// notRead are the causes by which net/http reports that a server closed a connection without having read the request: the first two
// over HTTP/2, the last over HTTP/1.1. kube-apiserver sends such a request again only if it has no body:
// https://github.com/kubernetes/kubernetes/issues/135285
var notRead = []string{"define Request.GetBody", "cannot rewind body", "server closed idle connection"}

// request is one of the requests that a probe repeats.
type request struct {
	name  string
	build func(*rest.RESTClient) *rest.Request
}

// probe makes requests, five a second, until it is stopped, and remembers which of them failed.
type probe struct {
	client    *rest.RESTClient
	namespace string
	stop      context.CancelFunc
	under     sync.WaitGroup // way: requests without an answer so far

	mutex     sync.Mutex
	made      int
	unsent    int // writes that kube-apiserver did not get to an API server
	postponed int // requests that a terminating API server answered with 429 and Retry-After, which clients repeat by themselves
	failures  []string
}

// startProbe starts a probe in a workspace of its own. It ends with the spec at the latest.
func startProbe(ctx context.Context, w *cluster.Workspace) *probe {
	GinkgoHelper()
	image := cluster.NewImage(probed)
	image.Spec.Suspend = new(true)
	w.CreateImage(ctx, image)
	goldsmith, err := versioned.NewForConfig(w.Environment.Config)
	Expect(err).NotTo(HaveOccurred())
	client, ok := goldsmith.ImagesV1alpha1().RESTClient().(*rest.RESTClient)
	Expect(ok).To(BeTrue())
	p := &probe{client: client, namespace: w.Namespace}
	running, stop := context.WithCancel(context.Background())
	p.stop = stop
	DeferCleanup(func() { p.end() })
	p.under.Go(func() { p.run(running) })
	return p
}

// end makes no more requests, and waits for the answers to those that have been made.
func (p *probe) end() {
	p.stop()
	p.under.Wait()
}

// expectNoFailure ends the probe.
func (p *probe) expectNoFailure() {
	GinkgoHelper()
	p.end()
	AddReportEntry("requests", fmt.Sprintf("%d, of which kube-apiserver did not send %d again, and %d were to be sent later", p.made, p.unsent, p.postponed))
	Expect(p.failures).To(BeEmpty(), "of %d requests", p.made)
	Expect(p.made).To(BeNumerically(">", len(p.requests())), "requests were made")
}

func (p *probe) run(ctx context.Context) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for requests := p.requests(); ; p.made++ {
		next := requests[p.made%len(requests)]
		p.under.Go(func() { p.make(next) }) // even if the previous request has not ended
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// make makes one request, just once: a client that tries again would hide what this is about.
func (p *probe) make(request request) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline.Answer.Deadline())
	defer cancel()
	start := time.Now()
	err := request.build(p.client).MaxRetries(0).Do(ctx).Error()
	if err == nil {
		return
	}
	text := withCauses(err)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if slices.ContainsFunc(notRead, func(cause string) bool { return strings.Contains(text, cause) }) {
		p.unsent++
		return
	}
	if _, delayed := apierrors.SuggestsClientDelay(err); delayed && strings.Contains(text, "The apiserver is shutting down") {
		p.postponed++
		return
	}
	p.failures = append(p.failures, fmt.Sprintf("%s %s, after %s: %s", start.UTC().Format(time.StampMilli), request.name, time.Since(start).Round(time.Millisecond), text))
}

// withCauses adds what an error's message leaves out: what was answered instead of a Status.
func withCauses(err error) string {
	texts := []string{err.Error()}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			texts = append(texts, cause.Message)
		}
	}
	return strings.Join(texts, ": ")
}

func (p *probe) requests() []request {
	created := cluster.NewImage("created")
	body := func(content string) []byte { return fmt.Appendf(nil, content, time.Now().UnixNano()) }
	return []request{
		{"get", func(c *rest.RESTClient) *rest.Request {
			return c.Get().Namespace(p.namespace).Resource("images").Name(probed)
		}},
		{"list of images", func(c *rest.RESTClient) *rest.Request {
			return c.Get().Namespace(p.namespace).Resource("images")
		}},
		{"dry run of a creation", func(c *rest.RESTClient) *rest.Request {
			return c.Post().Namespace(p.namespace).Resource("images").
				VersionedParams(&metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}, scheme.ParameterCodec).Body(created)
		}},
		{"patch", func(c *rest.RESTClient) *rest.Request {
			return c.Patch("application/merge-patch+json").Namespace(p.namespace).Resource("images").Name(probed).
				Body(body(`{"metadata":{"annotations":{"probe":"%d"}}}`))
		}},
		{"patch of a status", func(c *rest.RESTClient) *rest.Request {
			return c.Patch("application/merge-patch+json").Namespace(p.namespace).Resource("images").Name(probed).SubResource("status").
				Body([]byte(`{"status":{"observedGeneration":1}}`))
		}},
		{"list of all builds", func(c *rest.RESTClient) *rest.Request {
			return c.Get().Resource("imagebuilds")
		}},
		{"discovery", func(c *rest.RESTClient) *rest.Request {
			return c.Get().AbsPath("/apis/images.goldsmith.dev/v1alpha1")
		}},
	}
}
