// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	imagesv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/cmd/internal/memory"
	"goldsmith.dev/goldsmith/cmd/internal/registries"
	"goldsmith.dev/goldsmith/cmd/internal/sources"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/source"
	"goldsmith.dev/goldsmith/jobs/transfer"
)

// containerName is the container of this process in its pod.
const containerName = "goldsmith-controller"

// newTransferCommands returns the commands that the controller runs in the pods of builds, beside their builders.
func newTransferCommands() []*cobra.Command {
	return []*cobra.Command{
		newTransferCommand(render.FetchCommand, "Fetch the source and the artifacts of the base for the builder of this pod; the controller starts it", transfer.Fetch),
		newTransferCommand(render.CheckSourceCommand, "Find out what the source of an image names; the controller starts it", func(ctx context.Context, o transfer.Options) error {
			return transfer.RunCheck(ctx, os.Getenv, "/", source.Options{Allowed: o.AllowedNetworks, PlainHTTP: o.PlainHTTP, Log: o.Log})
		}),
		newTransferCommand(render.PublishCommand, "Publish what the builder of this pod made; the controller starts it", transfer.Publish),
	}
}

func newTransferCommand(name, short string, run func(context.Context, transfer.Options) error) *cobra.Command {
	var trusted registries.Flags
	var networks sources.Networks
	command := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			memory.Manage(command.Context())
			builds, err := buildsOfPod()
			if err != nil {
				return err
			}
			allowed, err := networks.Prefixes()
			if err != nil {
				return err
			}
			return run(command.Context(), transfer.Options{
				Builds:    builds,
				PlainHTTP: trusted.PlainHTTP, AllowedNetworks: allowed,
				UserAgent: "goldsmith/" + buildversion.Get(version),
				Log: func(format string, args ...any) {
					_, _ = fmt.Fprintf(command.OutOrStdout(), "goldsmith: "+format+"\n", args...) // a log that cannot be written is lost
				},
			})
		},
	}
	trusted.AddTo(command.Flags())
	networks.AddTo(command.Flags())
	return command
}

// buildsOfPod returns a client with the token of the pod of a publisher, or nil in a pod without this token.
func buildsOfPod() (imagesv1alpha1.ImageBuildsGetter, error) {
	if _, err := os.Stat(render.AttestToken); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	client, err := imagesv1alpha1.NewForConfig(&rest.Config{
		Host: render.AttestServer, BearerTokenFile: render.AttestToken, TLSClientConfig: rest.TLSClientConfig{CAFile: render.AttestCA},
		UserAgent: "goldsmith/" + buildversion.Get(version),
		// No proxy: a user who requests a build could set one, and it would see the token.
		Proxy:         func(*http.Request) (*url.URL, error) { return nil, nil },
		WrapTransport: func(next http.RoundTripper) http.RoundTripper { return publisherToken{render.PublisherToken, next} },
	})
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	return client, nil
}

// publisherToken sends the token of the publisher at the attest subresource, besides the token of the pod.
type publisherToken struct {
	file string
	next http.RoundTripper
}

// RoundTrip sends a request. It reads the file for each request, because the kubelet replaces the token. A pod of an earlier version has no file.
func (t publisherToken) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(request.URL.Path, "/attest") {
		return t.next.RoundTrip(request)
	}
	token, err := os.ReadFile(t.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the token of the publisher: %w", err)
	}
	if err == nil {
		request = request.Clone(request.Context())
		request.Header.Set(v1alpha1.PublisherTokenHeader, strings.TrimSpace(string(token)))
	}
	return t.next.RoundTrip(request)
}

// publisher returns the publisher of builds. Without the flag its image is that of this process, whose pod is in the namespace.
func (o *options) publisher(ctx context.Context, logger logr.Logger, config *rest.Config, namespace string) (inputs.Publisher, error) {
	found := inputs.Publisher{Image: o.publisherImage, PlainHTTP: o.registries.PlainHTTP, AllowedNetworks: o.sources.Allowed}
	var withheld []string
	if found.Proxy, withheld = sources.PodProxy(os.Getenv); len(withheld) > 0 {
		logger.Info("Pods reach the sources of images without these proxies, whose credentials users could read", "variables", withheld)
	}
	name := os.Getenv(podNameVariable)
	if found.Image != "" || name == "" || namespace == "" {
		return found, nil
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return found, fmt.Errorf("find the image of this process: %w", err)
	}
	pod, err := client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return found, fmt.Errorf("find the image of this process, or set --publisher-image: %w", err)
	}
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == containerName {
			found.Image = pod.Spec.Containers[i].Image
		}
	}
	return found, nil
}
