// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// The values of --archive.
const (
	// archiveNow asks the archives from this machine.
	archiveNow = "now"
	// archiveChecked uses what the controller's last checks found.
	archiveChecked = "checked"
)

// requests is how many requests for locks run at the same time.
const requests = 8

// fleet is what the server knows of the Images of namespaces. It is a probe.API.
type fleet struct {
	connection *client.Connection
	builders   inputs.Builders
	images     []*v1alpha1.Image // with defaults
	named      map[types.NamespacedName]*v1alpha1.Image
	builds     map[types.UID][]v1alpha1.ImageBuild // by Image, in the order of their numbers
	built      map[types.NamespacedName]*v1alpha1.ImageBuild
	archives   map[string]*v1alpha1.Archive

	mu       sync.Mutex
	contents map[types.UID]func() (*probe.Content, error) // by build
}

var _ probe.API = &fleet{}

// ofFleet plans the Images of a namespace, or of all namespaces if it is empty.
func ofFleet(ctx context.Context, connection *client.Connection, namespace string, asked *options, out, stderr io.Writer) error {
	f, namespace, err := readFleet(ctx, connection, namespace, stderr)
	if err != nil {
		return err
	}
	packages, err := f.packages(ctx)
	if err != nil {
		return err
	}
	demands := probe.Demands{}
	for _, of := range packages {
		if of.Content != nil {
			demands.Add(of.Content)
		}
	}
	states, err := f.readArchives(ctx, demands, asked, stderr)
	if err != nil {
		return err
	}
	now := asked.clock.Now()
	observed := make([]trigger.Observed, len(f.images))
	for i, image := range f.images {
		observed[i] = trigger.Observed{Image: image, Builds: f.builds[image.UID], Now: now}
		if image.Spec.Triggers.OnPackageChange == nil {
			continue
		}
		if observed[i].Candidates, err = packages[i].Candidates(ctx, f, image.Status.Packages, now); err != nil {
			return err
		}
	}
	planned := &fleetPlan{archives: states, images: f.images, plans: trigger.PlanFleet(observed), namespace: namespace, now: now}
	if err := planned.show(asked.format, out, stderr); err != nil {
		return err
	}
	return planned.due(asked.exitCode)
}

// readFleet reads the Images, their builds and the builders. The namespace that it returns is the one that the user may read.
func readFleet(ctx context.Context, connection *client.Connection, namespace string, stderr io.Writer) (*fleet, string, error) {
	config := rest.CopyConfig(connection.Config)
	config.QPS = -1 // the server limits requests
	unlimited, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, "", fmt.Errorf("create a client: %w", err)
	}
	connection = &client.Connection{Interface: unlimited, Namespace: connection.Namespace, Config: config}
	f := &fleet{
		connection: connection, named: map[types.NamespacedName]*v1alpha1.Image{}, builds: map[types.UID][]v1alpha1.ImageBuild{},
		built: map[types.NamespacedName]*v1alpha1.ImageBuild{}, archives: map[string]*v1alpha1.Archive{}, contents: map[types.UID]func() (*probe.Content, error){},
	}
	images, namespace, err := connection.ListImages(ctx, namespace, stderr)
	if err != nil {
		return nil, "", err
	}
	for i := range images {
		image := &images[i]
		if image.DeletionTimestamp != nil {
			continue
		}
		v1alpha1.SetObjectDefaults_Image(image) // of fields that were added after the Image was stored
		f.images = append(f.images, image)
		f.named[types.NamespacedName{Namespace: image.Namespace, Name: image.Name}] = image
	}
	if len(f.images) == 0 {
		return f, namespace, nil
	}
	builds, err := connection.ListBuilds(ctx, namespace, fields.Everything())
	if err != nil {
		return nil, "", err
	}
	for i := range builds {
		build := &builds[i]
		f.built[types.NamespacedName{Namespace: build.Namespace, Name: build.Name}] = build
		if build.Spec.ImageRef != nil {
			f.builds[build.Spec.ImageRef.UID] = append(f.builds[build.Spec.ImageRef.UID], *build)
		}
	}
	for _, its := range f.builds {
		slices.SortFunc(its, func(a, b v1alpha1.ImageBuild) int {
			return cmp.Compare(ptr.Deref(a.Spec.Number, 0), ptr.Deref(b.Spec.Number, 0))
		})
	}
	return f, namespace, f.readBuilders(ctx)
}

// readBuilders reads which builders check archives. A user without permission for builders learns it from the archives.
func (f *fleet) readBuilders(ctx context.Context) error {
	f.builders = inputs.Builders{Registered: map[string]inputs.Builder{}, AllowImages: true}
	registered, err := f.connection.ImagesV1alpha1().Builders().List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsForbidden(err):
		for _, image := range f.images {
			f.builders.Registered[image.Spec.Builder.Name] = inputs.Builder{Capabilities: capability.Capabilities{Probe: true}}
		}
	case err != nil:
		return fmt.Errorf("list the builders: %w", err)
	default:
		for i := range registered.Items {
			builder := &registered.Items[i]
			f.builders.Registered[builder.Name] = inputs.Builder{Capabilities: capability.Capabilities{Probe: builder.Probe}}
		}
	}
	return nil
}

// packages reads the packages of each Image with triggers.onPackageChange.
func (f *fleet) packages(ctx context.Context) ([]probe.Packages, error) {
	found := make([]probe.Packages, len(f.images))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requests)
	for i, image := range f.images {
		group.Go(func() (err error) {
			if image.Spec.Triggers.OnPackageChange != nil {
				found[i], err = probe.PackagesOf(ctx, f, f.builders, image, f.builds[image.UID])
			}
			return err
		})
	}
	return found, group.Wait()
}

// Image returns an Image of the fleet.
func (f *fleet) Image(_ context.Context, namespace, name string) (*v1alpha1.Image, error) {
	return f.named[types.NamespacedName{Namespace: namespace, Name: name}], nil
}

// Build returns a build of the fleet.
func (f *fleet) Build(_ context.Context, namespace, name string) (*v1alpha1.ImageBuild, error) {
	return f.built[types.NamespacedName{Namespace: namespace, Name: name}], nil
}

// BuildsOf returns the builds of an Image.
func (f *fleet) BuildsOf(_ context.Context, image *v1alpha1.Image) ([]v1alpha1.ImageBuild, error) {
	return f.builds[image.UID], nil
}

// Archive returns what is known of an archive.
func (f *fleet) Archive(_ context.Context, name string) (*v1alpha1.Archive, error) {
	return f.archives[name], nil
}

// Content returns what a build is made of. Many Images have the same base.
func (f *fleet) Content(ctx context.Context, build *v1alpha1.ImageBuild) (*probe.Content, error) {
	f.mu.Lock()
	read := f.contents[build.UID]
	if read == nil {
		read = sync.OnceValues(func() (*probe.Content, error) {
			packages, err := f.connection.ImagesV1alpha1().ImageBuilds(build.Namespace).GetPackages(ctx, build.Name, metav1.GetOptions{})
			return probe.ContentOf(build, packages, err)
		})
		f.contents[build.UID] = read
	}
	f.mu.Unlock()
	return read()
}

// fleetPlan is what new packages do for a fleet.
type fleetPlan struct {
	archives  []archiveState
	images    []*v1alpha1.Image
	plans     []trigger.FleetPlan // in the order of images
	namespace string
	now       time.Time
}

// due returns the error for --exit-code, as options.due does: that a build is due, or that an archive or the packages of an
// Image are unknown. Images whose builder checks no archives are never built because of new packages.
func (p *fleetPlan) due(exitCode bool) error {
	if !exitCode {
		return nil
	}
	for i, plan := range p.plans {
		if plan.State == trigger.FleetNow {
			return &exit.Error{Code: exit.BuildDue, Err: fmt.Errorf("image %s would be built", p.images[i].Name), Shown: true}
		}
	}
	for _, archive := range p.archives {
		if archive.unknown != "" {
			return fmt.Errorf("archive %s is unknown: %s", archive.name(), archive.unknown)
		}
	}
	for i, plan := range p.plans {
		if plan.State == trigger.FleetUnknown && plan.Reason != v1alpha1.ReasonProbeNotSupported {
			return fmt.Errorf("the packages of image %s are unknown: %s", p.images[i].Name, plan.Message)
		}
	}
	return nil
}
