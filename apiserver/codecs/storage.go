// SPDX-License-Identifier: Apache-2.0

package codecs

import (
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/client-go/kubernetes/scheme"
)

// kubernetes has the groups that are built into Kubernetes. Programs add other groups to client-go's own scheme. Only servers need it, and
// the program of a server has many commands.
var kubernetes = sync.OnceValue(func() *runtime.Scheme {
	builtIn := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(builtIn))
	return builtIn
})

// StorageFactory stores every resource in its group's storage version: resources of Kubernetes' groups as protobuf, and all others in the
// configured media type (JSON), which servers of other releases read too.
type StorageFactory struct {
	serverstorage.StorageFactory // the backends, which all resources share

	// Config is the storage that all resources share.
	Config storagebackend.Config
	// MediaType is how objects of other groups than those of Kubernetes are stored.
	MediaType string
	// Versions are the storage versions. Of several versions of a group, the last one counts.
	Versions []schema.GroupVersion
	// Scheme has the kinds, and Codecs their codecs.
	Scheme *runtime.Scheme
	Codecs serializer.CodecFactory
}

// NewConfig returns the storage configuration of a resource.
func (f *StorageFactory) NewConfig(resource schema.GroupResource, example runtime.Object) (*storagebackend.ConfigForResource, error) {
	version, err := f.storageVersion(resource, example)
	if err != nil {
		return nil, err
	}
	mediaType := f.MediaType
	if kubernetes().IsGroupRegistered(resource.Group) {
		mediaType = runtime.ContentTypeProtobuf
	}
	config := f.Config.ForResource(resource)
	codec, versioner, err := serverstorage.NewStorageCodec(serverstorage.StorageCodecConfig{
		StorageMediaType:  mediaType,
		StorageSerializer: f.Codecs,
		StorageVersion:    version,
		MemoryVersion:     schema.GroupVersion{Group: resource.Group, Version: runtime.APIVersionInternal},
		Config:            f.Config,
	})
	if err != nil {
		return nil, fmt.Errorf("make the storage codec of %s: %w", resource, err)
	}
	config.Codec, config.EncodeVersioner = storedObjects{codec}, versioner
	return config, nil
}

// storedObjects reads objects without their kind, like internal objects: if the stored type is also the internal type, the items of a list
// would have kinds, unlike the items of Kubernetes' own lists.
type storedObjects struct{ runtime.Codec }

// Decode reads an object.
func (c storedObjects) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	object, kind, err := c.Codec.Decode(data, defaults, into)
	if object != nil {
		object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
	return object, kind, err
}

// storageVersion returns the first version with the kind. It tries the versions that the description names, the last one
// first, and then the versions in the order of the scheme.
func (f *StorageFactory) storageVersion(resource schema.GroupResource, example runtime.Object) (schema.GroupVersion, error) {
	kinds, _, err := f.Scheme.ObjectKinds(example)
	if err != nil {
		return schema.GroupVersion{}, fmt.Errorf("find the storage version of %s: %w", resource, err)
	}
	described := slices.Clone(f.Versions)
	slices.Reverse(described)
	for _, version := range append(described, f.Scheme.PrioritizedVersionsForGroup(resource.Group)...) {
		if version.Group == resource.Group && f.Scheme.Recognizes(version.WithKind(kinds[0].Kind)) {
			return version, nil
		}
	}
	return schema.GroupVersion{}, fmt.Errorf("find the storage version of %s: no version of its group has the kind %s", resource, kinds[0].Kind)
}

// ResourcePrefix implements serverstorage.StorageFactory.
func (f *StorageFactory) ResourcePrefix(resource schema.GroupResource) string {
	return ResourcePrefix(resource)
}

// ResourcePrefix returns the prefix of a resource's keys, which differs between groups.
func ResourcePrefix(resource schema.GroupResource) string {
	if resource.Group == "" {
		return resource.Resource
	}
	return resource.Group + "/" + resource.Resource
}
