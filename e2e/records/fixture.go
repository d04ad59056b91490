// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"maps"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// fixture is the workspace of the present spec, with steps about records.
type fixture struct {
	*cluster.Workspace
}

func newFixture(environment func() cluster.Environment) *fixture {
	return &fixture{cluster.NewWorkspace(environment)}
}

// parameters are those of a query.
type parameters = map[string]string

// withInputs replaces the inputs of an Image by those with these parameters, each written as "name=value".
func withInputs(parameters ...string) func(*v1alpha1.Image) {
	return func(image *v1alpha1.Image) { image.Spec.BuildInputs = workspace.NewInputs(parameters...) }
}

// recorded waits until the condition Recorded of a build is as wanted, written as "Status/Reason", and returns the build.
func (w *fixture) recorded(ctx context.Context, name, wanted string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	return w.WaitForCondition(ctx, name, v1alpha1.BuildRecorded, wanted)
}

// read reads a subresource of an Image.
func (w *fixture) read(ctx context.Context, image, subresource string, asked parameters, into runtime.Object) error {
	request := w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).Resource("images").Name(image).SubResource(subresource).
		MaxRetries(0) // client-go would hide that the database is unavailable
	for name, value := range asked {
		request = request.Param(name, value)
	}
	return request.Do(ctx).Into(into)
}

// history returns the records of the builds of the Image web, page by page if asked sets a limit.
func (w *fixture) history(ctx context.Context, asked parameters) []v1alpha1.BuildRecord {
	GinkgoHelper()
	query := parameters{}
	maps.Copy(query, asked)
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

// names returns the names of recorded builds.
func names(builds []v1alpha1.BuildRecord) []string {
	found := []string{}
	for i := range builds {
		found = append(found, builds[i].Name)
	}
	return found
}

// note notes something about an Image.
func (w *fixture) note(ctx context.Context, image string, note v1alpha1.NoteRecord) (*v1alpha1.ImageNote, error) {
	recorded := &v1alpha1.ImageNote{}
	err := w.Goldsmith.ImagesV1alpha1().RESTClient().Post().Namespace(w.Namespace).Resource("images").Name(image).SubResource("notes").
		MaxRetries(0).Body(&v1alpha1.ImageNote{NoteRecord: note}).Do(ctx).Into(recorded)
	return recorded, err
}
