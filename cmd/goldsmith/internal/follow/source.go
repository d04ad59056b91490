// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// source is where a build and its logs are read.
type source struct {
	// name is the name of the build.
	name string
	// object is the object of the catalog whose build it is, with the number of the build. It is nil for users of builds.
	object *client.Object
	number int64
	// connection is for users of builds.
	connection *client.Connection
	// observe returns once the build has finished, after a call for each state of the build, the last one included.
	observe func(ctx context.Context, observe func(*v1alpha1.ImageBuild)) error
	// log requests the log.
	log func(options v1alpha1.ImageBuildLogOptions) *rest.Request
}

// buildOf reads a build.
func buildOf(connection *client.Connection, name string) *source {
	return &source{
		name: name, connection: connection,
		observe: func(ctx context.Context, observe func(*v1alpha1.ImageBuild)) error {
			_, err := connection.ObserveUntilFinished(ctx, name, observe)
			return err
		},
		log: func(options v1alpha1.ImageBuildLogOptions) *rest.Request { return connection.Log(name, options) },
	}
}

// buildOfObject reads a build of an object of the catalog by the subresources of the object.
func buildOfObject(connection *client.Connection, object *client.Object, build *v1alpha1.ImageBuild) *source {
	number := *build.Spec.Number
	return &source{
		name: build.Name, object: object, number: number,
		observe: func(ctx context.Context, observe func(*v1alpha1.ImageBuild)) error {
			return connection.ObserveObjectBuild(ctx, object, build, observe)
		},
		log: func(options v1alpha1.ImageBuildLogOptions) *rest.Request {
			return connection.ObjectLog(object, number, options)
		},
	}
}

// arguments returns the arguments by which the verb logs shows the log.
func (s *source) arguments() string {
	if s.object == nil {
		return s.name
	}
	return fmt.Sprintf("%s --build %d", s.object, s.number)
}
