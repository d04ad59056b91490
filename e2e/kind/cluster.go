// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/e2e-framework/pkg/types"
	framework "sigs.k8s.io/e2e-framework/third_party/kind"
)

// Options configure a cluster.
type Options struct {
	// Workers is the number of nodes beside the control plane's. Default: 0, and the control plane runs pods too.
	Workers int
	// Audit makes the API server write an audit log of every request's metadata: see Cluster.AuditLog.
	Audit bool
	// Authentication is a folder with the file config.yaml, an AuthenticationConfiguration that the API server follows. Default: none.
	Authentication string
	// Progress gets a line for each step of building and creating. Default: standard error.
	Progress io.Writer
}

// Cluster is one kind cluster. Its zero value is of no use: see New.
type Cluster struct {
	name    string
	options Options
	script  string
	tools   string             // a directory with kind and kubectl; empty before Create
	kind    *framework.Cluster // nil before Create
}

var _ types.E2EClusterProviderWithImageLoader = &Cluster{}

// New returns the cluster of that name, which may or may not exist. It fails outside of a checkout of this module.
func New(name string, options Options) (*Cluster, error) {
	script, err := findScript()
	if err != nil {
		return nil, err
	}
	if options.Progress == nil {
		options.Progress = os.Stderr
	}
	return &Cluster{name: name, options: options, script: script}, nil
}

// Create makes the cluster exist, with its nodes ready, and returns the path of a kubeconfig for it alone. What is missing for
// that is installed and built first, which takes minutes once on a machine. A cluster that exists and is healthy stays as it is;
// one that is not as the options say is an error. The user's kubeconfig gets the context too. Create takes no arguments.
func (c *Cluster) Create(ctx context.Context, args ...string) (string, error) {
	if len(args) > 0 {
		return "", fmt.Errorf("create cluster %s: arguments %q: there are none", c.name, args)
	}
	words := []string{"up", c.name, "--workers", strconv.Itoa(c.options.Workers)}
	if c.options.Audit {
		words = append(words, "--audit")
	}
	if c.options.Authentication != "" {
		words = append(words, "--authentication", c.options.Authentication)
	}
	if _, err := c.run(ctx, words...); err != nil {
		return "", fmt.Errorf("create cluster %s: %w", c.name, err)
	}
	tools, err := c.run(ctx, "tools")
	if err != nil {
		return "", fmt.Errorf("tools of cluster %s: %w", c.name, err)
	}
	c.tools = strings.TrimSpace(tools)
	c.kind = framework.NewCluster(c.name)
	c.kind.WithPath(filepath.Join(c.tools, "kind"))
	kubeconfig, err := c.kind.Create(ctx) // which finds it, and reads its kubeconfig
	if err != nil {
		return "", fmt.Errorf("kubeconfig of cluster %s: %w", c.name, err)
	}
	return kubeconfig, nil
}

// CreateWithConfig is refused: the configuration is the script's.
func (c *Cluster) CreateWithConfig(context.Context, string) (string, error) {
	return "", fmt.Errorf("create cluster %s: a configuration of your own cannot be given", c.name)
}

// Destroy removes the cluster and its context from the user's kubeconfig. One that does not exist is no error.
func (c *Cluster) Destroy(ctx context.Context) error {
	if _, err := c.run(ctx, "down", c.name); err != nil {
		return fmt.Errorf("delete cluster %s: %w", c.name, err)
	}
	if c.kind == nil {
		return nil
	}
	return os.RemoveAll(c.kind.GetKubeconfig())
}

// LoadImage puts an image of this machine's Docker onto every node; more images may follow as arguments.
func (c *Cluster) LoadImage(ctx context.Context, image string, args ...string) error {
	if _, err := c.run(ctx, append([]string{"load", c.name, image}, args...)...); err != nil {
		return fmt.Errorf("load images into cluster %s: %w", c.name, err)
	}
	return nil
}

// LoadImageArchive puts the images of a `docker save` onto every node.
func (c *Cluster) LoadImageArchive(ctx context.Context, archive string, args ...string) error {
	return c.kind.LoadImageArchive(ctx, archive, args...)
}

// AuditLog returns what the API server has logged so far, one JSON event in each line, of a cluster with the option Audit.
func (c *Cluster) AuditLog(ctx context.Context) (string, error) {
	log, err := c.run(ctx, "audit-log", c.name)
	if err != nil {
		return "", fmt.Errorf("audit log of cluster %s: %w", c.name, err)
	}
	return log, nil
}

// HostAddress returns the address of this machine for the nodes and pods of clusters.
func (c *Cluster) HostAddress(ctx context.Context) (net.IP, error) {
	said, err := c.run(ctx, "host-address")
	if err != nil {
		return nil, fmt.Errorf("address of this machine: %w", err)
	}
	address := net.ParseIP(strings.TrimSpace(said))
	if address == nil {
		return nil, fmt.Errorf("address of this machine: %q is none", said)
	}
	return address, nil
}

// Tools returns the directory of kind and the cluster's version of kubectl, for PATH. It is empty before Create.
func (c *Cluster) Tools() string { return c.tools }

// GetKubeconfig returns the path that Create returned.
func (c *Cluster) GetKubeconfig() string { return c.kind.GetKubeconfig() }

// GenerateKubeconfig writes another kubeconfig, with arguments for `kind get kubeconfig`, and returns its path.
func (c *Cluster) GenerateKubeconfig(args ...string) (string, error) {
	return c.kind.GenerateKubeconfig(args...)
}

// GetKubectlContext returns the context that the user's kubeconfig has for the cluster.
func (c *Cluster) GetKubectlContext() string { return "kind-" + c.name }

// ExportLogs writes the logs of nodes and containers into a directory.
func (c *Cluster) ExportLogs(ctx context.Context, directory string) error {
	return c.kind.ExportLogs(ctx, directory)
}

// KubernetesRestConfig returns how to reach the API server. It is nil before Create.
func (c *Cluster) KubernetesRestConfig() *rest.Config { return c.kind.KubernetesRestConfig() }

// WaitForControlPlane has nothing to wait for: Create returns with the nodes ready.
func (c *Cluster) WaitForControlPlane(context.Context, klient.Client) error { return nil }

// SetDefaults is the framework's first call: the defaults are set.
func (c *Cluster) SetDefaults() types.E2EClusterProvider { return c }

// WithName changes the name, before Create.
func (c *Cluster) WithName(name string) types.E2EClusterProvider {
	c.name = name
	return c
}

// WithVersion changes nothing: versions.env has every version.
func (c *Cluster) WithVersion(string) types.E2EClusterProvider { return c }

// WithPath changes nothing: the script has a kind of its own.
func (c *Cluster) WithPath(string) types.E2EClusterProvider { return c }

// WithOpts applies options of the framework's.
func (c *Cluster) WithOpts(opts ...types.ClusterOpts) types.E2EClusterProvider {
	for _, apply := range opts {
		apply(c)
	}
	return c
}
