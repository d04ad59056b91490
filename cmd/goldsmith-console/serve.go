// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

const (
	// drain is how long the process serves after it was told to end: until all proxies know.
	drain = 5 * time.Second
	// grace is how long requests may take then. Streams last longer, and their pages open them again.
	grace = 5 * time.Second
	// bodyLimit is how long a request may take to send its body.
	bodyLimit = 30 * time.Second
)

// served is what the process serves.
type served struct {
	pages        http.Handler
	certificate  *certwatcher.CertWatcher
	drain, grace time.Duration

	ending atomic.Bool
}

// ServeHTTP answers the kubelet, which knows no host of the console, and browsers.
func (s *served) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	switch request.URL.Path {
	case "/readyz":
		if s.ending.Load() {
			http.Error(writer, "the console ends", http.StatusServiceUnavailable)
			return
		}
		fallthrough
	case "/healthz":
		_, _ = io.WriteString(writer, "ok")
	default:
		if request.ContentLength != 0 {
			// A deadline for all requests would end streams. A connection that has none takes its body at once.
			_ = http.NewResponseController(writer).SetReadDeadline(time.Now().Add(bodyLimit))
		}
		s.pages.ServeHTTP(writer, request)
	}
}

// serve serves until ctx is done.
func (s *served) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // what goes wrong with a connection is its browser's to tell
	}
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	ended := make(chan error, 2)
	go func() { ended <- s.certificate.Start(watching) }()
	go func() {
		ended <- server.Serve(tls.NewListener(listener, &tls.Config{GetCertificate: s.certificate.GetCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}))
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the console: %w", err)
	case <-ctx.Done():
	}
	s.ending.Store(true)
	select {
	case err := <-ended:
		return fmt.Errorf("serve the console until its end: %w", err)
	case <-time.After(s.drain):
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer stop()
	if err := server.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("end the console: %w", err)
	}
	return server.Close()
}
