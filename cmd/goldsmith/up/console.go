// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"net"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/explain"
	"goldsmith.dev/goldsmith/console"
)

// consoleCommand prints a new link to the console.
const consoleCommand = "goldsmith console"

// startConsole serves the console, whose pages act as the administrator. Its key is the administrator's token, so that pages stay signed in
// when the server starts again.
func (s *system) startConsole(ctx context.Context, listener net.Listener, administrator *rest.Config) (*console.Sessions, error) {
	sessions := console.NewSessions(administrator.BearerToken, s.options.clock)
	handler, err := console.Local{Server: administrator, Namespace: metav1.NamespaceDefault, Command: consoleCommand, Sessions: sessions, Reasons: explain.Reasons()}.Handler()
	if err != nil {
		return nil, err
	}
	s.components.start(ctx, "console", func(ctx context.Context) error { return console.Serve(ctx, listener, handler) })
	return sessions, nil
}

// consoleLink returns the line with the link to the console, which works once.
func consoleLink(server *builder.Running, sessions *console.Sessions) string {
	address := strings.Replace(server.Address(), "https://", "http://", 1)
	return "console: " + address + sessions.Link() + "\n"
}
