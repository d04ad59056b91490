// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// fixture is the workspace of the present spec.
type fixture struct {
	workspace.Workspace
	environment Environment
}

// newFixture opens a workspace before each spec of the present container and closes it afterwards.
func newFixture(environment func() Environment) *fixture {
	w := &fixture{}
	BeforeEach(func(ctx SpecContext) {
		w.environment = environment()
		w.Open(ctx, workspace.Options{
			Config: w.environment.Config, GenerateName: "api-", Patience: w.environment.Patience, Polling: w.environment.Polling,
			Archived: w.environment.Archived, Recorded: w.environment.Recorded, Disposable: w.environment.Disposable,
		})
		DeferCleanup(func(ctx SpecContext) { w.Close(ctx) })
	})
	return w
}

// create creates an Image of which nothing is built.
func (w *fixture) create(ctx context.Context, name string, adjust ...func(*v1alpha1.Image)) {
	GinkgoHelper()
	w.CreateImage(ctx, image(name, adjust...))
}

// image is an Image of which nothing is built.
func image(name string, adjust ...func(*v1alpha1.Image)) *v1alpha1.Image {
	made := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}}
	made.Spec.Suspend = new(true)
	made.Spec.Builder.Name = "mock"
	made.Spec.Base.Reference = "debian:bookworm"
	made.Spec.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: "raw"}}
	for _, change := range adjust {
		change(made)
	}
	return made
}
