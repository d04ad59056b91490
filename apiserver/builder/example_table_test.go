// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/example"
)

// kubectl get prints the columns of the resource: see Books of package example.
func Example_table() {
	server := example.Register(builder.New("library-apiserver")).WithStorage(builder.Memory())
	using(server, func(ctx context.Context, running *builder.Running, library client.Client) {
		must(library.Create(ctx, solaris()))
		raw, err := kubernetes.NewForConfig(running.ClientConfig())
		must(err)
		table := &metav1.Table{}
		must(raw.RESTClient().Get().AbsPath("/apis/library.example.com/v1/books").
			SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(ctx).Into(table))
		for i, column := range table.ColumnDefinitions[:5] {
			fmt.Printf("%s: %v\n", column.Name, table.Rows[0].Cells[i])
		}
	})
	// Output:
	// Name: solaris
	// Title: Solaris
	// Author: Lem
	// Location: L 3
	// Left: 1
}
