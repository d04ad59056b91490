// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
)

// using runs a server for as long as a function uses it. The example of the package shows each step.
func using(server *builder.Server, use func(ctx context.Context, running *builder.Running, library client.Client)) {
	options, err := server.WithBearerToken(buildertest.Token, buildertest.Admin).ToServerOptions()
	must(err)
	ctx, stop := context.WithCancel(context.Background())
	running, err := options.Start(ctx)
	must(err)
	must(running.WaitReady(ctx))
	use(ctx, running, buildertest.ConnectLibrary(running))
	stop()
	must(running.Wait())
}

// solaris is a book.
func solaris() *v2.Book {
	return &v2.Book{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "solaris"},
		Spec:       v2.BookSpec{Title: "Solaris", Authors: []v2.Author{{Name: "Lem"}}, Location: "L 3"},
	}
}
