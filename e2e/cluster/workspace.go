// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	client "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// polling is how often it is looked whether what is waited for has happened.
const polling = 100 * time.Millisecond

// Workspace is a namespace for the present spec, and clients of an administrator.
type Workspace struct {
	Environment Environment
	Namespace   string
	Kube        kubernetes.Interface
	Goldsmith   versioned.Interface
}

// NewWorkspace makes a namespace before each spec of the present container, restricted as those of careful people are,
// and deletes it afterwards.
func NewWorkspace(environment func() Environment) *Workspace {
	w := &Workspace{}
	BeforeEach(func(ctx SpecContext) { w.open(ctx, environment()) })
	AfterEach(func(ctx SpecContext) { w.close(ctx) })
	return w
}

func (w *Workspace) open(ctx context.Context, environment Environment) {
	w.Environment, w.Kube, w.Goldsmith = environment, environment.Kube(), environment.Goldsmith()
	namespace, err := w.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "cluster-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	w.Namespace = namespace.Name
}

func (w *Workspace) close(ctx context.Context) {
	err := w.Kube.CoreV1().Namespaces().Delete(ctx, w.Namespace, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		Expect(err).NotTo(HaveOccurred())
	}
}

// Images are those of the namespace.
func (w *Workspace) Images() client.ImageInterface {
	return w.Goldsmith.ImagesV1alpha1().Images(w.Namespace)
}

// Builds are those of the namespace.
func (w *Workspace) Builds() client.ImageBuildInterface {
	return w.Goldsmith.ImagesV1alpha1().ImageBuilds(w.Namespace)
}

// Eventually waits as long as the environment has patience for.
func (w *Workspace) Eventually(ctx context.Context, actual any) types.AsyncAssertion {
	GinkgoHelper()
	return Eventually(ctx, actual).WithTimeout(w.Environment.Patience).WithPolling(polling)
}

// Finished waits until a build has finished, and returns it. Errors of the API are waited out.
func (w *Workspace) Finished(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	var build *v1alpha1.ImageBuild
	w.Eventually(ctx, func(ctx context.Context) (*v1alpha1.ImageBuild, error) {
		var err error
		build, err = w.Builds().Get(ctx, name, metav1.GetOptions{})
		return build, err
	}).Should(HaveField("Status.Finished", true))
	return build
}

// Succeeded waits until a build has finished, which must be with success, and returns it.
func (w *Workspace) Succeeded(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	build := w.Finished(ctx, name)
	Expect(build.Status.Phase).To(Equal(v1alpha1.BuildSucceeded), "%+v", build.Status.Failure)
	return build
}

// Log is what a build has logged so far.
func (w *Workspace) Log(ctx context.Context, build string) (string, error) {
	body, err := w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).
		Resource("imagebuilds").Name(build).SubResource("log").DoRaw(ctx)
	return string(body), err
}

// Leader is the name of the pod of the controller that leads.
func (w *Workspace) Leader(ctx context.Context) string {
	GinkgoHelper()
	lease, err := w.Kube.CoordinationV1().Leases(Namespace).Get(ctx, Controller, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(lease.Spec.HolderIdentity).NotTo(BeNil())
	return *lease.Spec.HolderIdentity
}

// RemoveLeader takes that pod away at once, without a word to its processes.
func (w *Workspace) RemoveLeader(ctx context.Context) {
	GinkgoHelper()
	Expect(w.Kube.CoreV1().Pods(Namespace).Delete(ctx, w.Leader(ctx), metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})).To(Succeed())
}
