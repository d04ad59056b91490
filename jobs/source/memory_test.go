// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/source"
)

// childEnvironment names the variable that makes this program a child which fetches one commit.
const childEnvironment = "GOLDSMITH_TEST_FETCH"

// childLimit is how much memory the child tries to need at most.
const childLimit = 128 << 20

// child is what the child fetches.
type child struct {
	URL, Revision, Folder string
	CA                    []byte
}

func TestMain(m *testing.M) {
	if encoded := os.Getenv(childEnvironment); encoded != "" {
		os.Exit(runChild(encoded))
	}
	os.Exit(m.Run())
}

func runChild(encoded string) int {
	var c child
	if json.Unmarshal([]byte(encoded), &c) != nil {
		return 2
	}
	debug.SetMemoryLimit(childLimit) // as the program that fetches does
	o := source.Options{Allowed: loopback, Secret: map[string][]byte{"ca.crt": c.CA}}
	if _, err := source.Fetch(context.Background(), gitSource(c.URL, "", ""), c.Revision, c.Folder, o); err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		return 1
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	_, _ = os.Stdout.WriteString(strconv.FormatUint(memory.Sys, 10)) // the most: it does not shrink, and has nothing of a race detector
	return 0
}

func TestALargeFileNeedsLittleMemory(t *testing.T) {
	const size, most = 32 << 20, 240 << 20 // a pod has 256 MiB
	r := newRepository(t, "sha1")
	r.git(nil, "config", "core.compression", "0")
	commit := r.commit("refs/heads/main", "m", item{name: "disk.img", data: noise(1, size)})
	url, o := serveTLS(t, r.handler())
	encoded := require.Value(json.Marshal(child{URL: url, Revision: "sha1:" + commit, Folder: t.TempDir(), CA: o.Secret["ca.crt"]}))(t)
	command := exec.CommandContext(t.Context(), require.Value(os.Executable())(t))
	command.Env = append(os.Environ(), childEnvironment+"="+string(encoded))
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	needed := require.Value(strconv.Atoi(string(output)))(t)
	if needed > most {
		t.Errorf("the fetch needs %d MiB of memory, want at most %d MiB", needed>>20, most>>20)
	}
	t.Logf("the fetch needs %d MiB of memory", needed>>20)
}
