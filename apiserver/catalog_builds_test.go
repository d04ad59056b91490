// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// statusOf returns the answer of the server.
func statusOf(err error) metav1.Status {
	GinkgoHelper()
	var status apierrors.APIStatus
	Expect(errors.As(err, &status)).To(BeTrue(), "%v", err)
	return status.Status()
}

var _ = Describe("the builds of an object of the catalog", func() {
	var namespace string
	var servers dynamic.ResourceInterface
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		servers = serversIn(namespace)
		must(servers.Create(ctx, newServer("web"), metav1.CreateOptions{}))
	})
	at := func(verb, name, subresource string) *restclient.Request {
		return client.ImagesV1alpha1().RESTClient().Verb(verb).AbsPath("/apis/catalog.goldsmith.dev/v1/namespaces/" + namespace + "/debianservers/" + name + "/" + subresource)
	}
	build := func(ctx context.Context, name string, request v1alpha1.BuildRequest, parameters ...string) (*v1alpha1.ImageBuild, error) {
		asked := at(http.MethodPost, name, "build").Body(&request)
		for _, parameter := range parameters {
			asked.Param(parameter, metav1.DryRunAll)
		}
		built := &v1alpha1.ImageBuild{}
		return built, asked.Do(ctx).Into(built)
	}

	Describe("build", func() {
		It("starts a build, once for each request ID, and shows nothing that the kind sets", func(ctx SpecContext) {
			answer := at(http.MethodPost, "web", "build").Body(&v1alpha1.BuildRequest{RequestID: "one", Message: "a new release"}).Do(ctx)
			raw := must(answer.Raw())
			created := &v1alpha1.ImageBuild{}
			Expect(json.Unmarshal(raw, created)).To(Succeed())
			Expect(created.Name).To(Equal("web-1"))
			Expect(created.Spec.Number).To(HaveValue(BeEquivalentTo(1)))
			Expect(created.Spec.Trigger).To(HaveValue(Equal(v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, Message: "a new release", RequestID: "one"})))
			Expect(string(raw)).NotTo(Or(ContainSubstring("mock"), ContainSubstring("image-builder"), ContainSubstring("20Gi"), ContainSubstring("qcow2")))
			stored := must(buildsIn(namespace).Get(ctx, "web-1", metav1.GetOptions{}))
			Expect(stored.UID).To(Equal(created.UID))
			Expect(stored.Spec.Inputs.Builder.Name).To(Equal("mock"))
			Expect(stored.Spec.Trigger.RequestedBy).To(Equal("ada"))

			again := must(build(ctx, "web", v1alpha1.BuildRequest{RequestID: "one"}))
			Expect(again.UID).To(Equal(created.UID))
			Expect(must(build(ctx, "web", v1alpha1.BuildRequest{}, "dryRun")).Name).To(Equal("web-2"))
			Expect(must(build(ctx, "web", v1alpha1.BuildRequest{})).Name).To(Equal("web-2"))
		})

		It("refuses what would go around the schema of the kind", func(ctx SpecContext) {
			_, err := build(ctx, "web", v1alpha1.BuildRequest{
				Parameters: []v1alpha1.Parameter{{Name: "disk", Value: "1Ti"}}, Reason: v1alpha1.TriggerSchedule,
				Changes: []v1alpha1.InputChange{{Path: "base"}},
			})
			Expect(err).To(And(Satisfy(apierrors.IsInvalid), WithTransform(fieldsOf, ConsistOf("parameters", "changes", "reason"))))
			Expect(err).To(MatchError(ContainSubstring("change the fields of the DebianServer instead")))
			_, err = build(ctx, "web", v1alpha1.BuildRequest{Message: "two\nlines"})
			Expect(err).To(And(Satisfy(apierrors.IsInvalid), WithTransform(fieldsOf, ConsistOf("message"))))
			Expect(must(buildsIn(namespace).List(ctx, metav1.ListOptions{})).Items).To(BeEmpty())
		})

		It("explains errors in the terms of the kind", func(ctx SpecContext) {
			must(imagesIn(namespace).Create(ctx, newImage("other"), metav1.CreateOptions{}))
			for _, name := range []string{"other", "nothing"} {
				_, err := build(ctx, name, v1alpha1.BuildRequest{})
				Expect(err).To(And(Satisfy(apierrors.IsNotFound), MatchError(`debianservers.catalog.goldsmith.dev "`+name+`" not found`)))
			}
			_, err := build(ctx, "web", v1alpha1.BuildRequest{RequestID: "schedule:2030-01-02T03:04:05Z"})
			Expect(err).To(And(Satisfy(apierrors.IsConflict),
				MatchError(HavePrefix(`Operation cannot be fulfilled on debianservers.catalog.goldsmith.dev "web": requestID`))))

			must(build(ctx, "web", v1alpha1.BuildRequest{RequestID: "one"}))
			Expect(buildsIn(namespace).Delete(ctx, "web-1", metav1.DeleteOptions{})).To(Succeed())
			_, err = build(ctx, "web", v1alpha1.BuildRequest{RequestID: "one"})
			Expect(err).To(And(Satisfy(apierrors.IsGone), MatchError(`request "one" created build "web-1", which was deleted: use a new requestID for a new build`)))
			Expect(statusOf(err).Details).To(HaveValue(And(HaveField("Group", "catalog.goldsmith.dev"), HaveField("Kind", "debianservers/build"), HaveField("Name", "web"))))

			held := must(servers.Get(ctx, "web", metav1.GetOptions{}))
			held.SetFinalizers([]string{"example.com/held"})
			must(servers.Update(ctx, held, metav1.UpdateOptions{}))
			Expect(servers.Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			_, err = build(ctx, "web", v1alpha1.BuildRequest{})
			Expect(err).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring(`debianservers.catalog.goldsmith.dev "web": it is being deleted`))))
		})
	})

	Describe("log", func() {
		var first, second types.UID
		read := func(ctx context.Context, name string, parameters ...string) (string, []string, error) {
			request := at(http.MethodGet, name, "log")
			for i := 0; i < len(parameters); i += 2 {
				request.Param(parameters[i], parameters[i+1])
			}
			result := request.Do(ctx)
			raw, _ := result.Raw()
			var told []string
			for _, warning := range result.Warnings() {
				told = append(told, warning.Text)
			}
			return string(raw), told, result.Error()
		}
		BeforeEach(func() {
			first, second = types.UID("first-"+rand()), types.UID("second-"+rand())
			logs.set(first, text("one\n"))
			logs.set(second, text("two\n"))
		})
		start := func(ctx SpecContext, name string, pod types.UID) {
			GinkgoHelper()
			must(build(ctx, "web", v1alpha1.BuildRequest{}))
			if pod != "" {
				writeTo(ctx, buildsIn(namespace), name, startAttempt(1), bindPod(1, pod))
			}
		}

		It("is that of the running build, of the latest one, or of the one with a number", func(ctx SpecContext) {
			start(ctx, "web-1", first)
			start(ctx, "web-2", "")
			Expect(read(ctx, "web")).To(Equal("one\n"), "which runs")
			writeTo(ctx, buildsIn(namespace), "web-1", succeed(1))
			_, told, err := read(ctx, "web")
			Expect(err).NotTo(HaveOccurred())
			Expect(told).To(ConsistOf(`build 2 of debianserver "web" has no log: no attempt was started`))
			writeTo(ctx, buildsIn(namespace), "web-2", startAttempt(1), bindPod(1, second))
			Expect(read(ctx, "web")).To(Equal("two\n"))
			Expect(read(ctx, "web", "build", "1")).To(Equal("one\n"))
			Expect(read(ctx, "web", "build", "2", "attempt", "1", "limitBytes", "2")).To(Equal("tw"))
			writeTo(ctx, buildsIn(namespace), "web-2", succeed(1))
			Expect(read(ctx, "web", "follow", "true")).To(Equal("two\n"))
		})

		It("is followed from before its build starts until it has finished", func(ctx SpecContext) {
			start(ctx, "web-1", "")
			ended := make(chan string, 1)
			stream := must(at(http.MethodGet, "web", "log").Param("follow", "true").Stream(ctx))
			go func() {
				defer GinkgoRecover()
				defer func() { Expect(stream.Close()).To(Succeed()) }()
				ended <- string(must(io.ReadAll(stream)))
			}()
			writeTo(ctx, buildsIn(namespace), "web-1", startAttempt(1), bindPod(1, first))
			writeTo(ctx, buildsIn(namespace), "web-1", succeed(1))
			Eventually(ctx, ended).Should(Receive(Equal("one\n")))
		})

		It("is not shown of a build of a former Image", func(ctx SpecContext) {
			start(ctx, "web-1", first)
			writeTo(ctx, buildsIn(namespace), "web-1", succeed(1))
			orphan := metav1.DeletePropagationOrphan
			Expect(imagesIn(namespace).Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &orphan})).To(Succeed())
			must(buildsIn(namespace).Get(ctx, "web-1", metav1.GetOptions{}))
			image := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
			image.Finalizers = nil
			must(imagesIn(namespace).Update(ctx, image, metav1.UpdateOptions{}))
			must(servers.Create(ctx, newServer("web"), metav1.CreateOptions{}))
			for _, parameters := range [][]string{nil, {"build", "1"}} {
				_, _, err := read(ctx, "web", parameters...)
				Expect(err).To(And(Satisfy(apierrors.IsNotFound), WithTransform(fieldsOf, ConsistOf("build"))))
			}
		})

		DescribeTable("refuses with", func(ctx SpecContext, name string, parameters []string, code int, message string) {
			must(imagesIn(namespace).Create(ctx, newImage("other"), metav1.CreateOptions{}))
			start(ctx, "web-1", types.UID("gone-"+rand()))
			writeTo(ctx, buildsIn(namespace), "web-1", succeed(1))
			must(build(ctx, "web", v1alpha1.BuildRequest{RequestID: "deleted"}))
			Expect(buildsIn(namespace).Delete(ctx, "web-2", metav1.DeleteOptions{})).To(Succeed())
			body, _, err := read(ctx, name, parameters...)
			Expect(err).To(HaveField("ErrStatus.Code", BeEquivalentTo(code)), body)
			Expect(body).To(ContainSubstring(message))
			Expect(body).NotTo(Or(ContainSubstring("imagebuild"), ContainSubstring("pod-gone")))
		},
			Entry("404 the number of no build", "web", []string{"build", "7"}, http.StatusNotFound, `debianserver \"web\" has no build 7`),
			Entry("404 an attempt that there was not", "web", []string{"attempt", "7"}, http.StatusNotFound, `build 1 of debianserver \"web\" has no attempt 7`),
			Entry("404 an Image that is not of the kind", "other", nil, http.StatusNotFound, `debianservers.catalog.goldsmith.dev \"other\" not found`),
			Entry("404 a deleted build, without an archive", "web", []string{"build", "2"}, http.StatusNotFound, `build 2 of debianserver \"web\" was deleted, and the archive has no log of it`),
			Entry("410 a log that nobody has", "web", nil, http.StatusGone, `attempt 1 of build 1 of debianserver \"web\" is no longer available: its pod was deleted`),
			Entry("422 the build 0", "web", []string{"build", "0", "tailLines", "-1"}, http.StatusUnprocessableEntity, `DebianServer.catalog.goldsmith.dev \"web\" is invalid: [tailLines: `),
			Entry("400 a number that is none", "web", []string{"build", "last"}, http.StatusBadRequest, `build must be a number, not \"last\"`),
		)
	})

	It("have a status that is only read", func(ctx SpecContext) {
		Expect(must(servers.Get(ctx, "web", metav1.GetOptions{}, "status"))).To(Equal(must(servers.Get(ctx, "web", metav1.GetOptions{}))))
		read := must(servers.Get(ctx, "web", metav1.GetOptions{}))
		Expect(apierrors.IsMethodNotSupported(errorOf(servers.UpdateStatus(ctx, read, metav1.UpdateOptions{})))).To(BeTrue())
	})
})
