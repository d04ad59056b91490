// SPDX-License-Identifier: Apache-2.0

package client

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestSinceTimeIsSentToTheNanosecond(t *testing.T) {
	clients, err := versioned.NewForConfig(&rest.Config{Host: "https://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	connection := &Connection{Interface: clients, Namespace: "team"}
	since := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC))
	url := connection.Log("web-1", v1alpha1.ImageBuildLogOptions{SinceTime: &since, Timestamps: true}).URL()
	const want = "sinceTime=2026-03-01T12%3A00%3A00.123456789Z&timestamps=true"
	if url.Path != "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/web-1/log" || url.RawQuery != want {
		t.Errorf("got %s", url)
	}
}
