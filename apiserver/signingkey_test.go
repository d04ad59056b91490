// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/signing"
)

var _ = Describe("A SigningKey", func() {
	var (
		keys typed.SigningKeyInterface
		name string
	)
	BeforeEach(func() {
		keys, name = client.ImagesV1alpha1().SigningKeys(), "key-"+rand()
		DeferCleanup(func(ctx SpecContext) {
			Expect(keys.Delete(ctx, name, metav1.DeleteOptions{})).To(Or(Succeed(), Satisfy(apierrors.IsNotFound)))
		})
	})
	newKey := func() *v1alpha1.SigningKey {
		return &v1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.SigningKeySpec{SecretRef: v1alpha1.SecretReference{Name: name}}}
	}
	publish := func(key *v1alpha1.SigningKey) {
		GinkgoHelper()
		public := must(must(signing.Generate()).Public())
		key.Status.KeyID, key.Status.PublicKey = public.ID(), string(public.PEM())
	}

	It("names every invalid field in one answer", func(ctx SpecContext) {
		key := newKey()
		key.Spec.SecretRef.Name = ""
		key.Spec.NamespaceSelector = &metav1.LabelSelector{
			MatchLabels:      map[string]string{"team": "two words"},
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}, {Key: "tier", Operator: metav1.LabelSelectorOpIn}},
		}
		err := errorOf(keys.Create(ctx, key, metav1.CreateOptions{}))
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(fieldsOf(err)).To(ConsistOf("spec.secretRef.name", "spec.namespaceSelector.matchLabels", "spec.namespaceSelector.matchExpressions[0].operator",
			"spec.namespaceSelector.matchExpressions[1].values"))
		Expect(err).To(MatchError(ContainSubstring("set the name of the Secret with the private key")))
	})

	It("keeps its Secret, and can be retired", func(ctx SpecContext) {
		key := newKey()
		key.Status.KeyID = "forged"
		key = must(keys.Create(ctx, key, metav1.CreateOptions{}))
		Expect(key.Status).To(BeZero())
		past := metav1.NewTime(time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC))
		key.Spec.NotAfter = &past
		key = must(keys.Update(ctx, key, metav1.UpdateOptions{}))
		Expect(key.Generation).To(BeEquivalentTo(2))
		key.Spec.SecretRef.Name = "other"
		err := errorOf(keys.Update(ctx, key, metav1.UpdateOptions{}))
		Expect(fieldsOf(err)).To(ConsistOf("spec.secretRef"))
		Expect(err).To(MatchError(ContainSubstring("is immutable: create another SigningKey for another key")))
	})

	It("keeps the public key that the signer has published", func(ctx SpecContext) {
		key := must(keys.Create(ctx, newKey(), metav1.CreateOptions{}))
		publish(key)
		key.Spec.NamespaceSelector = &metav1.LabelSelector{}
		key.Status.Conditions = []metav1.Condition{{Type: v1alpha1.SigningKeyReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonKeyRead, LastTransitionTime: metav1.Now()}}
		first := must(keys.UpdateStatus(ctx, key, metav1.UpdateOptions{}))
		Expect(first.Spec.NamespaceSelector).To(BeNil())

		publish(key)
		key.ResourceVersion = ""
		Expect(errorOf(keys.UpdateStatus(ctx, key, metav1.UpdateOptions{}))).To(MatchError(ContainSubstring("status.keyID: Invalid value")))
		for field, patch := range map[string]string{
			"status.keyID":                `{"status":{"keyID":""}}`,
			"status.publicKey":            `{"status":{"publicKey":"PRIVATE"}}`,
			"status.conditions[0].reason": `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"two words","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`,
		} {
			err := errorOf(keys.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status"))
			Expect(fieldsOf(err)).To(ConsistOf(field))
		}
		Expect(must(keys.Get(ctx, name, metav1.GetOptions{})).Status).To(Equal(first.Status))
	})

	It("has the ID of its public key", func(ctx SpecContext) {
		key := must(keys.Create(ctx, newKey(), metav1.CreateOptions{}))
		publish(key)
		public := key.Status.PublicKey
		publish(key)
		key.Status.PublicKey = public
		Expect(errorOf(keys.UpdateStatus(ctx, key, metav1.UpdateOptions{}))).To(MatchError(ContainSubstring("the digest of status.publicKey")))
	})
})
