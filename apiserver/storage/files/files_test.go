// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"goldsmith.dev/goldsmith/e2e/require"
)

// open starts a directory, and connects to it. The returned function stops it.
func open(t *testing.T, path string) (client *clientv3.Client, stop func()) {
	t.Helper()
	directory := require.Value(Start(path))(t)
	server := directory.Server()
	dial := func(ctx context.Context, address string) (net.Conn, error) { return server.Dial(ctx, "tcp", address) }
	client = require.Value(clientv3.New(clientv3.Config{
		Endpoints: []string{server.Endpoint()}, DialOptions: []grpc.DialOption{grpc.WithContextDialer(dial)}, Logger: zap.NewNop(),
	}))(t)
	return client, func() {
		if err := errors.Join(client.Close(), directory.Stop()); err != nil {
			t.Error(err)
		}
	}
}

// do writes or, with an empty value, deletes a key, and returns the revision.
func do(ctx context.Context, client *clientv3.Client, key, value string) (int64, error) {
	if value == "" {
		response, err := client.Delete(ctx, key)
		if err != nil {
			return 0, err
		}
		return response.Header.GetRevision(), nil
	}
	response, err := client.Put(ctx, key, value)
	if err != nil {
		return 0, err
	}
	return response.Header.GetRevision(), nil
}

// stored returns all versions as text, and the revision.
func stored(t *testing.T, client *clientv3.Client) (versions map[string]string, revision int64) {
	t.Helper()
	response := require.Value(client.Get(t.Context(), "", clientv3.WithPrefix()))(t)
	versions = map[string]string{}
	for _, kv := range response.Kvs {
		versions[string(kv.GetKey())] = fmt.Sprintf("%q %d %d %d", kv.GetValue(), kv.GetCreateRevision(), kv.GetModRevision(), kv.GetVersion())
	}
	return versions, response.Header.GetRevision()
}

// TestACrashLosesNothingAndReusesNoRevision copies a directory after each of some random writes, and starts the copy as after a crash.
func TestACrashLosesNothingAndReusesNoRevision(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	path := t.TempDir()
	client, stop := open(t, path)
	keys := []string{"/registry/a", "/registry/a/b", "/registry/%2F ü", "/registry/" + strings.Repeat("x", 300), "/registry/" + strings.Repeat("x", 300) + "y"}
	for step := range 15 {
		t.Logf("seed %d, step %d", seed, step)
		value := ""
		if random.IntN(3) > 0 {
			value = fmt.Sprintf("k8s:enc:\x00\xff\n%d", step)
		}
		g.Expect(do(t.Context(), client, keys[random.IntN(len(keys))], value)).Error().NotTo(HaveOccurred())
		lease := require.Value(client.Grant(t.Context(), 1000))(t)
		g.Expect(client.Put(t.Context(), "/registry/event", "e", clientv3.WithLease(lease.ID))).Error().NotTo(HaveOccurred())
		want, last := stored(t, client)
		delete(want, "/registry/event") // it has a lease

		copied := filepath.Join(t.TempDir(), "copy")
		g.Expect(os.CopyFS(copied, os.DirFS(path))).To(Succeed())
		g.Expect(os.WriteFile(filepath.Join(copied, newFile), []byte("half"), 0o600)).To(Succeed())
		crashed, stopCrashed := open(t, copied)
		got, revision := stored(t, crashed)
		g.Expect(got).To(Equal(want))
		g.Expect(revision).To(BeNumerically(">", last))
		stopCrashed()
	}
	// A clean stop gives back what was reserved.
	want, last := stored(t, client)
	stop()
	delete(want, "/registry/event")
	client, stop = open(t, path)
	defer stop()
	got, revision := stored(t, client)
	g.Expect(got).To(Equal(want))
	g.Expect(revision).To(Equal(last + 1))
}

func TestAKeyThatGetsALeaseLosesItsFile(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	path := t.TempDir()
	client, stop := open(t, path)
	g.Expect(do(t.Context(), client, "/registry/a", "1")).Error().NotTo(HaveOccurred())
	lease := require.Value(client.Grant(t.Context(), 1000))(t)
	g.Expect(client.Put(t.Context(), "/registry/a", "2", clientv3.WithLease(lease.ID))).Error().NotTo(HaveOccurred())
	stop()
	client, stop = open(t, path)
	defer stop()
	left, _ := stored(t, client)
	g.Expect(left).To(BeEmpty())
}

func TestATransactionThatCannotBeReadAgainIsRefused(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	directory := require.Value(Start(t.TempDir()))(t)
	defer func() { g.Expect(directory.Stop()).To(Succeed()) }()
	err := directory.Commit(2, []*mvccpb.KeyValue{{Key: []byte("a"), Version: 1}, {Key: []byte("b"), Version: 1}})
	g.Expect(err).To(MatchError(ContainSubstring("several objects cannot be stored in one transaction")))
	g.Expect(directory.Commit(2, []*mvccpb.KeyValue{{Key: []byte("a\xff"), Version: 1}})).To(MatchError(ContainSubstring("the key is not UTF-8")))
}

func TestAWriteThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	path := t.TempDir()
	client, stop := open(t, path)
	defer stop()
	g.Expect(do(t.Context(), client, "a", "1")).Error().NotTo(HaveOccurred())
	before, _ := stored(t, client)
	blocked := filepath.Join(path, newFile)
	g.Expect(os.Mkdir(blocked, 0o700)).To(Succeed())
	g.Expect(errorOf(do(t.Context(), client, "a", "2"))).To(MatchError(ContainSubstring("is a directory")))
	after, _ := stored(t, client)
	g.Expect(after).To(Equal(before))
	g.Expect(os.Remove(blocked)).To(Succeed())
	g.Expect(do(t.Context(), client, "a", "3")).Error().NotTo(HaveOccurred())
}

func TestADirectoryThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	const object = "a" + extension
	edit := func(name, old, replacement string) func(string) error {
		return func(path string) error {
			content, err := os.ReadFile(filepath.Join(path, name))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(path, name), []byte(strings.Replace(string(content), old, replacement, 1)), 0o600)
		}
	}
	for name, test := range map[string]struct {
		damage func(path string) error
		want   string
	}{
		"a value":    {edit(object, "value", "valve"), object + " is damaged: its checksum is wrong: restore the directory from a backup"},
		"a revision": {edit(object, `"modRevision":`, `"modRevision":1`), object + " is damaged: its checksum is wrong"},
		"a header":   {edit(object, "{", "["), object + " is damaged: "},
		"a cut file": {func(path string) error { return os.Truncate(filepath.Join(path, object), 10) }, object + " is damaged: its end is missing"},
		"another name": {func(path string) error {
			return os.Rename(filepath.Join(path, object), filepath.Join(path, "b"+extension))
		}, "its name is not that of its key"},
		"no revision":      {func(path string) error { return os.Remove(filepath.Join(path, revisionFile)) }, revisionFile + " is damaged: it is missing or older than " + object},
		"an old revision":  {func(path string) error { return os.WriteFile(filepath.Join(path, revisionFile), []byte("1\n"), 0o600) }, revisionFile + " is damaged: it is missing or older"},
		"half a revision":  {func(path string) error { return os.WriteFile(filepath.Join(path, revisionFile), nil, 0o600) }, revisionFile + " is damaged: "},
		"a file of others": {func(path string) error { return os.WriteFile(filepath.Join(path, "web.yaml"), nil, 0o600) }, "web.yaml is not of this storage: use a directory in which nobody else writes"},
		"a link":           {func(path string) error { return os.Symlink(object, filepath.Join(path, "b"+extension)) }, "is not of this storage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			path := t.TempDir()
			client, stop := open(t, path)
			g.Expect(do(t.Context(), client, "a", "value")).Error().NotTo(HaveOccurred())
			g.Expect(errorOf(Start(path))).To(MatchError(ErrInUse))
			stop()
			g.Expect(test.damage(path)).To(Succeed())
			g.Expect(errorOf(Start(path))).To(MatchError(ContainSubstring(test.want)))
			_, err := Start(path)
			g.Expect(err).NotTo(MatchError(ErrInUse), "the lock is released")
		})
	}
}

// writerVariable has this test binary be a process that writes until it is killed.
const writerVariable = "FILES_TEST_WRITES_TO"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerVariable); path != "" {
		client, _ := open(&testing.T{}, path)
		for i := 0; ; i++ {
			key, value := fmt.Sprint(i%7), fmt.Sprint(i)
			if i%5 == 4 {
				value = ""
			}
			revision, err := do(context.Background(), client, key, value)
			if err != nil {
				panic(err)
			}
			fmt.Println(revision, i%7, value)
		}
	}
	os.Exit(m.Run())
}

// TestAKilledProcessLosesNothingThatItAcknowledged is not parallel: until its program runs, a new process has the locks of other tests.
func TestAKilledProcessLosesNothingThatItAcknowledged(t *testing.T) { //nolint:paralleltest // as said
	g := NewWithT(t)
	path := t.TempDir()
	for range 3 {
		command := exec.CommandContext(t.Context(), os.Args[0])
		command.Env = append(os.Environ(), writerVariable+"="+path)
		command.Stderr = os.Stderr
		output := require.Value(command.StdoutPipe())(t)
		g.Expect(command.Start()).To(Succeed())
		acknowledged, last, lastKey := map[int]string{}, int64(0), 0
		writes := 20 + rand.IntN(40)
		lines := bufio.NewScanner(output)
		for count := 1; lines.Scan(); count++ {
			value := ""
			_, _ = fmt.Sscan(lines.Text(), &last, &lastKey, &value) // there is no value after a deletion
			acknowledged[lastKey] = value
			if count == writes {
				g.Expect(command.Process.Kill()).To(Succeed()) // what it said until then is still read
			}
		}
		_ = command.Wait() // it was killed
		g.Expect(acknowledged).NotTo(BeEmpty())

		client, stop := open(t, path)
		delete(acknowledged, (lastKey+1)%7) // the next write may be done, or not
		for key, value := range acknowledged {
			response := require.Value(client.Get(t.Context(), fmt.Sprint(key)))(t)
			g.Expect(response.Header.GetRevision()).To(BeNumerically(">", last))
			got := ""
			for _, kv := range response.Kvs {
				got = string(kv.GetValue())
			}
			g.Expect(got).To(Equal(value), fmt.Sprint(key))
		}
		stop()
	}
}

// errorOf returns the error of a call that also returns a value.
func errorOf[T any](_ T, err error) error { return err }
