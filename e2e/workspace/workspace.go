// SPDX-License-Identifier: Apache-2.0

// Package workspace gives each spec a namespace of its own, with clients for it, and has the steps that several suites share: they
// create and change images and builds, wait for states of builds, and read logs. A suite adds what only its own specs need.
//
// It must never import more than a user of the API could: the specs run against any server of the API.
package workspace

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	client "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
)

// Options are the server of a workspace, and how long specs wait there.
type Options struct {
	// Config connects to the server as a user with all permissions.
	Config *rest.Config
	// GenerateName is the prefix of the namespace's name.
	GenerateName string
	// Labels are those of the namespace.
	Labels map[string]string
	// Patience is how long a spec waits for one thing to happen, Polling the interval at which it checks.
	Patience, Polling time.Duration
	// Archived is whether the server archives logs, Recorded whether it records builds: both set a condition after a build's end.
	Archived, Recorded bool
	// Disposable is whether the server is discarded after the suite. Namespaces may stay there: Kubernetes needs some 80 requests
	// to delete one, which was half of the load of kube-apiserver.
	Disposable bool
}

// Workspace is the namespace of the present spec, with clients.
type Workspace struct {
	Namespace string
	// Config does not log warnings: specs that are about warnings read them from the reply.
	Config    *rest.Config
	Kube      kubernetes.Interface
	Goldsmith versioned.Interface

	options Options
}

// Open creates a namespace. Call it before each spec.
func (w *Workspace) Open(ctx context.Context, options Options) {
	GinkgoHelper()
	config := rest.CopyConfig(options.Config)
	config.WarningHandler = rest.NoWarnings{}
	*w = Workspace{Config: config, options: options}
	var err error
	w.Kube, err = kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	w.Goldsmith, err = versioned.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	namespace, err := w.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: options.GenerateName, Labels: options.Labels},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	w.Namespace = namespace.Name
}

// Close deletes the namespace, and does not wait until it is deleted. The spec may have deleted it. On a disposable server Close
// deletes images and builds only, if it can.
func (w *Workspace) Close(ctx context.Context) {
	GinkgoHelper()
	if w.options.Disposable && w.deleteAll(ctx) == nil {
		return
	}
	err := w.Kube.CoreV1().Namespaces().Delete(ctx, w.Namespace, metav1.DeleteOptions{})
	Expect(err).To(Or(Not(HaveOccurred()), Satisfy(apierrors.IsNotFound)))
}

// deleteAll deletes the images and builds of the namespace. Jobs and pods are garbage-collected.
func (w *Workspace) deleteAll(ctx context.Context) error {
	options := metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}
	return errors.Join(
		w.Images().DeleteCollection(ctx, options, metav1.ListOptions{}),
		w.Builds().DeleteCollection(ctx, options, metav1.ListOptions{}),
	)
}

// Images is the client for the images of the namespace.
func (w *Workspace) Images() client.ImageInterface {
	return w.Goldsmith.ImagesV1alpha1().Images(w.Namespace)
}

// Builds is the client for the builds of the namespace.
func (w *Workspace) Builds() client.ImageBuildInterface {
	return w.Goldsmith.ImagesV1alpha1().ImageBuilds(w.Namespace)
}

// Eventually is Gomega's, with the patience and the polling of the workspace.
func (w *Workspace) Eventually(ctx context.Context, actual any) types.AsyncAssertion {
	GinkgoHelper()
	return Eventually(ctx, actual).WithTimeout(w.options.Patience).WithPolling(w.options.Polling)
}
