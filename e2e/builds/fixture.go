// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	client "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// world is the namespace of the present spec, and the clients for it.
type fixture struct {
	environment Environment
	namespace   string
	kube        kubernetes.Interface
	goldsmith   versioned.Interface
}

// newFixture makes a namespace before each spec of the present container and deletes it afterwards.
func newFixture(environment func() Environment) *fixture {
	w := &fixture{}
	BeforeEach(func(ctx SpecContext) {
		w.environment = environment()
		config := rest.CopyConfig(w.environment.Config)
		config.WarningHandler = rest.NoWarnings{} // specs that are about warnings read them from the reply
		var err error
		w.kube, err = kubernetes.NewForConfig(config)
		Expect(err).NotTo(HaveOccurred())
		w.goldsmith, err = versioned.NewForConfig(config)
		Expect(err).NotTo(HaveOccurred())
		namespace, err := w.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "builds-"},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.namespace = namespace.Name
	})
	AfterEach(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			w.report(ctx)
		}
		err := w.kube.CoreV1().Namespaces().Delete(ctx, w.namespace, metav1.DeleteOptions{})
		Expect(ignoreNotFound(err)).To(Succeed())
	})
	return w
}

// report adds what is in the namespace to the report of a failed spec.
func (w *fixture) report(ctx context.Context) {
	images, err := w.images().List(ctx, metav1.ListOptions{})
	for i := range images.Items {
		images.Items[i].ManagedFields = nil
	}
	addObjects("images", images, err)
	builds, err := w.builds().List(ctx, metav1.ListOptions{})
	for i := range builds.Items {
		builds.Items[i].ManagedFields = nil
	}
	addObjects("imagebuilds", builds, err)
	pods, err := w.kube.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{})
	for i := range pods.Items {
		pods.Items[i].ManagedFields, pods.Items[i].Spec = nil, corev1.PodSpec{}
	}
	addObjects("pods", pods, err)
}

func addObjects(name string, list any, err error) {
	text, encoding := json.MarshalIndent(list, "", " ")
	AddReportEntry(name, fmt.Sprintf("%s %v", text, errors.Join(err, encoding)), ReportEntryVisibilityFailureOrVerbose)
}

func (w *fixture) images() client.ImageInterface {
	return w.goldsmith.ImagesV1alpha1().Images(w.namespace)
}

func (w *fixture) builds() client.ImageBuildInterface {
	return w.goldsmith.ImagesV1alpha1().ImageBuilds(w.namespace)
}

func (w *fixture) createImage(ctx context.Context, image *v1alpha1.Image) *v1alpha1.Image {
	GinkgoHelper()
	created, err := w.images().Create(ctx, image, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return created
}

func (w *fixture) createBuild(ctx context.Context, build *v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
	GinkgoHelper()
	created, err := w.builds().Create(ctx, build, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return created
}

// changeImage changes an Image as it is stored.
func (w *fixture) changeImage(ctx context.Context, name string, change func(*v1alpha1.Image)) *v1alpha1.Image {
	GinkgoHelper()
	var changed *v1alpha1.Image
	Expect(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		image, err := w.images().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(image)
		changed, err = w.images().Update(ctx, image, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
	return changed
}

// request asks for a build of an Image.
func (w *fixture) request(ctx context.Context, image, requestID string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	build, err := w.images().Instantiate(ctx, image, &v1alpha1.BuildRequest{RequestID: requestID}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return build
}

func (w *fixture) cancel(ctx context.Context, build, reason string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	cancelled, err := w.builds().Cancel(ctx, build, &v1alpha1.CancelRequest{Reason: reason}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return cancelled
}

// eventually waits as long as the environment has patience for.
func (w *fixture) eventually(ctx context.Context, actual any) types.AsyncAssertion {
	GinkgoHelper()
	return Eventually(ctx, actual).WithTimeout(w.environment.Patience).WithPolling(w.environment.Polling)
}

// image waits until an Image is as wanted, and returns it.
func (w *fixture) image(ctx context.Context, name string, wanted ...types.GomegaMatcher) *v1alpha1.Image {
	GinkgoHelper()
	var image *v1alpha1.Image
	w.eventually(ctx, func(ctx context.Context) (*v1alpha1.Image, error) {
		var err error
		image, err = w.images().Get(ctx, name, metav1.GetOptions{})
		return image, err
	}).Should(And(append(wanted, observed())...))
	return image
}

// build waits until a build is as wanted, and returns it. One that has finished will not change any more.
func (w *fixture) build(ctx context.Context, name string, wanted types.GomegaMatcher) *v1alpha1.ImageBuild {
	GinkgoHelper()
	var build *v1alpha1.ImageBuild
	w.eventually(ctx, func(ctx context.Context) (*v1alpha1.ImageBuild, error) {
		var err error
		build, err = w.builds().Get(ctx, name, metav1.GetOptions{})
		if err != nil || !build.Status.Finished {
			return build, err
		}
		if matches, err := wanted.Match(build); err == nil && !matches {
			return build, StopTrying("the build has finished: " + wanted.FailureMessage(build))
		}
		return build, nil
	}).Should(wanted)
	return build
}

// finished waits until a build has finished, and returns it.
func (w *fixture) finished(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	return w.build(ctx, name, HaveField("Status.Finished", true))
}

// succeeded waits until a build has succeeded, and returns it.
func (w *fixture) succeeded(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	return w.build(ctx, name, inPhase(v1alpha1.BuildSucceeded))
}

// settled waits until nothing more will be said of a build that has finished, and returns it.
func (w *fixture) settled(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	var build *v1alpha1.ImageBuild
	w.eventually(ctx, func(ctx context.Context) (bool, error) {
		var err error
		build, err = w.builds().Get(ctx, name, metav1.GetOptions{})
		archived := meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildLogArchived)
		recorded := meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRecorded)
		return build.Status.Finished && (archived || !w.environment.Archived) && (recorded || !w.environment.Recorded), err
	}).Should(BeTrue())
	return build
}

// running waits until the builder of a build's attempt has written to its log.
func (w *fixture) running(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	build := w.build(ctx, name, inPhase(v1alpha1.BuildRunning))
	w.eventually(ctx, func(ctx context.Context) (string, error) { return w.readLog(ctx, name, nil) }).ShouldNot(BeEmpty())
	return build
}

// lasting is the parameter of a build that lasts at least so long, and long enough for what is done to it meanwhile to
// reach its builder.
func (w *fixture) lasting(atLeast time.Duration) string {
	return fmt.Sprintf("duration=%s", atLeast+w.environment.BuilderStart)
}

// buildNames are the names of all builds in the namespace.
func (w *fixture) buildNames(ctx context.Context) ([]string, error) {
	list, err := w.builds().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names, nil
}

// events waits until events of an object, each written as "Type Reason Message", are as wanted.
func (w *fixture) events(ctx context.Context, kind, name string, wanted types.GomegaMatcher) {
	GinkgoHelper()
	w.eventually(ctx, func(ctx context.Context) ([]string, error) {
		list, err := w.kube.CoreV1().Events(w.namespace).List(ctx, metav1.ListOptions{
			FieldSelector: fmt.Sprintf("involvedObject.kind=%s,involvedObject.name=%s", kind, name),
		})
		var texts []string
		for _, event := range list.Items {
			texts = append(texts, fmt.Sprintf("%s %s %s", event.Type, event.Reason, event.Message))
		}
		return texts, err
	}).Should(wanted)
}

// readLog reads the log of a build.
func (w *fixture) readLog(ctx context.Context, build string, parameters map[string]string) (string, error) {
	request := w.goldsmith.ImagesV1alpha1().RESTClient().Get().
		Namespace(w.namespace).Resource("imagebuilds").Name(build).SubResource("log")
	for name, value := range parameters {
		request = request.Param(name, value)
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil { // Raw does not read what the server says
		return "", err
	}
	body, err := result.Raw()
	return string(body), err
}

func (w *fixture) log(ctx context.Context, build string, parameters map[string]string) string {
	GinkgoHelper()
	text, err := w.readLog(ctx, build, parameters)
	Expect(err).NotTo(HaveOccurred())
	return text
}
