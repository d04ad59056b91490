// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
)

// resourceEncoding is a storage factory that stores every resource in its group's storage version: as protobuf if its Go
// type can, as the built-in Kubernetes types do, and in the configured media type (JSON) otherwise.
type resourceEncoding struct {
	serverstorage.StorageFactory // the backends, which all resources share

	config    storagebackend.Config
	mediaType string
	readable  bool // every object is stored as JSON, even if its type supports protobuf
	stored    []schema.GroupVersion
	scheme    *runtime.Scheme
	codecs    serializer.CodecFactory
}

// protobufMessage has the methods of the generated protobuf code of k8s.io/api types.
type protobufMessage interface {
	Marshal() ([]byte, error)
	Unmarshal(data []byte) error
}

// NewConfig returns the storage configuration of a resource.
func (f *resourceEncoding) NewConfig(resource schema.GroupResource, example runtime.Object) (*storagebackend.ConfigForResource, error) {
	version, err := f.storageVersion(resource, example)
	if err != nil {
		return nil, err
	}
	mediaType := f.mediaType
	if _, ok := example.(protobufMessage); ok && !f.readable {
		mediaType = runtime.ContentTypeProtobuf
	}
	config := f.config.ForResource(resource)
	codec, versioner, err := serverstorage.NewStorageCodec(serverstorage.StorageCodecConfig{
		StorageMediaType:  mediaType,
		StorageSerializer: f.codecs,
		StorageVersion:    version,
		MemoryVersion:     schema.GroupVersion{Group: resource.Group, Version: runtime.APIVersionInternal},
		Config:            f.config,
	})
	if err != nil {
		return nil, fmt.Errorf("make the storage codec of %s: %w", resource, err)
	}
	config.Codec, config.EncodeVersioner = renamingCodec{codec, f.scheme, formerNames(f.scheme, example)}, versioner
	return config, nil
}

// storageVersion returns the first version with the kind. It tries the versions that the description names, the last one
// first, and then the versions in the order of the scheme.
func (f *resourceEncoding) storageVersion(resource schema.GroupResource, example runtime.Object) (schema.GroupVersion, error) {
	kinds, _, err := f.scheme.ObjectKinds(example)
	if err != nil {
		return schema.GroupVersion{}, fmt.Errorf("find the storage version of %s: %w", resource, err)
	}
	described := slices.Clone(f.stored)
	slices.Reverse(described)
	for _, version := range append(described, f.scheme.PrioritizedVersionsForGroup(resource.Group)...) {
		if version.Group == resource.Group && f.scheme.Recognizes(version.WithKind(kinds[0].Kind)) {
			return version, nil
		}
	}
	return schema.GroupVersion{}, fmt.Errorf("find the storage version of %s: no version of its group has the kind %s", resource, kinds[0].Kind)
}

// ResourcePrefix returns the prefix of a resource's keys.
func (f *resourceEncoding) ResourcePrefix(resource schema.GroupResource) string {
	return resourcePrefix(resource)
}

// resourcePrefix returns the prefix of a resource's keys, which differs between groups.
func resourcePrefix(resource schema.GroupResource) string {
	if resource.Group == "" {
		return resource.Resource
	}
	return resource.Group + "/" + resource.Resource
}
