// SPDX-License-Identifier: Apache-2.0

package smoke

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// ownObjects are the objects of an inventory that are, by their name, kind or namespace, Goldsmith's. The cluster itself may
// have that name, and so its nodes, too.
func ownObjects(e cluster.Environment, inventory []string) []string {
	nodes := append([]string{e.Nodes.ControlPlane()}, e.Nodes.Workers()...)
	return slices.DeleteFunc(slices.Clone(inventory), func(object string) bool {
		for _, node := range nodes {
			object = strings.ReplaceAll(object, node, "")
		}
		return !strings.Contains(object, "goldsmith")
	})
}

// ofSpecs are the objects of an inventory in namespaces that specs have made, and these namespaces. empty is the inventory without an installation.
func ofSpecs(empty, inventory []string) []string {
	const namespaces = "namespaces. /"
	made := map[string]bool{}
	for _, object := range added(empty, inventory) {
		if name, ok := strings.CutPrefix(object, namespaces); ok && name != cluster.Namespace {
			made[name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(inventory), func(object string) bool {
		_, of, _ := strings.Cut(object, " ")
		namespace, _, _ := strings.Cut(of, "/")
		return !made[namespace] && !made[strings.TrimPrefix(object, namespaces)]
	})
}

// added are the objects that were not there before.
func added(before, inventory []string) []string {
	return slices.DeleteFunc(slices.Clone(inventory), func(object string) bool { return slices.Contains(before, object) })
}

// eventuallyNothingIsLeft waits until all objects of an installation and all new objects are deleted. Some objects, such as
// volumes, are deleted later than their owners.
func eventuallyNothingIsLeft(ctx context.Context, e cluster.Environment, before []string) {
	GinkgoHelper()
	Eventually(ctx, func(ctx context.Context) ([]string, error) {
		inventory, err := e.Inventory(ctx)
		if err != nil || before == nil {
			return ownObjects(e, inventory), err
		}
		return append(ownObjects(e, inventory), added(before, inventory)...), nil
	}).WithTimeout(e.Patience).Should(BeEmpty())
}
