// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// comeAndGo are kinds that report events, or that are created again all the time. They are not part of an inventory.
var comeAndGo = []string{"events", "leases", "componentstatuses"}

// Inventory are all objects of the cluster, each as "resource.group namespace/name", but for those that come and go by
// themselves.
func (e Environment) Inventory(ctx context.Context) ([]string, error) {
	config := rest.CopyConfig(e.Config)
	config.WarningHandler = rest.NoWarnings{} // of kinds that are deprecated
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(config).ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("listing what the cluster serves: %w", err)
	}
	client := metadata.NewForConfigOrDie(config)
	var inventory []string
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if slices.Contains(comeAndGo, resource.Name) {
				continue
			}
			objects, err := client.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("listing %s of %s: %w", resource.Name, version, err)
			}
			for _, object := range objects.Items {
				inventory = append(inventory, strings.TrimSpace(fmt.Sprintf("%s.%s %s/%s", resource.Name, version.Group, object.Namespace, object.Name)))
			}
		}
	}
	slices.Sort(inventory)
	return inventory, nil
}

// Changes returns the lines that applying the overlay again would add to the cluster's objects (+) or remove (-).
func (e Environment) Changes(ctx context.Context) ([]string, error) {
	changes := ""
	err := e.withKustomization(func(directory string) error {
		command := e.Kubectl(ctx, "diff", "-k", directory)
		output, err := command.CombinedOutput()
		changes = string(output)
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 {
			return nil // it differs
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("comparing %s with what is installed: %w: %s", e.Overlay, err, changes)
	}
	return slices.DeleteFunc(strings.Split(changes, "\n"), func(line string) bool {
		return !strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "-")
	}), nil
}
