// SPDX-License-Identifier: Apache-2.0

package reconciliation

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAConditionIsSaidOnce(t *testing.T) {
	api := apitest.New(v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"))
	defer api.Close()
	client := versioned.NewForConfigOrDie(api.Config("test"))
	builds := client.ImagesV1alpha1().ImageBuilds("team")
	now := time.Date(2026, 3, 1, 12, 0, 0, 7, time.UTC)
	options := &Options{Client: client, Clock: testingclock.NewFakePassiveClock(now)}
	before, err := builds.Create(t.Context(), &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	say := func(build *v1alpha1.ImageBuild, reason, message string) (*v1alpha1.ImageBuild, error) {
		err := options.SetCondition(t.Context(), build, metav1.Condition{Type: v1alpha1.BuildRecorded, Status: metav1.ConditionFalse, Reason: reason, Message: message})
		stored, missing := builds.Get(t.Context(), "web-1", metav1.GetOptions{})
		if missing != nil {
			t.Fatal(missing)
		}
		return stored, err
	}

	said, err := say(before, "Away", "a"+strings.Repeat("ä", v1alpha1.MaxMessageBytes))
	require.NoError(t, err)
	condition := meta.FindStatusCondition(said.Status.Conditions, v1alpha1.BuildRecorded)
	if condition == nil || !condition.LastTransitionTime.Time.Equal(now.Truncate(time.Second)) ||
		!utf8.ValidString(condition.Message) || condition.Message != "a"+strings.Repeat("ä", (v1alpha1.MaxMessageBytes-len("a…"))/2)+"…" {
		t.Errorf("the condition is %+v", condition)
	}
	again, err := say(said, "Away", "in other words")
	if err != nil || again.ResourceVersion != said.ResourceVersion {
		t.Errorf("it is said again: %+v, error %v", again.Status.Conditions, err)
	}
	if other, err := say(said, "Full", ""); err != nil || meta.FindStatusCondition(other.Status.Conditions, v1alpha1.BuildRecorded).Reason != "Full" {
		t.Errorf("another reason is not said: %+v, error %v", other.Status.Conditions, err)
	}
	if _, err := say(said, "Other", ""); !apierrors.IsConflict(err) {
		t.Errorf("of a build that is not as it was: error %v", err)
	}
}
