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
	// portPatience is how long an answer may take, and until the guest accepts a connection. QEMU accepts every connection at once, and closes it
	// if the guest refuses it.
	portPatience, acceptPatience = 5 * time.Second, time.Second
	// acceptPause is the time between two questions whether the guest has accepted a connection.
	acceptPause = 50 * time.Millisecond
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

// portOf is a port of a guest, which a port of 127.0.0.1 leads to.
type portOf struct {
	check *v1alpha1.PortCheck
	host  int
	// accepted reports whether the guest has accepted a connection to the port.
	accepted func(host int) (bool, error)
	scale    time.Duration
}

// verify checks the port until it is as it must be, or patience is over. An error is one of QEMU.
func (p *portOf) verify(ctx context.Context, patience time.Duration) (Check, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var found Check
		var err error
		if p.check.HTTP != nil {
			found = p.get(ctx)
		} else {
			found, err = p.connect(ctx, min(patience, acceptPatience*p.scale))
		}
		if found.Failure == "" || err != nil {
			return found, err
		}
		select {
		case <-limited.Done():
			return found, nil
		case <-time.After(portPause):
		}
	}
}

// connect opens a connection. It fails unless the guest accepts the connection, or writes, within patience.
func (p *portOf) connect(ctx context.Context, patience time.Duration) (Check, error) {
	connection, err := (&net.Dialer{Timeout: portPatience * p.scale}).DialContext(ctx, "tcp", p.address())
	if err != nil {
		return Check{Failure: fmt.Sprintf("it accepts no connection: %v", err)}, nil
	}
	defer func() { _ = connection.Close() }() // nothing was written
	for end := time.Now().Add(patience); ; {
		_ = connection.SetReadDeadline(time.Now().Add(acceptPause))
		if n, err := connection.Read(make([]byte, 1)); n > 0 {
			return Check{}, nil
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			return Check{Failure: "it accepts no connection"}, nil
		}
		switch accepted, err := p.accepted(p.host); {
		case err != nil || accepted:
			return Check{}, err
		case ctx.Err() != nil || time.Now().After(end):
			return Check{Failure: "the guest does not answer, as if a firewall drops the packets"}, nil
		}
	}
}

func (p *portOf) address() string { return fmt.Sprintf("127.0.0.1:%d", p.host) }

// get sends a request.
func (p *portOf) get(ctx context.Context) Check {
	check := p.check
	ctx, cancel := context.WithTimeout(ctx, portPatience*p.scale)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address()+check.HTTP.Path, nil)
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
