// SPDX-License-Identifier: Apache-2.0

package client

import (
	"time"

	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Log requests the log of a build.
func (c *Connection) Log(build string, options v1alpha1.ImageBuildLogOptions) *rest.Request {
	return withLogOptions(c.ImagesV1alpha1().RESTClient().Get().Namespace(c.Namespace).Resource("imagebuilds").Name(build).SubResource("log"), options)
}

// withLogOptions adds the options to a request. The codec of parameters would cut sinceTime to the second.
func withLogOptions(request *rest.Request, options v1alpha1.ImageBuildLogOptions) *rest.Request {
	since := options.SinceTime
	options.SinceTime = nil
	request.VersionedParams(&options, scheme.ParameterCodec)
	if since != nil {
		request.Param("sinceTime", since.UTC().Format(time.RFC3339Nano))
	}
	return request
}
