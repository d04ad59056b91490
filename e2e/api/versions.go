// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// reading is a list with the names of its images, and an image that was added after the list.
type reading struct {
	list   *v1alpha1.ImageList
	before []string
	added  *v1alpha1.Image
	at     string
}

// The meanings of a resource version, as the documentation of Kubernetes has them.
func mostRecent(r reading) {
	GinkgoHelper()
	Expect(names(r.list)).To(ConsistOf(append(r.before, r.added.Name)))
	Expect(r.list.ResourceVersion).To(newer(r.added.ResourceVersion))
}

func notOlderThan(r reading) {
	GinkgoHelper()
	Expect(append(names(r.list), r.added.Name)).To(ContainElements(r.before))
	Expect(r.list.ResourceVersion).To(newer(r.at))
}

func exactly(r reading) {
	GinkgoHelper()
	Expect(names(r.list)).To(ConsistOf(r.before))
	Expect(r.list.ResourceVersion).To(Equal(r.at))
}

func atAnyVersion(r reading) {
	GinkgoHelper()
	Expect(r.list.Kind).To(Equal("ImageList"))
	Expect(r.list.ResourceVersion).To(newer("1"))
}

func describeVersions(w *fixture) {
	DescribeTable("a list with ", func(ctx SpecContext, query string, means func(reading)) {
		w.create(ctx, "", generated)
		w.retryExpired(ctx, func() error {
			before := w.list(ctx, metav1.ListOptions{})
			added := w.create(ctx, "", generated)
			answer := w.get(ctx, w.at("images?"+strings.ReplaceAll(query, "{N}", before.ResourceVersion)))
			if answer.code == http.StatusGone {
				return &apierrors.StatusError{ErrStatus: answer.status()}
			}
			list := &v1alpha1.ImageList{}
			answer.into(list)
			means(reading{list: list, before: names(before), added: added, at: before.ResourceVersion})
			return nil
		})
	},
		func(query string, _ func(reading)) string { return strconv.Quote(query) },
		Entry(nil, "", mostRecent),
		Entry(nil, "resourceVersion=0", atAnyVersion),
		Entry(nil, "resourceVersion={N}", notOlderThan),
		Entry(nil, "limit=500", mostRecent),
		Entry(nil, "limit=500&resourceVersion=0", atAnyVersion),
		Entry(nil, "limit=500&resourceVersion={N}", exactly),
		Entry(nil, "resourceVersion={N}&resourceVersionMatch=Exact", exactly),
		Entry(nil, "limit=500&resourceVersion={N}&resourceVersionMatch=Exact", exactly),
		Entry(nil, "resourceVersion=0&resourceVersionMatch=NotOlderThan", atAnyVersion),
		Entry(nil, "resourceVersion={N}&resourceVersionMatch=NotOlderThan", notOlderThan),
		Entry(nil, "limit=500&resourceVersion=0&resourceVersionMatch=NotOlderThan", atAnyVersion),
		Entry(nil, "limit=500&resourceVersion={N}&resourceVersionMatch=NotOlderThan", notOlderThan),
	)

	It("an object is the most recent, or not older than was asked for", func(ctx SpecContext) {
		created := w.create(ctx, "web")
		changed := w.ChangeImage(ctx, "web", labelled("step", "2"))
		for query, least := range map[string]string{
			"": changed.ResourceVersion,
			"?resourceVersion=" + changed.ResourceVersion: changed.ResourceVersion,
			"?resourceVersion=" + created.ResourceVersion: created.ResourceVersion,
		} {
			var image v1alpha1.Image
			w.get(ctx, w.at("images/web"+query)).into(&image)
			Expect(image.ResourceVersion).To(newer(least), query)
			Expect(image.UID).To(Equal(created.UID))
		}
		w.Eventually(ctx, func() int { return w.get(ctx, w.at("images/web?resourceVersion=0")).code }).Should(Equal(http.StatusOK))
	})

	It("a version of the future is waited for, and then told to be too large", func(ctx SpecContext) {
		const future = "9000000000000000000"
		var asked sync.WaitGroup
		for _, query := range []string{
			"?resourceVersion=" + future,
			"?resourceVersion=" + future + "&resourceVersionMatch=Exact",
			"?resourceVersion=" + future + "&resourceVersionMatch=NotOlderThan&limit=1",
			"/any?resourceVersion=" + future,
			"?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&resourceVersion=" + future,
		} {
			for _, kind := range []string{w.at("images"), w.atBuiltIn("configmaps")} {
				asked.Go(func() {
					defer GinkgoRecover()
					refused := w.refusal(ctx, kind+query)
					Expect(refused.Code).To(BeEquivalentTo(http.StatusGatewayTimeout), "%s%s: %v", kind, query, refused)
					Expect(refused.Reason).To(Equal(metav1.StatusReasonTimeout))
					Expect(refused.Message).To(ContainSubstring("Too large resource version"))
					Expect(refused.Details.RetryAfterSeconds).To(BeNumerically(">", 0))
					Expect(refused.Details.Causes).To(ContainElement(HaveField("Type", metav1.CauseTypeResourceVersionTooLarge)))
				})
			}
		}
		asked.Wait()
	})

	It("a version that is no number is refused with 400 by each verb, where a built-in resource answers some with 500", func(ctx SpecContext) {
		for _, kind := range []string{w.at("images"), w.at("imagebuilds")} {
			for _, query := range []string{"?watch=true&resourceVersion=late", "/any?resourceVersion=late"} {
				refused := w.refusal(ctx, kind+query)
				Expect(refused.Code).To(BeEquivalentTo(http.StatusBadRequest), "%s%s: %v", kind, query, refused)
				Expect(refused.Message).To(ContainSubstring("late"))
			}
		}
	})

	It("a number that is out of range is refused with 400, where a built-in resource ends the watch with 500", func(ctx SpecContext) {
		for _, kind := range []string{w.at("images"), w.at("imagebuilds")} {
			for query, says := range map[string]string{
				"?limit=9223372036854775808":                      "limit must be a number",
				"?timeoutSeconds=9223372036854775807":             "timeoutSeconds must be a number from 0 to 9223372036",
				"?watch=true&timeoutSeconds=9223372036854775807":  "timeoutSeconds must be a number from 0 to 9223372036",
				"?watch=true&timeoutSeconds=-1&resourceVersion=0": "timeoutSeconds must be a number from 0 to 9223372036",
			} {
				refused := w.refusal(ctx, kind+query)
				Expect(refused.Code).To(BeEquivalentTo(http.StatusBadRequest), "%s%s: %v", kind, query, refused)
				Expect(refused.Message).To(ContainSubstring(says))
			}
		}
	})

	DescribeTable("a request with ", func(ctx SpecContext, query string, code int, says string) {
		for _, kind := range []string{w.at("images"), w.at("imagebuilds"), w.atBuiltIn("configmaps")} {
			refused := w.refusal(ctx, kind+query)
			Expect(refused.Code).To(BeEquivalentTo(code), "%s: %v", kind, refused)
			Expect(refused.Status).To(Equal(metav1.StatusFailure))
			Expect(refused.Message).To(ContainSubstring(says), kind)
		}
	},
		func(query string, code int, _ string) string {
			return strconv.Quote(query) + " is refused with " + strconv.Itoa(code)
		},
		Entry(nil, "?resourceVersion=late", 400, "late"),
		Entry(nil, "?resourceVersion=-1", 400, "-1"),
		Entry(nil, "?resourceVersion=late&resourceVersionMatch=Exact", 400, "late"),
		Entry(nil, "?resourceVersion=late&limit=2", 400, "late"),
		Entry(nil, "?limit=many", 400, "many"),
		Entry(nil, "?timeoutSeconds=soon", 400, "soon"),
		Entry(nil, "?resourceVersionMatch=Exact", 422, "forbidden unless resourceVersion is provided"),
		Entry(nil, "?resourceVersionMatch=NotOlderThan", 422, "forbidden unless resourceVersion is provided"),
		Entry(nil, "?limit=1&resourceVersionMatch=Exact", 422, "forbidden unless resourceVersion is provided"),
		Entry(nil, "?limit=1&resourceVersionMatch=NotOlderThan", 422, "forbidden unless resourceVersion is provided"),
		Entry(nil, "?resourceVersion=0&resourceVersionMatch=Exact", 422, "forbidden for resourceVersion \"0\""),
		Entry(nil, "?limit=1&resourceVersion=0&resourceVersionMatch=Exact", 422, "forbidden for resourceVersion \"0\""),
		Entry(nil, "?resourceVersion=7&resourceVersionMatch=About", 422, "About"),
		Entry(nil, "?resourceVersion=7&resourceVersionMatch=exact", 422, "supported values: \"Exact\", \"NotOlderThan\""),
		Entry(nil, "?sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"),
		Entry(nil, "?watch=true&resourceVersion=7&resourceVersionMatch=NotOlderThan", 422, "forbidden for watch unless sendInitialEvents"),
		Entry(nil, "?watch=true&resourceVersion=7&resourceVersionMatch=Exact", 422, "supported values: \"NotOlderThan\""),
		Entry(nil, "?watch=true&sendInitialEvents=true", 422, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
		Entry(nil, "?watch=true&sendInitialEvents=false", 422, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
		Entry(nil, "?watch=true&sendInitialEvents=true&resourceVersionMatch=Exact", 422, "sendInitialEvents requires"),
	)
}

// refusal is the status of a request that fails, at once or in the first event of a watch.
func (w *fixture) refusal(ctx SpecContext, path string) metav1.Status {
	GinkgoHelper()
	response := w.send(ctx, http.MethodGet, path, "")
	defer func() { _ = response.Body.Close() }()
	var said struct {
		metav1.Status
		Type   string        `json:"type"`
		Object metav1.Status `json:"object"`
	}
	Expect(json.NewDecoder(response.Body).Decode(&said)).To(Succeed())
	if said.Type == "ERROR" {
		return said.Object
	}
	Expect(said.Code).To(BeEquivalentTo(response.StatusCode))
	return said.Status
}
