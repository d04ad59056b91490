// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
)

func describeTables(w *subject) {
	It("a table has a row for each object, and a description for each column", func(ctx SpecContext) {
		w.create(ctx, "a")
		w.create(ctx, "b")
		w.showsTable(ctx, w.path(""), w.columns)
	})

	It("the metadata of objects are read without the rest", func(ctx SpecContext) {
		created := w.create(ctx, "web", labelled("a", "b"))
		client, err := metadata.NewForConfig(w.Config)
		Expect(err).NotTo(HaveOccurred())
		read, err := client.Resource(w.resource).Namespace(w.Namespace).Get(ctx, "web", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(read.UID).To(Equal(created.GetUID()))
		list, err := client.Resource(w.resource).Namespace(w.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "a=b"})
		Expect(err).NotTo(HaveOccurred())
		Expect(list.Items).To(ConsistOf(HaveField("UID", created.GetUID())))
	})
}

func describeBuildTables(w *fixture) {
	It("a table of builds has a row for each", func(ctx SpecContext) {
		w.CreateBuild(ctx, newBuild("a"))
		w.CreateBuild(ctx, newBuild("b"))
		w.showsTable(ctx, w.resourcePath("imagebuilds"), []string{"Name", "Image", "Phase", "Why", "Progress", "Attempt", "Duration", "Age", "Trigger", "Node", "Digest", "OneOff", "Started", "Finished"})
	})
}

// showsTable expects a table with these columns, and with the objects a and b.
func (w *fixture) showsTable(ctx context.Context, path string, columns []string) {
	GinkgoHelper()
	var table metav1.Table
	w.get(ctx, path, "Accept: application/json;as=Table;v=v1;g=meta.k8s.io").into(&table)
	var found []string
	for _, column := range table.ColumnDefinitions {
		found = append(found, column.Name)
		Expect(column.Description).NotTo(BeEmpty(), column.Name)
		Expect(column.Type).To(BeElementOf("string", "integer", "date"), column.Name)
	}
	Expect(found).To(Equal(columns))
	Expect(table.Rows).To(HaveExactElements(
		HaveField("Cells", And(HaveLen(len(columns)), ContainElement("a"))), HaveField("Cells", And(HaveLen(len(columns)), ContainElement("b")))))
}
