// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	// attestLimit is how long the server may be unavailable before the publisher gives up the upload of locks.
	attestLimit = time.Minute
	attestRetry = time.Second
	// serverPatience is how long no server may answer before artifacts that need no signature are published without statements.
	serverPatience = 5 * time.Minute
)

// attests reports whether the pod can get statements about artifacts. A pod that an earlier version of the controller made cannot.
func (p *program) attests() bool {
	_, err := os.Stat(p.at(render.PublisherToken))
	return err == nil && p.Builds != nil
}

// mayAttest fails if the artifacts have to be signed, and the pod cannot get signatures.
func (p *program) mayAttest() error {
	if p.output.Attest != v1alpha1.AttestRequired || p.attests() {
		return nil
	}
	return errors.New("output.attest is Required, and an earlier version of the controller made the pod, without the token of the publisher: the next attempt has it")
}

// attest returns what gets the statements, or nil in a pod that cannot get them.
func (p *program) attest(locks []documents.Lock) publish.Statements {
	if !p.attests() {
		return nil
	}
	attester := &publish.Attester{Locks: documents.Compressed(locks), Clock: p.Clock, Log: p.Log, Post: func(ctx context.Context, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error) {
		return p.Builds.ImageBuilds(p.input.Build.Namespace).Attest(ctx, p.input.Build.Name, request, metav1.CreateOptions{})
	}}
	if p.output.Attest != v1alpha1.AttestRequired {
		attester.Patience = serverPatience
	}
	return attester
}

// uploadLocks uploads locks, so that the server can list their packages. A failure is only logged: the repository has the locks.
func (p *program) uploadLocks(ctx context.Context, locks []documents.Lock) {
	if len(locks) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, attestLimit)
	defer cancel()
	if err := p.upload(ctx, locks); err != nil {
		p.Log("the packages are not recorded: %v; goldsmith artifacts get %s --document lock has them", err, p.input.Build.Name)
		return
	}
	p.Log("recorded the packages")
}

// upload uploads each lock by itself, because the server limits the size of a request.
func (p *program) upload(ctx context.Context, locks []documents.Lock) error {
	if p.Builds == nil {
		return errors.New("the pod has no token for the API server")
	}
	builds := p.Builds.ImageBuilds(p.input.Build.Namespace)
	for i := range locks {
		request := &v1alpha1.BuildAttestation{Locks: [][]byte{locks[i].Compressed}}
		var last error
		err := wait.PollUntilContextCancel(ctx, attestRetry, true, func(ctx context.Context) (bool, error) {
			_, last = builds.Attest(ctx, p.input.Build.Name, request, metav1.CreateOptions{})
			if last == nil || publish.Refused(last) {
				return true, last
			}
			return false, nil
		})
		if err != nil {
			return cmp.Or(last, err)
		}
	}
	return nil
}
