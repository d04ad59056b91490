// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// maxPage is the maximum number of items on a page of the server.
const maxPage = 500

// ReadImage reads a subresource of an Image with query parameters, and omits empty parameters. If the server answers when to try
// again, ReadImage returns the cause at once instead of waiting.
func (c *Connection) ReadImage(ctx context.Context, image, subresource string, parameters map[string]string, into runtime.Object) error {
	err := read(ctx, c.ImagesV1alpha1().RESTClient().Get().Namespace(c.Namespace).Resource("images").Name(image).SubResource(subresource), parameters, into)
	switch {
	case parameters["uid"] == "" && IsNotFound(err, "images", image):
		return c.notFound(ctx, Image, image, "--uid finds a deleted image, and `goldsmith history --deleted` lists the UIDs")
	case err != nil:
		return fmt.Errorf("read the %s of image %s: %w", subresource, image, err)
	}
	return nil
}

// ReadDeletedImages reads reports of deleted Images with query parameters, as ReadImage does. A name that is not empty selects
// the Images of that name.
func (c *Connection) ReadDeletedImages(ctx context.Context, name string, parameters map[string]string, into runtime.Object) error {
	selected := fields.Set{"deleted": "true"}
	if name != "" {
		selected["metadata.name"] = name
	}
	request := c.ImagesV1alpha1().RESTClient().Get().Namespace(c.Namespace).Resource("imagereports").Param("fieldSelector", selected.String())
	if err := read(ctx, request, parameters, into); err != nil {
		return fmt.Errorf("list the deleted images of namespace %s: %w", c.Namespace, err)
	}
	return nil
}

func read(ctx context.Context, request *rest.Request, parameters map[string]string, into runtime.Object) error {
	for name, value := range parameters {
		if value != "" {
			request.Param(name, value)
		}
	}
	return request.MaxRetries(0).Do(ctx).Into(into)
}

// ListImages lists the Images of a namespace. Without a namespace it lists those of all namespaces, or, if the user can list those of the
// connection's namespace only, lists these and tells the user so. It returns the namespace, or metav1.NamespaceAll.
func (c *Connection) ListImages(ctx context.Context, namespace string, stderr io.Writer) ([]v1alpha1.Image, string, error) {
	images, err := c.listImages(ctx, namespace)
	if namespace != metav1.NamespaceAll || !apierrors.IsForbidden(err) {
		return images, namespace, err
	}
	if _, err := fmt.Fprintf(stderr, "you cannot list the images of all namespaces: this is namespace %s only\n", c.Namespace); err != nil {
		return nil, "", err
	}
	images, err = c.listImages(ctx, c.Namespace)
	return images, c.Namespace, err
}

func (c *Connection) listImages(ctx context.Context, namespace string) ([]v1alpha1.Image, error) {
	images, _, err := Pages(0, func(limit int, next string) ([]v1alpha1.Image, string, error) {
		page, err := c.ImagesV1alpha1().Images(namespace).List(ctx, metav1.ListOptions{Limit: int64(limit), Continue: next})
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Continue, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the images of %s: %w", nameOfScope(namespace), err)
	}
	return images, nil
}

// ListBuilds lists the builds of a namespace, or of all namespaces, that a field selector selects.
func (c *Connection) ListBuilds(ctx context.Context, namespace string, selector fields.Selector) ([]v1alpha1.ImageBuild, error) {
	builds, _, err := Pages(0, func(limit int, next string) ([]v1alpha1.ImageBuild, string, error) {
		options := metav1.ListOptions{FieldSelector: selector.String(), Limit: int64(limit), Continue: next}
		page, err := c.ImagesV1alpha1().ImageBuilds(namespace).List(ctx, options)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Continue, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the builds of %s: %w", nameOfScope(namespace), err)
	}
	return builds, nil
}

func nameOfScope(namespace string) string {
	if namespace == metav1.NamespaceAll {
		return "all namespaces"
	}
	return "namespace " + namespace
}

// Pages reads at most limit items, or all items if limit is 0. next continues after them, and is empty if no items follow.
func Pages[T any](limit int, read func(limit int, next string) (items []T, following string, err error)) (items []T, next string, err error) {
	for {
		size := maxPage
		if limit > 0 {
			size = min(size, limit-len(items))
		}
		var page []T
		page, next, err = read(size, next)
		if err != nil {
			return nil, "", err
		}
		items = append(items, page...)
		if next == "" || limit > 0 && len(items) >= limit {
			return items, next, nil
		}
	}
}
