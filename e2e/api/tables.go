// SPDX-License-Identifier: Apache-2.0

package api

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func describeTables(w *fixture) {
	DescribeTable("a table has a row for each object, and a description for each column:", func(ctx SpecContext, resource string, columns ...string) {
		w.create(ctx, "a")
		w.create(ctx, "b")
		w.CreateBuild(ctx, newBuild("a"))
		w.CreateBuild(ctx, newBuild("b"))
		var table metav1.Table
		w.get(ctx, w.at(resource), "Accept: application/json;as=Table;v=v1;g=meta.k8s.io").into(&table)
		var found []string
		for _, column := range table.ColumnDefinitions {
			found = append(found, column.Name)
			Expect(column.Description).NotTo(BeEmpty(), column.Name)
			Expect(column.Type).To(BeElementOf("string", "integer"), column.Name)
		}
		Expect(found).To(Equal(columns))
		Expect(table.Rows).To(HaveExactElements(
			HaveField("Cells", And(HaveLen(len(columns)), ContainElement("a"))), HaveField("Cells", And(HaveLen(len(columns)), ContainElement("b")))))
	},
		Entry(nil, "images", "Name", "Ready", "UpToDate", "Reason", "Latest", "Digest", "Active", "Next", "Age", "Builder", "Base", "LastFailure"),
		Entry(nil, "imagebuilds", "Name", "Image", "Phase", "Why", "Progress", "Attempt", "Duration", "Age", "Trigger", "Node", "Digest", "OneOff"),
	)
}
