// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// LacksBuild reports whether the error of ObjectBuild means that the object exists, but has no such build.
func (o *Object) LacksBuild(err error) bool { return IsNotFound(err, o.Kind.Name+"/build", o.Name) }

// RequestBuild requests a build of an object of the catalog.
func (c *Connection) RequestBuild(ctx context.Context, object *Object, request *v1alpha1.BuildRequest) (*v1alpha1.ImageBuild, error) {
	build := &v1alpha1.ImageBuild{}
	if err := c.ofObject(http.MethodPost, object, "build").Body(request).Do(ctx).Into(build); err != nil {
		return nil, fmt.Errorf("build %s: %w", object, err)
	}
	return build, nil
}

// ObjectLog requests the log of a build of an object of the catalog. The number 0 is the running build, or else the latest one.
func (c *Connection) ObjectLog(object *Object, number int64, options v1alpha1.ImageBuildLogOptions) *rest.Request {
	return withNumber(withLogOptions(c.ofObject(http.MethodGet, object, "log"), options), number)
}

// ObjectBuild returns a build of an object of the catalog, without its inputs. The number 0 is the running build, or else the latest
// one.
func (c *Connection) ObjectBuild(ctx context.Context, object *Object, number int64) (*v1alpha1.ImageBuild, error) {
	build := &v1alpha1.ImageBuild{}
	if err := withNumber(c.ofObject(http.MethodGet, object, "build"), number).Do(ctx).Into(build); err != nil {
		return nil, fmt.Errorf("read a build of %s: %w", object, err)
	}
	return build, nil
}

// ObjectImage returns the metadata and the status of the Image that stores an object of the catalog, as the object has them.
func (c *Connection) ObjectImage(ctx context.Context, object *Object) (*v1alpha1.Image, error) {
	raw, err := c.ofObject(http.MethodGet, object, "").Do(ctx).Raw()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", object, err)
	}
	view := &catalog.View{}
	if err := json.Unmarshal(raw, view); err != nil {
		return nil, fmt.Errorf("read %s: %w", object, err)
	}
	image := &v1alpha1.Image{ObjectMeta: view.ObjectMeta}
	if view.Status != nil {
		image.Status = *view.Status
	}
	return image, nil
}

// ObserveObjectBuild is ObserveUntilFinished for a build of an object of the catalog. Users of the catalog can get builds, but not
// watch them. Therefore it reads the build once a second. It outlives a restart of the server.
func (c *Connection) ObserveObjectBuild(ctx context.Context, object *Object, build *v1alpha1.ImageBuild, observe func(*v1alpha1.ImageBuild)) error {
	for {
		now, err := c.ObjectBuild(ctx, object, *build.Spec.Number)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			if observe(now); now.Status.Finished {
				return nil
			}
		case object.LacksBuild(err):
			return fmt.Errorf("wait for build %s: %w", build.Name, ErrBuildDeleted)
		case notfound.API(err):
			return fmt.Errorf("wait for build %s: the kind %s is no longer served, but the build continues", build.Name, object.Kind.Kind)
		case !Temporary(err):
			return fmt.Errorf("wait for build %s: %w", build.Name, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(RetryInterval):
		}
	}
}

// withNumber selects a build in a request to an object. The number 0 selects none.
func withNumber(request *rest.Request, number int64) *rest.Request {
	if number == 0 {
		return request
	}
	return request.Param("build", strconv.FormatInt(number, 10))
}
