// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/cmd/internal/builders"
	"goldsmith.dev/goldsmith/cmd/internal/builders/document"
	"goldsmith.dev/goldsmith/jobs/capability"
)

// registry has the builders that an operator registered.
type registry struct {
	builders     map[string]builder
	allowsImages bool
}

// builder is a registered builder.
type builder struct {
	// source is the reference of a container image, or the path of an executable with its arguments.
	source string
	// problem explains why an executable cannot run.
	problem     string
	description string
	reports     bool
	// capabilities are all parameters and targets unless the operator declared some.
	capabilities capability.Capabilities
}

const (
	kindImage      = "image"
	kindExecutable = "executable"
	unknown        = "<unknown>"
)

// kind distinguishes executables from container images: only the path of an executable begins with a slash.
func (b *builder) kind() string {
	if strings.HasPrefix(b.source, "/") {
		return kindExecutable
	}
	return kindImage
}

func (b *builder) runs() string {
	if b.kind() == kindImage {
		return unknown
	}
	return yes(b.problem == "")
}

// read reads the registered builders from the Deployment of an installation and the ConfigMap that the Deployment mounts. Without
// a Deployment, read uses the ConfigMap of `goldsmith up`.
func read(ctx context.Context, cluster kubernetes.Interface) (*registry, error) {
	controller, err := cluster.AppsV1().Deployments(builders.Namespace).Get(ctx, builders.Deployment, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return readConfigMap(ctx, cluster, builders.ConfigMap)
	case err != nil:
		return nil, unreadable("Deployment", builders.Deployment, err)
	}
	registered, err := readConfigMap(ctx, cluster, mounted(controller))
	if err != nil {
		return nil, err
	}
	reporting := []string{}
	flags := pflag.NewFlagSet(builders.Deployment, pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.StringSliceVar(&reporting, "reporting-builders", nil, "")
	flags.BoolVar(&registered.allowsImages, "allow-builder-images", false, "")
	for i := range controller.Spec.Template.Spec.Containers {
		if err := flags.Parse(controller.Spec.Template.Spec.Containers[i].Args); err != nil {
			return nil, fmt.Errorf("read the arguments of Deployment %s/%s: %w", controller.Namespace, controller.Name, err)
		}
	}
	registered.report(reporting)
	return registered, nil
}

// mounted returns the name of the ConfigMap that a Deployment mounts. kustomize adds a suffix to this name.
func mounted(controller *appsv1.Deployment) string {
	for i := range controller.Spec.Template.Spec.Volumes {
		if source := controller.Spec.Template.Spec.Volumes[i].ConfigMap; source != nil && strings.HasPrefix(source.Name, builders.ConfigMap) {
			return source.Name
		}
	}
	return builders.ConfigMap
}

func readConfigMap(ctx context.Context, cluster kubernetes.Interface, name string) (*registry, error) {
	content, err := cluster.CoreV1().ConfigMaps(builders.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, unreadable("ConfigMap", name, err)
	}
	return parse(content)
}

// parse returns the builders of a ConfigMap.
func parse(content *corev1.ConfigMap) (*registry, error) {
	registered := &registry{builders: map[string]builder{}}
	for name, source := range content.Data {
		if path.Ext(name) == document.Extension {
			declared, err := document.DecodeImages([]byte(source))
			if err != nil {
				return nil, errors.Join(document.Within(fmt.Sprintf("read key %s of ConfigMap %s/%s", name, content.Namespace, content.Name), err)...)
			}
			for name, read := range declared {
				registered.builders[name] = builder{source: read.Image, description: read.Description, capabilities: read.Capabilities}
			}
			continue
		}
		read := builder{
			source: strings.TrimSpace(source), problem: content.Annotations[builders.AnnotationProblem+name],
			description: content.Annotations[builders.AnnotationDescription+name],
		}
		if declared, ok := content.Annotations[builders.AnnotationCapabilities+name]; ok {
			if err := json.Unmarshal([]byte(declared), &read.capabilities); err != nil {
				return nil, fmt.Errorf("read annotation %s of ConfigMap %s/%s: %w", builders.AnnotationCapabilities+name, content.Namespace, content.Name, err)
			}
		}
		registered.builders[name] = read
	}
	registered.report(strings.Split(content.Annotations[builders.AnnotationReporting], ","))
	return registered, nil
}

// report sets which builders report their progress.
func (r *registry) report(names []string) {
	for name, builder := range r.builders {
		builder.reports = slices.Contains(names, name)
		r.builders[name] = builder
	}
}

func unreadable(kind, name string, err error) error {
	err = fmt.Errorf("get %s %s/%s: %w", kind, builders.Namespace, name, err)
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w; ask the operator which builders are registered, or for this permission", err)
	}
	return err
}
