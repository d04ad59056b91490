// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	kindImage      = "image"
	kindExecutable = "executable"
	unknown        = "<unknown>"
)

// kind tells what the program of a builder is.
func kind(builder *v1alpha1.Builder) string {
	if builder.Executable != nil {
		return kindExecutable
	}
	return kindImage
}

// program returns the reference of a container image, or the path of an executable with its arguments.
func program(builder *v1alpha1.Builder) string {
	if builder.Executable == nil {
		return builder.Image
	}
	return strings.Join(append([]string{builder.Executable.Path}, builder.Executable.Args...), " ")
}

// problem returns why an executable cannot run.
func problem(builder *v1alpha1.Builder) string {
	if builder.Executable == nil {
		return ""
	}
	return builder.Executable.Problem
}

func runs(builder *v1alpha1.Builder) string {
	if builder.Executable == nil {
		return unknown
	}
	return yesOrNo(problem(builder) == "")
}

// list reads the registered builders that make images, sorted by name.
func list(ctx context.Context, connection *client.Connection) ([]v1alpha1.Builder, error) {
	builders, err := connection.ImagesV1alpha1().Builders().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, unreadable("list the builders", err)
	}
	return slices.DeleteFunc(builders.Items, func(builder v1alpha1.Builder) bool { return builder.Name == inputs.Tester }), nil
}

// get reads a registered builder.
func get(ctx context.Context, connection *client.Connection, name string) (*v1alpha1.Builder, error) {
	builder, err := connection.ImagesV1alpha1().Builders().Get(ctx, name, metav1.GetOptions{})
	if client.IsNotFound(err, "builders", name) {
		return nil, fmt.Errorf("no builder is registered as %q: `goldsmith builders` lists the registered builders", name)
	}
	if err != nil {
		return nil, unreadable("get builder "+name, err)
	}
	return builder, nil
}

// unreadable adds the next step to an error.
func unreadable(operation string, err error) error {
	switch {
	case notfound.API(err):
		return fmt.Errorf("%s: the server has no resource builders, because it is older than this command: update the server, or use the goldsmith of its version", operation)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %w; ask the operator which builders are registered, or for this permission in a ClusterRoleBinding", operation, err)
	}
	return fmt.Errorf("%s: %w", operation, err)
}
