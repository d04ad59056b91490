// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestQuantitiesAreWrittenAsTheyWereRead(t *testing.T) {
	for _, data := range []string{`"0.5"`, `"500m"`, `"1024Mi"`, `"1Gi"`, `"+1"`, `"1e3"`, `"1E18"`, `"1e-3"`, `"0"`, `"-1"`, `0`, `2`, `0.5`, `-1`, `9007199254740993`} {
		var read, received Quantity
		var kubernetes, kubernetesReceived resource.Quantity
		if err := json.Unmarshal([]byte(data), &read); err != nil {
			t.Errorf("%s: %v", data, err)
		}
		encoded, err := read.Marshal()
		if err == nil {
			err = received.Unmarshal(encoded)
		}
		if err != nil || received != read {
			t.Errorf("%s: protobuf made %#v of %#v: %v", data, received, read, err)
		}
		got, err := json.Marshal(received)
		unstructured, errUnstructured := json.Marshal(received.ToUnstructured())
		if err != nil || errUnstructured != nil || string(got) != data || string(unstructured) != data || received.String() != strings.Trim(data, `"`) {
			t.Errorf("%s: got %s, %s and %s: %v, %v", data, got, unstructured, received, err, errUnstructured)
		}
		if err := json.Unmarshal([]byte(data), &kubernetes); err != nil || kubernetes.Cmp(received.Amount()) != 0 {
			t.Errorf("%s: the amount is %v and not %s: %v", data, received.Amount(), kubernetes.String(), err)
		}
		if err := kubernetesReceived.Unmarshal(encoded); err != nil || kubernetesReceived.Cmp(kubernetes) != 0 { // an earlier version
			t.Errorf("%s: resource.Quantity read %s: %v", data, kubernetesReceived.String(), err)
		}
	}
	for data, want := range map[string]string{`5e-1`: `0.5`, `1.0`: `1`, `null`: `"0"`} {
		var read Quantity
		if err := json.Unmarshal([]byte(data), &read); err != nil {
			t.Errorf("%s: %v", data, err)
		}
		if got, err := json.Marshal(read); err != nil || string(got) != want {
			t.Errorf("%s: got %s, want %s: %v", data, got, want, err)
		}
	}
	for _, data := range []string{`"a lot"`, `""`, `true`, `{}`, `[]`} {
		read := Quantity{Text: "1"}
		if err := json.Unmarshal([]byte(data), &read); err == nil || !strings.Contains(err.Error(), "must be a quantity such as 500m or 4Gi, not "+data) {
			t.Errorf("%s is read as %s: %v", data, read, err)
		}
	}
}

func TestAQuantityWithALargeExponentIsReadButNotComputed(t *testing.T) {
	for _, text := range []string{"1e1000000000", "1E-2147483648", "1e99999999999999999999", "1e100", "1e-100"} {
		var read Quantity
		if err := json.Unmarshal([]byte(`"`+text+`"`), &read); err != nil || read.Text != text {
			t.Errorf("%s is read as %s: %v", text, read, err)
		}
		if amount := read.Amount(); !amount.IsZero() {
			t.Errorf("%s is %s", text, amount.String())
		}
		if _, err := read.Parse(); err == nil {
			t.Errorf("%s is a quantity", text)
		}
	}
}

func TestStoredResourcesOfContainersAreRead(t *testing.T) {
	earlier := corev1.ResourceRequirements{
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0.5"), "example.com/tape": resource.MustParse("1")},
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1024Mi")},
	}
	want := &ResourceRequirements{
		Limits:   map[string]Quantity{"cpu": {Text: "500m"}, "example.com/tape": {Text: "1"}},
		Requests: map[string]Quantity{"memory": {Text: "1Gi"}},
	}
	data, err := earlier.Marshal()
	var got ResourceRequirements
	if err == nil {
		err = got.Unmarshal(data)
	}
	if err != nil || !equality.Semantic.DeepEqual(&got, want) {
		t.Errorf("protobuf: got %v, want %v: %v", got, want, err)
	}
	if !equality.Semantic.DeepEqual(got.Kubernetes(), earlier) {
		t.Errorf("got %v, want %v", got.Kubernetes(), earlier)
	}
	data, err = got.Marshal()
	var back corev1.ResourceRequirements
	if err == nil {
		err = back.Unmarshal(data)
	}
	if err != nil || !equality.Semantic.DeepEqual(back, earlier) {
		t.Errorf("back: got %v, want %v: %v", back, earlier, err)
	}
}
