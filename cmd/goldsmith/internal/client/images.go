// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
)

// maxPage is how many items the server has on a page at most.
const maxPage = 500

// ReadImage reads a subresource of an Image with query parameters, of which those that are empty are left out. It does not wait
// for a server that says when to try again: people rather know why.
func (c *Connection) ReadImage(ctx context.Context, image, subresource string, parameters map[string]string, into runtime.Object) error {
	request := c.ImagesV1alpha1().RESTClient().Get().Namespace(c.Namespace).Resource("images").Name(image).SubResource(subresource).MaxRetries(0)
	for name, value := range parameters {
		if value != "" {
			request.Param(name, value)
		}
	}
	err := request.Do(ctx).Into(into)
	switch {
	case parameters["uid"] == "" && IsNotFound(err, "images", image):
		return fmt.Errorf("no image named %s in namespace %s: one that was deleted is found with --uid", image, c.Namespace)
	case err != nil:
		return fmt.Errorf("read the %s of image %s: %w", subresource, image, err)
	}
	return nil
}

// Pages reads up to so many items, or all of them if limit is 0, and returns how to ask for what follows: empty if nothing does.
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
