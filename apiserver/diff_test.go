// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var _ = Describe("The difference of two builds", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		images, builds := imagesIn(namespace), buildsIn(namespace)
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		for _, edition := range []string{"server", "desktop"} {
			must(images.Instantiate(ctx, "debian", &v1alpha1.BuildRequest{Parameters: []v1alpha1.Parameter{{Name: "edition", Value: edition}}}, metav1.CreateOptions{}))
		}
		writeTo(ctx, builds, "debian-1", resolve(v1alpha1.ResolvedInputs{InputsDigest: digest('a')}))
	})

	between := func(ctx context.Context, from, to string) (*v1alpha1.ImageBuildDiff, error) {
		difference := &v1alpha1.ImageBuildDiff{}
		return difference, client.ImagesV1alpha1().RESTClient().Get().
			Namespace(namespace).Resource("imagebuilds").Name(to).SubResource("diff").Param("with", from).Do(ctx).Into(difference)
	}

	It("reports inputs and results, from the other build to the requested build", func(ctx SpecContext) {
		difference := must(between(ctx, "debian-1", "debian-2"))
		Expect(difference.Name).To(Equal("debian-2"))
		Expect(difference.Inputs).To(ConsistOf(v1alpha1.InputChange{Path: "parameters[edition]", From: "server", To: "desktop"}))
		Expect(difference.From).To(And(HaveField("Name", "debian-1"), HaveField("UID", Not(BeEmpty())), HaveField("InputsDigest", digest('a'))))
		Expect(difference.To).To(And(HaveField("Name", "debian-2"), HaveField("Phase", v1alpha1.BuildPending), HaveField("InputsDigest", "")))
		Expect(difference.Artifacts).To(BeEmpty())
	})

	It("is none between a build and itself", func(ctx SpecContext) {
		difference := must(between(ctx, "debian-1", "debian-1"))
		Expect(difference.Inputs).To(BeEmpty())
		Expect(difference.From).To(Equal(difference.To))
	})

	It("needs two builds that exist, and names the missing build", func(ctx SpecContext) {
		for _, names := range [][2]string{{"debian-1", "debian-9"}, {"debian-9", "debian-1"}} {
			Expect(errorOf(between(ctx, names[0], names[1]))).To(And(Satisfy(apierrors.IsNotFound), MatchError(ContainSubstring("debian-9"))))
		}
		for _, name := range []string{"", "Not A Name"} {
			Expect(errorOf(between(ctx, name, "debian-1"))).To(And(Satisfy(apierrors.IsInvalid), MatchError(ContainSubstring("with"))))
		}
	})

	It("tells which artifacts differ, and that a build is revoked", func(ctx SpecContext) {
		builds := buildsIn(namespace)
		for name, made := range map[string]byte{"debian-1": 'c', "debian-2": 'd'} {
			writeTo(ctx, builds, name, startAttempt(1))
			writeTo(ctx, builds, name, bindPod(1, types.UID(name)), setPhase(v1alpha1.BuildRunning))
			writeTo(ctx, builds, name, succeed(1), func(status *v1alpha1.ImageBuildStatus) { status.Artifacts[0].Digest = digest(made) })
		}
		must(builds.Revoke(ctx, "debian-1", &v1alpha1.RevokeRequest{Reason: "wrong key"}, metav1.CreateOptions{}))
		difference := must(between(ctx, "debian-1", "debian-2"))
		Expect(difference.Artifacts).To(HaveExactElements(v1alpha1.ArtifactChange{Target: "linux/amd64/raw", From: digest('c'), To: digest('d')}))
		Expect(difference.From.Revoked).To(HaveField("Reason", "wrong key"))
		Expect(difference.To.Revoked).To(BeNil())
	})
})
