// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubectl/pkg/util/openapi"
)

func describeOpenAPI(w *subject) {
	Describe("OpenAPI", func() {
		It("of version 2 is read by kubectl's own parser, which finds every kind", func(ctx SpecContext) {
			client, err := discovery.NewDiscoveryClientForConfig(w.Config)
			Expect(err).NotTo(HaveOccurred())
			w.Eventually(ctx, func(g Gomega) { // an aggregator takes its time
				document, err := client.OpenAPISchema()
				g.Expect(err).NotTo(HaveOccurred())
				resources, err := openapi.NewOpenAPIData(document)
				g.Expect(err).NotTo(HaveOccurred())
				for _, kind := range w.kinds {
					schema := resources.LookupResource(w.resource.GroupVersion().WithKind(kind))
					g.Expect(schema).NotTo(BeNil(), kind)
					g.Expect(schema.GetDescription()).NotTo(BeEmpty(), kind)
					if strings.HasPrefix(kind, w.kind) && !strings.HasSuffix(kind, "List") {
						patches := []string{"application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"}
						if w.strategic {
							patches = append(patches, "application/strategic-merge-patch+json")
						}
						g.Expect(resources.GetConsumes(w.resource.GroupVersion().WithKind(kind), "PATCH")).To(ContainElements(patches))
					}
				}
			}).Should(Succeed())
		})
	})

	Describe("OpenAPI v3", func() {
		var document spec3.OpenAPI
		BeforeEach(func(ctx SpecContext) {
			w.Eventually(ctx, func() []string { // an aggregator takes its time
				var versions struct {
					Paths map[string]struct{ ServerRelativeURL string }
				}
				w.get(ctx, "/openapi/v3").into(&versions)
				version := "apis/" + w.resource.GroupVersion().String()
				Expect(versions.Paths).To(HaveKey(version))
				document = spec3.OpenAPI{}
				w.get(ctx, versions.Paths[version].ServerRelativeURL).into(&document)
				return w.kindsOf(document.Components.Schemas)
			}).Should(ContainElements(w.kinds))
		})

		It("says of which kind a schema is, and describes every field", func() {
			Expect(w.kindsOf(document.Components.Schemas)).To(ConsistOf(w.kinds))
			expectDescribed(document.Components.Schemas)
		})

		It("refers to nothing that is not there", func() {
			data, err := json.Marshal(document)
			Expect(err).NotTo(HaveOccurred())
			const reference = `"$ref":"#/components/schemas/`
			for _, rest := range strings.Split(string(data), reference)[1:] {
				name, _, _ := strings.Cut(rest, `"`)
				Expect(document.Components.Schemas).To(HaveKey(name))
			}
		})

		It("names paths that are there, and nothing else of these", func(ctx SpecContext) {
			expected, err := w.discovered()
			Expect(err).NotTo(HaveOccurred())
			replace := strings.NewReplacer("{namespace}", w.Namespace, "{name}", "web")
			for path, item := range document.Paths.Paths {
				if w.isOfOtherKind(path, expected) {
					continue // its specs begin and end at the same time
				}
				for method, operation := range map[string]*spec3.Operation{
					http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
				} {
					if operation == nil && !strings.Contains(path, "{namespace}") {
						continue // what is not a resource answers other methods in other ways
					}
					response := w.send(ctx, method, replace.Replace(path)+"?dryRun=All&timeoutSeconds=1", "")
					Expect(response.Body.Close()).To(Succeed())
					Expect(response.Header.Get("Content-Type")).To(HavePrefix("application/json"), "%s %s", method, path)
					refused := response.StatusCode == http.StatusMethodNotAllowed
					Expect(refused).To(Equal(operation == nil), "%s %s: %d", method, path, response.StatusCode)
				}
			}
			for _, resource := range expected {
				path := "/apis/" + w.resource.GroupVersion().String()
				if resource.Namespaced {
					path += "/namespaces/{namespace}"
				}
				Expect(document.Paths.Paths).To(HaveKey(path + "/" + strings.Replace(resource.Name, "/", "/{name}/", 1)))
			}
		})
	})
}

// isOfOtherKind reports whether a path of the group is of a resource that is not expected.
func (s *subject) isOfOtherKind(path string, expected []metav1.APIResource) bool {
	rest, isOfGroup := strings.CutPrefix(path, "/apis/"+s.resource.GroupVersion().String()+"/")
	resource, _, _ := strings.Cut(strings.TrimPrefix(rest, "namespaces/{namespace}/"), "/")
	return isOfGroup && resource != "" && resource != "watch" && !slices.ContainsFunc(expected, func(each metav1.APIResource) bool { return each.Name == resource })
}

// kindsOf returns the kinds of the subject that the schemas declare.
func (s *subject) kindsOf(schemas map[string]*spec.Schema) []string {
	GinkgoHelper()
	var found []string
	for _, schema := range schemas {
		var all []struct{ Group, Version, Kind string }
		data, err := json.Marshal(schema.Extensions["x-kubernetes-group-version-kind"])
		Expect(err).NotTo(HaveOccurred())
		Expect(json.Unmarshal(data, &all)).To(Succeed())
		for _, kind := range all {
			if kind.Group == s.resource.Group && slices.Contains(s.kinds, kind.Kind) {
				found = append(found, kind.Kind)
			}
		}
	}
	return found
}

// expectDescribed expects a description of every schema of ours, and of every field in it.
func expectDescribed(schemas map[string]*spec.Schema) {
	GinkgoHelper()
	described := 0
	for name, schema := range schemas {
		if !strings.Contains(name, "goldsmith") {
			continue
		}
		Expect(schema.Description).NotTo(BeEmpty(), name)
		for field, property := range schema.Properties {
			Expect(property.Description).NotTo(BeEmpty(), "%s.%s", name, field)
			described++
		}
	}
	Expect(described).NotTo(BeZero())
}
