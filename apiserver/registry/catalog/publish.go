// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/generated/informers/externalversions"
	listers "goldsmith.dev/goldsmith/apis/generated/listers/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/catalog"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
)

// key is the only key of the queue: all kinds are published together.
const key = "kinds"

// Publisher serves the kinds of the configuration and of the stored ImageKinds, and reports the conditions of the latter. Each replica of a
// server has one. They come to the same decisions, so that it does not matter which of them writes a status.
type Publisher struct {
	// Group is the group of the kinds.
	Group *dynamic.Group

	configuration *Configuration
	clock         clock.PassiveClock
	sources       Sources
	scope         *resources.Scope
	memo          *memo
	compiled      map[types.UID]compiled
	published     *published
	announcer     *announcer // nil without kube-aggregator
}

// compiled is a stored ImageKind of a generation.
type compiled struct {
	generation int64
	kind       *catalog.Kind
	errs       field.ErrorList
}

// NewPublisher returns a publisher, whose group has no kinds yet. All versions of the group are always served, because an APIService whose
// version is not found blocks the deletion of namespaces in its cluster.
func NewPublisher(configuration *Configuration, clock clock.PassiveClock) *Publisher {
	return &Publisher{
		Group: dynamic.NewGroup(v1alpha1.CatalogGroup, names.Versions()...), configuration: configuration, clock: clock, memo: newMemo(),
		compiled: map[types.UID]compiled{}, published: &published{},
	}
}

// Serve sets the resources that all kinds show. It must be called before Run.
func (p *Publisher) Serve(sources Sources, scope *resources.Scope) {
	p.sources, p.scope = sources, scope
}

// Kind returns the served kind of a name, or nil. It fails until the kinds are read.
func (p *Publisher) Kind(name string) (*image.Kind, error) { return p.published.find(name) }

// Run serves the kinds, and replaces them whenever they change, until ctx is done. It reads the stored ImageKinds as the server itself.
func (p *Publisher) Run(ctx context.Context, server *restclient.Config) error {
	client, err := versioned.NewForConfig(server)
	if err != nil {
		return fmt.Errorf("connect to the own server: %w", err)
	}
	if p.scope.Core != nil {
		if p.announcer, err = newAnnouncer(p.scope.Core); err != nil {
			return err
		}
		go p.announcer.run(ctx)
	}
	factory := externalversions.NewSharedInformerFactory(client, 0)
	stored := factory.Images().V1alpha1().ImageKinds()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	enqueue := func(any) { queue.Add(key) }
	_, err = stored.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, object any) { enqueue(object) }, DeleteFunc: enqueue,
	})
	if err != nil {
		return fmt.Errorf("watch ImageKinds: %w", err)
	}
	factory.StartWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), stored.Informer().HasSynced) {
		return ctx.Err()
	}
	context.AfterFunc(ctx, queue.ShutDown)
	go p.followConfiguration(ctx, queue)
	queue.Add(key)
	for {
		next, stopped := queue.Get()
		if stopped {
			return nil
		}
		if err := p.publish(ctx, stored.Lister(), client.ImagesV1alpha1().ImageKinds()); err != nil {
			klog.FromContext(ctx).Error(err, "Publish the kinds of the catalog: it is repeated")
			queue.AddRateLimited(next)
		} else {
			queue.Forget(next)
		}
		queue.Done(next)
	}
}

// followConfiguration adds the key whenever the configuration changes.
func (p *Publisher) followConfiguration(ctx context.Context, queue workqueue.TypedRateLimitingInterface[string]) {
	for {
		_, changed := p.configuration.current()
		select {
		case <-changed:
			queue.Add(key)
		case <-ctx.Done():
			return
		}
	}
}

// publish serves the kinds as they are now, and then reports the conditions of the stored ones.
func (p *Publisher) publish(ctx context.Context, lister listers.ImageKindLister, client typed.ImageKindInterface) error {
	stored, err := lister.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("list ImageKinds: %w", err)
	}
	configured, _ := p.configuration.current()
	served, decisions := decide(ctx, configured, stored, p.compile)
	p.forget(stored)
	p.published.set(served, decisions)
	all := p.serve(served)
	if err := p.Group.Replace(all); err != nil {
		return fmt.Errorf("serve kinds: %w", err)
	}
	p.announcer.announce(revisionOf(all))
	var errs []error
	for _, decision := range decisions {
		status := decision.status(metav1.NewTime(p.clock.Now()))
		if equality.Semantic.DeepEqual(*status, decision.object.Status) {
			continue
		}
		object := decision.object.DeepCopy()
		object.Status = *status
		if _, err := client.UpdateStatus(ctx, object, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("update the status of ImageKind %s: %w", object.Name, err))
		}
	}
	return errors.Join(errs...)
}

// compile compiles each generation of an ImageKind once.
func (p *Publisher) compile(ctx context.Context, object *v1alpha1.ImageKind) (*catalog.Kind, field.ErrorList) {
	if known, ok := p.compiled[object.UID]; ok && known.generation == object.Generation {
		return known.kind, known.errs
	}
	kind, errs := Compile(ctx, object)
	p.compiled[object.UID] = compiled{object.Generation, kind, errs}
	return kind, errs
}

// forget forgets what was compiled of deleted ImageKinds.
func (p *Publisher) forget(stored []*v1alpha1.ImageKind) {
	maps.DeleteFunc(p.compiled, func(uid types.UID, _ compiled) bool {
		return !slices.ContainsFunc(stored, func(object *v1alpha1.ImageKind) bool { return object.UID == uid })
	})
}

func (p *Publisher) serve(current []*catalog.Kind) []dynamic.Kind {
	served := make([]dynamic.Kind, len(current))
	for i, kind := range current {
		served[i] = dynamic.Kind{
			Definition: kind.Definition(), Structural: kind.Structural(), Revision: digest(kind),
			Storages: func(dynamic.Serving) (resources.Storages, error) {
				return newStorages(kind, p.sources, p.scope, p.memo, p.published)
			},
		}
	}
	return served
}

// digest identifies what is served of a kind. A kind that is read again without a change stays, with its watches.
func digest(kind *catalog.Kind) string {
	served := kind.Declared().Spec
	served.OnDelete, served.DirectWrites = "", "" // nothing that is read depends on them
	declared, err := json.Marshal(served)
	if err != nil { // a compiled kind has been JSON
		panic(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(declared))
}
