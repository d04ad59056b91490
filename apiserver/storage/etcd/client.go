// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"k8s.io/apiserver/pkg/server/egressselector"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	certutil "k8s.io/client-go/util/cert"
)

// Connect connects to the servers of a storage. It reads the certificates each time. The caller closes the client.
func Connect(transport storagebackend.TransportConfig) (*clientv3.Client, error) {
	config := clientv3.Config{Endpoints: transport.ServerList, Logger: zap.NewNop()}
	if transport.TrustedCAFile != "" || transport.CertFile != "" {
		var err error
		if config.TLS, err = ClientTLS(transport); err != nil {
			return nil, err
		}
	}
	if transport.EgressLookup != nil {
		dial, err := transport.EgressLookup(egressselector.Etcd.AsNetworkContext())
		if err != nil {
			return nil, fmt.Errorf("connect to the storage: %w", err)
		}
		config.DialOptions = append(config.DialOptions, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			if strings.Contains(address, "//") {
				parsed, err := url.Parse(address)
				if err != nil {
					return nil, err
				}
				address = parsed.Host
			}
			return dial(ctx, "tcp", address)
		}))
	}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the storage: %w", err)
	}
	return client, nil
}

// ClientTLS returns the TLS configuration of a client of an etcd. It reads the certificates each time, because they may be there
// later.
func ClientTLS(transport storagebackend.TransportConfig) (*tls.Config, error) {
	config := &tls.Config{}
	if transport.TrustedCAFile != "" {
		pool, err := certutil.NewPool(transport.TrustedCAFile)
		if err != nil {
			return nil, fmt.Errorf("read the CA: %w", err)
		}
		config.RootCAs = pool
	}
	if transport.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(transport.CertFile, transport.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
