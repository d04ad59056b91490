// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheDefaultsSuitACluster(t *testing.T) {
	command, err := newCommand(io.Discard)
	require.NoError(t, err)
	for name, expected := range map[string]string{
		"bind-address": "0.0.0.0", "secure-port": "8443", "kubeconfig": "", "etcd-servers": "[]", "v": "2", "cors-allowed-origins": "",
	} {
		flag := command.Flags().Lookup(name)
		if flag == nil {
			t.Errorf("there is no flag %s", name)
		} else if flag.DefValue != expected {
			t.Errorf("%s is %q, not %q", name, flag.DefValue, expected)
		}
	}
	if usage := command.Flags().Lookup("log-archive").Usage; !strings.Contains(usage, "gs://bucket") {
		t.Errorf("the archive of logs cannot be in every cloud: %s", usage)
	}
	const plugin = "BuildTemplateAccess"
	if usage := command.Flags().Lookup("disable-admission-plugins").Usage; !strings.Contains(usage, plugin) {
		t.Errorf("%s is not enabled by default: %s", plugin, usage)
	}
}

func TestTheLimitsOfTheQueueAreThoseOfTheController(t *testing.T) {
	command, err := newCommand(io.Discard)
	require.NoError(t, err)
	for _, name := range []string{"max-builds", "max-builds-per-namespace"} {
		if flag := command.Flags().Lookup(name); flag == nil || flag.DefValue != "0" {
			t.Errorf("the flag %s is %+v", name, flag)
		}
	}
}

func TestItSaysItsVersion(t *testing.T) {
	command, err := newCommand(io.Discard)
	require.NoError(t, err)
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetArgs([]string{"--version"})
	require.NoError(t, command.ExecuteContext(t.Context()))
	if got := out.String(); got != "goldsmith-apiserver version "+buildversion.Get(version)+"\n" {
		t.Errorf("got %q", got)
	}
}

func TestItDoesNotStartWithoutAnEtcd(t *testing.T) {
	command, err := newCommand(io.Discard)
	require.NoError(t, err)
	command.SetArgs([]string{})
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "--etcd-servers must be specified") {
		t.Errorf("got %v", err)
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		t.Error("the program does not limit its memory")
	}
}

func TestItDoesNotStartWithoutTheBuildersThatItIsToKnow(t *testing.T) {
	command, err := newCommand(io.Discard)
	require.NoError(t, err)
	command.SetArgs([]string{"--builders-directory", "/no/such/directory"})
	if err := command.ExecuteContext(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "--builders-directory: open /no/such/directory") {
		t.Errorf("got %v", err)
	}
}

func TestKindsOfDocumentsAreReadAtTheStart(t *testing.T) {
	const examples = "../../examples/catalog"
	for _, test := range []struct{ path, want string }{
		{examples, "--etcd-servers must be specified"}, // the check that follows
		{examples + "/instances", "read the kinds: "},
		{"/no/such/file", "read the kinds: /no/such/file: no such file or directory"},
	} {
		command, err := newCommand(io.Discard)
		require.NoError(t, err)
		command.SetArgs([]string{"--kinds", test.path})
		ctx, stop := context.WithCancel(t.Context())
		if err := command.ExecuteContext(ctx); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.path, err, test.want)
		}
		stop()
	}
}
