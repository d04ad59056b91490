// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"fmt"
	"path"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	storagevalue "k8s.io/apiserver/pkg/storage/value"

	"goldsmith.dev/goldsmith/apiserver/codecs"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
)

// OpenEncryption returns the transformer that encrypts and decrypts the objects of a resource. A server calls it once, when its
// storage runs and before it serves. So OpenEncryption can refuse a key that does not fit the stored objects, instead of a server
// that reads nothing. Its error ends the start.
type OpenEncryption func(ctx context.Context, stored Encrypted) (storagevalue.Transformer, error)

// Encrypted are the stored objects of a resource, before the server serves. The API can neither read nor delete an object that
// its transformer cannot decrypt.
type Encrypted struct {
	client *clientv3.Client
	prefix string
}

// Undecryptable returns the keys of the objects that a transformer cannot decrypt, such as default/mirror. Without a transformer, it
// returns the keys of all objects.
func (e Encrypted) Undecryptable(ctx context.Context, transformer storagevalue.Transformer) (keys []string, err error) {
	const page = 20 // of objects of a megabyte
	options := []clientv3.OpOption{clientv3.WithRange(clientv3.GetPrefixRangeEnd(e.prefix)), clientv3.WithLimit(page)}
	if transformer == nil {
		options = append(options, clientv3.WithKeysOnly())
	}
	for from := e.prefix; ; {
		found, err := e.client.Get(ctx, from, options...)
		if err != nil {
			return nil, fmt.Errorf("read stored objects of %s: %w", e.prefix, err)
		}
		for _, object := range found.Kvs {
			key := string(object.Key)
			from = key + "\x00" // after this key
			if transformer != nil {
				_, _, err = transformer.TransformFromStorage(ctx, object.Value, storagevalue.DefaultContext(key))
			}
			if transformer == nil || err != nil {
				keys = append(keys, strings.TrimPrefix(key, e.prefix))
			}
		}
		if !found.More {
			return keys, nil
		}
	}
}

// Delete deletes the objects with these keys.
func (e Encrypted) Delete(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if _, err := e.client.Delete(ctx, e.prefix+key); err != nil {
			return fmt.Errorf("delete stored object %s%s: %w", e.prefix, key, err)
		}
	}
	return nil
}

// WithEncryption encrypts the objects of a resource in the storage.
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
	client, err := etcd.Connect(o.Recommended.Etcd.StorageConfig.Transport)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }() // all its requests are answered
	transformers := encryptionconfig.StaticTransformers{}
	for resource, open := range o.server.encryption {
		stored := Encrypted{client, path.Join("/", o.Recommended.Etcd.StorageConfig.Prefix, codecs.ResourcePrefix(resource)) + "/"}
		if transformers[resource], err = open(ctx, stored); err != nil {
			return nil, fmt.Errorf("open the encryption of %s: %w", resource, err)
		}
	}
	return transformers, nil
}
