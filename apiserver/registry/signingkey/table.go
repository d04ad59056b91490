// SPDX-License-Identifier: Apache-2.0

package signingkey

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

const (
	all  = "<all>"
	none = "<none>"
	// shown is how many hex digits of an ID a cell has.
	shown = 12
)

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the SigningKey."},
	{Name: "Key ID", Type: "string", Description: "Beginning of the digest of the public key."},
	{Name: "Ready", Type: "string", Description: "Whether the signer can sign with the key."},
	{Name: "Expires", Type: "string", Description: "Time from which the key signs nothing."},
	{Name: "Age", Type: "string", Description: "Time since the SigningKey was created."},
	{Name: "Reason", Type: "string", Priority: 1, Description: "Why the signer can or cannot sign with the key."},
	{Name: "Namespaces", Type: "string", Priority: 1, Description: "Selector of the namespaces whose builds the key signs."},
	{Name: "Secret", Type: "string", Priority: 1, Description: "Secret with the private key, in the namespace of the signer."},
}

func newTable(clock clock.PassiveClock) resources.Table[*v1alpha1.SigningKey] {
	return table.New(columns, func(key *v1alpha1.SigningKey) []any {
		id, expires, namespaces := none, none, all
		if hex := strings.TrimPrefix(key.Status.KeyID, "sha256:"); hex != "" {
			id = hex[:min(shown, len(hex))]
		}
		if key.Spec.NotAfter != nil {
			expires = key.Spec.NotAfter.UTC().Format(time.RFC3339)
		}
		if selector := key.Spec.NamespaceSelector; selector != nil && len(selector.MatchLabels)+len(selector.MatchExpressions) > 0 {
			namespaces = metav1.FormatLabelSelector(selector)
		}
		ready, reason := string(metav1.ConditionUnknown), none
		if condition := meta.FindStatusCondition(key.Status.Conditions, v1alpha1.SigningKeyReady); condition != nil {
			ready, reason = string(condition.Status), condition.Reason
		}
		return []any{key.Name, id, ready, expires, table.Age(clock, key.CreationTimestamp), reason, namespaces, key.Spec.SecretRef.Name}
	})
}
