// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"net/url"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const asTable = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io"

// tableOf decodes a table.
func tableOf(data []byte) metav1.Table {
	GinkgoHelper()
	var table metav1.Table
	Expect(json.Unmarshal(data, &table)).To(Succeed(), "%s", data)
	Expect(table.TypeMeta).To(Equal(metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "Table"}))
	return table
}

// rowNames are the cells of the first column.
func rowNames(table metav1.Table) []any {
	names := []any{}
	for _, row := range table.Rows {
		names = append(names, row.Cells[0])
	}
	return names
}

// columnNames are those of the columns.
func columnNames(table metav1.Table) []string {
	var names []string
	for _, column := range table.ColumnDefinitions {
		names = append(names, column.Name)
	}
	return names
}

func describeTables(w *fixture) {
	Describe("a table", func() {
		BeforeEach(func(ctx SpecContext) {
			w.create(ctx, "a", labelled(step, "1"))
			w.create(ctx, "b", labelled(step, "1"))
		})

		It("has a row for each object, and a description for each column", func(ctx SpecContext) {
			table := tableOf(w.get(ctx, w.at("images"), asTable).body)
			Expect(columnNames(table)).To(Equal([]string{"Name", "Ready", "UpToDate", "Reason", "Latest", "Digest", "Active", "Next", "Age", "Builder", "Base", "LastFailure"}))
			Expect(table.ColumnDefinitions[0].Format).To(Equal("name"))
			for _, column := range table.ColumnDefinitions {
				Expect(column.Description).NotTo(BeEmpty(), column.Name)
				Expect(column.Type).To(BeElementOf("string", "integer"), column.Name)
			}
			Expect(rowNames(table)).To(Equal([]any{"a", "b"}))
			Expect(table.ResourceVersion).To(newer("1"))
			for _, row := range table.Rows {
				Expect(row.Cells).To(HaveLen(len(table.ColumnDefinitions)))
			}
		})

		DescribeTable("has of each object", func(ctx SpecContext, query, kind string) {
			for _, path := range []string{"images", "images/a"} {
				table := tableOf(w.get(ctx, w.at(path+query), asTable).body)
				var object struct {
					metav1.PartialObjectMetadata
					Spec map[string]any
				}
				raw := table.Rows[0].Object.Raw
				if kind == "" {
					Expect(raw).To(BeNil())
					continue
				}
				Expect(json.Unmarshal(raw, &object)).To(Succeed())
				Expect(object.Kind).To(Equal(kind))
				Expect(object.Name).To(Equal("a"))
				Expect(object.Labels).To(HaveKeyWithValue(step, "1"))
				hasSpec := len(object.Spec) > 0
				Expect(hasSpec).To(Equal(kind == "Image"))
			}
		},
			Entry("its metadata", "", "PartialObjectMetadata"),
			Entry("its metadata, if that is asked for", "?includeObject=Metadata", "PartialObjectMetadata"),
			Entry("nothing", "?includeObject=None", ""),
			Entry("everything", "?includeObject=Object", "Image"),
		)

		It("cannot include what is not known", func(ctx SpecContext) {
			for _, kind := range []string{w.at("images"), w.atBuiltIn("configmaps")} {
				refused := w.get(ctx, kind+"?includeObject=Everything", asTable)
				Expect(refused.code).To(Equal(http.StatusBadRequest), "%s", refused.body)
				Expect(refused.status().Message).To(ContainSubstring("Everything"))
			}
		})

		It("of one object has its version", func(ctx SpecContext) {
			table := tableOf(w.get(ctx, w.at("images/b"), asTable).body)
			Expect(rowNames(table)).To(Equal([]any{"b"}))
			Expect(table.ResourceVersion).To(newer("1"))
		})

		It("of nothing has columns", func(ctx SpecContext) {
			table := tableOf(w.get(ctx, w.at("images?fieldSelector=metadata.name%3Dc"), asTable).body)
			Expect(table.Rows).To(BeEmpty())
			Expect(table.ColumnDefinitions).NotTo(BeEmpty())
		})

		It("of what is not there is a refusal", func(ctx SpecContext) {
			refused := w.get(ctx, w.at("images/c"), asTable)
			Expect(refused.code).To(Equal(http.StatusNotFound))
			Expect(refused.status().Reason).To(Equal(metav1.StatusReasonNotFound))
		})

		It("comes in pages", func(ctx SpecContext) {
			w.Eventually(ctx, func(g Gomega) {
				first := tableOf(w.get(ctx, w.at("images?limit=1"), asTable).body)
				g.Expect(rowNames(first)).To(Equal([]any{"a"}))
				g.Expect(first.RemainingItemCount).To(HaveValue(BeEquivalentTo(1)))
				second := w.get(ctx, w.at("images?limit=1&continue="+url.QueryEscape(first.Continue)), asTable)
				g.Expect(second.code).To(Equal(http.StatusOK))
				g.Expect(rowNames(tableOf(second.body))).To(Equal([]any{"b"}))
				g.Expect(tableOf(second.body).Continue).To(BeEmpty())
			}).Should(Succeed())
		})

		It("is had of a status, and of the answer to a write", func(ctx SpecContext) {
			Expect(rowNames(tableOf(w.get(ctx, w.at("images/a/status"), asTable).body))).To(Equal([]any{"a"}))
			patched := w.ask(ctx, http.MethodPatch, w.at("images/a"), `{"metadata":{"labels":{"step":"2"}}}`, asTable, "Content-Type: application/merge-patch+json")
			Expect(rowNames(tableOf(patched.body))).To(Equal([]any{"a"}))
		})

		It("is had of builds", func(ctx SpecContext) {
			table := tableOf(w.get(ctx, w.at("imagebuilds"), asTable).body)
			Expect(columnNames(table)[:3]).To(Equal([]string{"Name", "Image", "Phase"}))
		})

		It("is what a client gets that knows others, too", func(ctx SpecContext) {
			got := w.get(ctx, w.at("images"), "Accept: application/json;as=Table;v=v7;g=meta.k8s.io,application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
			Expect(rowNames(tableOf(got.body))).To(Equal([]any{"a", "b"}))
		})

		It("that is watched has columns in its first event only", func(ctx SpecContext) {
			events := w.events(ctx, w.at("images?watch=true&includeObject=Metadata"), asTable)
			for i := range 2 {
				event := <-events
				Expect(event.Type).To(Equal("ADDED"))
				table := tableOf(event.Object.Raw)
				Expect(rowNames(table)).To(HaveLen(1))
				hasColumns := len(table.ColumnDefinitions) > 0
				Expect(hasColumns).To(Equal(i == 0))
			}
			w.remove(ctx, "a")
			Eventually(ctx, events).WithTimeout(w.environment.Patience).Should(Receive(And(
				HaveField("Type", "DELETED"),
				WithTransform(func(event wireEvent) []any { return rowNames(tableOf(event.Object.Raw)) }, Equal([]any{"a"})))))
		})
	})
}
