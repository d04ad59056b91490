// SPDX-License-Identifier: Apache-2.0

package signingkey

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table/tabletest"
)

func TestTable(t *testing.T) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	created, end := metav1.NewTime(now.Add(-72*time.Hour)), metav1.NewTime(now.AddDate(1, 0, 0))
	secret := v1alpha1.SecretReference{Name: "release-signing-key"}
	ready := func(status metav1.ConditionStatus, reason string) v1alpha1.SigningKeyStatus {
		return v1alpha1.SigningKeyStatus{
			KeyID:      "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			Conditions: []metav1.Condition{{Type: v1alpha1.SigningKeyReady, Status: status, Reason: reason}},
		}
	}
	tabletest.Golden(t, newTable(testingclock.NewFakePassiveClock(now)), &v1alpha1.SigningKeyList{Items: []v1alpha1.SigningKey{
		{ObjectMeta: metav1.ObjectMeta{Name: "new", CreationTimestamp: created}, Spec: v1alpha1.SigningKeySpec{SecretRef: secret}},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "release", CreationTimestamp: created},
			Spec: v1alpha1.SigningKeySpec{SecretRef: secret, NotAfter: &end, NamespaceSelector: &metav1.LabelSelector{
				MatchLabels:      map[string]string{"team": "red"},
				MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpExists}},
			}},
			Status: ready(metav1.ConditionTrue, v1alpha1.ReasonKeyRead),
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "old", CreationTimestamp: created},
			Spec:       v1alpha1.SigningKeySpec{SecretRef: secret, NotAfter: &created, NamespaceSelector: &metav1.LabelSelector{}},
			Status:     ready(metav1.ConditionFalse, v1alpha1.ReasonKeyExpired),
		},
	}})
}
