// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestARequestWhoseClientWentAwayIsLoggedWhereEverythingIs(t *testing.T) {
	var log bytes.Buffer
	before := processLog.sendTo(&log)
	defer processLog.sendTo(before)
	storage, err := etcd.Start(t.Context(), "")
	require.NoError(t, err)
	config := storagebackend.Config{Transport: storage.Transport()}
	prober, err := factory.CreateProber(config)
	require.NoError(t, err)
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
	processLog.sendTo(before) // goroutines of earlier tests may still log
	if text := log.String(); !strings.Contains(text, "context canceled") {
		t.Errorf("it logged %q", text)
	}
}

func TestALogIsInTheDataDirectoryUntilItIsRestored(t *testing.T) {
	var before bytes.Buffer
	log := &Log{out: &before}
	path := filepath.Join(t.TempDir(), "up.log")
	restore, err := keepLog(path, log)
	require.NoError(t, err)
	_, writing := log.Write([]byte("while it runs\n"))
	require.NoError(t, errors.Join(writing, restore()))
	if _, err := log.Write([]byte("afterwards\n")); err != nil {
		t.Error(err)
	}
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	if string(kept) != "while it runs\n" || before.String() != "afterwards\n" {
		t.Errorf("the data directory has %q, and %q went to where the log was sent before", kept, before.String())
	}
}
