// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/applyset"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// refusedFiles returns what `goldsmith up --apply` could not apply. Its record is in the namespace default. A user who may not read that learns nothing
// of it: the images and builds that the user may read are listed without it.
func refusedFiles(ctx context.Context, connection *client.Connection, namespace string) []finding {
	if connection.Config == nil || namespace != metav1.NamespaceAll && namespace != metav1.NamespaceDefault {
		return nil
	}
	kube, err := kubernetes.NewForConfig(connection.Config)
	if err != nil {
		return nil
	}
	parents, err := kube.CoreV1().ConfigMaps(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{LabelSelector: applyset.ParentLabel})
	if err != nil {
		return nil
	}
	return filesOf(parents.Items)
}

// filesOf returns a finding for each line about a file or an object that could not be applied.
func filesOf(parents []corev1.ConfigMap) (found []finding) {
	for i := range parents {
		parent := &parents[i]
		parent.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap")) // which a list leaves out
		lines := strings.Split(parent.Annotations[applyset.FailuresAnnotation], "\n")
		for line := range slices.Values(lines) {
			if file, message, ok := strings.Cut(line, ": "); ok {
				found = append(found, finding{severity: notReady, kind: "file", name: file, reason: "not applied", message: message, object: parent})
			}
		}
	}
	return found
}
