// SPDX-License-Identifier: Apache-2.0

// Package builder assembles a Kubernetes API server from resources, a storage and a way to authenticate.
// It is a library of its own, and must not know any resource.
//
// A server is described by a chain of With… calls, one line per resource:
//
//	server := builder.New("widgets-apiserver").
//		WithScheme(widgets.Install).
//		WithOpenAPI("Widgets", "v1", generated.GetOpenAPIDefinitions).
//		WithResource(widgets.SchemeGroupVersion, "widgets", widget.Storage).
//		WithStorage(builder.EmbeddedEtcd("/var/lib/widgets")). // or ExternalEtcd, Files, Memory
//		WithBearerToken(token, &user.DefaultInfo{Name: "admin", Groups: []string{user.SystemPrivilegedGroup}})
//
// and then run, in one of three ways:
//
//	err := server.ExecuteCommand(ctx, os.Args[1:])  // a command with flags
//	command, err := server.ToServerCommand()        // the same command, to be added to another
//	options, err := server.ToServerOptions()        // in process
//
// In process, a server is started, waited for and stopped:
//
//	running, err := options.Start(ctx)        // serves until ctx is done
//	err = running.WaitReady(ctx)              // /readyz is green
//	client := kubernetes.NewForConfig(running.ClientConfig())
//	err = running.Wait()                      // everything has stopped, the embedded etcd last
//
// A resource folder provides its storages. For a stored resource that is a store, and most often nothing else:
//
//	func Storage(scope *builder.Scope) (builder.Storages, error) {
//		store, err := builder.NewStore(scope, builder.Resource{
//			New:      func() runtime.Object { return &widgets.Widget{} },
//			NewList:  func() runtime.Object { return &widgets.WidgetList{} },
//			Resource: widgets.Resource("widgets"),
//			Singular: "widget",
//		})
//		if err != nil {
//			return nil, err
//		}
//		return builder.Storages{"": store, "status": store.Status(nil)}, nil
//	}
//
// Methods of the internal type implement the behavior of Widgets: Validate, Warnings, TableCells and so on
// (see Validator and the interfaces below it). If they do not suffice, set Resource.Strategy to a strategy that embeds
// DefaultStrategy, or set Resource.Table.
//
// A resource can be served in several versions (WithResource) that convert to the same internal type, and is stored in
// one of them (WithStorageVersion).
//
// A resource that is not stored is a handler: NewReadOnly for computed objects, NewCreateOnly for objects that are answered
// at creation. Other handlers, including subresources, implement interfaces of k8s.io/apiserver/pkg/registry/rest. Resources
// whose handlers use the stores of each other are provided together (WithResources). A server without stored resources needs
// no storage.
//
// Package apiserver/example has a complete API in two versions.
//
// A server writes one line, to its writer, once it serves. The Kubernetes libraries log through klog, which belongs to
// the process: main functions silence it with QuietLogs.
//
// A server runs in one of two modes. A standalone server authenticates bearer tokens (WithBearerToken). It authorizes members
// of system:masters for every request, and guests by their rights (WithGuests). A server with delegated authentication
// (WithDelegatedAuth) asks the kube-apiserver of its kubeconfig, like every aggregated API server. A server without a mode
// refuses to start: no mode admits everybody.
//
// A server whose etcd or kube-apiserver does not answer at the start waits for it. Meanwhile it listens: /livez is green,
// /readyz names the missing dependencies, its writer gets one line with the cause, and every other request gets a 503.
package builder
