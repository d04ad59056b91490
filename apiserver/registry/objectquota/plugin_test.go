// SPDX-License-Identifier: Apache-2.0

package objectquota

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	listers "k8s.io/client-go/listers/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

const counted = "count/images.images.goldsmith.dev"

// start makes a plugin for a cluster where a namespace "team" may have this many images, and what it has seen of quotas.
func start(t *testing.T, hard string) (admission.ValidationInterface, kubernetes.Interface, listers.ResourceQuotaLister) {
	t.Helper()
	limit := corev1.ResourceList{counted: resource.MustParse(hard)}
	client := fake.NewClientset(&corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "images"},
		Spec:       corev1.ResourceQuotaSpec{Hard: limit},
		Status:     corev1.ResourceQuotaStatus{Hard: limit, Used: corev1.ResourceList{counted: resource.MustParse("0")}},
	})
	made, err := New(nil)
	require.NoError(t, err)
	factory := informers.NewSharedInformerFactory(client, 0)
	initializer.New(client, nil, factory, nil, nil, nil, t.Context().Done(), nil).Initialize(made)
	require.NoError(t, made.(admission.InitializationValidator).ValidateInitialization())
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	return made.(admission.ValidationInterface), client, factory.Core().V1().ResourceQuotas().Lister()
}

// create asks the plugin about the creation of an object, or something about one.
func create(plugin admission.ValidationInterface, object runtime.Object, name, subresource string, dryRun bool) error {
	return plugin.Validate(context.Background(), admission.NewAttributesRecord(object, nil, v1alpha1.Kind("Image"), "team", name,
		v1alpha1.SchemeGroupVersion.WithResource("images"), subresource, admission.Create, &metav1.CreateOptions{}, dryRun, nil), nil)
}

func used(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	quota, err := client.CoreV1().ResourceQuotas("team").Get(t.Context(), "images", metav1.GetOptions{})
	require.NoError(t, err)
	count := quota.Status.Used[counted]
	return count.String()
}

func TestWhatIsCreatedIsCountedAndWhatIsOverTheQuotaRefused(t *testing.T) {
	plugin, client, seen := start(t, "1")
	require.NoError(t, create(plugin, &v1alpha1.Image{}, "web", "", false))
	if got := used(t, client); got != "1" {
		t.Errorf("used: %s", got)
	}
	// A real API would answer an older count with a conflict; this API has no versions.
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		quota, err := seen.ResourceQuotas("team").Get("images")
		if err != nil {
			return false, err
		}
		count := quota.Status.Used[counted]
		return count.String() == "1", nil
	})
	if err != nil {
		t.Fatalf("the plugin does not see what is counted: %v", err)
	}
	if err := create(plugin, &v1alpha1.Image{}, "other", "", false); !apierrors.IsForbidden(err) {
		t.Errorf("the second image: %v", err)
	}
}

func TestWhatCreatesNoImageIsNotCounted(t *testing.T) {
	plugin, client, _ := start(t, "1")
	if err := create(plugin, &v1alpha1.Image{}, "web", "", true); err != nil {
		t.Errorf("a dry run: %v", err)
	}
	for range 2 {
		if err := create(plugin, &v1alpha1.BuildRequest{}, "web", "instantiate", false); err != nil {
			t.Errorf("a request for a build: %v", err)
		}
	}
	if got := used(t, client); got != "0" {
		t.Errorf("used: %s", got)
	}
}
