// SPDX-License-Identifier: Apache-2.0

package codecs

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
)

func TestTheStorageVersionIsOneThatHasTheKind(t *testing.T) {
	g := NewWithT(t)
	version := func(name string) schema.GroupVersion {
		return schema.GroupVersion{Group: "paper.example.com", Version: name}
	}
	scheme := runtime.NewScheme()
	for _, name := range []string{runtime.APIVersionInternal, "v1", "v2"} {
		scheme.AddKnownTypes(version(name), &corev1.ConfigMap{})
	}
	for _, name := range []string{runtime.APIVersionInternal, "v2", "v3"} {
		scheme.AddKnownTypes(version(name), &corev1.Pod{})
	}
	stored := func(kind runtime.Object, described ...schema.GroupVersion) string {
		factory := &StorageFactory{Scheme: scheme, Versions: described}
		found, err := factory.storageVersion(schema.GroupResource{Group: "paper.example.com", Resource: "papers"}, kind)
		g.Expect(err).NotTo(HaveOccurred())
		return found.Version
	}
	g.Expect(stored(&corev1.ConfigMap{})).To(Equal("v1"), "the first version of the scheme")
	g.Expect(stored(&corev1.ConfigMap{}, version("v2"))).To(Equal("v2"))
	g.Expect(stored(&corev1.ConfigMap{}, version("v2"), version("v1"))).To(Equal("v1"), "the last version that the description names")
	g.Expect(stored(&corev1.ConfigMap{}, schema.GroupVersion{Group: "other.example.com", Version: "v2"})).To(Equal("v1"))
	g.Expect(stored(&corev1.Pod{}, version("v1"))).To(Equal("v2"), "a kind that came later")
	g.Expect(stored(&corev1.Pod{}, version("v3"))).To(Equal("v3"))

	_, err := (&StorageFactory{Scheme: runtime.NewScheme()}).storageVersion(schema.GroupResource{Resource: "papers"}, &corev1.Pod{})
	g.Expect(err).To(MatchError(ContainSubstring("find the storage version of papers")))
}

// TestOnlyGroupsOfKubernetesAreStoredAsProtobuf stores a type that has protobuf.
func TestOnlyGroupsOfKubernetesAreStoredAsProtobuf(t *testing.T) {
	const registered = "registered.example.com" // as programs do with kinds of their own that client-go reads
	clientscheme.Scheme.AddKnownTypes(schema.GroupVersion{Group: registered, Version: "v1"}, &corev1.ConfigMap{})
	for group, begins := range map[string]string{"": "k8s\x00", "events.k8s.io": "k8s\x00", "paper.example.com": "{", registered: "{"} {
		version := schema.GroupVersion{Group: group, Version: "v1"}
		g := NewWithT(t)
		scheme := runtime.NewScheme()
		for _, name := range []string{"v1", runtime.APIVersionInternal} {
			scheme.AddKnownTypeWithName(schema.GroupVersion{Group: version.Group, Version: name}.WithKind("ConfigMap"), &corev1.ConfigMap{})
		}
		factory := &StorageFactory{MediaType: runtime.ContentTypeJSON, Scheme: scheme, Codecs: serializer.NewCodecFactory(scheme)}
		config, err := factory.NewConfig(version.WithResource("configmaps").GroupResource(), &corev1.ConfigMap{})
		g.Expect(err).NotTo(HaveOccurred())
		stored, err := runtime.Encode(config.Codec, &corev1.ConfigMap{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(stored)).To(HavePrefix(begins), group)
	}
}
