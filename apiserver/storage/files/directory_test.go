// SPDX-License-Identifier: Apache-2.0

package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// keyOf is the key of a config map.
func keyOf(name string) string { return "/registry/configmaps/default/" + name }

// valueOf is a config map as the server stores it.
func valueOf(name, value string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"default","uid":"uid-of-%s",`+
		`"managedFields":[{"manager":"test"}]},"data":{"value":%q}}`+"\n", name, name, value)
}

func fileOf(root, name string) string {
	return filepath.Join(root, "core", "configmaps", "default", name+".yaml")
}

// open starts a directory, and connects to it. The returned function stops it in good order.
func open(t *testing.T, root string) (client *clientv3.Client, stop func()) {
	t.Helper()
	_, client, stop = start(t, root)
	return client, stop
}

// start is open, for tests that bypass the protocol.
func start(t *testing.T, root string) (directory *Directory, client *clientv3.Client, stop func()) {
	t.Helper()
	directory, err := Start(root)
	if err != nil {
		t.Fatal(err)
	}
	server := directory.Server()
	client, err = clientv3.New(clientv3.Config{
		Endpoints: []string{server.Endpoint()},
		Logger:    zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return server.Dial(ctx, "tcp", address)
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return directory, client, func() {
		t.Helper()
		if err := errors.Join(client.Close(), directory.Stop()); err != nil {
			t.Error(err)
		}
	}
}

func put(t *testing.T, client *clientv3.Client, key, value string) int64 {
	t.Helper()
	response, err := client.Put(t.Context(), key, value)
	if err != nil {
		t.Fatal(err)
	}
	return response.Header.GetRevision()
}

func remove(t *testing.T, client *clientv3.Client, key string) int64 {
	t.Helper()
	response, err := client.Delete(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return response.Header.GetRevision()
}

// stored returns all objects with their versions, and the current revision.
func stored(t *testing.T, client *clientv3.Client) (objects map[string]string, revision int64) {
	t.Helper()
	response, err := client.Get(t.Context(), "/registry/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	objects = map[string]string{}
	for _, kv := range response.Kvs {
		objects[string(kv.GetKey())] = fmt.Sprintf("%s created at %d, modified at %d, version %d",
			kv.GetValue(), kv.GetCreateRevision(), kv.GetModRevision(), kv.GetVersion())
	}
	return objects, response.Header.GetRevision()
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestAnObjectIsAReadableFile(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	client, stop := open(t, root)
	defer stop()
	put(t, client, keyOf("a"), valueOf("a", "one\ntwo\n"))
	g.Expect(read(t, fileOf(root, "a"))).To(Equal(`apiVersion: v1
data:
  value: |
    one
    two
kind: ConfigMap
metadata:
  name: a
  namespace: default
`))
	put(t, client, "/registry/batch/jobs/default/j", `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j","namespace":"default"}}`)
	g.Expect(filepath.Join(root, "batch", "jobs", "default", "j.yaml")).To(BeARegularFile())
	put(t, client, "/registry/namespaces/default", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default"}}`)
	g.Expect(filepath.Join(root, "core", "namespaces", "default.yaml")).To(BeARegularFile())
	long := strings.Repeat("long", 63)
	put(t, client, keyOf(long), valueOf(long, ""))
	remove(t, client, keyOf("a"))
	g.Expect(fileOf(root, "a")).NotTo(BeAnExistingFile())
	remove(t, client, keyOf(long))
	g.Expect(filepath.Join(root, "core", "configmaps")).NotTo(BeAnExistingFile(), "an empty directory")
	_, err := client.Put(t.Context(), keyOf("p"), "k8s\x00protobuf")
	g.Expect(err).To(MatchError(ContainSubstring("encoded as protobuf")))
	_, err = client.Put(t.Context(), "/registry/elsewhere", valueOf("x", ""))
	g.Expect(err).To(MatchError(ContainSubstring("object key must be")), "it would be lost")
}

func TestAFileIsNotWrittenForWhatItDoesNotShow(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	directory, client, stop := start(t, root)
	value := func(data, generation, phase string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default","uid":"u","creationTimestamp":"2026-03-01T12:00:00Z",`+
			`"generation":%s},"data":{"value":%q},"status":{"phase":%q}}`, generation, data, phase)
	}
	put(t, client, keyOf("a"), value("one", "1", "Pending"))
	g.Expect(read(t, fileOf(root, "a"))).To(Equal("apiVersion: v1\ndata:\n  value: one\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: default\n"))
	written := "# why\n" + read(t, fileOf(root, "a"))
	write(t, fileOf(root, "a"), written)
	lookTwice(t, directory, &answering{patch: func(string) { t.Error("a comment is no edit") }})
	put(t, client, keyOf("a"), value("one", "1", "Running"))
	g.Expect(read(t, fileOf(root, "a"))).To(Equal(written))
	killed := snapshot(t, root) // right after the write
	stop()
	for _, root := range []string{root, killed} {
		directory, client, stop = start(t, root)
		_, edited, err := directory.read(aPath)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(edited).To(BeFalse())
		put(t, client, keyOf("a"), value("one", "2", "Ended"))
		g.Expect(read(t, fileOf(root, "a"))).To(Equal(written))
		put(t, client, keyOf("a"), value("two", "3", "Ended"))
		g.Expect(read(t, fileOf(root, "a"))).To(ContainSubstring("value: two"))
		stop()
	}
}

// TestAFileThatShowsMoreIsWrittenAgain has a directory as earlier versions left it: their files had the status and the UID.
func TestAFileThatShowsMoreIsWrittenAgain(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	client, stop := open(t, root)
	put(t, client, keyOf("a"), strings.Replace(valueOf("a", "one"), `"data"`, `"status":{"phase":"Ended"},"data"`, 1))
	stop()
	now := read(t, fileOf(root, "a"))
	earlier := now + "  uid: uid-of-a\nstatus:\n  phase: Ended\n"
	write(t, fileOf(root, "a"), earlier)
	write(t, journalOf(root), strings.ReplaceAll(read(t, journalOf(root)), digest([]byte(now)), digest([]byte(earlier))))
	client, stop = open(t, root)
	defer stop()
	g.Expect(read(t, fileOf(root, "a"))).To(Equal(now))
	objects, _ := stored(t, client)
	g.Expect(objects[keyOf("a")]).To(ContainSubstring("Ended"))
}

func TestVersionControlIgnoresWhatItIsTold(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	ignore := filepath.Join(root, ".gitignore")
	for _, own := range []string{"", "mine\n"} {
		if own != "" {
			g.Expect(os.WriteFile(ignore, []byte(own), 0o600)).To(Succeed())
		}
		directory, err := Start(root, WithIgnored("core/pods", "batch"))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(directory.Stop()).To(Succeed())
		g.Expect(read(t, ignore)).To(Equal(cmp.Or(own, "/core/pods/\n/batch/\n")))
	}
}

func TestARestartChangesNothing(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	client, stop := open(t, root)
	put(t, client, keyOf("a"), valueOf("a", "1"))
	first := put(t, client, keyOf("a"), valueOf("a", "2"))
	put(t, client, keyOf("b"), valueOf("b", "1"))
	remove(t, client, keyOf("b"))
	put(t, client, "no-object", "in memory")
	before, revision := stored(t, client)
	stop()

	client, stop = open(t, root)
	defer stop()
	after, again := stored(t, client)
	g.Expect(after).To(Equal(before))
	g.Expect(again).To(Equal(revision+1), "a server begins with a revision of its own")
	g.Expect(put(t, client, keyOf("c"), valueOf("c", "1"))).To(Equal(revision + 2))

	resumed := <-client.Watch(t.Context(), "/registry/", clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	g.Expect(resumed.Events).To(HaveLen(1), "who has seen everything from before the restart misses nothing")
	expired := <-client.Watch(t.Context(), "/registry/", clientv3.WithPrefix(), clientv3.WithRev(first+1))
	g.Expect(expired.Err()).To(MatchError(rpctypes.ErrCompacted), "who has not is told")
	last := <-client.Watch(t.Context(), "/registry/", clientv3.WithPrefix(), clientv3.WithRev(revision))
	g.Expect(last.Err()).To(MatchError(rpctypes.ErrCompacted), "who misses only the last event is told, too")
	_, err := client.Get(t.Context(), keyOf("a"), clientv3.WithRev(first))
	g.Expect(err).To(MatchError(rpctypes.ErrCompacted))
}

func TestADirectoryIsForOneAtATime(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	_, stop := open(t, root)
	_, err := Start(root)
	g.Expect(err).To(MatchError(ErrInUse))
	stop()
	_, stop = open(t, root)
	stop()
}

// TestAFileOfSomebodyElseIsNotOverwritten is about a file that exists before its object, and is then deleted.
func TestAFileOfSomebodyElseIsNotOverwritten(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	g.Expect(os.MkdirAll(filepath.Dir(fileOf(root, "a")), 0o700)).To(Succeed())
	g.Expect(os.WriteFile(fileOf(root, "a"), []byte("a draft"), 0o600)).To(Succeed())
	g.Expect(os.Mkdir(fileOf(root, "directory"), 0o700)).To(Succeed())
	client, stop := open(t, root)
	put(t, client, keyOf("a"), valueOf("a", "1"))
	put(t, client, keyOf("a"), valueOf("a", "2"))
	_, err := client.Put(t.Context(), keyOf("directory"), valueOf("directory", "1"))
	g.Expect(err).To(MatchError(ContainSubstring("is a directory")))
	stop()
	g.Expect(read(t, fileOf(root, "a"))).To(Equal("a draft"))
	g.Expect(os.Remove(fileOf(root, "a"))).To(Succeed())
	client, stop = open(t, root)
	defer stop()
	objects, _ := stored(t, client)
	g.Expect(objects).To(HaveLen(1))
	g.Expect(read(t, fileOf(root, "a"))).To(ContainSubstring(`value: "2"`))
}

func TestAJournalIsRewrittenBeforeItGrows(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	client, stop := open(t, root)
	put(t, client, keyOf("a"), valueOf("a", "1"))
	put(t, client, keyOf("b"), valueOf("b", "1"))
	g.Expect(os.WriteFile(fileOf(root, "b"), []byte("an edit"), 0o600)).To(Succeed())
	for i := range 2 * slack {
		put(t, client, keyOf("a"), valueOf("a", fmt.Sprint(i)))
		if i%50 == 0 {
			put(t, client, keyOf("b"), valueOf("b", fmt.Sprint(i)))
		}
	}
	before, revision := stored(t, client)
	stop()
	journal := filepath.Join(root, StateDirectory, "journal")
	g.Expect(strings.Count(read(t, journal), "\n")).To(BeNumerically("<", slack))
	client, stop = open(t, root)
	after, again := stored(t, client)
	g.Expect(after).To(Equal(before))
	g.Expect(again).To(Equal(revision + 1))
	g.Expect(read(t, fileOf(root, "b"))).To(Equal("an edit"))
	stop()
}

func TestADamagedJournalIsNotGuessedAt(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	client, stop := open(t, root)
	put(t, client, keyOf("a"), valueOf("a", "1"))
	stop()
	journal := filepath.Join(root, StateDirectory, "journal")
	content := read(t, journal)
	g.Expect(os.WriteFile(journal, []byte("?"+content), 0o600)).To(Succeed())
	_, err := Start(root)
	g.Expect(err).To(MatchError(ContainSubstring("line 1 is damaged")))
}
