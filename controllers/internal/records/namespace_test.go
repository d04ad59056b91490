// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	database "goldsmith.dev/goldsmith/records"
)

// namespaceOf returns the namespace that is recorded for an Image.
func (w *fixture) namespaceOf(image *v1alpha1.Image) func() types.UID {
	return func() types.UID {
		page := require.Value(w.records.ImageStats(w.t.Context(), database.ImageStatsQuery{Images: []types.UID{image.UID}, Deleted: true}))(w.t)
		if len(page.Items) == 0 {
			return ""
		}
		return page.Items[0].NamespaceUID
	}
}

func TestRecordsHaveTheUIDOfTheirNamespace(t *testing.T) {
	w := newFixture(t)
	created, err := kubernetes.NewForConfigOrDie(w.stored.Config("test")).CoreV1().Namespaces().
		Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	w.Expect(err).NotTo(HaveOccurred())
	// The database is of a version that knew no namespaces.
	before := w.image("before")
	w.Expect(w.records.PutImage(t.Context(), before)).To(Succeed())
	deleted := w.build("before-1", before, w.ended(v1alpha1.BuildSucceeded))
	w.Expect(w.records.PutBuild(t.Context(), deleted)).To(Succeed())
	w.Expect(w.client.ImagesV1alpha1().ImageBuilds(namespace).Delete(t.Context(), deleted.Name, metav1.DeleteOptions{})).To(Succeed())
	gone := before.DeepCopy()
	gone.Name, gone.UID = "gone", "gone"
	w.Expect(w.records.PutImage(t.Context(), gone)).To(Succeed())

	w.run()
	after, direct := w.image("after"), w.build("direct", nil)
	for _, image := range []*v1alpha1.Image{before, after} {
		w.Eventually(w.namespaceOf(image)).Should(Equal(created.UID))
	}
	recorded := func(build *v1alpha1.ImageBuild) func() types.UID {
		return func() types.UID {
			record, err := w.records.Build(t.Context(), namespace, build.UID)
			if err != nil {
				return ""
			}
			return record.NamespaceUID
		}
	}
	w.Eventually(recorded(direct)).Should(Equal(created.UID))
	w.Expect(recorded(deleted)()).To(Equal(created.UID))
	w.Expect(w.namespaceOf(gone)()).To(BeEmpty(), "nobody knows the namespace of an image that no longer exists")
}

// aNamespace is a cache that has one namespace.
type aNamespace struct {
	client.Reader
	created time.Time
}

func (a aNamespace) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	into.SetUID("now")
	into.SetCreationTimestamp(metav1.NewTime(a.created))
	return nil
}

func TestAnObjectOfAnEarlierNamespaceIsNotMistakenForOneOfTheLater(t *testing.T) {
	w := newFixture(t)
	noon := w.clock.Now()
	at := func(image *v1alpha1.Image, created time.Time) *v1alpha1.Image {
		image.CreationTimestamp = metav1.NewTime(created)
		return image
	}
	restored := w.image("restored")
	r := &reconciler{cache: aNamespace{created: noon}, memory: newMemory()}
	r.Client = w.client
	earlier := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "restored", UID: "earlier"}}
	older := metav1.NewTime(noon.Add(-time.Second))
	direct := w.build("direct", nil)
	direct.CreationTimestamp = older
	gone := direct.DeepCopy()
	gone.Name = "gone"
	for what, test := range map[string]struct {
		object client.Object
		want   types.UID
	}{
		"created in it":                         {at(earlier.DeepCopy(), noon.Add(time.Second)), "now"},
		"created in the same second":            {at(earlier.DeepCopy(), noon), ""},
		"older, and deleted":                    {at(earlier.DeepCopy(), older.Time), ""},
		"older, and exists after a restoration": {at(restored, older.Time), "now"},
		"a build that is older, and exists":     {direct, "now"},
		"a build that is older, and deleted":    {gone, ""},
	} {
		got, err := r.namespaceOf(t.Context(), test.object)
		if err != nil || got != test.want {
			t.Errorf("%s: got %q, error %v, want %q", what, got, err, test.want)
		}
	}
	// The cache may have had an earlier namespace when the object was recorded.
	for recorded, want := range map[types.UID]types.UID{"earlier": "now", "now": ""} {
		r.memory.updateWritten(restored.UID, func(last *written) { last.namespace = recorded })
		if got, err := r.namespaceOf(t.Context(), restored); err != nil || got != want {
			t.Errorf("recorded as %q: got %q, error %v, want %q", recorded, got, err, want)
		}
	}
}
