// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/records"
)

// recording is a server with a database of records, which specs fill as a controller would.
type recording struct {
	typed.ImagesV1alpha1Interface
	*unreliable
	store *records.Store
	began time.Time // in whole seconds, so that recorded builds are exactly one hour per number apart
}

// unreliable is a database that specs can make unavailable.
type unreliable struct {
	*records.Connection
	away atomic.Bool
}

func (u *unreliable) Store() (*records.Store, error) {
	if u.away.Load() {
		return nil, errors.New("connection refused")
	}
	return u.Connection.Store()
}

// startRecording starts a server that stops with the spec, or container, that it is called in.
func startRecording(ctx SpecContext) *recording {
	GinkgoHelper()
	r, _ := startRecordingWith(ctx, apiserver.Options{Logs: logs}, func(server *builder.Server) *builder.Server { return server })
	return r
}

// startRecordingWith starts a server with further options, and returns its administrator's connection.
func startRecordingWith(ctx SpecContext, options apiserver.Options, complete func(*builder.Server) *builder.Server) (*recording, *restclient.Config) {
	GinkgoHelper()
	connection := must(records.Connect(ctx, "sqlite://"+filepath.Join(GinkgoT().TempDir(), "records.db"), nil))
	store := must(connection.Store())
	r := &recording{unreliable: &unreliable{Connection: connection}, store: store, began: time.Now().Truncate(time.Second)}
	options.Records = func() (history.Connection, error) { return r.unreliable, nil }
	DeferCleanup(func() { Expect(connection.Close()).To(Succeed()) })
	running := start(ctx, complete(apiserver.Register(builder.New("recording"), options)))
	config := running.ClientConfig()
	config.BearerToken = token
	clients := must(versioned.NewForConfig(config))
	r.ImagesV1alpha1Interface = clients.ImagesV1alpha1()
	return r, config
}

// newImage creates an Image, of which there is a record.
func (r *recording) newImage(ctx SpecContext, namespace, name string) *v1alpha1.Image {
	GinkgoHelper()
	image := must(r.Images(namespace).Create(ctx, newImage(name), metav1.CreateOptions{}))
	Expect(r.store.PutImage(ctx, image)).To(Succeed())
	return image
}

// expireFiles records that builds were deleted, and removes the contents of their files from their records.
func (r *recording) expireFiles(ctx SpecContext, image *v1alpha1.Image, builds ...*v1alpha1.ImageBuild) {
	GinkgoHelper()
	for _, build := range builds {
		Expect(r.store.BuildDeleted(ctx, build.UID, time.Now())).To(Succeed())
	}
	must(r.store.Expire(ctx, records.Rules{Images: map[types.UID]records.Retention{image.UID: {Files: time.Hour}}}))
}

// built records a build that finished. The number determines its age in hours: the highest is the newest.
func (r *recording) built(ctx SpecContext, image *v1alpha1.Image, number int64, phase v1alpha1.BuildPhase, changes ...func(*v1alpha1.ImageBuild)) *v1alpha1.ImageBuild {
	GinkgoHelper()
	created := r.began.Add(-100*time.Hour + time.Duration(number)*time.Hour)
	after := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: created.Add(d)} }
	build := newBuild(fmt.Sprintf("%s-%d", image.Name, number))
	build.Namespace, build.UID, build.ResourceVersion = image.Namespace, types.UID(fmt.Sprintf("%s-%d", image.UID, number)), "1"
	build.CreationTimestamp = metav1.Time{Time: created}
	build.Spec.ImageRef, build.Spec.Number = &v1alpha1.ImageReference{Name: image.Name, UID: image.UID}, new(number)
	build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, RequestedBy: "ada"}
	build.Status = v1alpha1.ImageBuildStatus{
		Phase: phase, Finished: true, QueuedTime: after(0), StartTime: after(time.Minute), CompletionTime: after(3 * time.Minute),
		Attempts: []v1alpha1.BuildAttempt{{Number: 1, StartTime: *after(time.Minute), CompletionTime: after(3 * time.Minute)}},
	}
	if phase == v1alpha1.BuildFailed {
		build.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "exit code 1"}
	}
	for _, change := range changes {
		change(build)
	}
	Expect(r.store.PutBuild(ctx, build)).To(Succeed())
	return build
}

// read reads a subresource of an Image, with query parameters: name and value, one after the other.
func (r *recording) read(ctx context.Context, namespace, image, subresource string, into runtime.Object, parameters ...string) error {
	request := r.RESTClient().Get().Namespace(namespace).Resource("images").Name(image).SubResource(subresource)
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i] != "" {
			request.Param(parameters[i], parameters[i+1])
		}
	}
	return request.Do(ctx).Into(into)
}

// history returns the names of the builds on a page of a history, and the continue token of the next page.
func (r *recording) history(ctx SpecContext, image *v1alpha1.Image, parameters ...string) (names []string, next string) {
	GinkgoHelper()
	page := &v1alpha1.ImageHistory{}
	Expect(r.read(ctx, image.Namespace, image.Name, "history", page, parameters...)).To(Succeed())
	Expect(page.Name).To(Equal(image.Name))
	for _, build := range page.Items {
		names = append(names, build.Name)
	}
	return names, page.Continue
}
