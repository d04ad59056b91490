// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	client "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/terminal"
)

// world is the namespace of the present spec, and the clients for it.
type fixture struct {
	environment Environment
	namespace   string
	config      *rest.Config
	kube        kubernetes.Interface
	goldsmith   versioned.Interface
	dynamic     dynamic.Interface
	terminal    *terminal.Terminal
}

// newFixture makes a namespace before each spec of the present container and deletes it afterwards.
func newFixture(environment func() Environment) *fixture {
	w := &fixture{terminal: &terminal.Terminal{}}
	BeforeEach(func(ctx SpecContext) {
		w.environment = environment()
		w.config = rest.CopyConfig(w.environment.Config)
		w.config.WarningHandler = rest.NoWarnings{} // specs that are about warnings read them from the reply
		var err error
		w.kube, err = kubernetes.NewForConfig(w.config)
		Expect(err).NotTo(HaveOccurred())
		w.goldsmith, err = versioned.NewForConfig(w.config)
		Expect(err).NotTo(HaveOccurred())
		w.dynamic, err = dynamic.NewForConfig(w.config)
		Expect(err).NotTo(HaveOccurred())
		namespace, err := w.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "api-"},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.namespace = namespace.Name
		*w.terminal = terminal.Terminal{Kubectl: w.environment.Kubectl, Namespace: w.namespace, Patience: w.environment.Patience}
		DeferCleanup(func(ctx SpecContext) {
			err := w.kube.CoreV1().Namespaces().Delete(ctx, namespace.Name, metav1.DeleteOptions{})
			Expect(err).To(Or(Not(HaveOccurred()), Satisfy(apierrors.IsNotFound)))
		})
	})
	return w
}

func (w *fixture) images() client.ImageInterface {
	return w.goldsmith.ImagesV1alpha1().Images(w.namespace)
}

func (w *fixture) builds() client.ImageBuildInterface {
	return w.goldsmith.ImagesV1alpha1().ImageBuilds(w.namespace)
}

// create creates an Image of which nothing is built.
func (w *fixture) create(ctx context.Context, name string, adjust ...func(*v1alpha1.Image)) *v1alpha1.Image {
	GinkgoHelper()
	created, err := w.images().Create(ctx, image(name, adjust...), metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return created
}

// image is an Image of which nothing is built.
func image(name string, adjust ...func(*v1alpha1.Image)) *v1alpha1.Image {
	made := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}}
	made.Spec.Suspend = ptr.To(true)
	made.Spec.Builder.Name = "mock"
	made.Spec.Base.Reference = "debian:bookworm"
	made.Spec.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: "raw"}}
	for _, change := range adjust {
		change(made)
	}
	return made
}

// eventually waits as long as the environment has patience for.
func (w *fixture) eventually(ctx context.Context, actual any) types.AsyncAssertion {
	GinkgoHelper()
	return Eventually(ctx, actual).WithTimeout(w.environment.Patience).WithPolling(w.environment.Polling)
}
