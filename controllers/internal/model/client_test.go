// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes"
	typedbatchv1 "k8s.io/client-go/kubernetes/typed/batch/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typedv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The clients of a process. They have the requests that the controllers make; any other request is a call of a nil interface.
type (
	goldsmithClient struct {
		versioned.Interface
		typedv1alpha1.ImagesV1alpha1Interface
		p *process
	}
	imageClient struct {
		typedv1alpha1.ImageInterface
		p *process
	}
	buildClient struct {
		typedv1alpha1.ImageBuildInterface
		p *process
	}
	kubeClient struct {
		kubernetes.Interface
		p *process
	}
	batchClient struct {
		typedbatchv1.BatchV1Interface
		p *process
	}
	jobClient struct {
		typedbatchv1.JobInterface
		p *process
	}
	coreClient struct {
		typedcorev1.CoreV1Interface
		p *process
	}
	revokedClient struct {
		typedv1alpha1.RevokedArtifactInterface
		p *process
	}
	podClient struct {
		typedcorev1.PodInterface
		p *process
	}
	eventClient struct {
		typedcorev1.EventInterface
		p *process
	}
	configMapClient struct {
		typedcorev1.ConfigMapInterface
		p *process
	}
)

func (c goldsmithClient) ImagesV1alpha1() typedv1alpha1.ImagesV1alpha1Interface { return c }
func (c goldsmithClient) Images(string) typedv1alpha1.ImageInterface            { return imageClient{p: c.p} }
func (c goldsmithClient) ImageBuilds(string) typedv1alpha1.ImageBuildInterface {
	return buildClient{p: c.p}
}
func (c goldsmithClient) RevokedArtifacts(string) typedv1alpha1.RevokedArtifactInterface {
	return revokedClient{p: c.p}
}
func (c kubeClient) BatchV1() typedbatchv1.BatchV1Interface           { return batchClient{p: c.p} }
func (c batchClient) Jobs(string) typedbatchv1.JobInterface           { return jobClient{p: c.p} }
func (c kubeClient) CoreV1() typedcorev1.CoreV1Interface              { return coreClient{p: c.p} }
func (c coreClient) Pods(string) typedcorev1.PodInterface             { return podClient{p: c.p} }
func (c coreClient) Events(string) typedcorev1.EventInterface         { return eventClient{p: c.p} }
func (c coreClient) ConfigMaps(string) typedcorev1.ConfigMapInterface { return configMapClient{p: c.p} }

// Get finds no revoked artifact: all builds were revoked by an earlier version of the server.
func (c revokedClient) Get(_ context.Context, name string, _ metav1.GetOptions) (*v1alpha1.RevokedArtifact, error) {
	if err := c.p.read(ofGoldsmith); err != nil {
		return nil, err
	}
	return nil, notFound(name)
}

// Get reads an Image.
func (c imageClient) Get(_ context.Context, name string, _ metav1.GetOptions) (*v1alpha1.Image, error) {
	if err := c.p.read(ofGoldsmith); err != nil {
		return nil, err
	}
	image, ok := c.p.images.get(name)
	if !ok {
		return nil, notFound(name)
	}
	return image.DeepCopy(), nil
}

// Patch writes the status of an Image.
func (c imageClient) Patch(_ context.Context, name string, _ types.PatchType, patch []byte, _ metav1.PatchOptions, _ ...string) (*v1alpha1.Image, error) {
	point := "image status"
	if bytes.Contains(patch, []byte(`"source":`)) {
		point = sourceStored
	}
	return &v1alpha1.Image{}, c.p.write(point, func() error {
		live, ok := c.p.images.get(name)
		if !ok {
			return notFound(name)
		}
		of, status := patched(v1alpha1.Image{}, live, &live.Status, patch)
		return c.p.updateImageStatus(&v1alpha1.Image{ObjectMeta: of}, status)
	})
}

// patched returns the metadata and the status that a strategic merge patch makes of those of an object.
func patched[T, S any](kind T, object metav1.Object, status *S, patch []byte) (metav1.ObjectMeta, S) {
	type document struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Status   S                 `json:"status"`
	}
	before, err := json.Marshal(document{metav1.ObjectMeta{Name: object.GetName(), UID: object.GetUID(), ResourceVersion: object.GetResourceVersion()}, *status})
	if err != nil {
		panic(err)
	}
	text, err := strategicpatch.StrategicMergePatch(before, patch, kind)
	if err != nil {
		panic(err)
	}
	var after document
	if err := json.Unmarshal(text, &after); err != nil {
		panic(err)
	}
	return after.Metadata, after.Status
}

// Instantiate requests a build.
func (c imageClient) Instantiate(_ context.Context, name string, given *v1alpha1.BuildRequest, _ metav1.CreateOptions) (build *v1alpha1.ImageBuild, err error) {
	w := c.p.environment
	excused := w.faults.interjected
	err = w.write("build asked for", func() (err error) {
		w.truth.excused = excused || w.faults.interjected || w.arrivesLate
		build, err = w.instantiate(request{image: name, id: given.RequestID, reason: given.Reason, parameters: given.Parameters, crash: w.truth.serverCrash})
		w.truth.excused = false
		if err == nil {
			w.note("controller asked for %s: %s", build.Name, given.Message)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return build.DeepCopy(), nil
}

// Get reads a build.
func (c buildClient) Get(_ context.Context, name string, _ metav1.GetOptions) (*v1alpha1.ImageBuild, error) {
	if err := c.p.read(ofGoldsmith); err != nil {
		return nil, err
	}
	build, ok := c.p.builds.get(name)
	if !ok {
		return nil, notFound(name)
	}
	return build.DeepCopy(), nil
}

// List reads the builds of an Image.
func (c buildClient) List(_ context.Context, options metav1.ListOptions) (*v1alpha1.ImageBuildList, error) {
	if err := c.p.read(ofGoldsmith); err != nil {
		return nil, err
	}
	uid, ok := strings.CutPrefix(options.FieldSelector, "spec.imageRef.uid=")
	if !ok {
		panic("nobody selects builds by " + options.FieldSelector)
	}
	list := &v1alpha1.ImageBuildList{}
	for _, build := range c.p.builds.all {
		if build.Spec.ImageRef != nil && string(build.Spec.ImageRef.UID) == uid {
			list.Items = append(list.Items, *build)
		}
	}
	return list, nil
}

// Patch writes the status of a build.
func (c buildClient) Patch(_ context.Context, name string, _ types.PatchType, patch []byte, _ metav1.PatchOptions, _ ...string) (stored *v1alpha1.ImageBuild, err error) {
	if name == c.p.refused {
		return nil, errForbidden
	}
	before, ok := c.p.builds.get(name)
	if !ok {
		before = &v1alpha1.ImageBuild{}
	}
	of, status := patched(v1alpha1.ImageBuild{}, before, &before.Status, patch)
	point := "status"
	if before.Status.Finished {
		point = resultStored
	}
	if before.Status.Phase != status.Phase {
		point = string(status.Phase)
	}
	if ok && len(before.Status.Attempts) == 0 && status.Phase == v1alpha1.BuildStarting {
		c.p.checkOrder(name)
	}
	err = c.p.write(point, func() (err error) {
		of.Name = name
		stored, err = c.p.updateBuildStatus(&v1alpha1.ImageBuild{ObjectMeta: of}, status)
		return err
	})
	if err != nil {
		return nil, err
	}
	return stored.DeepCopy(), nil
}

// Cancel cancels a build that a newer build supersedes.
func (c buildClient) Cancel(_ context.Context, name string, given *v1alpha1.CancelRequest, _ metav1.CreateOptions) (*v1alpha1.ImageBuild, error) {
	return nil, c.p.write("build superseded", func() error {
		defer c.p.checkSuperseding(name)()
		return c.p.cancel(name, given.SupersededBy)
	})
}

// Delete deletes a build.
func (c buildClient) Delete(_ context.Context, name string, options metav1.DeleteOptions) error {
	point, excused := "build pruned", c.p.faults.interjected
	if build, ok := c.p.builds.get(name); ok && build.Spec.ImageRef == nil {
		point = "build expired"
	}
	return c.p.write(point, func() error {
		return c.p.deleteBuild(name, options.Preconditions, excused || c.p.faults.interjected)
	})
}

// Get reads a Job.
func (c jobClient) Get(_ context.Context, name string, _ metav1.GetOptions) (*batchv1.Job, error) {
	if err := c.p.read(ofKubernetes); err != nil {
		return nil, err
	}
	job, ok := c.p.jobs.get(name)
	if !ok {
		return nil, notFound(name)
	}
	return job.DeepCopy(), nil
}

// Create creates a Job, or says what would be created.
func (c jobClient) Create(_ context.Context, job *batchv1.Job, options metav1.CreateOptions) (created *batchv1.Job, err error) {
	job = job.DeepCopy()
	if len(options.DryRun) > 0 {
		if job.Name != "" || job.GenerateName == "" {
			c.p.broken("a dry run creates %s, which exists", job.Name)
		}
		if err := c.p.read(ofKubernetes); err != nil {
			return nil, err
		}
		if c.p.rejecting {
			c.p.truth.uncompared[strings.TrimSuffix(job.GenerateName, "-")] = true
			return nil, errRejected
		}
		return job, nil
	}
	point := "Job created"
	if checksSource(job) {
		point = checkCreated
	}
	err = c.p.write(point, func() (err error) {
		created, err = c.p.createJob(job)
		return err
	})
	if apierrors.IsAlreadyExists(err) {
		overtake(c.p, &c.p.jobs, job.Name)
	}
	if err != nil {
		return nil, err
	}
	return created.DeepCopy(), nil
}

// Delete deletes a Job.
func (c jobClient) Delete(_ context.Context, name string, options metav1.DeleteOptions) error {
	if options.PropagationPolicy == nil || *options.PropagationPolicy != metav1.DeletePropagationBackground {
		c.p.broken("the Job %s is deleted without its pods", name)
	}
	c.p.checkDeletion(name)
	overtake(c.p, &c.p.jobs, name)
	point := "Job deleted"
	if job, ok := c.p.jobs.get(name); ok && checksSource(job) {
		point = checkDeleted
	}
	return c.p.write(point, func() error { return c.p.deleteJob(name, options.Preconditions) })
}

// List reads pods by their labels.
func (c podClient) List(_ context.Context, options metav1.ListOptions) (*corev1.PodList, error) {
	if err := c.p.read(ofKubernetes); err != nil {
		return nil, err
	}
	selector, err := labels.Parse(options.LabelSelector)
	if err != nil {
		return nil, err
	}
	return podsOf(c.p.pods.all, selector), nil
}

func podsOf(pods []*corev1.Pod, selector labels.Selector) *corev1.PodList {
	list := &corev1.PodList{}
	for _, pod := range pods {
		if selector.Matches(labels.Set(pod.Labels)) {
			list.Items = append(list.Items, *pod)
		}
	}
	return list
}

// Create only says whether a pod would be created.
func (c podClient) Create(_ context.Context, pod *corev1.Pod, options metav1.CreateOptions) (*corev1.Pod, error) {
	if len(options.DryRun) == 0 {
		c.p.broken("a controller creates the pod %s", pod.GenerateName)
	}
	if err := c.p.read(ofKubernetes); err != nil {
		return nil, err
	}
	if c.p.forbids[ownerOf(pod)] {
		return nil, errForbidden
	}
	c.p.cover.point("a forged event says that a pod is forbidden")
	return pod, nil
}

// Delete deletes a pod.
func (c podClient) Delete(_ context.Context, name string, options metav1.DeleteOptions) error {
	overtake(c.p, &c.p.pods, name)
	return c.p.write("pod deleted", func() error { return c.p.deleteAbandonedPod(name, options.Preconditions) })
}

// Patch passes the result of a pod's builder to its publisher, or lowers the deadline of a pod.
func (c podClient) Patch(_ context.Context, name string, _ types.PatchType, data []byte, _ metav1.PatchOptions, _ ...string) (*corev1.Pod, error) {
	patch := &corev1.Pod{}
	if err := json.Unmarshal(data, patch); err != nil {
		return nil, err
	}
	overtake(c.p, &c.p.pods, name)
	if text, ok := patch.Annotations[v1alpha1.AnnotationResult]; ok {
		return nil, c.p.write(resultPassed, func() error { return c.p.passResult(name, patch.UID, text) })
	}
	return nil, c.p.write("pod stopped", func() error { return c.p.stopPod(name, patch.UID, *patch.Spec.ActiveDeadlineSeconds) })
}

// GetLogs reads the log of a pod.
func (c podClient) GetLogs(string, *corev1.PodLogOptions) *rest.Request { return c.p.memo.logs() }

// List reads the events of a Job.
func (c eventClient) List(_ context.Context, options metav1.ListOptions) (*corev1.EventList, error) {
	if err := c.p.read(ofKubernetes); err != nil {
		return nil, err
	}
	of := strings.TrimPrefix(options.FieldSelector, "involvedObject.uid=")
	list := &corev1.EventList{}
	if message := c.p.refusals[types.UID(of)]; message != "" {
		list.Items = []corev1.Event{{Reason: "FailedCreate", Message: "Error creating: " + message, LastTimestamp: c.p.time()}}
	}
	return list, nil
}

// Get reads a ConfigMap. No ConfigMap ever exists.
func (c configMapClient) Get(_ context.Context, name string, _ metav1.GetOptions) (*corev1.ConfigMap, error) {
	if err := c.p.read(ofKubernetes); err != nil {
		return nil, err
	}
	return nil, notFound(name)
}

// logClient answers each request for a log with a line.
type logClient struct{}

// RoundTrip answers a request.
func (logClient) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("2030-01-02T03:04:05Z the builder's last line\n"))}, nil
}

func newLogs() func() *rest.Request {
	client := &http.Client{Transport: logClient{}}
	return func() *rest.Request {
		return rest.NewRequestWithClient(&url.URL{Scheme: "http", Host: "model"}, "", rest.ClientContentConfig{}, client).Verb(http.MethodGet)
	}
}
