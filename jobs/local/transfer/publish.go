// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// errNotInTime reports that the agent stopped to publish or to attest the artifacts of a pod.
var errNotInTime = errors.New("the pod was deleted, or its deadline passed, before its artifacts were published: if the deadline passed, raise timeouts.run")

// Publish pushes the artifacts of a result that are in the store to the repository that the pod names, if it names one. It sets their tags,
// and their locations and those of their documents, and returns what went wrong. Artifacts that the builder has published itself stay
// where they are. Before any tag is moved, Publish attests the artifacts, also those of a pod that publishes nowhere, and adds what the server
// states about them to the store. locks are those of the artifacts.
func (t *Transfer) Publish(ctx context.Context, of Pod, reported *result.Result, locks []documents.Lock) *result.Check {
	p := &pod{t, of}
	output, err := p.output()
	if err != nil {
		return notPublished(v1alpha1.ReasonRegistryRefused, err)
	}
	hasFile := slices.ContainsFunc(reported.Artifacts, func(artifact result.Artifact) bool { return artifact.Verified != "" })
	if !hasFile && (output == nil || len(output.ContainerDisks) == 0) {
		return &result.Check{}
	}
	check := &result.Check{}
	if output != nil {
		check = p.push(ctx, output, reported, p.attest(locks))
	} else if attest := p.attest(locks); attest != nil {
		check = p.attestStored(ctx, reported, attest)
	}
	if *check == (result.Check{}) {
		check = p.keepProofs(ctx, reported)
	}
	p.sayCheck(check)
	return check
}

// sayCheck tells in the log of the pod what was not published.
func (p *pod) sayCheck(check *result.Check) {
	switch {
	case check.NotPublished != nil:
		p.Say("not published: %s", check.NotPublished.Message)
	case check.Invalid != "":
		p.Say("not published: %s", check.Invalid)
	case check.NotAttested != nil:
		p.Say("not signed: %s", check.NotAttested.Message)
	}
}

// output returns where the pod publishes, or nil if it publishes nowhere.
func (p *pod) output() (*render.Output, error) {
	current := p.Newest()
	encoded, ok := current.Annotations[v1alpha1.AnnotationOutput]
	if !ok {
		return nil, nil
	}
	output := &render.Output{}
	if err := json.Unmarshal([]byte(encoded), output); err != nil {
		return nil, fmt.Errorf("read annotation %s of pod %s: %w", v1alpha1.AnnotationOutput, p.Ref, err)
	}
	return output, nil
}

// push pushes the stored artifacts of a result.
func (p *pod) push(ctx context.Context, output *render.Output, reported *result.Result, statements publish.Statements) *result.Check {
	return p.inRegistry(ctx, output, func(options transport.Options) error {
		p.Say("publishing in %s", output.Repository)
		if err := publish.PushResult(ctx, output, reported, p.openStored, statements, options); err != nil {
			return err
		}
		for _, line := range publish.Published(reported) {
			p.Say("%s", line)
		}
		return nil
	})
}

// inRegistry calls a function that publishes with the credentials for the registry of an output, and returns what went wrong.
func (p *pod) inRegistry(ctx context.Context, output *render.Output, publishes func(transport.Options) error) *result.Check {
	options, err := p.registryOptions(ctx, output.Secret)
	if _, denied := errors.AsType[*transport.Error](err); err != nil && !denied && ctx.Err() == nil {
		return notPublished(v1alpha1.ReasonRegistryUnavailable, err)
	}
	if err == nil {
		err = publishes(options)
	}
	if ctx.Err() != nil && err != nil {
		return notPublished(v1alpha1.ReasonRegistryUnavailable, notInTime(err))
	}
	check := publish.CheckOf(err)
	if check.NotStored != "" {
		p.options.Logger.Error(err, "The stored artifacts of a pod cannot be read", "pod", p.Ref.String())
	}
	return check
}

// openStored opens a content in the store.
func (p *pod) openStored(content *result.Content) (transport.File, error) {
	file, err := p.options.Store.OpenBlob(content.Digest)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func notPublished(reason v1alpha1.FailureReason, err error) *result.Check {
	return &result.Check{NotPublished: &result.NotPublished{Reason: reason, Message: err.Error()}}
}

// registryOptions returns how to reach a registry, with the credentials in a Secret of the pod's namespace, if it is named. They are never
// on the disk. The error is a *transport.Error if the Secret has none, or that of reading the Secret.
func (p *pod) registryOptions(ctx context.Context, secretName string) (transport.Options, error) {
	options := transport.Options{
		PlainHTTP: p.options.PlainHTTPRegistries, Clock: p.options.Clock, Retrying: func(err error) { p.Say("retrying: %v", err) }, Log: p.Say,
	}
	if secretName == "" {
		return options, nil
	}
	secret, err := p.secret(ctx, secretName)
	if err != nil {
		return options, fmt.Errorf("read the Secret %s/%s of output.secretRef: %w", p.Ref.Namespace, secretName, err)
	}
	return options.WithSecret(p.Ref.Namespace, secretName, secret)
}

// secret returns the data of a Secret of the pod's namespace. It is nil if there is no such Secret.
func (p *pod) secret(ctx context.Context, name string) (map[string][]byte, error) {
	ctx = klog.NewContext(ctx, logr.Discard()) // the client would log the answer
	secret, err := p.options.Secrets.Secrets(p.Ref.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return secret.Data, nil
}
