// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/probe"
)

// readAgain is when a lock that could not be read is read again.
const readAgain = time.Minute

// locks knows the contents of builds. A lock never changes, so it is read once.
type locks struct {
	client versioned.Interface
	mu     sync.Mutex
	known  map[types.UID]readContent
}

// readContent is a content, and when it was read.
type readContent struct {
	*probe.Content
	at time.Time
}

func newLocks(client versioned.Interface) *locks {
	return &locks{client: client, known: map[types.UID]readContent{}}
}

// of returns the content of a build that has a lock. An error is an error of the API.
func (l *locks) of(ctx context.Context, build *v1alpha1.ImageBuild, now time.Time) (*probe.Content, error) {
	l.mu.Lock()
	known, has := l.known[build.UID]
	l.mu.Unlock()
	if has && (known.Unknown == "" || known.Final || now.Sub(known.at) < readAgain) {
		return known.Content, nil
	}
	packages, err := l.client.ImagesV1alpha1().ImageBuilds(build.Namespace).GetPackages(ctx, build.Name, metav1.GetOptions{})
	read, err := probe.ContentOf(build, packages, err)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[build.UID] = readContent{read, now}
	return read, nil
}

// keep forgets the contents of all other builds.
func (l *locks) keep(builds map[types.UID]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for uid := range l.known {
		if !builds[uid] {
			delete(l.known, uid)
		}
	}
}
