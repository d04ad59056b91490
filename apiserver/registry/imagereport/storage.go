// SPDX-License-Identifier: Apache-2.0

package imagereport

import (
	"context"

	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

const resource = "imagereports"

// Options are the options of the resource.
type Options struct {
	// Records is the database with the figures. Defaults to none.
	Records *history.Database
	// Clock tells the time. Defaults to the real one.
	Clock clock.PassiveClock
}

// NewStorage creates the resource.
func NewStorage(from *image.REST, options Options) (resources.Storages, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Records == nil {
		options.Records = &history.Database{}
	}
	if err := options.Records.Prepare(); err != nil {
		return nil, err
	}
	return resources.Storages{"": &REST{
		TableConvertor: newTable(options.Clock),
		images:         from,
		database:       options.Records,
		clock:          options.Clock,
	}}, nil
}

// REST is the resource imagereports.
type REST struct {
	rest.TableConvertor
	images   *image.REST
	database *history.Database
	clock    clock.PassiveClock
}

var (
	_ rest.Getter               = &REST{}
	_ rest.Lister               = &REST{}
	_ rest.Scoper               = &REST{}
	_ rest.SingularNameProvider = &REST{}
	_ rest.ShortNamesProvider   = &REST{}
)

// New returns an empty ImageReport.
func (r *REST) New() runtime.Object { return &v1alpha1.ImageReport{} }

// NewList returns an empty ImageReportList.
func (r *REST) NewList() runtime.Object { return &v1alpha1.ImageReportList{} }

// Destroy has nothing to close.
func (r *REST) Destroy() {}

// NamespaceScoped is true: reports are in the namespaces of their Images.
func (r *REST) NamespaceScoped() bool { return true }

// GetSingularName returns the singular name, which kubectl also accepts.
func (r *REST) GetSingularName() string { return "imagereport" }

// ShortNames returns the names that kubectl also accepts.
func (r *REST) ShortNames() []string { return []string{"imgr"} }

// Get returns the report of an Image, with the newest of its history, changes and notes.
func (r *REST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	object, err := r.images.Get(ctx, name, options)
	if err != nil {
		return nil, err
	}
	image, err := store.As[*v1alpha1.Image](object)
	if err != nil {
		return nil, err
	}
	found, _, err := r.join(ctx, name, []v1alpha1.Image{*image}, history.DefaultWindow)
	if err != nil {
		return nil, err
	}
	report := &found[0]
	if err := r.addJournals(ctx, report); err != nil {
		return nil, err
	}
	return report, nil
}

// List returns reports without the fields of single reports: of existing Images, with the pages and selectors of Images, or
// of deleted Images.
func (r *REST) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	asked, err := split(options)
	if err != nil {
		return nil, err
	}
	if asked.deleted {
		return r.listDeleted(ctx, asked)
	}
	list, err := store.List[*v1alpha1.ImageList](ctx, r.images, asked.images)
	if err != nil {
		return nil, err
	}
	found, fixes, err := r.join(ctx, "", list.Items, asked.window)
	if err != nil {
		return nil, err
	}
	// No resource version: the resource has no watch, and the records have no versions.
	reports := &v1alpha1.ImageReportList{
		ListMeta: metav1.ListMeta{Continue: list.Continue, RemainingItemCount: list.RemainingItemCount},
		Items:    found,
	}
	if list.Continue == "" && asked.images.Continue == "" { // percentiles of pages tell nothing of all
		reports.Fixes = history.Fixes(fixes)
	}
	return reports, nil
}
