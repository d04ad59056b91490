// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// world is the namespace of the present spec.
type world struct {
	*cluster.Workspace
}

func newWorld(environment func() cluster.Environment) *world {
	return &world{cluster.NewWorkspace(environment)}
}

// parameters are those of a query.
type parameters = map[string]string

// create creates an Image, whose first build is of these inputs.
func (w *world) create(ctx context.Context, name string, inputs ...string) *v1alpha1.Image {
	GinkgoHelper()
	image, err := w.Images().Create(ctx, cluster.NewImage(name, inputs...), metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return image
}

// change changes the spec of the Image web.
func (w *world) change(ctx context.Context, change func(*v1alpha1.ImageSpec)) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		current, err := w.Images().Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(&current.Spec)
		_, err = w.Images().Update(ctx, current, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
}

// inputs has an Image built from other inputs.
func inputs(parameters ...string) func(*v1alpha1.ImageSpec) {
	return func(spec *v1alpha1.ImageSpec) { spec.BuildInputs = workspace.NewInputs(parameters...) }
}

// recorded waits until the condition Recorded of a build is so, written as "Status/Reason", and returns the build.
func (w *world) recorded(ctx context.Context, name, wanted string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	var build *v1alpha1.ImageBuild
	w.Eventually(ctx, func(ctx context.Context) (string, error) {
		var err error
		build, err = w.Builds().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		condition := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildRecorded)
		if condition == nil {
			return fmt.Sprintf("none, in phase %s", build.Status.Phase), nil
		}
		return fmt.Sprintf("%s/%s", condition.Status, condition.Reason), nil
	}).Should(Equal(wanted))
	Expect(build.Status.Finished).To(BeTrue(), "nothing is said of the record of a build that runs")
	return build
}

// read reads a subresource of an Image.
func (w *world) read(ctx context.Context, image, subresource string, asked parameters, into runtime.Object) error {
	request := w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).Resource("images").Name(image).SubResource(subresource).
		MaxRetries(0) // a database that is away is to be seen
	for name, value := range asked {
		request = request.Param(name, value)
	}
	return request.Do(ctx).Into(into)
}

// history is what is recorded of the builds of the Image web, page by page if that is asked for.
func (w *world) history(ctx context.Context, asked parameters) []v1alpha1.BuildRecord {
	GinkgoHelper()
	query := parameters{}
	for name, value := range asked {
		query[name] = value
	}
	var builds []v1alpha1.BuildRecord
	for {
		page := &v1alpha1.ImageHistory{}
		Expect(w.read(ctx, "web", "history", query, page)).To(Succeed())
		builds = append(builds, page.Items...)
		if page.Continue == "" {
			return builds
		}
		query["continue"] = page.Continue
	}
}

// names are those of recorded builds.
func names(builds []v1alpha1.BuildRecord) []string {
	found := []string{}
	for i := range builds {
		found = append(found, builds[i].Name)
	}
	return found
}

// note notes something about an Image.
func (w *world) note(ctx context.Context, image string, note v1alpha1.NoteRecord) (*v1alpha1.ImageNote, error) {
	recorded := &v1alpha1.ImageNote{}
	err := w.Goldsmith.ImagesV1alpha1().RESTClient().Post().Namespace(w.Namespace).Resource("images").Name(image).SubResource("notes").
		MaxRetries(0).Body(&v1alpha1.ImageNote{NoteRecord: note}).Do(ctx).Into(recorded)
	return recorded, err
}

// isGone waits until a build is.
func (w *world) isGone(ctx context.Context, build string) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) bool {
		_, err := w.Builds().Get(ctx, build, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}).Should(BeTrue())
}
