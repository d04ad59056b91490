// SPDX-License-Identifier: Apache-2.0

package revokedartifact

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table/tabletest"
)

func TestTable(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	digest := "sha256:" + strings.Repeat("c", 64)
	tabletest.Golden(t, newTable(testingclock.NewFakePassiveClock(now)), &v1alpha1.RevokedArtifactList{Items: []v1alpha1.RevokedArtifact{{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RevokedArtifactName(digest), CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
		Spec:       v1alpha1.RevokedArtifactSpec{Digest: digest, Build: "golden-1", Image: "golden", Revocation: v1alpha1.Revocation{By: "anna", Reason: "has the key of staging\x1b[2J"}},
	}}})
}
