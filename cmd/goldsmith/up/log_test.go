// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
)

func TestARequestWhoseClientWentAwayIsLoggedWhereEverythingIs(t *testing.T) {
	var log bytes.Buffer
	if err := logTo(&log, 0); err != nil {
		t.Fatal(err)
	}
	storage, err := etcd.Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	config := storagebackend.Config{Transport: storagebackend.TransportConfig{ServerList: []string{storage.Endpoint()}}}
	prober, err := factory.CreateProber(config)
	if restore := logTo(io.Discard, 0); restore != nil {
		t.Fatal(restore)
	}
	if err != nil {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := prober.Probe(gone); err == nil {
		t.Error("the request was answered")
	}
	if err := prober.Close(); err != nil {
		t.Error(err)
	}
	if err := storage.Stop(); err != nil {
		t.Error(err)
	}
	if text := log.String(); !strings.Contains(text, "context canceled") {
		t.Errorf("it logged %q", text)
	}
}
