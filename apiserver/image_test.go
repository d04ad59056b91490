// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	restclient "k8s.io/client-go/rest"

	apply "goldsmith.dev/goldsmith/apis/generated/applyconfiguration/images/v1alpha1"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var _ = Describe("An Image", func() {
	var (
		namespace string
		images    typed.ImageInterface
	)
	BeforeEach(func() {
		namespace = newNamespace()
		images = imagesIn(namespace)
	})
	create := func(ctx SpecContext, image *v1alpha1.Image) *v1alpha1.Image {
		GinkgoHelper()
		return must(images.Create(ctx, image, metav1.CreateOptions{}))
	}

	It("shows its defaults, and takes no status from who creates it", func(ctx SpecContext) {
		image := newImage("debian")
		image.Status.BuildCounter = 7
		image.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ImageReady, Status: metav1.ConditionTrue, Reason: "Forged"}}
		image = create(ctx, image)
		Expect(image.Status).To(Equal(newImageStatus(image)), "no client takes it for finished")
		Expect(image.Spec.RunPolicy).To(Equal(v1alpha1.RunPolicySerial))
		Expect(image.Spec.Triggers.OnSpecChange).To(HaveValue(BeTrue()))
		Expect(image.Spec.Retry.Limit).To(HaveValue(BeEquivalentTo(2)))
		Expect(image.Spec.History.Failed).To(HaveValue(BeEquivalentTo(3)))
	})

	It("names every invalid field in one answer, and is not stored", func(ctx SpecContext) {
		image := newImage(strings.Repeat("a", 46))
		image.Spec.Builder.Image = "example.com/builder"
		image.Spec.Base.Reference = "two words"
		image.Spec.Targets[0].Format = "tape"
		image.Spec.RunPolicy = "Never"
		image.Spec.Retry = &v1alpha1.RetryPolicy{Limit: new(int32(11)), Classes: []v1alpha1.FailureClass{"Cancelled"}}
		_, err := images.Create(ctx, image, metav1.CreateOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(fieldsOf(err)).To(ConsistOf("metadata.name", "spec.builder", "spec.base.reference", "spec.targets[0].format",
			"spec.runPolicy", "spec.retry.limit", "spec.retry.classes[0]"))
		Expect(must(images.List(ctx, metav1.ListOptions{})).Items).To(BeEmpty())
	})

	It("is refused where it is too large", func(ctx SpecContext) {
		image := newImage("debian")
		image.Annotations = map[string]string{"a": strings.Repeat("x", 3<<20)}
		Expect(errorOf(images.Create(ctx, image, metav1.CreateOptions{}))).To(Satisfy(apierrors.IsRequestEntityTooLargeError))
	})

	It("is refused with a time that would make every list unreadable", func(ctx SpecContext) {
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		_, err := images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"metadata":{"managedFields":[{"manager":"m","operation":"Update",`+
			`"apiVersion":"images.goldsmith.dev/v1alpha1","time":"9999-12-31T23:59:59-01:00","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:suspend":{}}}}]}}`), metav1.PatchOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("metadata.managedFields[0].time")))
		must(images.List(ctx, metav1.ListOptions{}))
	})

	It("has a new generation when its spec changes, and only then", func(ctx SpecContext) {
		image := create(ctx, newImage("debian"))
		Expect(image.Generation).To(BeEquivalentTo(1))
		image = must(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}},"spec":{"suspend":false}}`), metav1.PatchOptions{}))
		Expect(image.Generation).To(BeEquivalentTo(1))
		image = must(images.Patch(ctx, "debian", types.StrategicMergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{}))
		Expect(image.Generation).To(BeEquivalentTo(2))
	})

	It("keeps spec and status apart", func(ctx SpecContext) {
		image := create(ctx, newImage("debian"))
		image.Spec.Suspend = new(true)
		image.Status.ObservedGeneration = 1
		image = must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{}))
		Expect(image.Spec.Suspend).To(HaveValue(BeFalse()))
		Expect(image.Status.ObservedGeneration).To(BeEquivalentTo(1))

		image.Status.ObservedGeneration = 5
		Expect(must(images.Update(ctx, image, metav1.UpdateOptions{})).Status.ObservedGeneration).To(BeEquivalentTo(1))
	})

	It("keeps the records of instantiate in its status, even if an update sets others", func(ctx SpecContext) {
		create(ctx, newImage("debian"))
		must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		image.Status.BuildCounter = 0
		image.Status.RecentRequests = []v1alpha1.BuildRequestRecord{{RequestID: "first", Number: 9, UID: "x"}, {RequestID: "forged", Number: 2}}
		image = must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{}))
		Expect(image.Status.BuildCounter).To(BeEquivalentTo(1))
		Expect(image.Status.RecentRequests).To(ConsistOf(And(HaveField("RequestID", "first"), HaveField("Number", int64(1)), HaveField("UID", BeEmpty()))))

		recordUID(ctx, images, "debian", "u")
		image = must(images.Get(ctx, "debian", metav1.GetOptions{}))
		image.Status.RecentRequests[0].UID = ""
		Expect(must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{})).Status.RecentRequests[0].UID).To(BeEquivalentTo("u"))
	})

	It("refuses a malformed status", func(ctx SpecContext) {
		image := create(ctx, newImage("debian"))
		image.Status.InputsDigest = "sha256:short"
		image.Status.ActiveBuilds = -1
		image.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "Maybe", Reason: "ok", LastTransitionTime: metav1.Now()}}
		_, err := images.UpdateStatus(ctx, image, metav1.UpdateOptions{})
		Expect(fieldsOf(err)).To(ConsistOf("status.inputsDigest", "status.activeBuilds", "status.conditions[0].status"))
	})

	Describe("applied by the server", func() {
		wanted := func(reference string) *apply.ImageApplyConfiguration {
			return apply.Image("debian", namespace).WithSpec(apply.ImageSpec().
				WithBuilder(apply.BuilderReference().WithName("mock")).
				WithBase(apply.Base().WithReference(reference)).
				WithTargets(apply.Target().WithPlatform("linux/amd64").WithFormat(v1alpha1.ArtifactFormatRaw)))
		}

		It("changes nothing the second time", func(ctx SpecContext) {
			first := must(images.Apply(ctx, wanted("debian:bookworm"), metav1.ApplyOptions{FieldManager: "one"}))
			second := must(images.Apply(ctx, wanted("debian:bookworm"), metav1.ApplyOptions{FieldManager: "one"}))
			Expect(second.ResourceVersion).To(Equal(first.ResourceVersion))
		})

		It("owns the spec through the resource and the status through its subresource", func(ctx SpecContext) {
			both := wanted("debian:bookworm").WithStatus(apply.ImageStatus().WithObservedGeneration(3))
			Expect(must(images.Apply(ctx, both, metav1.ApplyOptions{FieldManager: "person"})).Status.ObservedGeneration).To(BeZero())
			image := must(images.ApplyStatus(ctx, both, metav1.ApplyOptions{FieldManager: "controller"}))
			Expect(image.Status.ObservedGeneration).To(BeEquivalentTo(3))
			owned := map[string]string{}
			for _, entry := range image.ManagedFields {
				owned[entry.Manager+"/"+entry.Subresource] = string(entry.FieldsV1.GetRawBytes())
			}
			Expect(owned).To(HaveLen(2))
			Expect(owned).To(HaveKeyWithValue("person/", And(ContainSubstring("f:spec"), Not(ContainSubstring("f:status")))))
			Expect(owned).To(HaveKeyWithValue("controller/status", And(ContainSubstring("f:status"), Not(ContainSubstring("f:spec")))))
		})
	})

	It("is held to the operator's limits, as are plans and builds", func(ctx SpecContext) {
		namespace := newNamespace()
		image := newImage("debian")
		image.Spec.Template = &v1alpha1.BuildTemplate{QueueName: "team"}
		image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(maxHistory + 1))}
		_, err := client.ImagesV1alpha1().Images(namespace).Create(ctx, image, metav1.CreateOptions{})
		Expect(fieldsOf(err)).To(ConsistOf("spec.template.queueName", "spec.history.succeeded"))
		Expect(err).To(MatchError(And(ContainSubstring("Kueue is turned off"), ContainSubstring("must be at most 900, the limit of this server's operator"))))

		plan := &v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Spec: image.Spec}
		_, err = client.ImagesV1alpha1().ImagePlans(namespace).Create(ctx, plan, metav1.CreateOptions{})
		Expect(fieldsOf(err)).To(ConsistOf("spec.template.queueName", "spec.history.succeeded"))

		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "once"}, Spec: v1alpha1.ImageBuildSpec{Inputs: image.Spec.BuildInputs}}
		_, err = client.ImagesV1alpha1().ImageBuilds(namespace).Create(ctx, build, metav1.CreateOptions{})
		Expect(fieldsOf(err)).To(ConsistOf("spec.inputs.template.queueName"))
	})

	DescribeTable("with a value of the wrong type says where and what it must be",
		func(ctx SpecContext, spec, fault string) {
			create(ctx, newImage("debian"))
			resource := func(request *restclient.Request) *restclient.Request {
				return request.Namespace(namespace).Resource("images")
			}
			rest := client.ImagesV1alpha1().RESTClient()
			object := []byte(`{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"Image","metadata":{"name":"debian"},"spec":` + spec + `}`)
			for how, request := range map[string]*restclient.Request{
				"create":          resource(rest.Post()).Body(object),
				"create, as YAML": resource(rest.Post()).SetHeader("Content-Type", "application/yaml").Body(object),
				"update":          resource(rest.Put()).Name("debian").Body(object),
				"merge patch":     resource(rest.Patch(types.MergePatchType)).Name("debian").Body([]byte(`{"spec":` + spec + `}`)),
				"strategic merge": resource(rest.Patch(types.StrategicMergePatchType)).Name("debian").Body([]byte(`{"spec":` + spec + `}`)),
				"apply":           resource(rest.Patch(types.ApplyYAMLPatchType)).Name("debian").Param("fieldManager", "test").Body(object),
				"apply a new one": resource(rest.Patch(types.ApplyYAMLPatchType)).Name("other").Param("fieldManager", "test").Body(bytes.Replace(object, []byte("debian"), []byte("other"), 1)),
			} {
				err := request.Do(ctx).Error()
				Expect(err).To(MatchError(MatchRegexp(`^Image in version "v1alpha1" cannot be handled as a Image: (.*; )?%s`, regexp.QuoteMeta(fault))), how)
			}
		},
		Entry("a duration", `{"timeouts":{"run":"2w"}}`, "spec.timeouts.run: must be a duration such as 90s, 30m, 2h or 7d"),
		Entry("a duration without a unit", `{"history":{"ttl":{"failed":90}}}`, "spec.history.ttl.failed: must be a duration such as 90s, 30m, 2h or 7d"),
		Entry("a number", `{"builder":{"name":5}}`, "spec.builder.name: "),
		Entry("an object", `{"targets":"linux/amd64"}`, "spec.targets: "),
		Entry("a number that its field cannot hold", `{"history":{"succeeded":4294967298}}`, "spec.history.succeeded: must be a whole number that fits in 32 bits, not 4294967298"),
	)

	It("of the wrong type in a patch names the field, and is the client's error", func(ctx SpecContext) {
		create(ctx, newImage("debian"))
		for patch, want := range map[string]struct {
			kind        types.PatchType
			subresource string
			code        int
			message     string
		}{
			`{"metadata":{"labels":["a"]}}`:     {types.MergePatchType, "", http.StatusUnprocessableEntity, "metadata.labels: must be an object, not a list"},
			`{"status":{"buildCounter":"one"}}`: {types.MergePatchType, "status", http.StatusUnprocessableEntity, "status.buildCounter: "},
			`[]`:                                {types.MergePatchType, "", http.StatusBadRequest, "must be an object, not a list"},
			`{"spec":{"$retainKeys":["builder"],"builder":{"name":5}}}`: {types.StrategicMergePatchType, "", http.StatusUnprocessableEntity, "spec.builder.name: "},
			`{"spec":{"bas":{}}}`:                          {types.StrategicMergePatchType, "", http.StatusUnprocessableEntity, `cannot be handled as a Image: strict decoding error: unknown field "spec.bas"`},
			`{"kind":"Other"}`:                             {types.MergePatchType, "", http.StatusUnprocessableEntity, `cannot be handled as a Image: kind: must be Image, not Other`},
			`{"apiVersion":"v9"}`:                          {types.MergePatchType, "", http.StatusUnprocessableEntity, `cannot be handled as a Image: no kind "Image" is registered for version "v9"`},
			`[{"op":"add","path":"/spec/base","value":5}]`: {types.JSONPatchType, "", http.StatusUnprocessableEntity, `cannot be handled as a Image: spec.base: must be an object, not a number`},
			`[{"op":"add","path":"/spec/bas","value":5}]`:  {types.JSONPatchType, "", http.StatusUnprocessableEntity, `cannot be handled as a Image: strict decoding error: unknown field "spec.bas"`},
		} {
			request := client.ImagesV1alpha1().RESTClient().Patch(want.kind).Namespace(namespace).Resource("images").Name("debian").
				Param("fieldValidation", "Strict").Body([]byte(patch))
			if want.subresource != "" {
				request = request.SubResource(want.subresource)
			}
			err := request.Do(ctx).Error()
			Expect(err).To(MatchError(ContainSubstring(want.message)), patch)
			Expect(err).To(HaveField("ErrStatus.Code", Equal(int32(want.code))), patch)
			if want.code == http.StatusUnprocessableEntity {
				Expect(err).To(HaveField("ErrStatus.Details.Causes", ConsistOf(HaveField("Message", ContainSubstring(strings.TrimPrefix(want.message, "cannot be handled as a Image: "))))), patch)
			}
		}
	})

	DescribeTable("in a strategic merge patch that cannot be applied is a bad request:", func(ctx SpecContext, patch, message string) {
		image := newImage("debian")
		image.Spec.Parameters = []v1alpha1.Parameter{{Name: "a"}}
		create(ctx, image)
		Expect(errorOf(images.Patch(ctx, "debian", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}))).To(
			And(Satisfy(apierrors.IsBadRequest), MatchError(message)))
	},
		Entry("an element without its key", `{"spec":{"parameters":[{"name":"a","value":"b"},{"value":"c"}]}}`,
			"spec.parameters[1]: set name, by which a strategic merge patch finds the element"),
		Entry("an unknown directive", `{"metadata":{"$patch":"shake"}}`, `metadata.$patch: must be replace or delete, not "shake"`),
		Entry("an order that is no list", `{"spec":{"$setElementOrder/parameters":"a"}}`,
			"the strategic merge patch cannot be applied: expected a list, but received a string"),
		Entry("an order that is a number", `{"spec":{"$setElementOrder/parameters":5}}`,
			"the strategic merge patch cannot be applied: expected a list, but received a number"),
	)

	It("warns of a source without files", func(ctx SpecContext) {
		image := newImage("debian")
		image.Spec.Source = &v1alpha1.Source{}
		result := client.ImagesV1alpha1().RESTClient().Post().Namespace(namespace).Resource("images").Body(manifest(image)).Do(ctx)
		Expect(result.Error()).NotTo(HaveOccurred())
		Expect(result.Warnings()).To(HaveLen(1))
		Expect(result.Warnings()[0].Text).To(HavePrefix("spec.source: "))
	})

	It("is selected by its fields", func(ctx SpecContext) {
		create(ctx, newImage("running"))
		suspended := newImage("suspended")
		suspended.Spec.Suspend = new(true)
		suspended.Spec.Builder.Name = "other"
		create(ctx, suspended)
		for selector, want := range map[string]string{
			"spec.suspend=false": "running", "spec.suspend=true": "suspended", "spec.builder.name=other": "suspended", "metadata.name=running": "running",
		} {
			list := must(images.List(ctx, metav1.ListOptions{FieldSelector: selector}))
			Expect(list.Items).To(HaveLen(1), selector)
			Expect(list.Items[0].Name).To(Equal(want), selector)
		}
		Expect(errorOf(images.List(ctx, metav1.ListOptions{FieldSelector: "spec.base.reference=x"}))).To(Satisfy(apierrors.IsBadRequest))
	})

	It("is printed in columns", func(ctx SpecContext) {
		create(ctx, newImage("debian"))
		must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		Expect(columnsOf(ctx, namespace, "images")).To(Equal("Name Ready UpToDate Reason Latest Digest Active Next Age Builder Base Channels LastFailure Since Suspended Vulnerabilities"))
		Expect(columnsOf(ctx, namespace, "imagebuilds")).To(Equal("Name Image Phase Why Progress Attempt Duration Age Trigger Node Digest OneOff Started Finished"))
	})
})

var _ = Describe("Builds", func() {
	It("are selected by their fields, also for deletion", func(ctx SpecContext) {
		namespace := newNamespace()
		images, builds := imagesIn(namespace), buildsIn(namespace)
		image := must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		must(images.Instantiate(ctx, "debian", &v1alpha1.BuildRequest{Reason: v1alpha1.TriggerCreated}, metav1.CreateOptions{}))
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		write(ctx, builds, startAttempt(1))
		write(ctx, builds, succeed(1))

		for selector, want := range map[string]string{
			"spec.imageRef.name=debian":                "debian-1",
			"spec.imageRef.uid=" + string(image.UID):   "debian-1",
			"spec.trigger.reason=Manual":               "once",
			"status.phase=Pending":                     "debian-1",
			"status.finished=true":                     "once",
			"status.finished=false,metadata.name!=foo": "debian-1",
		} {
			list := must(builds.List(ctx, metav1.ListOptions{FieldSelector: selector}))
			Expect(list.Items).To(HaveLen(1), selector)
			Expect(list.Items[0].Name).To(Equal(want), selector)
		}
		Expect(builds.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "status.finished=true"})).To(Succeed())
		list := must(builds.List(ctx, metav1.ListOptions{}))
		Expect(list.Items).To(HaveLen(1))
		Expect(list.Items[0].Name).To(Equal("debian-1"))
	})
})

var _ = Describe("Discovery", func() {
	It("tells short names, singular names and the category", func(ctx SpecContext) {
		raw := must(client.ImagesV1alpha1().RESTClient().Get().AbsPath("/apis/images.goldsmith.dev/v1alpha1").DoRaw(ctx))
		list := metav1.APIResourceList{}
		Expect(json.Unmarshal(raw, &list)).To(Succeed())
		resources := map[string]metav1.APIResource{}
		for _, resource := range list.APIResources {
			resources[resource.Name] = resource
		}
		for name, want := range map[string]struct{ short, singular string }{"images": {"img", "image"}, "imagebuilds": {"imgb", "imagebuild"}} {
			Expect(resources[name].ShortNames).To(ConsistOf(want.short))
			Expect(resources[name].SingularName).To(Equal(want.singular))
			Expect(resources[name].Categories).To(ConsistOf("goldsmith", "all"))
		}
		Expect(resources).To(And(HaveKey("images/status"), HaveKey("images/instantiate"), HaveKey("images/channels"),
			HaveKey("images/history"), HaveKey("images/stats"), HaveKey("images/notes"), HaveKey("images/changes"), HaveKey("imagereports"),
			HaveKey("imagebuilds/status"), HaveKey("imagebuilds/cancel"), HaveKey("imagebuilds/rerun"), HaveKey("imagebuilds/log"), HaveKey("imagebuilds/diff"),
			HaveKey("imagebuilds/packages"), HaveKey("imagebuilds/vulnerabilities"), HaveKey("imagebuilds/attest")))
	})
})

// columnsOf are the columns of the table that kubectl prints.
func columnsOf(ctx SpecContext, namespace, resource string) string {
	GinkgoHelper()
	request := client.ImagesV1alpha1().RESTClient().Get().Namespace(namespace).Resource(resource)
	raw := must(request.SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx))
	table := metav1.Table{}
	Expect(json.Unmarshal(raw, &table)).To(Succeed())
	Expect(table.Rows).To(HaveLen(1))
	Expect(table.Rows[0].Cells).To(HaveLen(len(table.ColumnDefinitions)))
	var names []string
	for _, column := range table.ColumnDefinitions {
		Expect(column.Description).NotTo(BeEmpty())
		names = append(names, column.Name)
	}
	return strings.Join(names, " ")
}
