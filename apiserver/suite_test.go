// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/jobs/catalog"
	"goldsmith.dev/goldsmith/jobs/state"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

func TestAPIServer(t *testing.T) {
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.Timeout = deadline.InProcessSuite.Deadline() // what waits, waits for the end of the suite
	RunSpecs(t, "API server", suite, reporter)
}

// One server serves all specs. Each works in a namespace of its own.
var (
	config *restclient.Config
	client versioned.Interface
	logs   = newFakeLogs()
	kept   = newFakeArtifacts()
	// configured has the kinds of the catalog.
	configured *registry.Configuration
	token      = "a-token-of-the-tests"
)

// maxHistory is how many builds the operator of the server lets Images keep.
const maxHistory = 900

var _ = BeforeSuite(func(ctx SpecContext) {
	configured = registry.NewConfiguration([]*catalog.Kind{readKind(ctx, "testdata/catalog/debianservers.yaml")})
	running := start(ctx, apiserver.Register(builder.New("test"), apiserver.Options{
		Logs: logs, Artifacts: kept, Kinds: configured, Policy: func() (apiserver.Policy, error) { return apiserver.Policy{MaxHistory: maxHistory}, nil },
	}))
	config = running.ClientConfig()
	config.BearerToken = token
	client = must(versioned.NewForConfig(config))
})

// start starts a server that forgets everything when it stops, with the spec, or container, that it is called in.
func start(ctx SpecContext, server *builder.Server) *builder.Running {
	GinkgoHelper()
	return startOn(ctx, builder.Memory(), server)
}

func startOn(ctx SpecContext, storage builder.StorageBackend, server *builder.Server) *builder.Running {
	GinkgoHelper()
	options := must(server.
		WithStorage(storage).
		WithBearerToken(token, &user.DefaultInfo{Name: "ada", Groups: []string{user.SystemPrivilegedGroup}}).
		ToServerOptions())
	serverCtx, stop := context.WithCancel(context.Background())
	running := must(options.Start(serverCtx))
	DeferCleanup(func() {
		stop()
		Expect(running.Wait()).To(Succeed())
	})
	Expect(running.WaitReady(ctx)).To(Succeed())
	return running
}

// must returns the value of a call that has to succeed.
func must[T any](value T, err error) T {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	return value
}

// errorOf returns the error of a call that also returns a value.
func errorOf[T any](_ T, err error) error { return err }

// newNamespace names a namespace that no other spec uses.
func newNamespace() string {
	return "ns-" + rand()
}

func imagesIn(namespace string) typed.ImageInterface {
	return client.ImagesV1alpha1().Images(namespace)
}
func buildsIn(namespace string) typed.ImageBuildInterface {
	return client.ImagesV1alpha1().ImageBuilds(namespace)
}

func inputs() v1alpha1.BuildInputs {
	return v1alpha1.BuildInputs{
		Builder: v1alpha1.BuilderReference{Name: "mock"},
		Base:    v1alpha1.Base{Reference: "debian:bookworm"},
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}
}

func newImage(name string) *v1alpha1.Image {
	return &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageSpec{BuildInputs: inputs()}}
}

func newBuild(name string) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageBuildSpec{Inputs: inputs()}}
}

// newImageStatus is the status of an Image that only its creation has written.
func newImageStatus(image *v1alpha1.Image) v1alpha1.ImageStatus {
	return v1alpha1.ImageStatus{Conditions: trigger.FirstConditions(image.CreationTimestamp)}
}

// newBuildStatus is the status of a build that only its creation has written.
func newBuildStatus(build *v1alpha1.ImageBuild) v1alpha1.ImageBuildStatus {
	return v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildPending, Conditions: state.FirstConditions(build.CreationTimestamp)}
}

func request(id string) *v1alpha1.BuildRequest {
	return &v1alpha1.BuildRequest{RequestID: id}
}
