// SPDX-License-Identifier: Apache-2.0

package imagereport_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/records"
)

// serve starts a server with a database of records that ends with the test.
func serve(t *testing.T) (typed.ImagesV1alpha1Interface, *records.Store) {
	t.Helper()
	g := NewWithT(t)
	connection, err := records.Connect(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "records.db"), nil)
	g.Expect(err).NotTo(HaveOccurred())
	store, err := connection.Store()
	g.Expect(err).NotTo(HaveOccurred())
	options, err := apiserver.Register(builder.New("reports"), apiserver.Options{
		Records: func() (history.Connection, error) { return connection, nil },
	}).WithStorage(builder.Memory()).
		WithBearerToken("token", &user.DefaultInfo{Name: "ada", Groups: []string{user.SystemPrivilegedGroup}}).
		ToServerOptions()
	g.Expect(err).NotTo(HaveOccurred())
	ctx, stop := context.WithCancel(context.Background())
	running, err := options.Start(ctx)
	if err != nil {
		stop()
	}
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		stop()
		g.Expect(running.Wait()).To(Succeed())
		g.Expect(connection.Close()).To(Succeed())
	})
	g.Expect(running.WaitReady(t.Context())).To(Succeed())
	config := running.ClientConfig()
	config.BearerToken = "token"
	clients, err := versioned.NewForConfig(config)
	g.Expect(err).NotTo(HaveOccurred())
	return clients.ImagesV1alpha1(), store
}

func newImage(t *testing.T, client typed.ImagesV1alpha1Interface, namespace, name string) *v1alpha1.Image {
	t.Helper()
	image, err := client.Images(namespace).Create(t.Context(), &v1alpha1.Image{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{
			Builder: v1alpha1.BuilderReference{Name: "mock"}, Base: v1alpha1.Base{Reference: "debian:bookworm"},
			Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: "raw"}},
		}},
	}, metav1.CreateOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return image
}

// record records an Image with one build, which succeeded.
func record(t *testing.T, store *records.Store, image *v1alpha1.Image) {
	t.Helper()
	g, ctx := NewWithT(t), t.Context()
	g.Expect(store.PutImage(ctx, image)).To(Succeed())
	ended := metav1.NewTime(time.Now().Add(-time.Hour))
	g.Expect(store.PutBuild(ctx, &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: image.Namespace, Name: image.Name + "-1", UID: types.UID(string(image.UID) + "-1"), ResourceVersion: "1", CreationTimestamp: ended,
		},
		Spec:   v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{Name: image.Name, UID: image.UID}},
		Status: v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Finished: true, StartTime: &ended, CompletionTime: &ended},
	})).To(Succeed())
}

func TestReportsAreServed(t *testing.T) {
	ctx := t.Context()
	client, store := serve(t)
	ours, theirs := newImage(t, client, "ours", "web"), newImage(t, client, "theirs", "web")
	newImage(t, client, "ours", "unrecorded")
	record(t, store, ours)
	record(t, store, theirs)
	reports := func() *restclient.Request { return client.RESTClient().Get().Resource("imagereports") }

	t.Run("those of one namespace only, or all", func(t *testing.T) {
		g := NewWithT(t)
		list, err := client.ImageReports("ours").List(ctx, metav1.ListOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(list.Items).To(HaveExactElements(And(HaveField("Name", "unrecorded"), HaveField("Stats", BeNil())), HaveField("UID", ours.UID)))
		list, err = client.ImageReports("ours").List(ctx, metav1.ListOptions{FieldSelector: "metadata.namespace=theirs"})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(list.Items).To(BeEmpty())
		list, err = client.ImageReports(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=web"})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(list.Items).To(HaveExactElements(
			And(HaveField("UID", ours.UID), HaveField("Stats.Builds", int64(1))), And(HaveField("UID", theirs.UID), HaveField("Stats.Builds", int64(1)))))
	})

	t.Run("as a table, without records too", func(t *testing.T) {
		g := NewWithT(t)
		raw, err := reports().Namespace("ours").Param("includeObject", "None").SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		var table metav1.Table
		g.Expect(json.Unmarshal(raw, &table)).To(Succeed())
		g.Expect(table.Rows).To(HaveLen(2))
		g.Expect(table.Rows[0].Cells[:6]).To(Equal([]any{"unrecorded", "<none>", "<none>", "<none>", "<none>", "<none>"}))
		for _, column := range table.ColumnDefinitions {
			g.Expect(column.Priority).To(BeZero(), "%s is for -o wide only", column.Name)
		}
	})

	t.Run("not watched", func(t *testing.T) {
		for _, request := range []*restclient.Request{reports(), reports().Namespace("ours")} {
			err := request.Param("watch", "true").MaxRetries(0).Do(ctx).Error()
			NewWithT(t).Expect(apierrors.IsMethodNotSupported(err)).To(BeTrue(), "%s: %v", request.URL(), err)
		}
	})

	t.Run("not for pages that are none", func(t *testing.T) {
		_, err := client.ImageReports("ours").List(ctx, metav1.ListOptions{Continue: "nonsense"})
		NewWithT(t).Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
	})
}
