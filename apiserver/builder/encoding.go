// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
)

// resourceEncoding is a storage factory that stores every resource in its group's first version: as protobuf if its Go
// type can, as the built-in Kubernetes types do, and in the configured media type (JSON) otherwise.
type resourceEncoding struct {
	serverstorage.StorageFactory // the backends, the same for every resource

	config    storagebackend.Config
	mediaType string
	scheme    *runtime.Scheme
	codecs    serializer.CodecFactory
}

// protobufMessage is what the generated protobuf code of k8s.io/api types has.
type protobufMessage interface {
	Marshal() ([]byte, error)
	Unmarshal(data []byte) error
}

// NewConfig returns where and how a resource is stored.
func (f *resourceEncoding) NewConfig(resource schema.GroupResource, example runtime.Object) (*storagebackend.ConfigForResource, error) {
	versions := f.scheme.PrioritizedVersionsForGroup(resource.Group)
	if len(versions) == 0 {
		return nil, fmt.Errorf("no version of group %q is registered", resource.Group)
	}
	mediaType := f.mediaType
	if _, ok := example.(protobufMessage); ok {
		mediaType = runtime.ContentTypeProtobuf
	}
	config := f.config.ForResource(resource)
	codec, versioner, err := serverstorage.NewStorageCodec(serverstorage.StorageCodecConfig{
		StorageMediaType:  mediaType,
		StorageSerializer: f.codecs,
		StorageVersion:    versions[0],
		MemoryVersion:     schema.GroupVersion{Group: resource.Group, Version: runtime.APIVersionInternal},
		Config:            f.config,
	})
	if err != nil {
		return nil, fmt.Errorf("make the storage codec of %s: %w", resource, err)
	}
	config.Codec, config.EncodeVersioner = codec, versioner
	return config, nil
}

// ResourcePrefix returns where in the storage a resource's objects are, so that groups cannot collide.
func (f *resourceEncoding) ResourcePrefix(resource schema.GroupResource) string {
	if resource.Group == "" {
		return resource.Resource
	}
	return resource.Group + "/" + resource.Resource
}
