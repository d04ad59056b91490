// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"time"

	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	basecompatibility "k8s.io/component-base/compatibility"

	"goldsmith.dev/goldsmith/apiserver/builder/kubeversion"
)

// watchShutdownGrace bounds how long a stopping server waits for its watches to end.
const watchShutdownGrace = time.Second

// runOptions returns how a server runs: its limits and timeouts, and how it ends. It has the versions that this program
// was built with, in a registry of its own, because the library's belongs to the process.
func runOptions(name string) (*genericoptions.ServerRunOptions, error) {
	if err := kubeversion.Set(); err != nil {
		return nil, err
	}
	registry := basecompatibility.NewComponentGlobalsRegistry()
	if err := registry.Register(name, compatibility.DefaultBuildEffectiveVersion(), nil); err != nil {
		return nil, fmt.Errorf("register the version of %s: %w", name, err)
	}
	if err := registry.Set(); err != nil {
		return nil, fmt.Errorf("set the version of %s: %w", name, err)
	}
	options := genericoptions.NewServerRunOptionsForComponent(name, registry)
	options.ShutdownSendRetryAfter = true
	options.ShutdownWatchTerminationGracePeriod = watchShutdownGrace
	return options, nil
}
