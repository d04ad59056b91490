// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// rarelyUsed are permissions that are needed only in situations that no spec creates, with the situation.
var rarelyUsed = map[string]map[string]string{
	cluster.APIServer: {
		"get namespaces": "a namespace is newer than what the server knows of them",
	},
	cluster.Controller: {
		"create secrets": "somebody has deleted one that the installation has made",
		"create subjectaccessreviews.authorization.k8s.io": "somebody reads the metrics",
		"create tokenreviews.authentication.k8s.io":        "somebody reads the metrics",
		"get pods":     "the archive reads the log of a pod that the cache does not have",
		"patch events": "an event is recorded again",
		"update archives/finalizers.images.goldsmith.dev":    "the cluster minds who blocks an owner's deletion",
		"update imagebuilds/finalizers.images.goldsmith.dev": "the cluster minds who blocks an owner's deletion",
		"update images/finalizers.images.goldsmith.dev":      "the cluster minds who blocks an owner's deletion",
	},
}

// isRare reports whether a permission may be unused. A client that watches lists objects only if the server cannot stream them.
func isRare(account, right string, calls []string) bool {
	_, rarely := rarelyUsed[account][right]
	verb, resource, _ := strings.Cut(right, " ")
	return rarely || verb == "list" && slices.Contains(calls, "watch "+resource)
}

// auditEvent is the audit event of a request to kube-apiserver.
type auditEvent struct {
	RequestReceivedTimestamp metav1.MicroTime
	Verb                     string
	RequestURI               string
	User                     struct{ Username string }
	ObjectRef                *struct{ Resource, Subresource, APIGroup string }
	Annotations              map[string]string
}

func describeLeastPrivilege(w *cluster.Workspace) {
	It("Our own accounts have the rights that they use, and no others", Serial, func(ctx SpecContext) {
		doEverything(ctx, w)
		log, err := w.Environment.AuditLog(ctx)
		Expect(err).NotTo(HaveOccurred())
		// While the installation is removed, a component may make requests for which it has no permission any more.
		controller, err := w.Kube.AppsV1().Deployments(cluster.Namespace).Get(ctx, cluster.Controller, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		forbidden, unused := map[string][]string{}, map[string][]string{}
		for _, account := range []string{cluster.APIServer, cluster.Controller} {
			calls, refused := callsOf(log, account, controller.CreationTimestamp.Time)
			Expect(calls).NotTo(BeEmpty(), "calls of %s in the audit log", account)
			for _, right := range grantsOf(ctx, w, account) {
				if !slices.Contains(calls, right) && !isRare(account, right, calls) {
					unused[account] = append(unused[account], right)
				}
			}
			if len(refused) > 0 {
				forbidden[account] = refused
			}
		}
		Expect(forbidden).To(BeEmpty(), "what our accounts were refused")
		Expect(unused).To(BeEmpty(), "rights that our accounts do not use")
	})
}

// callsOf are the requests of a service account of ours in an audit log since then, and those that it had no right to.
func callsOf(log, account string, since time.Time) (calls, forbidden []string) {
	GinkgoHelper()
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "system:serviceaccount:"+cluster.Namespace+":"+account) {
			continue
		}
		var event auditEvent
		Expect(json.Unmarshal([]byte(line), &event)).To(Succeed(), line)
		if event.User.Username != "system:serviceaccount:"+cluster.Namespace+":"+account || event.ObjectRef == nil || event.RequestReceivedTimestamp.Time.Before(since) {
			continue
		}
		resource := event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			resource += "/" + event.ObjectRef.Subresource
		}
		made := call(event.Verb, resource, event.ObjectRef.APIGroup)
		if event.Annotations["authorization.k8s.io/decision"] == "forbid" {
			forbidden = append(forbidden, made+" "+event.RequestURI)
		}
		calls = append(calls, made)
	}
	slices.Sort(calls)
	slices.Sort(forbidden)
	return slices.Compact(calls), slices.Compact(forbidden)
}

// countOfImages is the name of the number of images in a quota.
const countOfImages corev1.ResourceName = "count/images.images.goldsmith.dev"

// limitImages has a quota that counts images, which our server does.
func limitImages(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	quotas := w.Kube.CoreV1().ResourceQuotas(w.Namespace)
	_, err := quotas.Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "images"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{countOfImages: resource.MustParse("10")}},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	w.Eventually(ctx, func(ctx context.Context) (*corev1.ResourceQuota, error) {
		return quotas.Get(ctx, "images", metav1.GetOptions{})
	}).Should(HaveField("Status.Used", HaveKey(countOfImages)))
}

// doEverything makes the controller do all that it ever does for builds.
func doEverything(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	limitImages(ctx, w)
	image := cluster.NewImage("web")
	image.Spec.History.Succeeded = new(int32(1))
	image.Spec.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
	_, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "files"}, Data: map[string]string{"motd": "hello"},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	w.CreateImage(ctx, image)
	w.Eventually(ctx, func(ctx context.Context) (string, error) {
		quota, err := w.Kube.CoreV1().ResourceQuotas(w.Namespace).Get(ctx, "images", metav1.GetOptions{})
		used := quota.Status.Used[countOfImages]
		return used.String(), err
	}).Should(Equal("1"))
	forbidden := workspace.NewBuild("forbidden")
	forbidden.Spec.Inputs.Template = &v1alpha1.BuildTemplate{PriorityClassName: "none"}
	nowhere := workspace.NewBuild("nowhere")
	nowhere.Spec.Inputs.Template = &v1alpha1.BuildTemplate{NodeSelector: map[string]string{"example.com/node": "nowhere"}}
	nowhere.Spec.Timeouts = &v1alpha1.BuildTimeouts{Start: &v1alpha1.Duration{Duration: 5 * time.Second}}
	builds := []*v1alpha1.ImageBuild{workspace.NewBuild("failing", "failAt=1"), workspace.NewBuild("disturbed", "duration=10m"), forbidden, nowhere}
	for _, build := range builds {
		w.CreateBuild(ctx, build)
	}

	w.Succeeded(ctx, "web-1")
	Expect(w.ReadLog(ctx, "web-1", nil)).NotTo(BeEmpty())
	w.Request(ctx, "web", "")
	w.Succeeded(ctx, "web-2") // which takes the place of web-1
	w.Eventually(ctx, func(ctx context.Context) (*v1alpha1.ImageBuildList, error) {
		return w.Builds().List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelImage + "=web"})
	}).Should(HaveField("Items", HaveLen(1)))

	latest := cluster.NewImage("latest", "duration=10m")
	latest.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly
	w.CreateImage(ctx, latest)
	runningAttempt(ctx, w, "latest-1", 1)
	w.Request(ctx, "latest", "")
	w.Request(ctx, "latest", "")
	w.Finished(ctx, "latest-2") // which latest-3 supersedes

	orphan := metav1.DeletePropagationOrphan
	first := runningAttempt(ctx, w, "disturbed", 1)
	Expect(w.Kube.CoreV1().Pods(w.Namespace).Delete(ctx, first.PodName, metav1.DeleteOptions{})).To(Succeed())
	second := runningAttempt(ctx, w, "disturbed", 2)
	Expect(w.Kube.BatchV1().Jobs(w.Namespace).Delete(ctx, second.JobName, metav1.DeleteOptions{PropagationPolicy: &orphan})).To(Succeed())
	runningAttempt(ctx, w, "disturbed", 3)
	w.Cancel(ctx, "disturbed", "")
	for _, build := range builds {
		w.Finished(ctx, build.Name)
	}
}

// runningAttempt waits until an attempt at a build runs, and returns it.
func runningAttempt(ctx context.Context, w *cluster.Workspace, name string, number int) v1alpha1.BuildAttempt {
	GinkgoHelper()
	var build *v1alpha1.ImageBuild
	w.Eventually(ctx, func(ctx context.Context) (string, error) {
		var err error
		build, err = w.Builds().Get(ctx, name, metav1.GetOptions{})
		return fmt.Sprintf("%s, attempt %d", build.Status.Phase, len(build.Status.Attempts)), err
	}).Should(Equal(fmt.Sprintf("Running, attempt %d", number)))
	return build.Status.Attempts[number-1]
}
