// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/connections"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/explain"
	"goldsmith.dev/goldsmith/console"
)

// consoleCommand prints a new link to the console.
const consoleCommand = "goldsmith console"

// startConsole serves the console, whose pages act as the administrator, at a free port. It returns the link to the console, which works once.
func (s *system) startConsole(ctx context.Context, administrator *rest.Config) (link string, err error) {
	listener, err := console.Listen(0)
	if err != nil {
		return "", fmt.Errorf("listen on a port for the console: %w", err)
	}
	sessions, limited := console.NewSessions(s.options.clock), connections.Limit(listener, connections.OfProcess())
	handler, err := console.Local{
		Server: administrator, Namespace: metav1.NamespaceDefault, Command: consoleCommand, Sessions: sessions, Reasons: explain.Reasons(), SignedIn: func(remote string) { limited.Authenticated(remote, "") },
	}.Handler()
	if err != nil {
		return "", errors.Join(err, listener.Close())
	}
	s.components.start(ctx, "console", func(ctx context.Context) error { return console.Serve(ctx, limited, handler) })
	return sessions.Link(listener.Addr()), nil
}
