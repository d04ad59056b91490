// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/machine"
)

const (
	// portPause is the time between two tries of a port.
	portPause = 500 * time.Millisecond
	// portPatience is how long an answer may take, and a refusal. QEMU accepts every connection, and closes it if the guest refuses it.
	portPatience, refusalPatience = 5 * time.Second, time.Second
	// maxBody is how much of an answer is read.
	maxBody = 1 << 20
)

// freePorts returns ports of 127.0.0.1 that lead to ports of a guest. Nobody listens there until QEMU does.
func freePorts(ctx context.Context, guest []int) (ports []machine.Port, err error) {
	for _, port := range guest {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = listener.Close() }() // after all, so that they differ
		ports = append(ports, machine.Port{Host: listener.Addr().(*net.TCPAddr).Port, Guest: port})
	}
	return ports, nil
}

// checkPort checks a port of a guest, which a port of 127.0.0.1 leads to, until it is as it must be, or patience is over.
func checkPort(ctx context.Context, check *v1alpha1.PortCheck, host int, scale, patience time.Duration) Check {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		try := checkTCP
		if check.HTTP != nil {
			try = checkHTTP
		}
		found := try(ctx, check, fmt.Sprintf("127.0.0.1:%d", host), scale)
		if found.Failure == "" {
			return found
		}
		select {
		case <-limited.Done():
			return found
		case <-time.After(portPause):
		}
	}
}

func checkTCP(ctx context.Context, _ *v1alpha1.PortCheck, address string, scale time.Duration) Check {
	connection, err := (&net.Dialer{Timeout: portPatience * scale}).DialContext(ctx, "tcp", address)
	if err != nil {
		return Check{Failure: fmt.Sprintf("it accepts no connection: %v", err)}
	}
	defer func() { _ = connection.Close() }() // nothing was written
	_ = connection.SetReadDeadline(time.Now().Add(refusalPatience * scale))
	if n, err := connection.Read(make([]byte, 1)); n == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
		return Check{Failure: "it accepts no connection"}
	}
	return Check{}
}

func checkHTTP(ctx context.Context, check *v1alpha1.PortCheck, address string, scale time.Duration) Check {
	ctx, cancel := context.WithTimeout(ctx, portPatience*scale)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+check.HTTP.Path, nil)
	if err != nil {
		return Check{Failure: err.Error()}
	}
	request.Host, request.Close = "localhost", true
	transport := &http.Transport{DisableCompression: true} // without a proxy
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request) // follows no redirects
	if err != nil {
		return Check{Failure: fmt.Sprintf("no answer: %v", err)}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	_ = response.Body.Close() // was read as far as it matters
	want := int(ptr.Deref(check.HTTP.Status, http.StatusOK))
	switch {
	case response.StatusCode != want:
		return Check{Failure: fmt.Sprintf("status %d, not %d", response.StatusCode, want), Output: shorten(string(body))}
	case err != nil:
		return Check{Failure: fmt.Sprintf("the answer ends early: %v", err), Output: shorten(string(body))}
	case !strings.Contains(string(body), check.HTTP.Body):
		return Check{Failure: fmt.Sprintf("the answer does not contain %q%s", check.HTTP.Body, lastOf(string(body))), Output: shorten(string(body))}
	}
	return Check{}
}
