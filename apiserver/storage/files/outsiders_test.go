// SPDX-License-Identifier: Apache-2.0

package files

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// These tests are about what others do to the directory: people, git, a disk that is full.

const (
	aPath  = "core/configmaps/default/a.yaml"
	aText  = "apiVersion: v1\nkind: ConfigMap\ndata: {value: %s}\n"
	public = 0o644
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), public); err != nil {
		t.Fatal(err)
	}
}

// answering is an API that takes everything.
type answering struct {
	dynamic.NamespaceableResourceInterface
	create func()
	patch  func(patch string)
}

func (a *answering) Resource(schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	return a
}
func (a *answering) Namespace(string) dynamic.ResourceInterface { return a }
func (a *answering) Create(_ context.Context, object *unstructured.Unstructured, _ metav1.CreateOptions, _ ...string) (*unstructured.Unstructured, error) {
	a.create()
	return object, nil
}
func (a *answering) Patch(_ context.Context, _ string, _ types.PatchType, patch []byte, _ metav1.PatchOptions, _ ...string) (*unstructured.Unstructured, error) {
	a.patch(string(patch))
	return &unstructured.Unstructured{}, nil
}

// lookTwice makes an editor process the file of the object a, and then every file that has changed meanwhile.
func lookTwice(t *testing.T, directory *Directory, api *answering) {
	t.Helper()
	e := &editor{directory: directory, client: api, report: func(line string) { t.Log(line) }, due: map[string]time.Time{}, refused: map[string]refusal{}}
	for range 2 {
		e.due[aPath] = time.Time{}
		e.look(t.Context())
	}
}

func TestAFileThatIsSavedAgainWhileItsObjectIsMadeTakesNothingAway(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	directory, client, stop := start(t, root)
	defer stop()
	write(t, fileOf(root, "a"), fmt.Sprintf(aText, "one"))
	var patches []string
	lookTwice(t, directory, &answering{
		create: func() {
			put(t, client, keyOf("a"), strings.Replace(valueOf("a", "one"), `"uid"`, `"finalizers":["example.com/hold"],"uid"`, 1))
			write(t, fileOf(root, "a"), fmt.Sprintf(aText, "two"))
		},
		patch: func(patch string) { patches = append(patches, patch) },
	})
	g.Expect(patches).To(ConsistOf(And(ContainSubstring("two"), Not(ContainSubstring("null")))))
}

// defaulted is a stored object with a field that its file left out.
func defaulted(value, phase string) string {
	return strings.Replace(valueOf("a", value), `"data":{`, `"status":{"phase":"`+phase+`"},"data":{"size":"small",`, 1)
}

func TestAFileStaysWithoutTheDefaultsThatItLeavesOut(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	directory, client, stop := start(t, root)
	written := "# why\n" + fmt.Sprintf(aText, "one")
	write(t, fileOf(root, "a"), written)
	lookTwice(t, directory, &answering{
		create: func() { put(t, client, keyOf("a"), defaulted("one", "Pending")) },
		patch:  func(patch string) { t.Errorf("what is left out is taken away: %s", patch) },
	})
	g.Expect(read(t, fileOf(root, "a"))).To(Equal(written))
	for i := range 2 * slack { // the journal is rewritten meanwhile
		put(t, client, keyOf("a"), defaulted("one", fmt.Sprint(i)))
	}
	killed := snapshot(t, root) // right after a write
	stop()
	for _, root := range []string{root, killed} {
		directory, client, stop = start(t, root)
		g.Expect(read(t, fileOf(root, "a"))).To(Equal(written))
		edited := strings.Replace(written, "one", "two", 1)
		write(t, fileOf(root, "a"), edited)
		var patches []string
		lookTwice(t, directory, &answering{patch: func(patch string) {
			patches = append(patches, patch)
			put(t, client, keyOf("a"), defaulted("two", "Pending"))
		}})
		g.Expect(patches).To(HaveExactElements(MatchJSON(`{"data":{"value":"two"},"metadata":{"name":"a","namespace":"default"}}`)))
		put(t, client, keyOf("a"), defaulted("two", "Ended"))
		g.Expect(read(t, fileOf(root, "a"))).To(Equal(edited))
		put(t, client, keyOf("a"), defaulted("three", "Ended"))
		g.Expect(read(t, fileOf(root, "a"))).To(And(ContainSubstring("value: three"), ContainSubstring("size: small")))
		stop()
	}
}

func TestAFileThatIsSavedAgainWhileItsEditIsAcceptedStaysWithoutDefaults(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, client *clientv3.Client){
		"and nothing else is written":      func(*testing.T, *clientv3.Client) {},
		"and a controller writes a status": func(t *testing.T, client *clientv3.Client) { put(t, client, keyOf("a"), defaulted("one", "Ended")) },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			directory, client, stop := start(t, root)
			defer stop()
			e := &editor{directory: directory, report: func(line string) { t.Log(line) }, due: map[string]time.Time{}, refused: map[string]refusal{}}
			e.client = &answering{
				create: func() {
					put(t, client, keyOf("a"), defaulted("one", "Pending"))
					write(t, fileOf(root, "a"), fmt.Sprintf(aText, "two"))
				},
				patch: func(string) { put(t, client, keyOf("a"), defaulted("two", "Pending")) },
			}
			write(t, fileOf(root, "a"), fmt.Sprintf(aText, "one"))
			e.due[aPath] = time.Time{}
			e.look(t.Context())
			change(t, client)
			e.due[aPath] = time.Time{}
			e.look(t.Context())
			if got := read(t, fileOf(root, "a")); got != fmt.Sprintf(aText, "two") {
				t.Errorf("the file is now %s", got)
			}
		})
	}
}

func TestAFileShowsWhatWasChangedWhileItsEditWasAccepted(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	directory, client, stop := start(t, root)
	defer stop()
	write(t, fileOf(root, "a"), fmt.Sprintf(aText, "one"))
	lookTwice(t, directory, &answering{create: func() {
		put(t, client, keyOf("a"), valueOf("a", "one"))
		put(t, client, keyOf("a"), defaulted("one", "Pending"))
	}})
	g.Expect(read(t, fileOf(root, "a"))).To(ContainSubstring("size: small"))

	edited := strings.Replace(read(t, fileOf(root, "a")), "one", "two", 1)
	e := &editor{directory: directory, report: func(line string) { t.Log(line) }, due: map[string]time.Time{aPath: {}}, refused: map[string]refusal{}}
	write(t, fileOf(root, "a"), edited)
	found, _ := e.read(aPath)
	put(t, client, keyOf("a"), strings.Replace(defaulted("one", "Pending"), "small", "large", 1)) // after the file was read
	e.client = &answering{patch: func(string) {
		put(t, client, keyOf("a"), strings.Replace(defaulted("two", "Pending"), "small", "large", 1))
	}}
	g.Expect(e.do(t.Context(), found)).To(BeTrue())
	g.Expect(read(t, fileOf(root, "a"))).To(And(ContainSubstring("value: two"), ContainSubstring("size: large")))
}

func TestAnEditThatIsTakenBackWhileItIsAcceptedIsAnotherEdit(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	directory, client, stop := start(t, root)
	defer stop()
	put(t, client, keyOf("a"), valueOf("a", "one"))
	before := read(t, fileOf(root, "a"))
	write(t, fileOf(root, "a"), strings.Replace(before, "one", "two", 1))
	var patches []string
	lookTwice(t, directory, &answering{patch: func(patch string) {
		if patches = append(patches, patch); len(patches) == 1 {
			put(t, client, keyOf("a"), valueOf("a", "two"))
			write(t, fileOf(root, "a"), before)
		}
	}})
	g.Expect(patches).To(HaveExactElements(ContainSubstring("two"), ContainSubstring("one")))
}

func TestWhatIsNoRegularFileIsNotRead(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(path string) error{
		"a pipe":                func(path string) error { return unix.Mkfifo(path, public) },
		"a link without an end": func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			root := t.TempDir()
			directory, client, stop := start(t, root)
			defer stop()
			put(t, client, keyOf("a"), valueOf("a", "one"))
			g.Expect(os.Remove(fileOf(root, "a"))).To(Succeed())
			g.Expect(replace(fileOf(root, "a"))).To(Succeed())
			_, _, err := directory.read(aPath)
			g.Expect(err).To(HaveOccurred())
			put(t, client, keyOf("b"), valueOf("b", "one"))
		})
	}
}

func TestNothingIsWrittenThroughALink(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root, theirs := t.TempDir(), filepath.Join(t.TempDir(), "theirs")
	write(t, theirs, "precious")
	_, client, stop := start(t, root)
	defer stop()
	put(t, client, keyOf("z"), valueOf("z", "one"))
	temporary := filepath.Join(filepath.Dir(fileOf(root, "a")), temporaryPrefix+digest([]byte("a.yaml"))[:16])
	g.Expect(os.Symlink(theirs, temporary)).To(Succeed())
	put(t, client, keyOf("a"), valueOf("a", "one"))
	g.Expect(read(t, theirs)).To(Equal("precious"))
	g.Expect(read(t, fileOf(root, "a"))).To(ContainSubstring("value: one"))
}

func TestALinkedDirectoryIsNotFollowed(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]func(root string) string{
		"out of the tree": func(string) string { return t.TempDir() },
		"in the tree":     func(root string) string { return filepath.Join(root, "core", "configmaps", "other") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			root := t.TempDir()
			directory, client, stop := start(t, root)
			defer stop()
			put(t, client, keyOf("a"), valueOf("a", "one"))
			linked := filepath.Dir(fileOf(root, "a"))
			theirs := target(root)
			write(t, filepath.Join(theirs, "a.yaml"), read(t, fileOf(root, "a")))
			g.Expect(os.RemoveAll(linked)).To(Succeed())
			g.Expect(os.Symlink(theirs, linked)).To(Succeed())

			_, _, err := directory.read(aPath)
			g.Expect(err).To(MatchError(ContainSubstring("symbolic link")), "read")
			for _, object := range []string{"a", "b"} {
				_, err = client.Put(t.Context(), keyOf(object), valueOf(object, "two"))
				g.Expect(err).To(HaveOccurred(), "write")
			}
			remove(t, client, keyOf("a"))
			g.Expect(read(t, filepath.Join(theirs, "a.yaml"))).To(ContainSubstring("one"), "delete")
			g.Expect(filepath.Join(theirs, "b.yaml")).NotTo(BeAnExistingFile())
		})
	}
}

func TestALinkedStateDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	g.Expect(os.Symlink(t.TempDir(), filepath.Join(root, StateDirectory))).To(Succeed())
	_, err := Start(root)
	g.Expect(err).To(MatchError(ContainSubstring("symbolic link")))
}

func TestAnEditAfterACrashIsNoInterruptedWrite(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	client, stop := open(t, root)
	put(t, client, keyOf("a"), valueOf("a", "one"))
	before := read(t, fileOf(root, "a"))
	put(t, client, keyOf("a"), valueOf("a", "two"))
	put(t, client, "no-object", "") // so the write before had ended
	killed := snapshot(t, root)
	stop()
	write(t, fileOf(killed, "a"), before)
	_, stop = open(t, killed)
	defer stop()
	g.Expect(read(t, fileOf(killed, "a"))).To(Equal(before))
}

func TestADocumentMayBeginWithACommentAndIsAloneInItsFile(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	_, err := parse([]byte("# a comment\n---\napiVersion: v1\nkind: ConfigMap\n"))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = parse([]byte("apiVersion: v1\nkind: ConfigMap\n...\napiVersion: v1\nkind: Secret\n"))
	g.Expect(err).To(HaveOccurred())
}

func TestWhatIsEncryptedIsInTheJournalOnly(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	const sealedValue = "k8s:enc:secretbox:v1:key1:\x00\xff\n" // no text
	root := t.TempDir()
	client, stop := open(t, root)
	put(t, client, keyOf("a"), sealedValue+"1")
	put(t, client, keyOf("a"), sealedValue+"2")
	put(t, client, keyOf("deleted"), sealedValue)
	remove(t, client, keyOf("deleted"))
	objects, _ := stored(t, client)
	g.Expect(objects).To(HaveLen(1))
	g.Expect(objects[keyOf("a")]).To(HavePrefix(sealedValue + "2"))
	comesBackSealed := func(root string) {
		t.Helper()
		client, stop := open(t, root)
		defer stop()
		again, _ := stored(t, client)
		g.Expect(again).To(Equal(objects))
		g.Expect(filepath.Join(root, "core")).NotTo(BeAnExistingFile())
	}
	comesBackSealed(snapshot(t, root)) // as after a crash
	for range 2 * slack {              // the journal is rewritten
		put(t, client, keyOf("a"), sealedValue+"3")
	}
	objects, _ = stored(t, client)
	stop()
	comesBackSealed(root)

	client, stop = open(t, t.TempDir())
	defer stop()
	put(t, client, keyOf("plain"), valueOf("plain", ""))
	_, err := client.Put(t.Context(), keyOf("plain"), sealedValue)
	g.Expect(err).To(MatchError(ContainSubstring("core/configmaps/default/plain.yaml is not")))
}

func TestTheEditedFileOfADeletedObjectDoesNotBringItBack(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	client, stop := open(t, root)
	defer stop()
	for _, name := range []string{"a", strings.Repeat("n", 247)} {
		put(t, client, keyOf(name), valueOf(name, "one"))
		write(t, fileOf(root, name), "an edit")
		remove(t, client, keyOf(name))
		g.Expect(fileOf(root, name)).NotTo(BeAnExistingFile())
	}
}

func TestWhatIsStoredCanBeWatchedFromAfterARestart(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	client, stop := open(t, root)
	put(t, client, keyOf("a"), valueOf("a", "one"))
	stop()
	client, stop = open(t, root)
	defer stop()
	now, err := client.Get(t.Context(), keyOf("a"))
	g.Expect(err).NotTo(HaveOccurred())
	watch := client.Watch(t.Context(), keyOf("a"), clientv3.WithRev(now.Header.GetRevision()), clientv3.WithCreatedNotify())
	created := <-watch
	g.Expect(created.Err()).NotTo(HaveOccurred())
	put(t, client, keyOf("a"), valueOf("a", "two"))
	changed := <-watch
	g.Expect(changed.Err()).NotTo(HaveOccurred())
	g.Expect(changed.Events).To(HaveLen(1))
}

// The limit for the size of files is that of a process. The process is one of its own, because go test writes a file, too: its log of
// the files that tests open.
func TestAFullDiskUndoesNothing(t *testing.T) {
	g := NewWithT(t)
	const child = "FILES_TEST_FULL_DISK"
	if os.Getenv(child) == "" {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		command.Env = append(os.Environ(), child+"=true")
		output, err := command.CombinedOutput()
		g.Expect(err).NotTo(HaveOccurred(), "%s", output)
		return
	}
	signal.Ignore(unix.SIGXFSZ)
	root, long := t.TempDir(), strings.Repeat("x", 4000)
	directory, client, stop := start(t, root)
	put(t, client, keyOf("a"), valueOf("a", "one"+long))
	inTheWay := filepath.Join(filepath.Dir(fileOf(root, "a")), temporaryPrefix+digest([]byte("a.yaml"))[:16])
	write(t, filepath.Join(inTheWay, "x"), "")
	var unlimited unix.Rlimit
	g.Expect(unix.Getrlimit(unix.RLIMIT_FSIZE, &unlimited)).To(Succeed())
	limited := unlimited
	limited.Cur = uint64(directory.journal.size + 6000) // one more record fits
	g.Expect(unix.Setrlimit(unix.RLIMIT_FSIZE, &limited)).To(Succeed())
	_, _ = client.Put(t.Context(), keyOf("a"), valueOf("a", "two"+long)) // acknowledged or not
	g.Expect(unix.Setrlimit(unix.RLIMIT_FSIZE, &unlimited)).To(Succeed())
	g.Expect(os.RemoveAll(inTheWay)).To(Succeed())
	put(t, client, keyOf("b"), valueOf("b", "one"))
	stop()

	directory, _, stop = start(t, root)
	defer stop()
	_, edited, err := directory.read(aPath)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(edited).To(BeFalse(), "nobody has edited a file")
}
