// SPDX-License-Identifier: Apache-2.0

// Package builder assembles a Kubernetes API server from resources, a storage and a way to authenticate.
// It is a library of its own, and must not know any resource. Read it in this order:
//
//  1. server.go describes a server. storage.go and encryption.go describe where it stores its objects.
//  2. options.go, flags.go and run.go turn the description into options of the generic server, command.go into a command.
//  3. running.go starts and stops it: it opens the listener (serving.go), and waits for dependencies.
//  4. assemble.go makes the generic server: its handlers (handlers.go), its admission (admission.go, standalone.go) and its
//     resources.
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
// Package resources shows how a resource folder provides its storages, such as widget.Storage above.
//
// A resource can be served in several versions (WithResource) that convert to the same internal type, and is stored in
// one of them (WithStorageVersion).
//
// Resources whose handlers use the stores of each other are provided together (WithResources). A server without stored
// resources needs no storage.
//
// A group can replace its kinds while the server serves it (WithDynamicGroup). Package dynamic describes such kinds.
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
