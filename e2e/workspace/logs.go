// SPDX-License-Identifier: Apache-2.0

package workspace

import (
	"context"
	"io"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
)

// LogRequest is a request for the log of a build.
func LogRequest(goldsmith versioned.Interface, namespace, build string, parameters map[string]string) *rest.Request {
	request := goldsmith.ImagesV1alpha1().RESTClient().Get().
		Namespace(namespace).Resource("imagebuilds").Name(build).SubResource("log")
	for name, value := range parameters {
		request = request.Param(name, value)
	}
	return request
}

// ReadLog reads the log of a build with the permissions of a client.
func ReadLog(ctx context.Context, goldsmith versioned.Interface, namespace, build string, parameters map[string]string) (string, error) {
	result := LogRequest(goldsmith, namespace, build, parameters).Do(ctx)
	if err := result.Error(); err != nil { // Raw does not decode the Status of a refusal
		return "", err
	}
	body, err := result.Raw()
	return string(body), err
}

// ReadLog reads the log of a build.
func (w *Workspace) ReadLog(ctx context.Context, build string, parameters map[string]string) (string, error) {
	return ReadLog(ctx, w.Goldsmith, w.Namespace, build, parameters)
}

// Log reads the log of a build, which must succeed.
func (w *Workspace) Log(ctx context.Context, build string, parameters map[string]string) string {
	GinkgoHelper()
	text, err := w.ReadLog(ctx, build, parameters)
	Expect(err).NotTo(HaveOccurred())
	return text
}

// FollowLog starts to follow the log of a build. The channel receives the text once, at the end of the log.
func (w *Workspace) FollowLog(ctx context.Context, build string, parameters map[string]string) <-chan string {
	GinkgoHelper()
	ctx, stop := context.WithTimeout(ctx, w.options.Patience)
	DeferCleanup(stop)
	stream, err := LogRequest(w.Goldsmith, w.Namespace, build, parameters).Param("follow", "true").Stream(ctx)
	Expect(err).NotTo(HaveOccurred())
	log := make(chan string, 1)
	go func() {
		defer GinkgoRecover()
		text, err := io.ReadAll(stream)
		Expect(err).NotTo(HaveOccurred())
		Expect(stream.Close()).To(Succeed())
		log <- string(text)
	}()
	return log
}
