// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/applyset"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/apply"
	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a test waits for what has to happen.
const patience = time.Minute

// TestMain lets the test binary stand in for the goldsmith executable.
func TestMain(m *testing.M) {
	if code, ok := up.RunChild(os.Args); ok {
		os.Exit(code)
	}
	builder.QuietLogs(io.Discard)
	os.Exit(m.Run())
}

// withServer runs a test with a server.
func withServer(t *testing.T, test func(*rest.Config)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	err := up.Run(ctx, up.Options{DataDirectory: t.TempDir(), Memory: true, OnReady: func(config *rest.Config, _ string) {
		defer stop()
		test(config)
	}})
	if err != nil {
		t.Error(err)
	}
}

// directory is a directory that is applied, in a namespace of its own.
type directory struct {
	*testing.T
	*WithT
	path, namespace string
	config          *rest.Config
	client          kubernetes.Interface
	stop            func() // ends the run
	lock            sync.Mutex
	lines           []string
}

func (d *directory) tell(line string) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.lines = append(d.lines, strings.ReplaceAll(line, d.path+"/", ""))
}

// told returns the lines since the last call of forget, without those about the objects of settle.
func (d *directory) told() []string {
	d.lock.Lock()
	defer d.lock.Unlock()
	return slices.DeleteFunc(slices.Clone(d.lines), func(line string) bool { return strings.Contains(line, "/settled-") })
}

func (d *directory) forget() {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.lines = nil
}

func (d *directory) run() {
	ctx, stop := context.WithCancel(d.Context())
	ended := make(chan error, 1)
	go func() { ended <- apply.Run(ctx, d.path, d.config, d.tell) }()
	d.stop = func() {
		stop()
		d.Expect(<-ended).To(MatchError(context.Canceled))
	}
}

// write writes files, each of them at once.
func (d *directory) write(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		path := filepath.Join(d.path, pairs[i])
		d.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		temporary := filepath.Join(filepath.Dir(path), ".writing")
		d.Expect(os.WriteFile(temporary, []byte(pairs[i+1]), 0o600)).To(Succeed())
		d.Expect(os.Rename(temporary, path)).To(Succeed())
	}
}

func (d *directory) delete(name string) {
	d.Expect(os.RemoveAll(filepath.Join(d.path, name))).To(Succeed())
}

func (d *directory) rename(from, to string) {
	d.Expect(os.Rename(filepath.Join(d.path, from), filepath.Join(d.path, to))).To(Succeed())
}

// expect waits for a line, and returns all lines until then.
func (d *directory) expect(line string) []string {
	d.Helper()
	line = strings.ReplaceAll(line, "NS", d.namespace)
	d.Eventually(d.told).WithTimeout(patience).Should(ContainElement(HavePrefix(line)))
	return d.told()
}

// settle waits until everything that was written is applied. A pass ends before the next pass begins.
func (d *directory) settle() {
	d.Helper()
	for range 2 {
		name := fmt.Sprintf("settled-%d", time.Now().UnixNano())
		d.write("settled.yaml", configMap(name, d.namespace, "v"))
		d.Eventually(func() error {
			_, err := d.client.CoreV1().ConfigMaps(d.namespace).Get(d.Context(), name, metav1.GetOptions{})
			return err
		}).WithTimeout(patience).Should(Succeed())
	}
}

func (d *directory) get(name string) *corev1.ConfigMap {
	d.Helper()
	object, err := d.client.CoreV1().ConfigMaps(d.namespace).Get(d.Context(), name, metav1.GetOptions{})
	d.Expect(err).NotTo(HaveOccurred())
	return object
}

func (d *directory) isGone(name string) {
	d.Helper()
	_, err := d.client.CoreV1().ConfigMaps(d.namespace).Get(d.Context(), name, metav1.GetOptions{})
	d.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
}

// existing creates an object as another field manager.
func (d *directory) existing(name string) *corev1.ConfigMap {
	d.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"theirs": "1"}}
	object, err := d.client.CoreV1().ConfigMaps(d.namespace).Create(d.Context(), object, metav1.CreateOptions{FieldManager: "somebody"})
	d.Expect(err).NotTo(HaveOccurred())
	return object
}

// event waits for an event of an object whose name has a prefix.
func (d *directory) event(kind, prefix, text string) {
	d.Helper()
	d.Eventually(func() ([]corev1.Event, error) {
		list, err := d.client.CoreV1().Events("").List(d.Context(), metav1.ListOptions{})
		return list.Items, err
	}).WithTimeout(patience).Should(ContainElement(And(
		HaveField("InvolvedObject.Kind", kind), HaveField("InvolvedObject.Name", HavePrefix(prefix)), HaveField("Type", corev1.EventTypeWarning),
		HaveField("Reason", "ApplyFailed"), HaveField("Message", ContainSubstring(text)),
	)))
}

// recorded returns the failures that the parent of the set has.
func (d *directory) recorded() (failures string, err error) {
	list, err := d.client.CoreV1().ConfigMaps(metav1.NamespaceDefault).List(d.Context(), metav1.ListOptions{LabelSelector: applyset.ParentLabel})
	for i := range list.Items {
		if annotations := list.Items[i].Annotations; annotations["apply.goldsmith.dev/directory"] == d.path {
			failures = annotations[applyset.FailuresAnnotation]
		}
	}
	return failures, err
}

// intercept has the next run call a function before each request, which fails with the error.
func (d *directory) intercept(before func(*http.Request) error) {
	d.config = rest.CopyConfig(d.config)
	d.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if err := before(request); err != nil {
				return nil, err
			}
			return next.RoundTrip(request)
		})
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// configMap is the manifest of a ConfigMap.
func configMap(name, namespace, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: %s}\ndata: {ours: %q}\n", name, namespace, value)
}

// image is the manifest of an Image that is not built.
func image(name, namespace, field string) string {
	return fmt.Sprintf(`apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata: {name: %s, namespace: %s}
spec:
  suspend: true
  builder: {name: mock}
  base: {reference: debian:bookworm}
  targets: [{platform: linux/amd64, format: raw}]
  %s
`, name, namespace, field)
}

func TestADirectoryIsApplied(t *testing.T) {
	withServer(t, func(config *rest.Config) {
		t.Run("rows", func(t *testing.T) { testRows(t, config) })
	})
}

func TestADirectoryWithTheDataOfTheServerIsRefused(t *testing.T) {
	root := t.TempDir()
	for data, refused := range map[string]bool{root: true, root + "/data": true, root + "/.goldsmith": false, root + "/.hidden/data": false, root + "-data": false, "/": false} {
		if err := apply.Check(root, data); (err != nil) != refused {
			t.Errorf("%s: got error %v", data, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(root, link))
	if err := apply.Check(link, root+"/data"); err == nil {
		t.Error("a link to the parent of the data directory is accepted")
	}
	file := filepath.Join(root, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	if err := apply.Check(file, "/"); err == nil || !strings.Contains(err.Error(), "must be a directory") {
		t.Errorf("a file: got error %v", err)
	}
}

func testRows(t *testing.T, config *rest.Config) {
	for name, test := range map[string]func(d *directory, ns string){
		"a file is changed and deleted": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"), "deep/er/b.yml", configMap("b", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			d.expect("deep/er/b.yml:1: ConfigMap NS/b created")
			uid := d.get("a").UID
			d.write("a.yaml", configMap("a", ns, "2"))
			d.expect("a.yaml:1: ConfigMap NS/a changed")
			d.Expect(d.get("a").Data).To(Equal(map[string]string{"ours": "2"}))
			d.Expect(d.get("a").UID).To(Equal(uid))
			d.Expect(d.get("a").ManagedFields).To(ConsistOf(HaveField("Manager", apply.FieldManager)))
			d.delete("deep")
			d.expect(d.path + ": ConfigMap NS/b deleted")
			d.isGone("b")
		},
		"documents, lists and JSON": func(d *directory, ns string) {
			d.write(
				"docs.yaml", "# first\n"+configMap("one", ns, "1")+"--- # next\n"+configMap("two", ns, "1")+"---\n",
				"ended.yaml", configMap("six", ns, "1")+"...\n"+configMap("seven", ns, "1")+"...\n---\n",
				"list.yaml", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: three, namespace: "+ns+"}}\n",
				"all.json", fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "four", "namespace": %[1]q}}
{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "five", "namespace": %[1]q}}`, ns),
			)
			for _, line := range []string{"docs.yaml:1: ConfigMap NS/one", "docs.yaml:7: ConfigMap NS/two", "list.yaml:1: ConfigMap NS/three", "ended.yaml:6: ConfigMap NS/seven", "all.json:1: ConfigMap NS/four", "all.json:2: ConfigMap NS/five"} {
				d.expect(line + " created")
			}
		},
		"what kubectl get prints": func(d *directory, ns string) {
			object := d.existing("printed")
			d.write("a.json", fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "printed", "namespace": %q, "uid": "u", "resourceVersion": "1",
				"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": "m"}]}, "data": {"theirs": "1"}}`, ns))
			d.expect("a.json:1: ConfigMap NS/printed changed")
			d.Expect(d.get("printed").UID).To(Equal(object.UID))
		},
		"a misspelt field of an object that exists": func(d *directory, ns string) {
			d.write("web.yaml", image("web", ns, ""))
			d.expect("web.yaml:1: Image NS/web created")
			d.write("web.yaml", image("web", ns, "tiemouts: {run: 1h}"))
			d.expect("web.yaml:1: Image NS/web: unknown field \"spec.tiemouts\": correct or remove it: `goldsmith kubectl explain image.spec` lists the fields")
			d.event("Image", "web", `unknown field "spec.tiemouts"`)
		},
		"a misspelt field of a new object": func(d *directory, ns string) {
			d.write("a.yaml", strings.Replace(configMap("a", ns, "1"), "\ndata:", "\ndaat:", 1))
			d.expect("a.yaml:1: ConfigMap NS/a: unknown field \"daat\": correct or remove it: `goldsmith kubectl explain configmap` lists the fields")
			d.event("ConfigMap", "goldsmith-apply-", `unknown field "daat"`)
			d.isGone("a")
		},
		"an object that existed before": func(d *directory, ns string) {
			d.existing("old")
			d.write("a.yaml", configMap("a", ns, "1"), "old.yaml", configMap("old", ns, "1"))
			d.expect("old.yaml:1: ConfigMap NS/old changed")
			d.Expect(d.get("old").Data).To(Equal(map[string]string{"theirs": "1", "ours": "1"}))
			d.delete("old.yaml")
			d.expect(d.path + ": ConfigMap NS/old is not declared any more; it stays, because this directory has not created it")
			d.Expect(d.get("old").Data).To(Equal(map[string]string{"theirs": "1"}))
			d.Expect(d.get("old").ManagedFields).To(ConsistOf(HaveField("Manager", "somebody")))
		},
		"an object that somebody creates at the same time": func(d *directory, ns string) {
			d.stop()
			patches := 0
			d.intercept(func(request *http.Request) error {
				if request.Method == http.MethodPatch && strings.HasSuffix(request.URL.Path, "/raced") && request.ContentLength > 0 {
					_, err := d.client.CoreV1().ConfigMaps(ns).Get(request.Context(), "raced", metav1.GetOptions{})
					if apierrors.IsNotFound(err) {
						d.existing("raced")
					} else if patches++; patches == 1 {
						return errors.New("connection lost")
					}
				}
				return nil
			})
			d.run()
			d.write("a.yaml", configMap("raced", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/raced: ")
			d.Eventually(func() string {
				return d.get("raced").Annotations["apply.goldsmith.dev/created-by"]
			}).WithTimeout(patience).Should(BeEmpty())
			d.settle()
			d.write("a.yaml", configMap("other", ns, "1"))
			d.expect(d.path + ": ConfigMap NS/raced is not declared any more")
			d.Expect(d.get("raced").Data).To(Equal(map[string]string{"theirs": "1"}))
		},
		"a half-written file": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1")+"---\n"+configMap("b", ns, "1"))
			d.expect("a.yaml:6: ConfigMap NS/b created")
			for _, half := range []string{" \n", "apiVersion: v1\nkind: Conf", "apiVersion: v1\nkind: [\n"} {
				d.forget()
				d.write("a.yaml", half)
				d.expect("a.yaml")
				d.settle()
				d.Expect(d.told()).To(HaveLen(1), "told once")
				d.get("a")
			}
			d.write("a.yaml", configMap("b", ns, "1"))
			d.expect(d.path + ": ConfigMap NS/a deleted")
			d.get("b")
		},
		"a document of a file that is broken": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1")+"---\n"+configMap("b", ns, "1")+"x: [\n", "b.json", "{\n\"a\": 1,,\n}", "c.yaml", "a: 1\na: 2\n", "d.yaml", "just text\n")
			d.expect("a.yaml:6: yaml: line 10: ")
			d.expect("b.json:1: document is no JSON: invalid character")
			d.expect("c.yaml:1: yaml: unmarshal errors: line 2: key \"a\" already set in map: correct the file")
			d.expect("d.yaml:1: document is no object")
			d.isGone("a")
		},
		"a document in the line of its separator": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1")+"--- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n", "b.yaml", string([]byte{0xff, 0xfe, 'a', 0}))
			d.expect("a.yaml:5: text follows the separator: write it in the next line")
			d.expect("b.yaml: it is not UTF-8: make it readable, or delete it")
			d.isGone("a")
		},
		"metadata that is no text": func(d *directory, ns string) {
			for i, metadata := range []string{"name: a, labels: {app: web, version: 1}", "name: a, annotations: {x: true}", "name: a, namespace: 123", "name: 123"} {
				d.write(fmt.Sprintf("%d.yaml", i), "apiVersion: v1\nkind: ConfigMap\nmetadata: {"+metadata+"}\n")
			}
			d.write("null.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: null-"+ns+", namespace: null, labels: null}\n")
			for i, field := range []string{"labels", "annotations", "namespace", "name"} {
				d.expect(fmt.Sprintf("%d.yaml:1: metadata.%s of the ConfigMap is no text: write each value in quotes", i, field))
			}
			d.isGone("a")
			d.expect("null.yaml:1: ConfigMap default/null-NS created")
		},
		"an object whose directory moved": func(d *directory, ns string) {
			files := []string{"x.yaml", configMap("x", ns, "1"), "web.yaml", image("web", ns, ""), "cut.yaml", image("cut", ns, "")}
			d.write(files...)
			for _, line := range []string{"x.yaml:1: ConfigMap NS/x", "web.yaml:1: Image NS/web", "cut.yaml:1: Image NS/cut"} {
				d.expect(line + " created")
			}
			d.settle()
			d.stop()
			d.forget()
			d.path = filepath.Join(d.TempDir(), "moved")
			d.write(append(files, "kept.yaml", configMap("kept", ns, "1"))...)
			d.run()
			for _, line := range []string{"x.yaml:1: ConfigMap NS/x", "web.yaml:1: Image NS/web", "cut.yaml:1: Image NS/cut"} {
				d.expect(line + " changed")
			}
			images := versioned.NewForConfigOrDie(d.config).ImagesV1alpha1().Images(ns)
			by := metav1.PatchOptions{FieldManager: "somebody"}
			_, err := d.client.CoreV1().ConfigMaps(ns).Patch(d.Context(), "x", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), by)
			d.Expect(err).NotTo(HaveOccurred())
			_, err = images.Patch(d.Context(), "cut", types.MergePatchType, []byte(`{"spec":{"suspend":false}}`), by)
			d.Expect(err).NotTo(HaveOccurred())
			d.delete("web.yaml")
			d.delete("x.yaml")
			d.delete("cut.yaml")
			for _, line := range []string{"ConfigMap NS/x", "Image NS/web", "Image NS/cut"} {
				d.expect(d.path + ": " + line + " is not declared any more; it stays, because")
			}
			d.Expect(d.get("x").Data).To(Equal(map[string]string{"ours": "1"}))
			d.Expect(d.get("x").Labels).To(Equal(map[string]string{"a": "b"}))
			for _, name := range []string{"web", "cut"} {
				left, err := images.Get(d.Context(), name, metav1.GetOptions{})
				d.Expect(err).NotTo(HaveOccurred())
				d.Expect(left.Spec.Builder.Name).To(Equal("mock"))
				d.Expect(left.Labels).To(BeEmpty())
			}
		},
		"a server that refuses the first object": func(d *directory, ns string) {
			d.stop()
			refuse := true
			d.intercept(func(request *http.Request) error {
				if request.Method == http.MethodPatch && strings.Contains(request.URL.Path, "/goldsmith-apply-") && refuse {
					refuse = false
					return errors.New("no space left")
				}
				return nil
			})
			d.write("a.yaml", configMap("a", ns, "1"))
			d.run()
			d.expect("record the applied objects in ConfigMap default/goldsmith-apply-")
			d.event("ConfigMap", "goldsmith-apply-", "record the applied objects")
			d.expect("a.yaml:1: ConfigMap NS/a created")
		},
		"a copy of an applied object, by somebody": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			copied := d.get("a")
			copied.Name, copied.UID, copied.ResourceVersion = "copied", "", ""
			_, err := d.client.CoreV1().ConfigMaps(ns).Create(d.Context(), copied, metav1.CreateOptions{FieldManager: "somebody"})
			d.Expect(err).NotTo(HaveOccurred())
			d.write("b.yaml", configMap("copied", ns, "1"))
			d.expect("b.yaml:1: ConfigMap NS/copied changed")
			d.delete("b.yaml")
			d.expect(d.path + ": ConfigMap NS/copied is not declared any more; it stays, because this directory has not created it")
			d.Expect(d.get("copied").Data).To(Equal(map[string]string{"ours": "1"}))
		},
		"an object that changes before it is deleted": func(d *directory, ns string) {
			d.stop()
			changes := 0
			d.intercept(func(request *http.Request) error {
				if request.Method != http.MethodDelete || changes == 2 {
					return nil
				}
				changes++
				_, err := d.client.CoreV1().ConfigMaps(ns).Patch(request.Context(), "a", types.MergePatchType, fmt.Appendf(nil, `{"data":{"change":"%d"}}`, changes), metav1.PatchOptions{})
				return err
			})
			d.run()
			d.write("a.yaml", configMap("a", ns, "1"), "b.yaml", configMap("b", ns, "1"))
			d.expect("b.yaml:1: ConfigMap NS/b created")
			d.forget()
			d.delete("a.yaml")
			d.Expect(d.expect(d.path + ": ConfigMap NS/a deleted")).To(HaveLen(1))
		},
		"a misspelt field in a list": func(d *directory, ns string) {
			d.write("web.yaml", strings.Replace(image("web", ns, ""), "format: raw", "format: raw, colour: red", 1))
			d.expect("web.yaml:1: Image NS/web: unknown field \"spec.targets")
			d.Expect(d.told()).To(ContainElement(HaveSuffix("`goldsmith kubectl explain image.spec.targets` lists the fields")))
		},
		"a name that is not printable": func(d *directory, _ string) {
			d.write("a\x1b[2J.yaml", "kind: [\n")
			d.expect("a?[2J.yaml:1: yaml: ")
			d.event("ConfigMap", "goldsmith-apply-", "a?[2J.yaml:1: yaml: ")
		},
		"an object without what identifies it": func(d *directory, _ string) {
			d.write(
				"kind.yaml", "metadata: {name: a}\n", "name.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a}\n",
				"served.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n",
				"owned.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: b, uid: c}]\n",
			)
			d.expect("kind.yaml:1: apiVersion and kind are required: set both")
			d.expect("name.yaml:1: ConfigMap has no metadata.name: set it")
			d.expect("served.yaml:1: Deployment of apps/v1 is not served here: correct apiVersion and kind")
			d.expect("owned.yaml:1: ConfigMap a has metadata.ownerReferences: delete it here, because its owner creates it")
		},
		"a misspelt kind deletes nothing": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			d.write("a.yaml", strings.Replace(configMap("a", ns, "1"), "ConfigMap", "ConfigMpa", 1))
			d.expect("a.yaml:1: ConfigMpa of v1 is not served here")
			d.settle()
			d.get("a")
		},
		"a deletion waits for errors elsewhere": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"), "b.yaml", configMap("b", ns, "1"))
			d.expect("b.yaml:1: ConfigMap NS/b created")
			d.write("a.yaml", "kind: [\n")
			d.expect("a.yaml:1: yaml: ")
			d.delete("b.yaml")
			d.settle()
			d.get("b")
			d.write("a.yaml", configMap("a", ns, "1"))
			d.expect(d.path + ": ConfigMap NS/b deleted")
		},
		"a file that cannot be read": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			d.delete("a.yaml")
			d.Expect(os.Symlink("nowhere", filepath.Join(d.path, "a.yaml"))).To(Succeed())
			d.Expect(syscall.Mkfifo(filepath.Join(d.path, "pipe.yaml"), 0o600)).To(Succeed())
			d.expect("a.yaml: no such file or directory: make it readable, or delete it")
			d.expect("pipe.yaml: it is not a regular file: make it readable, or delete it")
			d.settle()
			d.get("a")
		},
		"temporary files of editors": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			d.forget()
			for _, name := range []string{
				".a.yaml.swp", "4913", "a.yaml~", "#a.yaml#", ".#a.yaml", "a.yaml___jb_tmp___", "a.yaml___jb_old___", ".a.yaml.kate-swp",
				".goutputstream-1", "a.yaml.bak", ".hidden.yaml", ".git/a.yaml", "README.md",
			} {
				d.write(name, configMap("temporary", ns, "1")+"x: [")
			}
			d.settle()
			d.Expect(d.told()).To(BeEmpty())
		},
		"an atomic save, and a file that is renamed": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			uid := d.get("a").UID
			d.rename("a.yaml", "a.yaml~")
			d.write("a.yaml", configMap("a", ns, "2"))
			d.expect("a.yaml:1: ConfigMap NS/a changed")
			d.rename("a.yaml", "b.yaml")
			d.settle()
			d.Expect(d.get("a").UID).To(Equal(uid))
		},
		"an object that moves to another file": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1")+"---\n"+configMap("b", ns, "1"))
			d.expect("a.yaml:6: ConfigMap NS/b created")
			uid := d.get("b").UID
			d.write("a.yaml", configMap("a", ns, "1"), "b.yaml", configMap("b", ns, "2"))
			d.expect("b.yaml:1: ConfigMap NS/b changed")
			d.settle()
			d.Expect(d.get("b").UID).To(Equal(uid))
		},
		"an object in two files": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			d.write("b.yaml", configMap("a", ns, "2"))
			d.expect("b.yaml:1: ConfigMap NS/a is declared in a.yaml:1 too: delete it from one of the two")
			d.settle()
			d.Expect(d.get("a").Data).To(Equal(map[string]string{"ours": "1"}))
		},
		"an empty directory": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			uid := d.get("a").UID
			d.delete("a.yaml")
			d.expect(d.path + " declares no object, as a directory that is not mounted: its 1 objects stay: to delete them, use `goldsmith kubectl delete configmap -A -l applyset.kubernetes.io/part-of=")
			d.write("a.yaml", configMap("a", ns, "2"))
			d.expect("a.yaml:1: ConfigMap NS/a changed")
			d.Expect(d.get("a").UID).To(Equal(uid))
		},
		"a directory that vanishes and returns": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			uid := d.get("a").UID
			d.rename("", "../away")
			d.expect(d.path + ": no such file or directory: until it can be read, nothing is deleted")
			d.get("a")
			d.rename("../away", "")
			d.write("b.yaml", configMap("b", ns, "1"))
			d.expect("b.yaml:1: ConfigMap NS/b created")
			d.Expect(d.get("a").UID).To(Equal(uid))
		},
		"a kustomization": func(d *directory, ns string) {
			d.write("deep/kustomization.yaml", "resources: [a.yaml]\n", "deep/a.yaml", configMap("a", ns, "1"))
			d.expect("deep/kustomization.yaml: the directory is input of kustomize, and is not applied: write the output of `goldsmith kubectl kustomize deep`")
			d.isGone("a")
		},
		"a restart after changes": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", ns, "1"), "b.yaml", configMap("b", ns, "1"))
			d.expect("b.yaml:1: ConfigMap NS/b created")
			d.settle()
			d.stop()
			d.delete("b.yaml")
			d.write("c.yaml", configMap("c", ns, "1"))
			d.forget()
			d.run()
			d.expect(d.path + ": ConfigMap NS/b deleted")
			d.Expect(d.told()).To(HaveLen(2), "the created object, and the deleted one")
		},
		"a field of another manager": func(d *directory, ns string) {
			object := d.existing("a")
			d.write("a.yaml", strings.Replace(configMap("a", ns, "2"), "ours", "theirs", 1))
			d.expect("a.yaml:1: ConfigMap NS/a: field .data.theirs is set by \"somebody\": remove the field from the file, or set the same value with `goldsmith kubectl edit`")
			d.Expect(d.get("a").ResourceVersion).To(Equal(object.ResourceVersion))
			d.event("ConfigMap", "a", `is set by "somebody"`)
		},
		"errors are told once, and tried again": func(d *directory, ns string) {
			d.write("a.yaml", configMap("a", "late-"+ns, "1"), "b.yaml", configMap("b", ns, "1"))
			d.expect("b.yaml:1: ConfigMap NS/b created")
			d.expect("a.yaml:1: ConfigMap late-NS/a: namespaces \"late-NS\" not found")
			d.Eventually(d.recorded).WithTimeout(patience).Should(HavePrefix("a.yaml:1: ConfigMap late-" + ns + "/a: namespaces"))
			_, err := d.client.CoreV1().Namespaces().Create(d.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "late-" + ns}}, metav1.CreateOptions{})
			d.Expect(err).NotTo(HaveOccurred())
			lines := d.expect("a.yaml:1: ConfigMap late-NS/a created")
			d.Expect(lines).To(HaveLen(3))
			d.Eventually(d.recorded).WithTimeout(patience).Should(BeEmpty())
		},
		"a namespace with what is in it": func(d *directory, ns string) {
			d.stop()
			d.write("a.yaml", configMap("a", "new-"+ns, "1"), "z.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: new-"+ns+"}\n")
			d.run()
			d.expect("a.yaml:1: ConfigMap new-NS/a created")
			d.Expect(d.told()[0]).To(Equal("z.yaml:1: Namespace new-" + ns + " created"))
		},
		"an object that is being deleted": func(d *directory, ns string) {
			d.write("a.yaml", strings.Replace(configMap("a", ns, "1"), "metadata: {", "metadata: {finalizers: [example.com/wait], ", 1))
			d.expect("a.yaml:1: ConfigMap NS/a created")
			uid := d.get("a").UID
			maps := d.client.CoreV1().ConfigMaps(ns)
			d.Expect(maps.Delete(d.Context(), "a", metav1.DeleteOptions{})).To(Succeed())
			d.write("a.yaml", configMap("a", ns, "2"))
			d.expect("a.yaml:1: ConfigMap NS/a: object is being deleted, and is created again after that")
			d.forget()
			_, err := maps.Patch(d.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			d.Expect(err).NotTo(HaveOccurred())
			d.expect("a.yaml:1: ConfigMap NS/a created")
			d.Expect(d.get("a").UID).NotTo(Equal(uid))
		},
		"a build has the labels of its image": func(d *directory, ns string) {
			d.write("web.yaml", strings.Replace(image("web", ns, ""), "suspend: true", "suspend: false", 1), "b.yaml", configMap("b", ns, "1"))
			d.expect("web.yaml:1: Image NS/web created")
			builds := versioned.NewForConfigOrDie(d.config).ImagesV1alpha1().ImageBuilds(ns)
			d.Eventually(func() error {
				_, err := builds.Get(d.Context(), "web-1", metav1.GetOptions{})
				return err
			}).WithTimeout(patience).Should(Succeed())
			d.settle()
			build, err := builds.Get(d.Context(), "web-1", metav1.GetOptions{})
			d.Expect(err).NotTo(HaveOccurred())
			d.Expect(build.Labels).To(HaveKey("applyset.kubernetes.io/part-of"))
			d.Expect(d.told()).NotTo(ContainElement(ContainSubstring("ImageBuild")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := kubernetes.NewForConfigOrDie(config)
			d := &directory{T: t, WithT: NewWithT(t), path: filepath.Join(t.TempDir(), "applied"), config: config, client: client}
			namespace, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "ns-"}}, metav1.CreateOptions{})
			d.WithT.Expect(err).NotTo(HaveOccurred())
			d.namespace = namespace.Name
			d.Expect(os.Mkdir(d.path, 0o755)).To(Succeed())
			d.run()
			defer func() { d.stop() }()
			test(d, namespace.Name)
		})
	}
}
