// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"errors"
	"fmt"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// published are the served kinds by name. It is safe for concurrent use. A replica of the server learns of a change of an ImageKind a
// moment later than the one that was asked for it: an Image that it creates of a kind that is being deleted stays.
type published struct {
	byName atomic.Pointer[map[string]*image.Kind]
}

func (p *published) set(served []*catalog.Kind, decisions []decision) {
	byName := make(map[string]*image.Kind, len(served))
	for _, kind := range served {
		byName[kind.Name()] = &image.Kind{Kind: kind}
	}
	for _, decided := range decisions {
		if decided.kind != nil {
			byName[decided.object.Name].Terminating = decided.object.DeletionTimestamp != nil
		}
	}
	p.byName.Store(&byName)
}

// find returns the kind of a name, or nil. It fails until the kinds are read.
func (p *published) find(name string) (*image.Kind, error) {
	byName := p.byName.Load()
	if byName == nil {
		return nil, errors.New("the server has not read its kinds yet: repeat the request")
	}
	return (*byName)[name], nil
}

// refuse refuses the creation of an object whose ImageKind is being deleted, as for a custom resource whose definition is.
func (p *published) refuse(resource schema.GroupResource, name string) error {
	if kind, err := p.find(resource.Resource); err != nil || kind == nil || !kind.Terminating {
		return err
	}
	return apierrors.NewForbidden(resource, name, fmt.Errorf("ImageKind %s is being deleted: create the ImageKind again once it is deleted", resource.Resource))
}
