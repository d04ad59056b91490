// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var _ = Describe("An Archive", func() {
	It("keeps its address, and never goes back to an earlier release", func(ctx SpecContext) {
		archives, name := client.ImagesV1alpha1().Archives(), "archive-"+rand()
		DeferCleanup(func(ctx SpecContext) {
			Expect(archives.Delete(ctx, name, metav1.DeleteOptions{})).To(Or(Succeed(), Satisfy(apierrors.IsNotFound)))
		})
		archive := &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.ArchiveStatus{Checks: 9}}
		err := errorOf(archives.Create(ctx, archive, metav1.CreateOptions{}))
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(fieldsOf(err)).To(ConsistOf("spec.builder", "spec.uri"))
		archive.Spec = v1alpha1.ArchiveSpec{Builder: "debian", URI: "http://me:secret@deb.debian.org/debian", Suite: "trixie"}
		err = errorOf(archives.Create(ctx, archive, metav1.CreateOptions{}))
		Expect(err).To(MatchError(And(ContainSubstring("spec.uri: Invalid value: must have no user"), Not(ContainSubstring("secret")))))
		archive.Spec.URI = "http://deb.debian.org/debian"
		archive = must(archives.Create(ctx, archive, metav1.CreateOptions{}))
		Expect(archive.Status).To(BeZero())

		changed := archive.DeepCopy()
		changed.Spec.Suite = "forky"
		err = errorOf(archives.Update(ctx, changed, metav1.UpdateOptions{}))
		Expect(fieldsOf(err)).To(ConsistOf("spec"))
		Expect(err).To(MatchError(ContainSubstring("is immutable: create another Archive")))

		released := metav1.NewTime(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC))
		changed.Status = v1alpha1.ArchiveStatus{
			Checks:      1,
			Release:     &v1alpha1.ArchiveRelease{Date: released, SHA256: strings.Repeat("a", 64)},
			Updates:     []v1alpha1.PackageUpdate{{Name: "openssl", Architecture: "amd64", From: "3.5.4-1", To: "3.5.6-1", Since: released}},
			UpdateCount: 1,
		}
		checked := must(archives.UpdateStatus(ctx, changed, metav1.UpdateOptions{}))
		Expect(checked.Spec).To(Equal(archive.Spec))
		for field, patch := range map[string]string{
			"status.checks":             `{"status":{"checks":0}}`,
			"status.release":            `{"status":{"release":null}}`,
			"status.release.date":       `{"status":{"release":{"date":"2026-11-28T09:59:59Z"}}}`,
			"status.updates[0].archive": `{"status":{"updates":[{"name":"a","architecture":"b","from":"1","to":"2","since":"2026-01-01T00:00:00Z","archive":"c"}]}}`,
		} {
			err := errorOf(archives.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status"))
			Expect(fieldsOf(err)).To(ConsistOf(field))
		}
		Expect(must(archives.Get(ctx, name, metav1.GetOptions{})).Status).To(Equal(checked.Status))
	})
})
