// SPDX-License-Identifier: Apache-2.0

package corekinds_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
)

// One server for the whole suite, in memory and without a port. Every spec has a namespace of its own.
var (
	config    *restclient.Config
	client    kubernetes.Interface
	namespace string
	podLogs   = &fakeLogs{}
)

func TestCoreKinds(t *testing.T) {
	builder.QuietLogs(GinkgoWriter)
	RegisterFailHandler(Fail)
	RunSpecs(t, "core kinds")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	server := builder.New("core-kinds-test").
		WithStorage(builder.Memory()).
		WithBearerToken("secret", &user.DefaultInfo{Name: "admin", Groups: []string{user.SystemPrivilegedGroup}}).
		WithGuests(authenticator.TokenFunc(visitors), authorizer.AuthorizerFunc(rightsOfVisitors))
	options := must(corekinds.Register(server, podLogs).ToServerOptions())
	serving, stop := context.WithCancel(context.Background())
	running := must(options.Start(serving))
	DeferCleanup(func() {
		stop()
		Expect(running.Wait()).To(Succeed())
	})
	Expect(running.WaitReady(ctx)).To(Succeed())
	config = running.ClientConfig()
	client = must(kubernetes.NewForConfig(config))
})

var _ = BeforeEach(func(ctx SpecContext) {
	created := must(client.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}, metav1.CreateOptions{}))
	namespace = created.Name
})

// must returns the value of a call that has to succeed.
func must[T any](value T, err error) T {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	return value
}

// errorOf returns the error of a call that also returns a value.
func errorOf[T any](_ T, err error) error { return err }

// fakeLogs answers with a line that shows the request. A followed log stays open until its context ends. The log of a pod
// named broken cannot be read to its end.
type fakeLogs struct {
	mutex sync.Mutex
	ended []string
}

func (l *fakeLogs) OpenLog(ctx context.Context, pod *corev1.Pod, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	line := fmt.Sprintf("%s %q timestamps=%t tail=%v\n", pod.Name, options.Container, options.Timestamps, options.TailLines != nil)
	if pod.Name == "broken" {
		return io.NopCloser(io.MultiReader(strings.NewReader(line), iotest.ErrReader(errors.New("the node is lost")))), nil
	}
	if !options.Follow {
		return io.NopCloser(strings.NewReader(line)), nil
	}
	reader, writer := io.Pipe()
	go func() {
		_, err := io.WriteString(writer, line)
		<-ctx.Done()
		l.mutex.Lock()
		l.ended = append(l.ended, pod.Name)
		l.mutex.Unlock()
		writer.CloseWithError(err)
	}()
	return reader, nil
}

func (l *fakeLogs) followersEnded() []string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return append([]string(nil), l.ended...)
}
