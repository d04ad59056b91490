// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"net"
	"os/exec"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
)

const (
	// Namespace is where Goldsmith is installed.
	Namespace = "goldsmith-system"
	// APIService is the registration of the API of Images with kube-apiserver. Each version of the catalog has another one.
	APIService = "v1alpha1.images.goldsmith.dev"
	// PartOf is the value of the label app.kubernetes.io/part-of that all objects of an installation carry.
	PartOf = "goldsmith"
)

// The value of the label app.kubernetes.io/name, and the name, of each part of an installation.
const (
	// APIServer is a Deployment.
	APIServer = "goldsmith-apiserver"
	// Controller is a Deployment.
	Controller = "goldsmith-controller"
	// Console is a Deployment of the component console.
	Console = "goldsmith-console"
	// Etcd is a StatefulSet.
	Etcd = "goldsmith-etcd"
	// KindsConfigMap is the ConfigMap of Environment.Kinds.
	KindsConfigMap = "goldsmith-kinds"
	// KindsFile is the key of that ConfigMap.
	KindsFile = "kinds.yaml"
)

// Environment is a cluster, and what is to be installed there. It is a value: a copy with another Overlay or Version is
// another installation on the same cluster.
type Environment struct {
	// Config reaches kube-apiserver as a user with all permissions, without a rate limit.
	Config *rest.Config
	// Kubeconfig is the path of a kubeconfig with the same settings as Config.
	Kubeconfig string
	// Kubectl is a command that runs kubectl with these arguments and that kubeconfig.
	Kubectl func(ctx context.Context, args ...string) *exec.Cmd
	// Nodes acts on nodes where no API can.
	Nodes Nodes
	// AuditLog returns the audit log of kube-apiserver so far: an event of audit.k8s.io in JSON in each line.
	AuditLog func(ctx context.Context) (string, error)
	// Authenticate makes kube-apiserver follow an AuthenticationConfiguration, soon.
	Authenticate func(configuration string) error
	// HostAddress returns the address of this machine for the nodes and pods of the cluster.
	HostAddress func(ctx context.Context) (net.IP, error)
	// Overlay is the path of the kustomize overlay that is installed.
	Overlay string
	// Version is the tag of the container images that are installed. They are on every node already.
	Version string
	// Builders are registered besides those of the overlay: references of container images by name.
	Builders map[string]string
	// Debian is whether the builders debian and tester are registered.
	Debian bool
	// LogArchive is where logs of builds are archived. Defaults to nowhere.
	LogArchive *LogArchive
	// Records are where builds are recorded. Defaults to nowhere.
	Records *Records
	// Advisories are the advisories of the API server, or empty.
	Advisories string
	// Kinds is a document with the kinds of images that the installation configures, or empty.
	Kinds string
	// Kueue is whether Images may name its queues.
	Kueue bool
	// Compaction is the interval at which Goldsmith's etcd compacts old versions of objects. Defaults to the overlay's value.
	Compaction time.Duration
	// Disposable is whether the cluster is discarded after the specs. Goldsmith's etcd then does not wait for the disk.
	Disposable bool
	// Empty is the inventory of the cluster before anything was installed. It is empty if that is not known.
	Empty []string
	// Artifacts is the folder for the logs and objects of failed specs.
	Artifacts string
	// Patience is how long a spec waits for one thing to happen.
	Patience time.Duration
}

// Nodes are the machines of a cluster, by the names of their Node objects.
type Nodes interface {
	// ControlPlane is the node that kube-apiserver runs on.
	ControlPlane() string
	// Workers are the nodes that builds run on.
	Workers() []string
	// Pause freezes a node: its processes stop, and the node is unreachable.
	Pause(ctx context.Context, node string) error
	// Unpause resumes a node.
	Unpause(ctx context.Context, node string) error
	// Restart stops a node and starts it again.
	Restart(ctx context.Context, node string) error
	// Run runs a command on a node, and returns what it shows.
	Run(ctx context.Context, node string, command ...string) ([]byte, error)
}

// Kube is a client for the built-in APIs of Kubernetes.
func (e Environment) Kube() kubernetes.Interface {
	return kubernetes.NewForConfigOrDie(e.Config)
}

// Goldsmith is a client for images and builds.
func (e Environment) Goldsmith() versioned.Interface {
	return versioned.NewForConfigOrDie(e.Config)
}

// As is a configuration for another user, by impersonation. The server adds the group of all authenticated users.
func (e Environment) As(user string, groups ...string) *rest.Config {
	config := rest.CopyConfig(e.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return config
}
