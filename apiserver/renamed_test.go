// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
)

var _ = Describe("The former name of spec.retry.classes", func() {
	// retrying returns the manifest of an Image whose retry policy has classes in a field of any name.
	retrying := func(field string) []byte {
		return []byte(strings.Replace(string(manifest(newImage("debian"))), `"spec":{`, `"spec":{"retry":{"`+field+`":["Timeout"]},`, 1))
	}
	DescribeTable("is refused with the current name", func(ctx SpecContext, field string) {
		namespace := newNamespace()
		images := imagesIn(namespace)
		const current = `: use "spec.retry.classes"`
		result := client.ImagesV1alpha1().RESTClient().Post().Namespace(namespace).Resource("images").
			Param("fieldValidation", metav1.FieldValidationStrict).Body(retrying(field)).Do(ctx)
		Expect(apierrors.IsBadRequest(result.Error())).To(BeTrue(), "%v", result.Error())
		Expect(result.Error()).To(MatchError(HaveSuffix(`unknown field "spec.retry.` + field + `"` + current)))

		Expect(errorOf(images.Patch(ctx, "debian", types.ApplyPatchType, retrying(field), metav1.PatchOptions{FieldManager: "test"}))).To(
			And(Satisfy(apierrors.IsBadRequest), MatchError(HaveSuffix(current))))

		result = client.ImagesV1alpha1().RESTClient().Post().Namespace(namespace).Resource("images").Body(retrying(field)).Do(ctx)
		Expect(result.Error()).NotTo(HaveOccurred())
		Expect(result.Warnings()).To(ConsistOf(HaveField("Text", HaveSuffix(current))))

		Expect(errorOf(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"spec":{"retry":{"`+field+`":["Timeout"]}}}`),
			metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict}))).To(MatchError(ContainSubstring(current)))
	},
		Entry("as it was", "on"),
		Entry("as YAML 1.1 reads it", "true"),
	)

	It("is read from the storage", func(ctx SpecContext) {
		database := must(etcd.Start(ctx, ""))
		DeferCleanup(func() { Expect(database.Stop()).To(Succeed()) })
		storage := must(database.Connect())
		DeferCleanup(storage.Close)
		former := strings.Replace(string(retrying("on")), `"name":"debian"`, `"name":"debian","namespace":"default","uid":"1"`, 1)
		must(storage.Put(ctx, "/registry/images.goldsmith.dev/images/default/debian", former))

		running := startOn(ctx, builder.ExternalEtcd(database.Transport()), apiserver.Register(builder.New("test"), apiserver.Options{Logs: logs}))
		client := must(versioned.NewForConfig(running.ClientConfig()))
		image := must(client.ImagesV1alpha1().Images("default").Get(ctx, "debian", metav1.GetOptions{}))
		Expect(image.Spec.Retry.Classes).To(ConsistOf(v1alpha1.FailureTimeout))
	})
})
