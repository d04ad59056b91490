// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/egressselector"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	storagevalue "k8s.io/apiserver/pkg/storage/value"
)

// OpenEncryption returns the transformer that encrypts and decrypts the objects of a resource. A server calls it once, when its
// storage runs and before it serves. So OpenEncryption can refuse a key that does not fit the stored objects, instead of a server
// that reads nothing. Its error ends the start.
type OpenEncryption func(ctx context.Context, stored Encrypted) (storagevalue.Transformer, error)

// Encrypted are the stored objects of a resource, before the server serves.
type Encrypted struct {
	// Example is one of them, as the storage has it, or nil if there is none.
	Example []byte
	// Delete deletes all of them, and returns how many there were. The API cannot delete what no key decrypts.
	Delete func(ctx context.Context) (int64, error)
}

// WithEncryption encrypts the objects of a resource in the storage. A storage of Files keeps them in its journal only, without a
// file of their own.
func (s *Server) WithEncryption(resource schema.GroupResource, open OpenEncryption) *Server {
	if _, twice := s.encryption[resource]; twice || open == nil {
		s.fail(fmt.Errorf("resource %s: encryption is set twice, or without a function", resource))
		return s
	}
	if s.encryption == nil {
		s.encryption = map[schema.GroupResource]OpenEncryption{}
	}
	s.encryption[resource] = open
	return s
}

// transformers opens the encryption of all resources that have one.
func (o *Options) transformers(ctx context.Context) (encryptionconfig.StaticTransformers, error) {
	if o.Recommended.Etcd == nil || len(o.server.encryption) == 0 {
		return nil, nil
	}
	client, err := connectStorage(o.Recommended.Etcd.StorageConfig.Transport)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }() // all its requests are answered
	transformers := encryptionconfig.StaticTransformers{}
	for resource, open := range o.server.encryption {
		prefix := path.Join("/", o.Recommended.Etcd.StorageConfig.Prefix, resourcePrefix(resource)) + "/"
		found, err := client.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithLimit(1))
		if err != nil {
			return nil, fmt.Errorf("find stored %s: %w", resource, err)
		}
		stored := Encrypted{Delete: func(ctx context.Context) (int64, error) {
			deleted, err := client.Delete(ctx, prefix, clientv3.WithPrefix())
			if err != nil {
				return 0, fmt.Errorf("delete stored %s: %w", resource, err)
			}
			return deleted.Deleted, nil
		}}
		if len(found.Kvs) > 0 {
			stored.Example = found.Kvs[0].GetValue()
		}
		if transformers[resource], err = open(ctx, stored); err != nil {
			return nil, fmt.Errorf("open the encryption of %s: %w", resource, err)
		}
	}
	return transformers, nil
}

// connectStorage connects to the servers of a storage. It reads the certificates each time.
func connectStorage(transport storagebackend.TransportConfig) (*clientv3.Client, error) {
	config := clientv3.Config{Endpoints: transport.ServerList, Logger: zap.NewNop()}
	if transport.TrustedCAFile != "" || transport.CertFile != "" {
		var err error
		if config.TLS, err = clientTLS(transport); err != nil {
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
