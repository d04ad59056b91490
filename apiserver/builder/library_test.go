// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
)

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}
}

func key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: name}
}

func theCyberiad() *v2.Book {
	return &v2.Book{ObjectMeta: named("cyberiad"), Spec: v2.BookSpec{
		Title:    "The Cyberiad",
		Authors:  []v2.Author{{Name: "Lem"}, {Name: "Kandel", Role: v2.RoleTranslator}},
		Location: "L 3",
	}}
}
