// SPDX-License-Identifier: Apache-2.0

// Package builder assembles a Kubernetes API server out of resources, a storage and a way to authenticate.
// It is a library of its own: it knows no resource, and it must never learn of one.
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
// What is particular about a Widget are methods of the internal type: Validate, Warnings, PrepareForCreate, TableCells
// and so on (see Validator and what is around it). Where they do not suffice, Resource.Strategy is a strategy that embeds
// DefaultStrategy, and Resource.Table another table.
//
// A resource can be served in several versions (WithResource) that convert to the same internal type, and is stored in
// one of them (WithStorageVersion).
//
// What is not stored is a handler: NewReadOnly for what is computed, NewCreateOnly for what is answered, and for
// everything else, subresources among it, interfaces of k8s.io/apiserver/pkg/registry/rest. Resources whose handlers use
// the stores of one another are provided together (WithResources). A server of handlers needs no storage.
//
// Package apiserver/example has a whole API, in two versions.
//
// A server writes one line, to its writer, once it serves. The Kubernetes libraries log through klog, which belongs to
// the process: main functions silence it with QuietLogs.
//
// A server runs in one of two modes. Standalone, it authenticates bearer tokens (WithBearerToken) and lets only
// members of system:masters in, and users that come and go to what they may do (WithGuests). Delegated
// (WithDelegatedAuth), it asks the kube-apiserver that its kubeconfig names, as an aggregated API server does. A server
// with neither refuses to start: there is no mode that lets everybody in.
//
// A server whose etcd or kube-apiserver does not answer when it starts waits for it. Meanwhile it listens: /livez is
// green, /readyz names what is missing, its writer gets one line that says why, and everything else is a 503.
package builder
