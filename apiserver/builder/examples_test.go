// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
)

// using runs a server for as long as a function uses it. The example of the package shows each step.
func using(server *builder.Server, use func(ctx context.Context, running *builder.Running, library client.Client)) {
	options, err := server.WithBearerToken(token, admin).ToServerOptions()
	must(err)
	ctx, stop := context.WithCancel(context.Background())
	running, err := options.Start(ctx)
	must(err)
	must(running.WaitReady(ctx))
	use(ctx, running, connect(running))
	stop()
	must(running.Wait())
}

// connect returns a client that knows both versions.
func connect(running *builder.Running) client.WithWatch {
	scheme := runtime.NewScheme()
	must(v1.AddToScheme(scheme))
	must(v2.AddToScheme(scheme))
	library, err := client.NewWithWatch(running.ClientConfig(), client.Options{Scheme: scheme})
	must(err)
	return library
}

// solaris is a book.
func solaris() *v2.Book {
	return &v2.Book{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "solaris"},
		Spec:       v2.BookSpec{Title: "Solaris", Authors: []v2.Author{{Name: "Lem"}}, Location: "L 3"},
	}
}
