// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

func TestRecordsBelongToOneNamespaceOfTheirName(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		of := func(uid types.UID) records.ImageKey {
			return records.ImageKey{Namespace: "team", Name: "web", UID: uid}
		}
		for i, uid := range []types.UID{"earlier", "unknown", "now", "live"} {
			g.Expect(store.PutImage(ctx, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", UID: uid}})).To(Succeed())
			g.Expect(store.ImageDeleted(ctx, uid, noon)).To(Succeed())
			build := newBuild(of(uid), int64(i), i)
			build.Name = string(uid)
			g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		}
		direct := newBuild(of("none"), 9, 9)
		direct.Name, direct.Spec.ImageRef = "direct", nil
		g.Expect(store.PutBuild(ctx, direct)).To(Succeed())
		g.Expect(store.InNamespace(ctx, records.Images, "namespace-1", "earlier")).To(Succeed())
		g.Expect(store.InNamespace(ctx, records.Images, "namespace-2", "now", "not recorded")).To(Succeed())
		g.Expect(store.InNamespace(ctx, records.Builds, "namespace-2", direct.UID)).To(Succeed())
		for _, kind := range []records.Kind{"notes", records.Images} {
			g.Expect(store.InNamespace(ctx, kind, "", "now")).To(MatchError(records.ErrInvalid))
		}

		for namespace, want := range map[types.UID][]string{
			"": {"direct", "live", "now", "unknown", "earlier"}, "namespace-1": {"live", "earlier"}, "namespace-2": {"direct", "live", "now"}, "namespace-3": {"live"},
		} {
			page := valueOf(store.History(ctx, records.Query{Namespace: "team", NamespaceUID: namespace, KnownImage: "live"}))(g)
			g.Expect(names(page)).To(Equal(want), "of %q", namespace)
			deleted := valueOf(store.DeletedImages(ctx, "team", namespace, "web", records.Paging{}))(g)
			g.Expect(deleted.Items).To(HaveLen(map[types.UID]int{"": 4, "namespace-1": 1, "namespace-2": 1}[namespace]))
		}
		for name, want := range map[string]types.UID{"earlier": "namespace-1", "unknown": "", "now": "namespace-2", "direct": "namespace-2"} {
			g.Expect(valueOf(store.BuildNamed(ctx, "team", name))(g).NamespaceUID).To(Equal(want), name)
		}
		stats := valueOf(store.ImageStats(ctx, records.ImageStatsQuery{Images: []types.UID{"earlier", "unknown"}, Deleted: true}))(g)
		g.Expect(stats.Items).To(ConsistOf(HaveField("NamespaceUID", types.UID("namespace-1")), HaveField("NamespaceUID", types.UID(""))))
	})
}
