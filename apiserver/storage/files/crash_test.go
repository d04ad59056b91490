// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// snapshot copies a directory, as a crash would leave it.
func snapshot(t *testing.T, root string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// crashed is the beginning of a journal, and the files of another moment.
func crashed(t *testing.T, journal, filesOf string) string {
	t.Helper()
	root := snapshot(t, filesOf)
	if err := os.WriteFile(journalOf(root), []byte(journal), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

func journalOf(root string) string { return filepath.Join(root, StateDirectory, "journal") }

// TestACrashLosesNothingAndBringsNothingBack stops the world at every step of random writes: before a record is whole,
// between the record and the file, and after both.
func TestACrashLosesNothingAndBringsNothingBack(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	root := t.TempDir()
	client, stop := open(t, root)
	defer stop()
	put(t, client, keyOf("begin"), valueOf("begin", ""))
	for step := range 12 {
		t.Logf("seed %d, step %d", seed, step)
		earlier := snapshot(t, root)
		before, _ := stored(t, client)
		name := fmt.Sprint(random.IntN(3))
		var revision int64
		if random.IntN(3) == 0 {
			revision = remove(t, client, keyOf(name))
		} else {
			revision = put(t, client, keyOf(name), valueOf(name, fmt.Sprint(step)))
		}
		written, first := read(t, journalOf(root)), revision // a later record would mark the file as complete
		for range random.IntN(3) {                           // revisions that no stored object has
			revision = put(t, client, "no-object", "")
		}
		after, _ := stored(t, client)
		later := snapshot(t, root)
		journal, known := read(t, journalOf(later)), len(read(t, journalOf(earlier)))
		comesBack(t, crashed(t, journal, later), after, revision)
		comesBack(t, crashed(t, written, earlier), after, first)
		comesBack(t, crashed(t, journal[:min(len(journal), known+random.IntN(20))], earlier), before, 0)
	}
}

// comesBack starts a directory after a crash, and looks whether it has the objects, in its files as well.
func comesBack(t *testing.T, root string, objects map[string]string, revision int64) {
	t.Helper()
	g := NewWithT(t)
	client, stop := open(t, root)
	defer stop()
	got, current := stored(t, client)
	g.Expect(got).To(Equal(objects))
	g.Expect(current).To(BeNumerically(">=", revision), "a revision is given out twice")
	if revision > 0 && current > revision {
		expired := <-client.Watch(t.Context(), "/registry/", clientv3.WithPrefix(), clientv3.WithRev(revision))
		g.Expect(expired.Err()).To(MatchError(rpctypes.ErrCompacted))
	}
	files, err := filepath.Glob(fileOf(root, "*"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).To(HaveLen(len(objects)))
	for key, object := range objects {
		value := object[:strings.LastIndex(object, "\n")]
		content := read(t, fileOf(root, filepath.Base(key)))
		g.Expect(sameObject([]byte(content), []byte(value))).To(BeTrue(), content)
	}
}

// writerVariable has this test binary be a process that writes until it is killed.
const writerVariable = "FILES_TEST_WRITES_TO"

func TestMain(m *testing.M) {
	if root := os.Getenv(writerVariable); root != "" {
		writeForEver(root)
	}
	os.Exit(m.Run())
}

// writeForEver prints each write that was acknowledged.
func writeForEver(root string) {
	client, _ := open(&testing.T{}, root)
	for i := 0; ; i++ {
		name, value := fmt.Sprint(i%7), fmt.Sprint(i)
		var err error
		if i%5 == 4 {
			value = ""
			_, err = client.Delete(context.Background(), keyOf(name))
		} else {
			_, err = client.Put(context.Background(), keyOf(name), valueOf(name, value))
		}
		if err != nil {
			panic(err)
		}
		fmt.Println(name, value)
	}
}

func TestAKilledProcessLosesNothingThatItAcknowledged(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	for range 3 {
		command := exec.CommandContext(t.Context(), os.Args[0])
		command.Env = append(os.Environ(), writerVariable+"="+root)
		command.Stderr = os.Stderr
		output, err := command.StdoutPipe()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(command.Start()).To(Succeed())
		acknowledged := map[string]string{}
		var order []string
		writes := 20 + rand.IntN(40)
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), " ")
			acknowledged[name], order = value, append(order, name)
			if len(order) == writes {
				g.Expect(command.Process.Kill()).To(Succeed()) // what it said until then is still read
			}
		}
		_ = command.Wait() // it was killed
		g.Expect(order).NotTo(BeEmpty())

		client, stop := open(t, root)
		last := order[len(order)-1]
		for name, value := range acknowledged {
			number := 0
			_, err := fmt.Sscan(last, &number)
			g.Expect(err).NotTo(HaveOccurred())
			if name == fmt.Sprint((number+1)%7) {
				continue // the next write may have been under way, or done
			}
			response, err := client.Get(t.Context(), keyOf(name))
			g.Expect(err).NotTo(HaveOccurred())
			if value == "" {
				g.Expect(response.Kvs).To(BeEmpty(), name)
				g.Expect(fileOf(root, name)).NotTo(BeAnExistingFile())
				continue
			}
			g.Expect(response.Kvs).To(HaveLen(1), name)
			g.Expect(string(response.Kvs[0].GetValue())).To(Equal(valueOf(name, value)))
			g.Expect(sameObject([]byte(read(t, fileOf(root, name))), response.Kvs[0].GetValue())).To(BeTrue())
		}
		stop()
	}
}
