// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"io"
	"net/http"

	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// Forward forwards a local port of 127.0.0.1 to a port of a pod of the installation, until stop is called.
func (e Environment) Forward(pod string, port int) (local uint16, stop func(), err error) {
	url := e.Kube().CoreV1().RESTClient().Post().Resource("pods").Namespace(Namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(e.Config)
	if err != nil {
		return 0, nil, err
	}
	done, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.New(spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url),
		[]string{fmt.Sprintf("0:%d", port)}, done, ready, io.Discard, io.Discard)
	if err != nil {
		return 0, nil, err
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		return 0, nil, fmt.Errorf("forward port %d: %w", port, err)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		close(done)
		return 0, nil, err
	}
	return ports[0].Local, func() { close(done) }, nil
}
