// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apiserver/builder"
)

// edited is a server whose objects are files, with somebody who edits them.
type edited struct {
	*WithT
	t      *testing.T
	root   string
	lines  *lineLog
	client typedcorev1.ConfigMapInterface
	// config is how all of the API is reached.
	config *rest.Config
	stop   func()
}

// lineLog keeps the log lines of a server.
type lineLog struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (l *lineLog) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *lineLog) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

func startEdited(t *testing.T) *edited {
	t.Helper()
	e := &edited{WithT: NewWithT(t), t: t, root: t.TempDir()}
	e.SetDefaultEventuallyTimeout(patience)
	e.start()
	return e
}

func (e *edited) start() {
	e.t.Helper()
	e.lines = &lineLog{}
	running, stop := start(e.t, storing(builder.Files(e.root)).WithConnProvider(builder.InMemoryConnections()).WithWriter(e.lines))
	e.client, e.config, e.stop = configMapsOf(e.t, running), running.ClientConfig(), stop
}

func (e *edited) path(name string) string {
	return filepath.Join(e.root, "core", "configmaps", metav1.NamespaceDefault, name+".yaml")
}

func (e *edited) read(name string) string {
	e.t.Helper()
	content, err := os.ReadFile(e.path(name))
	e.Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// write saves a file as most editors do: a new file replaces the old file.
func (e *edited) write(name, content string) {
	e.t.Helper()
	e.Expect(os.MkdirAll(filepath.Dir(e.path(name)), 0o755)).To(Succeed())
	e.Expect(os.WriteFile(e.path(name)+"~", []byte(content), 0o600)).To(Succeed())
	e.Expect(os.Rename(e.path(name)+"~", e.path(name))).To(Succeed())
}

func (e *edited) replace(name, old, replacement string) {
	e.t.Helper()
	content := e.read(name)
	e.Expect(content).To(ContainSubstring(old))
	e.write(name, strings.Replace(content, old, replacement, 1))
}

// data returns what the API has, to be polled.
func (e *edited) data(name string) func() map[string]string {
	return func() map[string]string {
		object, err := e.client.Get(e.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return map[string]string{"error": string(apierrors.ReasonForError(err))}
		}
		return object.Data
	}
}

// inFile returns what the file has, to be polled.
func (e *edited) inFile(name string) func() corev1.ConfigMap {
	return func() (object corev1.ConfigMap) {
		content, _ := os.ReadFile(e.path(name)) // none yet
		_ = yaml.Unmarshal(content, &object)    // not yet
		return object
	}
}

func (e *edited) create(name, value string) *corev1.ConfigMap {
	e.t.Helper()
	object := configMap(name)
	object.Data = map[string]string{"value": value}
	return create(e.t, e.client, object)
}

var notFound = map[string]string{"error": string(metav1.StatusReasonNotFound)}

func value(value string) map[string]string { return map[string]string{"value": value} }

func TestAnEditedFileIsAnUpdate(t *testing.T) {
	t.Parallel()
	e := startEdited(t)
	created := e.create("a", "one")
	e.replace("a", "value: one", "value: two # with a reason")
	e.Eventually(e.data("a")).Should(Equal(value("two")))
	updated, err := e.client.Get(t.Context(), "a", metav1.GetOptions{})
	e.Expect(err).NotTo(HaveOccurred())
	e.Expect(updated.UID).To(Equal(created.UID))
	e.Expect(number(t, updated)).To(BeNumerically(">", number(t, created)))
	e.Expect(updated.ManagedFields).To(ContainElement(HaveField("Manager", "files")))
	e.Expect(e.read("a")).To(ContainSubstring("# with a reason"), "a file that means the same is left as it was written")
	e.Expect(e.read("a")).NotTo(ContainSubstring("managedFields"))

	update(t, e.client, updated, "three")
	e.Expect(e.inFile("a")().Data).To(Equal(value("three")), "a write is in its file when it is acknowledged")
	e.Expect(e.lines.String()).To(BeEmpty())
}

func TestANewFileIsANewObject(t *testing.T) {
	t.Parallel()
	e := startEdited(t)
	e.write("new", "apiVersion: v1\nkind: ConfigMap\ndata: {value: one}\n")
	e.Eventually(e.data("new")).Should(Equal(value("one")))
	e.replace("new", "one", "two")
	e.Eventually(e.data("new")).Should(Equal(value("two")))
	e.Expect(e.read("new")).To(Equal("apiVersion: v1\nkind: ConfigMap\ndata: {value: two}\n"), "it stays without what the server completed")
}

func TestARemovedFileIsADeletedObject(t *testing.T) {
	t.Parallel()
	e := startEdited(t)
	e.create("a", "one")
	kept := configMap("kept")
	kept.Finalizers = []string{"example.com/hold"}
	create(t, e.client, kept)
	e.Expect(os.RemoveAll(filepath.Dir(e.path("a")))).To(Succeed())
	e.Eventually(e.data("a")).Should(Equal(notFound))
	e.Eventually(func() *metav1.Time { return e.inFile("kept")().DeletionTimestamp }).ShouldNot(BeNil(), "it is deleted once its finalizers are removed")
	e.replace("kept", "- example.com/hold", "")
	e.Eventually(e.data("kept")).Should(Equal(notFound))
	file := e.path("kept")
	e.Eventually(file).ShouldNot(BeAnExistingFile())
}

func TestARefusedEditStaysAndDisturbsNothing(t *testing.T) {
	t.Parallel()
	e := startEdited(t)
	object := e.create("a", "one")
	e.replace("a", "value: one", "value: one\n  not/allowed: two")
	e.Eventually(e.lines.String).Should(And(
		ContainSubstring("core/configmaps/default/a.yaml: "), ContainSubstring("data[not/allowed]"), ContainSubstring("correct the file")))
	refused := e.read("a")
	object.Labels = map[string]string{"written": "meanwhile"}
	object = update(t, e.client, object, "one")
	e.Expect(e.read("a")).To(Equal(refused), "the server does not overwrite an edit")
	e.create("b", "another")
	e.replace("b", "another", "accepted")
	e.Eventually(e.data("b")).Should(Equal(value("accepted")))
	e.Expect(strings.Count(e.lines.String(), "\n")).To(Equal(1), "it is said once")

	e.stop()
	e.start()
	e.Eventually(e.lines.String).Should(ContainSubstring("data[not/allowed]"), "it is said at the next start, too")
	e.Expect(e.read("a")).To(Equal(refused))
	e.Expect(e.data("a")()).To(Equal(value("one")))

	e.replace("a", "not/allowed", "allowed")
	e.Eventually(e.data("a")).Should(Equal(map[string]string{"value": "one", "allowed": "two"}))
	e.Eventually(func() map[string]string { return e.inFile("a")().Labels }).Should(Equal(object.Labels), "both changes are there")
}

func TestWhatIsNotAnObjectIsSaid(t *testing.T) {
	t.Parallel()
	e := startEdited(t)
	e.create("a", "one")
	before := e.read("a")
	for content, said := range map[string]string{
		"data: [":              "a.yaml: yaml: line 1",
		"":                     "a.yaml: the file is empty",
		before + "---\n" + "x": "more than one document",
		strings.Replace(before, "name: a", "name: b", 1):                 `metadata.name is "b": rename the file to b.yaml`,
		strings.Replace(before, "kind: ConfigMap", "kind: Pod", 1):       "kind: must be ConfigMap, not Pod",
		strings.Replace(before, "data:", "date: {}\ndata:", 1):           `unknown field "date"`,
		strings.Replace(before, "namespace: default", "namespace: x", 1): "metadata.namespace",
	} {
		e.write("a", content)
		e.Eventually(e.lines.String).Should(ContainSubstring(said))
		e.Expect(e.read("a")).To(Equal(content))
		e.Expect(e.data("a")()).To(Equal(value("one")))
	}
	for _, name := range []string{".a.yaml.swp", "a.yaml~", "4913", "notes.txt", ".hidden.yaml"} {
		e.Expect(os.WriteFile(filepath.Join(filepath.Dir(e.path("a")), name), []byte("ignored"), 0o600)).To(Succeed())
	}
	said := e.lines.String()
	e.write("a", before)
	update(t, e.client, e.get("a"), "two")
	e.Eventually(func() map[string]string { return e.inFile("a")().Data }).Should(Equal(value("two")), "the edit was taken back")
	e.Expect(e.lines.String()).To(Equal(said))
}

func (e *edited) get(name string) *corev1.ConfigMap {
	e.t.Helper()
	object, err := e.client.Get(e.t.Context(), name, metav1.GetOptions{})
	e.Expect(err).NotTo(HaveOccurred())
	return object
}

func TestADeletedObjectDoesNotComeBackThroughARefusedEdit(t *testing.T) {
	t.Parallel()
	e := startEdited(t)
	e.create("a", "one")
	e.replace("a", "value: one", "not/allowed: two")
	e.Eventually(e.lines.String).Should(ContainSubstring("data[not/allowed]"))
	e.Expect(e.client.Delete(t.Context(), "a", metav1.DeleteOptions{})).To(Succeed())
	e.Expect(e.path("a")).NotTo(BeAnExistingFile())
	aside := filepath.Join(filepath.Dir(e.path("a")), ".a.yaml.edited")
	e.Expect(os.ReadFile(aside)).To(ContainSubstring("not/allowed"))
	e.Expect(e.lines.String()).To(ContainSubstring("the edit is in .a.yaml.edited"))
}

func TestEditsWhileNoServerRuns(t *testing.T) {
	t.Parallel()
	e := startEdited(t)
	first := e.create("edited", "one")
	e.create("removed", "one")
	e.create("left-alone", "one")
	e.stop()
	e.replace("edited", "value: one", "value: two")
	e.Expect(os.Remove(e.path("removed"))).To(Succeed())
	e.write("made", "apiVersion: v1\nkind: ConfigMap\ndata: {value: one}\n")
	e.start()
	e.Eventually(e.data("edited")).Should(Equal(value("two")))
	e.Expect(e.get("edited").UID).To(Equal(first.UID))
	e.Eventually(e.data("removed")).Should(Equal(notFound))
	e.Eventually(e.data("made")).Should(Equal(value("one")))
	e.Expect(e.data("left-alone")()).To(Equal(value("one")))

	_, err := e.client.List(t.Context(), metav1.ListOptions{ResourceVersion: first.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	e.Expect(apierrors.IsResourceExpired(err)).To(BeTrue(), "%v", err)
	events, err := e.client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: first.ResourceVersion})
	e.Expect(err).NotTo(HaveOccurred())
	defer events.Stop()
	e.Expect(apierrors.IsResourceExpired(apierrors.FromObject(next(t, events).Object))).To(BeTrue())
}

// TestManyFilesAtOnce switches between two states of a whole directory, as git does.
func TestManyFilesAtOnce(t *testing.T) {
	t.Parallel()
	e := startEdited(t)
	const count = 25
	name := func(i int) string { return fmt.Sprintf("c-%d", i) }
	for i := range count {
		e.create(name(i), "one")
	}
	for i := range count {
		switch i % 5 {
		case 0:
			e.Expect(os.Remove(e.path(name(i)))).To(Succeed())
		default:
			e.replace(name(i), "value: one", "value: two")
		}
	}
	other := filepath.Join(e.root, "core", "namespaces", "other.yaml")
	inOther := filepath.Join(e.root, "core", "configmaps", "other", "x.yaml")
	e.Expect(os.MkdirAll(filepath.Dir(inOther), 0o755)).To(Succeed())
	e.Expect(os.WriteFile(inOther, []byte("apiVersion: v1\nkind: ConfigMap\n"), 0o600)).To(Succeed())
	e.Expect(os.WriteFile(other, []byte("apiVersion: v1\nkind: Namespace\n"), 0o600)).To(Succeed())
	for i := range count {
		want := value("two")
		if i%5 == 0 {
			want = notFound
		}
		e.Eventually(e.data(name(i))).Should(Equal(want), name(i))
	}
	client, err := kubernetes.NewForConfig(e.config)
	e.Expect(err).NotTo(HaveOccurred())
	e.Eventually(func() error {
		_, err := client.CoreV1().ConfigMaps("other").Get(t.Context(), "x", metav1.GetOptions{})
		return err
	}).Should(Succeed())
	e.Expect(e.lines.String()).To(BeEmpty())
}
