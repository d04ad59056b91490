// SPDX-License-Identifier: Apache-2.0

package imageplan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

var (
	// admin may do everything, and viewer nothing but what is Goldsmith's, and not get the Image and the Archive secret.
	admin  = &user.DefaultInfo{Name: "admin", Groups: []string{user.SystemPrivilegedGroup}}
	viewer = &user.DefaultInfo{Name: "viewer"}

	registered = map[string]inputs.Builder{"mock": {Image: "mock-builder:v1", Reports: true, Capabilities: capability.Capabilities{Probe: true}}}
	madeDigest = "sha256:" + strings.Repeat("c", 64)
)

// running is the server of all tests. Each test works in its own namespace.
var running *builder.Running

func TestMain(m *testing.M) {
	builder.QuietLogs(io.Discard)
	ctx, stop := context.WithCancel(context.Background())
	code := 1
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
		stop()
		if err := running.Wait(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	stop()
	os.Exit(code)
}

func serve(ctx context.Context) error {
	server := apiserver.Register(builder.New("test"), apiserver.Options{
		Builders:  func() (inputs.Builders, error) { return inputs.Builders{Registered: registered}, nil },
		Artifacts: nothingKept{},
		Clock:     testingclock.NewFakePassiveClock(time.Date(2030, 1, 2, 5, 0, 0, 0, time.UTC)),
	})
	options, err := corekinds.Register(server, noLogs{}).WithStorage(builder.Memory()).
		WithBearerToken(admin.Name, admin).WithGuests(authenticator.TokenFunc(asViewer), authorizer.AuthorizerFunc(mayDoOurs)).
		ToServerOptions()
	if err != nil {
		return err
	}
	if running, err = options.Start(ctx); err != nil {
		return err
	}
	return running.WaitReady(ctx)
}

func asViewer(_ context.Context, token string) (*authenticator.Response, bool, error) {
	return &authenticator.Response{User: viewer}, token == viewer.Name, nil
}

func mayDoOurs(_ context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
	secret := attributes.GetResource() == "images" || attributes.GetResource() == "archives"
	getsSecret := secret && attributes.GetVerb() == "get" && attributes.GetSubresource() == "" && attributes.GetName() == secretName
	if attributes.GetUser().GetName() == viewer.Name && attributes.GetAPIGroup() == v1alpha1.GroupName && !getsSecret {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// nothingKept are the artifacts of a server that has lost all.
type nothingKept struct{ imagebuild.Artifacts }

func (nothingKept) Has(string) bool { return false }

type noLogs struct{}

func (noLogs) OpenLog(context.Context, *corev1.Pod, *corev1.PodLogOptions) (io.ReadCloser, error) {
	return nil, errors.New("there are none")
}

// space is a namespace, and a user who works in it.
type space struct {
	namespace string
	client    versioned.Interface
	kube      kubernetes.Interface // the administrator's
}

var spaces atomic.Int64

func newSpace(t *testing.T, as *user.DefaultInfo) *space {
	t.Helper()
	s := &space{namespace: fmt.Sprint("ns-", spaces.Add(1))}
	var err error
	if s.kube, err = kubernetes.NewForConfig(configOf(admin)); err != nil {
		t.Fatal(err)
	}
	s = s.as(t, as)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if _, err := s.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// as is the same namespace for another user.
func (s *space) as(t *testing.T, who *user.DefaultInfo) *space {
	t.Helper()
	client, err := versioned.NewForConfig(configOf(who))
	require.NoError(t, err)
	return &space{namespace: s.namespace, client: client, kube: s.kube}
}

func configOf(who *user.DefaultInfo) *restclient.Config {
	config := restclient.CopyConfig(running.ClientConfig())
	config.BearerToken = who.Name
	return config
}

func (s *space) images() typed.ImageInterface { return s.client.ImagesV1alpha1().Images(s.namespace) }
func (s *space) builds() typed.ImageBuildInterface {
	return s.client.ImagesV1alpha1().ImageBuilds(s.namespace)
}

func spec() v1alpha1.ImageSpec {
	return v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{
		Builder: v1alpha1.BuilderReference{Name: "mock"},
		Base:    v1alpha1.Base{Reference: "debian:bookworm"},
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}}
}

func asked(name string, spec v1alpha1.ImageSpec) *v1alpha1.ImagePlan {
	return &v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: *spec.DeepCopy()}
}

const (
	// imageName is that of the Images that are planned.
	imageName = "debian"
	// secretName is that of the Images that viewer may not get.
	secretName = "secret"
)

// planned is the plan of an Image as it would be applied.
func (s *space) planned(t *testing.T, spec v1alpha1.ImageSpec) *v1alpha1.ImagePlan {
	t.Helper()
	return s.plannedAs(t, imageName, spec)
}

func (s *space) plannedAs(t *testing.T, name string, spec v1alpha1.ImageSpec) *v1alpha1.ImagePlan {
	t.Helper()
	plan, err := s.client.ImagesV1alpha1().ImagePlans(s.namespace).Create(t.Context(), asked(name, spec), metav1.CreateOptions{})
	require.NoError(t, err)
	return plan
}

// plan is the plan of an Image as it is.
func (s *space) plan(t *testing.T) *v1alpha1.ImagePlan {
	t.Helper()
	plan, err := s.images().GetPlan(t.Context(), imageName, metav1.GetOptions{})
	require.NoError(t, err)
	return plan
}

func (s *space) create(t *testing.T, name string, spec v1alpha1.ImageSpec) *v1alpha1.Image {
	t.Helper()
	image, err := s.images().Create(t.Context(), &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: *spec.DeepCopy()}, metav1.CreateOptions{})
	require.NoError(t, err)
	return image
}

// stored creates a build of no Image.
func (s *space) stored(t *testing.T, name string) {
	t.Helper()
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageBuildSpec{Inputs: spec().BuildInputs}}
	if _, err := s.builds().Create(t.Context(), build, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// attempt makes a build of an Image that has resolved its inputs.
func (s *space) attempt(t *testing.T, image string) *v1alpha1.ImageBuild {
	t.Helper()
	build, err := s.images().Instantiate(t.Context(), image, &v1alpha1.BuildRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	resolved, failure := inputs.Resolve(build.Spec.Inputs, inputs.Found{})
	if failure != nil {
		t.Fatal(failure.Message)
	}
	build.Status.Resolved = resolved
	if build, err = s.builds().UpdateStatus(t.Context(), build, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return build
}

// succeed writes down that an Image has a successful build.
func (s *space) succeed(t *testing.T, name string) {
	t.Helper()
	s.succeedWith(t, name, v1alpha1.Artifact{Target: "linux/amd64/raw", Digest: madeDigest, MediaType: "application/octet-stream"})
}

func (s *space) succeedWith(t *testing.T, name string, artifact v1alpha1.Artifact) {
	t.Helper()
	image, err := s.images().Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: name + "-1", Number: 1, InputsDigest: madeDigest, CompletionTime: metav1.Now(),
		Artifacts: []v1alpha1.Artifact{artifact}}
	found := inputs.Found{}
	if ref := image.Spec.Base.ImageRef; ref != nil {
		found.Base, err = s.images().Get(t.Context(), ref.Name, metav1.GetOptions{})
		require.NoError(t, err)
	}
	resolved, failure := inputs.Resolve(image.Spec.BuildInputs, found)
	if failure != nil {
		t.Fatal(failure.Message)
	}
	image.Status.LastAttempted = &v1alpha1.AttemptedBuild{Number: 1, InputsDigest: resolved.InputsDigest}
	image.Status.LastFinished = &v1alpha1.FinishedBuild{Name: name + "-1", Number: 1, Phase: v1alpha1.BuildSucceeded, InputsDigest: resolved.InputsDigest}
	if _, err := s.images().UpdateStatus(t.Context(), image, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (s *space) configMap(t *testing.T, name string, data map[string]string) {
	t.Helper()
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
	if _, err := s.kube.CoreV1().ConfigMaps(s.namespace).Create(t.Context(), configMap, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
