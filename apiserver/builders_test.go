// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/jobs/capability"
	resolution "goldsmith.dev/goldsmith/jobs/inputs"
)

var _ = Describe("Registered builders", func() {
	var (
		registered atomic.Pointer[map[string]resolution.Builder]
		problem    atomic.Pointer[string]
		connection *restclient.Config
		builders   typed.BuilderInterface
	)
	BeforeEach(func(ctx SpecContext) {
		problem.Store(new(""))
		registered.Store(&map[string]resolution.Builder{
			"shell": {Image: "goldsmith.local/builders/shell", Reports: true, Executable: func() *v1alpha1.BuilderExecutable {
				return &v1alpha1.BuilderExecutable{Path: "/tools/shell", Args: []string{"-v"}, Workers: new(int32(2)), Problem: *problem.Load()}
			}},
			"disk": {Image: "registry.example.com/disk:2", Description: "Makes disks", Capabilities: capability.Capabilities{
				Targets: []capability.Target{{Platform: "linux/amd64", Format: "raw"}, {Format: "oci"}},
				Parameters: &capability.Schema{Required: []string{"size"}, Properties: map[string]capability.Property{
					"size": {Pattern: "^<[0-9]+>$"}, "sector": {Type: "integer", Default: int64(512), Enum: []any{int64(512), int64(4096)}},
				}},
			}},
		})
		running := start(ctx, apiserver.Register(builder.New("registered"), apiserver.Options{Logs: logs, Builders: func() (resolution.Builders, error) {
			return resolution.Builders{Current: func() map[string]resolution.Builder { return *registered.Load() }}, nil
		}}))
		connection = running.ClientConfig()
		connection.BearerToken = token
		builders = must(versioned.NewForConfig(connection)).ImagesV1alpha1().Builders()
	})

	DescribeTable("are read with what users need to choose one, as", func(ctx SpecContext, contentType string) {
		config := restclient.CopyConfig(connection)
		config.ContentType, config.AcceptContentTypes = contentType, contentType
		builders := must(versioned.NewForConfig(config)).ImagesV1alpha1().Builders()
		list := must(builders.List(ctx, metav1.ListOptions{}))
		Expect(list.Items).To(HaveExactElements(HaveField("Name", "disk"), HaveField("Name", "shell")))

		disk := must(builders.Get(ctx, "disk", metav1.GetOptions{}))
		Expect(disk).To(HaveField("Description", "Makes disks"))
		Expect(disk).To(HaveField("Image", "registry.example.com/disk:2"))
		Expect(disk.Executable).To(BeNil())
		Expect(disk.Reports).To(BeFalse())
		Expect(disk.Targets).To(Equal([]v1alpha1.BuilderTarget{{Platform: "linux/amd64", Format: "raw"}, {Format: "oci"}}))
		Expect(disk.Parameters.Raw).To(MatchJSON(`{"type": "object", "required": ["size"], "additionalProperties": false, "properties": {
			"size": {"type": "string", "pattern": "^<[0-9]+>$"}, "sector": {"type": "integer", "default": 512, "enum": [512, 4096]}}}`))

		shell := must(builders.Get(ctx, "shell", metav1.GetOptions{}))
		Expect(shell.Image).To(BeEmpty(), "the name by which the agent knows the program is no container image")
		Expect(shell.Executable).To(Equal(&v1alpha1.BuilderExecutable{Path: "/tools/shell", Args: []string{"-v"}, Workers: new(int32(2))}))
		Expect(shell.Reports).To(BeTrue())
		Expect(shell.Targets).To(BeEmpty())
		Expect(shell.Parameters).To(BeNil())
	},
		Entry("JSON", "application/json"),
		Entry("protobuf", "application/vnd.kubernetes.protobuf"),
	)

	It("are selected by name and labels, and those that are unknown are not found", func(ctx SpecContext) {
		for selector, names := range map[metav1.ListOptions][]string{
			{FieldSelector: "metadata.name=disk"}:  {"disk"},
			{FieldSelector: "metadata.name!=disk"}: {"shell"},
			{FieldSelector: "metadata.name=gone"}:  {},
			{LabelSelector: "!team"}:               {"disk", "shell"},
			{LabelSelector: "team"}:                {},
			{ResourceVersion: "0", Limit: 500}:     {"disk", "shell"},
		} {
			list := must(builders.List(ctx, selector))
			found := []string{}
			for i := range list.Items {
				found = append(found, list.Items[i].Name)
			}
			Expect(found).To(Equal(names), "%+v", selector)
			Expect(list.Continue).To(BeEmpty())
		}
		Expect(errorOf(builders.List(ctx, metav1.ListOptions{FieldSelector: "image=disk"}))).To(MatchError(apierrors.IsBadRequest, "IsBadRequest"))
		Expect(errorOf(builders.Get(ctx, "gone", metav1.GetOptions{}))).To(MatchError(`builders.images.goldsmith.dev "gone" not found`))
	})

	It("are those of the moment", func(ctx SpecContext) {
		problem.Store(new("/tools/shell is not an executable file"))
		Expect(must(builders.Get(ctx, "shell", metav1.GetOptions{})).Executable.Problem).To(Equal(*problem.Load()))
		registered.Store(&map[string]resolution.Builder{"other": {Image: "other"}})
		Expect(must(builders.List(ctx, metav1.ListOptions{})).Items).To(HaveExactElements(HaveField("Name", "other")))
		Expect(errorOf(builders.Get(ctx, "shell", metav1.GetOptions{}))).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
	})

	It("are printed with their own columns, and can be neither changed nor watched", func(ctx SpecContext) {
		client, ok := must(versioned.NewForConfig(connection)).ImagesV1alpha1().RESTClient().(*restclient.RESTClient)
		Expect(ok).To(BeTrue())
		table := &metav1.Table{}
		Expect(client.Get().Resource("builders").SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(ctx).Into(table)).To(Succeed())
		Expect(table.ColumnDefinitions).To(ContainElement(HaveField("Name", "Parameters")))
		Expect(table.Rows).To(HaveLen(2))
		for _, change := range []*restclient.Request{
			client.Post().Resource("builders").Body(&v1alpha1.Builder{ObjectMeta: metav1.ObjectMeta{Name: "new"}}),
			client.Delete().Resource("builders").Name("disk"),
			client.Delete().Resource("builders"),
			client.Get().Resource("builders").Param("watch", "true"),
		} {
			Expect(change.Do(ctx).Error()).To(MatchError(apierrors.IsMethodNotSupported, "IsMethodNotSupported"), "%s %s", change.URL(), "is served")
		}
	})
})
