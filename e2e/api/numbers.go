// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func describeNumbers(w *subject) {
	It("a version that is no number is refused with 400 by each verb, where a built-in resource answers some with 500", func(ctx SpecContext) {
		for _, kind := range []string{w.path(""), w.resourcePath("imagebuilds")} {
			for _, query := range []string{"?watch=true&resourceVersion=late", "/any?resourceVersion=late"} {
				refused := w.refusal(ctx, kind+query)
				Expect(refused.Code).To(BeEquivalentTo(http.StatusBadRequest), "%s%s: %v", kind, query, refused)
				Expect(refused.Message).To(ContainSubstring("late"))
			}
		}
	})

	It("a number that is out of range is refused with 400, where a built-in resource ends the watch with 500", func(ctx SpecContext) {
		for _, kind := range []string{w.path(""), w.resourcePath("imagebuilds")} {
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
