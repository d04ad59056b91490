// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
	"k8s.io/utils/clock"

	imagesv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/controllers/sourcehook"
)

// Anybody can connect to the receiver, so each connection ends soon, and there are not many.
const (
	// readLimit is how long a sender may take for a request. GitHub ends its own requests after this time.
	readLimit = 10 * time.Second
	// writeLimit is how long a request may take in all, with the requests to the API server.
	writeLimit = 30 * time.Second
	// idleLimit is how long a connection stays open between two requests.
	idleLimit = 5 * time.Second
	// maxHeader is how many bytes the headers may have, about.
	maxHeader = 16 << 10
	// maxConnections is how many connections are open at once. Others wait.
	maxConnections = 100
	// endLimit is how long webhooks that are being received may take when the process ends.
	endLimit = 2 * time.Second
)

// Serve receives webhooks until ctx is done, if the flags set an address. failed gets errors that senders are not told. listening is called once with
// the address.
func (f *Flags) Serve(ctx context.Context, images imagesv1alpha1.ImagesGetter, failed func(error), listening func(address string)) error {
	if f.Webhook == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.Webhook)
	if err != nil {
		return fmt.Errorf("--%s: %w", webhook, err)
	}
	listening(listener.Addr().String())
	return serve(ctx, listener, sourcehook.New(sourcehook.Options{Images: images, Key: f.key, Clock: clock.RealClock{}, Failed: failed}))
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		ReadHeaderTimeout: readLimit, ReadTimeout: readLimit, WriteTimeout: writeLimit, IdleTimeout: idleLimit, MaxHeaderBytes: maxHeader, Handler: handler,
	}
	ended := make(chan struct{})
	running := context.AfterFunc(ctx, func() {
		defer close(ended)
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
		defer cancel()
		if server.Shutdown(ending) != nil {
			_ = server.Close() // what it was receiving is lost, and was only a hint
		}
	})
	err := server.Serve(netutil.LimitListener(listener, maxConnections))
	if !running() {
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("receive webhooks: %w", err)
	}
	return nil
}

// key reads the server's secret.
func (f *Flags) key() (sourcehook.Key, error) {
	content, err := documents.ReadFile(f.WebhookSecret, 1)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w: correct the path, or write a secret to the file, with \"openssl rand -hex 32\"", webhookKey, f.WebhookSecret, err)
	}
	key, err := sourcehook.NewKey(content)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", webhookKey, f.WebhookSecret, err)
	}
	return key, nil
}
