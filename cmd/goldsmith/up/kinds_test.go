// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/internal/catalog"
	"goldsmith.dev/goldsmith/e2e/require"
)

// exampleKinds has the kinds of the examples, and exampleInstances an object of each.
const (
	exampleKinds     = "../../../examples/catalog"
	exampleInstances = exampleKinds + "/instances"
)

func readExample(t *testing.T, directory, name string) string {
	t.Helper()
	return string(require.Value(os.ReadFile(filepath.Join(directory, name+".yaml")))(t))
}

func TestAKindWithAMistakeRefusesTheStart(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	file := filepath.Join(directory, "lab.yaml")
	broken := strings.Replace(readExample(t, exampleKinds, "debianservers"), "bindings:", "bndings:", 1) +
		"---\n" + strings.Replace(readExample(t, exampleKinds, "desktops"), "spec.welcome,", "spec.wellcome,", 1)
	require.NoError(t, os.WriteFile(file, []byte(broken), 0o600))
	for _, test := range []struct{ kinds, want string }{
		{"", ""}, {exampleKinds, ""},
		{filepath.Join(directory, "kinds.yaml"), "read the kinds: " + directory + "/kinds.yaml: no such file or directory"},
		{file, "read the kinds: " + file + `:1: debianservers: unknown field "spec.versions[0].bndings"` + "\n" + file + ":"},
	} {
		options := Options{DataDirectory: directory, Kinds: catalog.Flags{Path: test.kinds}}
		require.NoError(t, options.complete())
		if _, err := options.readKinds(t.Context()); (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("--kinds %q: got error %v, want %q", test.kinds, err, test.want)
		}
	}
}

func TestTheKindsOfDocumentsAreServedAndReloaded(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	file := filepath.Join(data, datadir.KindsFile)
	write := func(names ...string) {
		t.Helper()
		var documents []string
		for _, name := range names {
			documents = append(documents, readExample(t, exampleKinds, name))
		}
		content := "# the kinds\n---\n" + strings.Join(documents, "---\n")
		require.NoError(t, errors.Join(os.WriteFile(file+".new", []byte(content), 0o600), os.Rename(file+".new", file)))
	}
	write("debianservers", "containerbases")
	told := &notices{}
	withSystem(t, Options{DataDirectory: data, Memory: true, Out: told, Notices: told, Workers: 3}, func(ctx context.Context, images versioned.Interface) {
		told.awaitLine(ctx, t, "\nkinds: containerbases, debianservers ("+file+")\nready\n")
		config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(data, "kubeconfig"))
		require.NoError(t, err)
		client := dynamic.NewForConfigOrDie(config)
		objects := func(kind string) dynamic.ResourceInterface {
			return client.Resource(schema.GroupVersionResource{Group: v1alpha1.CatalogGroup, Version: "v1", Resource: kind}).Namespace("default")
		}
		create := func(kind, name string) error {
			object := &unstructured.Unstructured{}
			require.NoError(t, yaml.Unmarshal([]byte(readExample(t, exampleInstances, name)), &object.Object))
			_, err := objects(kind).Create(ctx, object, metav1.CreateOptions{})
			return err
		}
		built := func(name string) func() bool {
			return func() bool {
				image, err := images.ImagesV1alpha1().Images("default").Get(ctx, name, metav1.GetOptions{})
				require.NoError(t, err)
				return meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ImageReady)
			}
		}
		require.NoError(t, create("debianservers", "debianserver"))
		require.NoError(t, create("containerbases", "containerbase"))
		if err := create("desktops", "desktop"); !apierrors.IsNotFound(err) {
			t.Errorf("a kind that no document declares: %v", err)
		}
		write("debianservers", "desktops")
		told.awaitLine(ctx, t, "kinds: registered desktops; removed containerbases\n")
		told.await(ctx, t, "the added kind is served", func() bool { return create("desktops", "desktop") == nil })
		for _, name := range []string{"web", "office"} {
			told.await(ctx, t, name+" is built", built(name))
		}
		told.await(ctx, t, "the Image of a removed kind is built", built("tools"))
		told.await(ctx, t, "the removed kind is not served", func() bool {
			_, err := objects("containerbases").List(ctx, metav1.ListOptions{})
			return apierrors.IsNotFound(err)
		})
		require.NoError(t, os.WriteFile(filepath.Join(data, "other"), []byte(strings.Replace(readExample(t, exampleKinds, "desktops"), "name: mock", "name: gone", 1)), 0o600))
		require.NoError(t, os.Rename(filepath.Join(data, "other"), file))
		told.awaitLine(ctx, t, "kinds: changed desktops; removed debianservers\n")
		told.awaitLine(ctx, t, `kinds: desktops: warning: spec.template.builder: no builder is registered as "gone"`)
		require.NoError(t, os.WriteFile(file, []byte("kind: {"), 0o600))
		told.awaitLine(ctx, t, "kinds: "+file+":1: yaml: line 1: did not find expected node content: correct the file: the registered kinds stay as they were\n")
		if _, err := objects("desktops").Get(ctx, "office", metav1.GetOptions{}); err != nil {
			t.Errorf("the broken document counts: %v", err)
		}
	})
}
