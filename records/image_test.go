// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

func TestDeletedImagesAreListedTheLastDeletedFirst(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		for uid, key := range map[types.UID]records.ImageKey{
			"a": {Namespace: "team", Name: "web"}, "b": {Namespace: "team", Name: "web"}, "c": {Namespace: "team", Name: "db"},
			"d": {Namespace: "other", Name: "web"}, "exists": {Namespace: "team", Name: "web"},
		} {
			g.Expect(store.PutImage(ctx, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: uid}})).To(Succeed())
		}
		for uid, at := range map[types.UID]time.Time{"a": noon, "b": noon.Add(time.Hour), "c": noon, "d": noon.Add(-time.Hour)} {
			g.Expect(store.ImageDeleted(ctx, uid, at)).To(Succeed())
		}
		list := func(namespace, name string, paging records.Paging) (found string, next string) {
			page := valueOf(store.DeletedImages(ctx, namespace, "", name, paging))(g)
			for _, image := range page.Items {
				found += string(image.UID)
			}
			return found, page.Continue
		}
		for _, c := range []struct{ namespace, name, want string }{
			{"", "", "bcad"}, {"team", "", "bca"}, {"team", "web", "ba"}, {"other", "web", "d"}, {"nowhere", "", ""},
		} {
			found, next := list(c.namespace, c.name, records.Paging{})
			g.Expect(found+next).To(Equal(c.want), "%v", c)
		}
		g.Expect(valueOf(store.DeletedImages(ctx, "other", "", "", records.Paging{}))(g).Items).To(HaveExactElements(records.DeletedImage{
			ImageKey: records.ImageKey{Namespace: "other", Name: "web", UID: "d"}, Deleted: noon.Add(-time.Hour),
		}))

		all := ""
		for next, first := "", true; first || next != ""; first = false {
			var found string
			found, next = list("", "", records.Paging{Limit: 1, Continue: next})
			all += found
		}
		g.Expect(all).To(Equal("bcad"))
		_, next := list("", "", records.Paging{Limit: 1})
		g.Expect(errorOf(store.DeletedImages(ctx, "team", "", "", records.Paging{Continue: next}))).To(MatchError(records.ErrInvalid))
	})
}
