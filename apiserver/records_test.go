// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/records"
)

var _ = Describe("What is recorded of an Image", Ordered, func() {
	var (
		server    *recording
		namespace string
		image     *v1alpha1.Image
	)
	BeforeAll(func(ctx SpecContext) { server = startRecording(ctx) })
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		image = server.newImage(ctx, namespace, "web")
	})

	Describe("history", func() {
		It("is its builds, the newest first, whether they are still there or not", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			failed := server.built(ctx, image, 2, v1alpha1.BuildFailed)
			Expect(server.store.BuildDeleted(ctx, failed.UID, time.Now())).To(Succeed())
			page := &v1alpha1.ImageHistory{}
			Expect(server.read(ctx, namespace, "web", "history", page)).To(Succeed())
			Expect(page.UID).To(Equal(image.UID))
			Expect(page.Continue).To(BeEmpty())
			Expect(page.Items).To(HaveExactElements(
				And(HaveField("Name", "web-2"), HaveField("Phase", v1alpha1.BuildFailed), HaveField("Failure.Message", "exit code 1"), HaveField("DeletionTime", Not(BeNil()))),
				And(HaveField("Name", "web-1"), HaveField("Phase", v1alpha1.BuildSucceeded), HaveField("Failure", BeNil()), HaveField("DeletionTime", BeNil()))))
			Expect(page.Items[0]).To(And(
				HaveField("UID", failed.UID), HaveField("Number", int64(2)), HaveField("Trigger", v1alpha1.TriggerManual), HaveField("RequestedBy", "ada"),
				HaveField("Attempts", int32(1)), HaveField("Duration.Duration", 2*time.Minute), HaveField("QueueTime.Duration", time.Minute)))
		})

		It("has the builds of deleted images of the same name, unless a UID is given", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			earlier := image.DeepCopy()
			earlier.UID = "earlier"
			server.built(ctx, earlier, 7, v1alpha1.BuildSucceeded)
			page := &v1alpha1.ImageHistory{}
			Expect(server.read(ctx, namespace, "web", "history", page)).To(Succeed())
			Expect(page.UID).To(Equal(image.UID))
			Expect(page.Items).To(HaveExactElements(
				And(HaveField("Name", "web-7"), HaveField("ImageUID", earlier.UID)), And(HaveField("Name", "web-1"), HaveField("ImageUID", image.UID))))
			Expect(server.read(ctx, namespace, "web", "history", page, "uid", string(image.UID))).To(Succeed())
			Expect(page.Items).To(HaveExactElements(HaveField("Name", "web-1")))
		})

		It("is filtered by outcome, trigger, user and time", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			server.built(ctx, image, 2, v1alpha1.BuildFailed, func(build *v1alpha1.ImageBuild) {
				build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerSchedule, RequestedBy: "system:serviceaccount:goldsmith:controller"}
			})
			third := server.built(ctx, image, 3, v1alpha1.BuildSucceeded)
			for parameters, want := range map[[4]string][]string{
				{"outcome", "Succeeded"}: {"web-3", "web-1"}, {"trigger", "Schedule"}: {"web-2"}, {"user", "ada"}: {"web-3", "web-1"},
				{"user", "ada", "outcome", "Failed"}: nil, {"since", "98h30m"}: {"web-3", "web-2"}, {"until", "97h30m"}: {"web-2", "web-1"},
				{"since", third.CreationTimestamp.UTC().Format(time.RFC3339)}: {"web-3"}, {"since", "98h30m", "until", "97h30m"}: {"web-2"},
			} {
				names, _ := server.history(ctx, image, parameters[:]...)
				Expect(names).To(Equal(want), "%v", parameters)
			}
		})

		It("comes in pages of the same query, however late the client requests the next page", func(ctx SpecContext) {
			for number := range int64(5) {
				server.built(ctx, image, number+1, v1alpha1.BuildSucceeded)
			}
			var all []string
			next := ""
			for range 3 {
				var names []string
				names, next = server.history(ctx, image, "limit", "2", "since", "720h", "continue", next)
				all = append(all, names...)
				server.built(ctx, image, 10+int64(len(all)), v1alpha1.BuildSucceeded) // on none of the pages
			}
			Expect(next).To(BeEmpty())
			Expect(all).To(Equal([]string{"web-5", "web-4", "web-3", "web-2", "web-1"}))

			_, next = server.history(ctx, image, "limit", "2")
			for _, parameters := range [][]string{{"continue", "nonsense"}, {"continue", next, "outcome", "Failed"}} {
				err := server.read(ctx, namespace, "web", "history", &v1alpha1.ImageHistory{}, parameters...)
				Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v: %v", parameters, err)
			}
		})

		It("outlives the Image, by its UID and name", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			Expect(server.Images(namespace).Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			Expect(server.store.ImageDeleted(ctx, image.UID, time.Now())).To(Succeed())
			names, _ := server.history(ctx, image, "uid", string(image.UID))
			Expect(names).To(Equal([]string{"web-1"}))

			other := server.newImage(ctx, namespace, "web")
			Expect(other.UID).NotTo(Equal(image.UID))
			names, _ = server.history(ctx, other)
			Expect(names).To(Equal([]string{"web-1"}), "builds of an earlier Image of the name are listed")
			names, _ = server.history(ctx, other, "uid", string(other.UID))
			Expect(names).To(BeEmpty(), "they are another Image's")
			names, _ = server.history(ctx, image, "uid", string(image.UID))
			Expect(names).To(Equal([]string{"web-1"}))

			stats := &v1alpha1.ImageStats{}
			Expect(server.read(ctx, namespace, "web", "stats", stats, "uid", string(image.UID))).To(Succeed())
			Expect(stats.Stats.Builds).To(BeEquivalentTo(1))
			Expect(stats.UID).To(Equal(image.UID))
		})

		It("of what there never was, or of another namespace or name, is not there", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			Expect(server.Images(namespace).Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			uid := string(image.UID)
			for _, of := range []struct{ namespace, name, uid string }{
				{namespace, "web", ""}, {namespace, "web", "another"}, {namespace, "db", uid}, {newNamespace(), "web", uid},
			} {
				for _, subresource := range []string{"history", "stats", "notes", "changes"} {
					err := server.RESTClient().Get().Namespace(of.namespace).Resource("images").Name(of.name).SubResource(subresource).Param("uid", of.uid).Do(ctx).Error()
					Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%s of %v: %v", subresource, of, err)
				}
			}
		})

		It("names the wrong parameter", func(ctx SpecContext) {
			for parameter, value := range map[string]string{"limit": "501", "outcome": "failed", "trigger": "Weather", "since": "yesterday", "until": "-1h", "uid": "../x"} {
				err := server.read(ctx, namespace, "web", "history", &v1alpha1.ImageHistory{}, parameter, value)
				Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", parameter, err)
				Expect(fieldsOf(err)).To(ConsistOf(parameter))
			}
		})
	})

	Describe("stats", func() {
		It("are figures of a window", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			server.built(ctx, image, 2, v1alpha1.BuildFailed)
			server.built(ctx, image, 3, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Status.Attempts = append(build.Status.Attempts, v1alpha1.BuildAttempt{Number: 2, StartTime: *build.Status.StartTime})
			})
			server.built(ctx, image, 4, v1alpha1.BuildCancelled)
			stats := &v1alpha1.ImageStats{}
			Expect(server.read(ctx, namespace, "web", "stats", stats)).To(Succeed())
			Expect(stats.Name).To(Equal("web"))
			Expect(stats.Stats).To(HaveValue(And(
				HaveField("Window.Duration", 720*time.Hour), HaveField("Builds", int64(4)), HaveField("Succeeded", int64(2)), HaveField("Failed", int64(1)),
				HaveField("Cancelled", int64(1)), HaveField("Retried", int64(1)), HaveField("SuccessRate", HaveValue(BeEquivalentTo(66))),
				HaveField("Durations.P50.Duration", 2*time.Minute), HaveField("Durations.P90.Duration", 2*time.Minute), HaveField("QueueTimes.P50.Duration", time.Minute),
				HaveField("Failures", HaveExactElements(v1alpha1.FailureCount{Class: v1alpha1.FailureUser, Builds: 1})),
				HaveField("Recoveries", int64(1)), HaveField("MeanTimeToRecovery.Duration", time.Hour), HaveField("Tests", BeEmpty()))))
			Expect(stats.Health).To(HaveValue(HaveField("Score", int32(64))))

			Expect(server.read(ctx, namespace, "web", "stats", stats, "since", "97h30m")).To(Succeed())
			Expect(stats.Stats.Builds).To(BeEquivalentTo(2), "those of the last 97 hours and a half")
			Expect(server.read(ctx, namespace, "web", "stats", stats, "since", "1s")).To(Satisfy(apierrors.IsInvalid))
		})

		It("count the outcomes of tests, as a report by name does", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Status.Tests = []v1alpha1.TestStatus{{Name: "web", Outcome: v1alpha1.TestFlaky}, {Name: "boots", Outcome: v1alpha1.TestPassed, Duration: &metav1.Duration{Duration: time.Minute}}}
			})
			tests := HaveExactElements(
				v1alpha1.TestCount{Name: "boots", Builds: 1, Passed: 1, Duration: &metav1.Duration{Duration: time.Minute}}, v1alpha1.TestCount{Name: "web", Builds: 1, Flaky: 1})
			stats := &v1alpha1.ImageStats{}
			Expect(server.read(ctx, namespace, "web", "stats", stats)).To(Succeed())
			Expect(stats.Stats.Tests).To(tests)
			report := must(server.ImageReports(namespace).Get(ctx, "web", metav1.GetOptions{}))
			Expect(report.Stats.Tests).To(tests)
			list := must(server.ImageReports(namespace).List(ctx, metav1.ListOptions{}))
			Expect(list.Items[0].Stats.Tests).To(BeEmpty())
		})

		It("count the fixes of an image, and a list those of all images that it selects", func(ctx SpecContext) {
			since := time.Now().Add(-3 * time.Hour)
			fixed := func(image *v1alpha1.Image, took time.Duration) {
				image.Status.Fixes = []v1alpha1.PackageFix{{
					Build: image.Name + "-2", Number: 2, Since: metav1.NewTime(since), ReadyTime: metav1.NewTime(since.Add(took)),
					Channels: []v1alpha1.FixedChannel{{Name: "stable", Time: metav1.NewTime(since.Add(2 * took))}},
				}}
				Expect(server.store.PutImage(ctx, image)).To(Succeed())
			}
			other := must(server.Images(namespace).Create(ctx, newImage("other"), metav1.CreateOptions{}))
			fixed(image, time.Minute)
			fixed(other, time.Hour)
			count := func(reached string, count int64, p50, p90 time.Duration) v1alpha1.FixCount {
				return v1alpha1.FixCount{Reached: reached, Count: count, Times: v1alpha1.DurationPercentiles{P50: metav1.Duration{Duration: p50}, P90: metav1.Duration{Duration: p90}}}
			}
			one := []v1alpha1.FixCount{count("Ready", 1, time.Minute, time.Minute), count("stable", 1, 2*time.Minute, 2*time.Minute)}
			both := []v1alpha1.FixCount{count("Ready", 2, time.Minute, time.Hour), count("stable", 2, 2*time.Minute, 2*time.Hour)}
			stats := &v1alpha1.ImageStats{}
			Expect(server.read(ctx, namespace, "web", "stats", stats)).To(Succeed())
			Expect(stats.Stats.Fixes).To(Equal(one))
			Expect(must(server.ImageReports(namespace).Get(ctx, "web", metav1.GetOptions{})).Stats.Fixes).To(Equal(one))
			list := func(options metav1.ListOptions) *v1alpha1.ImageReportList {
				return must(server.ImageReports(namespace).List(ctx, options))
			}
			Expect(list(metav1.ListOptions{}).Fixes).To(Equal(both))
			Expect(list(metav1.ListOptions{FieldSelector: "metadata.name=web"})).To(And(HaveField("Fixes", one), HaveField("Items", HaveExactElements(HaveField("Stats.Fixes", one)))))
			Expect(list(metav1.ListOptions{FieldSelector: "since=100m"}).Fixes).To(HaveExactElements(count("stable", 1, 2*time.Hour, 2*time.Hour)))
			first := list(metav1.ListOptions{Limit: 1})
			Expect(first.Fixes).To(BeEmpty(), "a page")
			Expect(list(metav1.ListOptions{Limit: 1, Continue: first.Continue}).Fixes).To(BeEmpty(), "the last page")
			for _, of := range []*v1alpha1.Image{image, other} {
				Expect(server.store.ImageDeleted(ctx, of.UID, time.Now())).To(Succeed())
			}
			Expect(list(metav1.ListOptions{FieldSelector: "deleted=true"}).Fixes).To(Equal(both))
		})

		It("are none of an Image that nothing is recorded of, and nothing of one without builds", func(ctx SpecContext) {
			must(server.Images(namespace).Create(ctx, newImage("new"), metav1.CreateOptions{}))
			stats := &v1alpha1.ImageStats{}
			Expect(server.read(ctx, namespace, "new", "stats", stats)).To(Succeed())
			Expect(stats.Stats).To(BeNil())
			Expect(stats.Health).To(BeNil())
			names, _ := server.history(ctx, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "new"}})
			Expect(names).To(BeEmpty())

			Expect(server.read(ctx, namespace, "web", "stats", stats)).To(Succeed())
			Expect(stats.Stats).To(HaveValue(And(HaveField("Builds", BeZero()), HaveField("SuccessRate", BeNil()), HaveField("Durations", BeNil()))))
			Expect(stats.Health).To(BeNil())
		})
	})

	Describe("notes", func() {
		note := func(ctx context.Context, id, text string, options ...metav1.CreateOptions) (*v1alpha1.ImageNote, error) {
			lie := &metav1.Time{Time: time.Unix(1, 0)}
			sent := &v1alpha1.ImageNote{NoteRecord: v1alpha1.NoteRecord{ID: id, Text: text, Author: "mallory", Time: lie}}
			return server.Images(namespace).CreateNote(ctx, "web", sent, append(options, metav1.CreateOptions{})[0])
		}
		notes := func(ctx SpecContext, parameters ...string) *v1alpha1.ImageNoteList {
			GinkgoHelper()
			list := &v1alpha1.ImageNoteList{}
			Expect(server.read(ctx, namespace, "web", "notes", list, parameters...)).To(Succeed())
			return list
		}

		It("have the author and the time that the server knows, and are listed newest first, in pages", func(ctx SpecContext) {
			before := metav1.Now().Rfc3339Copy()
			first := must(note(ctx, "", "edition 7\nwas withdrawn"))
			Expect(first.Author).To(Equal("ada"))
			Expect(first.Time.Time).To(BeTemporally(">=", before.Time))
			Expect(first.Name).To(Equal("web"))
			Expect(first.ID).NotTo(BeEmpty())
			must(note(ctx, "mine", "and is back"))

			list := notes(ctx, "limit", "1")
			Expect(list.Items).To(HaveExactElements(HaveField("Text", "and is back")))
			Expect(list.Continue).NotTo(BeEmpty())
			list = notes(ctx, "limit", "1", "continue", list.Continue)
			Expect(list.Items).To(HaveExactElements(And(HaveField("Text", "edition 7\nwas withdrawn"), HaveField("ID", first.ID), HaveField("Author", "ada"))))
			Expect(list.Continue).To(BeEmpty())
		})

		It("that are sent again are the same note", func(ctx SpecContext) {
			first := must(note(ctx, "mine", "withdrawn"))
			Expect(note(ctx, "mine", "not withdrawn")).To(Equal(first))
			Expect(notes(ctx).Items).To(HaveLen(1))
		})

		It("of somebody else are not shown to who takes their id", func(ctx SpecContext) {
			key := records.ImageKey{Namespace: namespace, Name: "web", UID: image.UID}
			must(server.store.AddNote(ctx, key, records.Note{ID: "theirs", Author: "grace", Text: "a secret"}))
			_, err := note(ctx, "theirs", "mine")
			Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
			Expect(err).NotTo(MatchError(Or(ContainSubstring("secret"), ContainSubstring("grace"))))
		})

		It("are not recorded by a dry run, without a text, or for a missing object", func(ctx SpecContext) {
			Expect(must(note(ctx, "", "withdrawn", metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})).Author).To(Equal("ada"))
			Expect(errorOf(note(ctx, "", "  "))).To(beInvalid("text"))
			Expect(notes(ctx).Items).To(BeEmpty())
			_, err := server.Images(namespace).CreateNote(ctx, "db", &v1alpha1.ImageNote{NoteRecord: v1alpha1.NoteRecord{Text: "x"}}, metav1.CreateOptions{})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		})

		It("are text, even if they look like code", func(ctx SpecContext) {
			const text = `'); DROP TABLE notes; -- "$1" \ %s {} é 🜚`
			must(note(ctx, text, text))
			Expect(notes(ctx).Items).To(HaveExactElements(And(HaveField("ID", text), HaveField("Text", text))))
		})
	})

	Describe("changes", func() {
		changes := func(ctx SpecContext) []v1alpha1.ImageChange {
			GinkgoHelper()
			page := &v1alpha1.ImageChanges{}
			Expect(server.read(ctx, namespace, "web", "changes", page)).To(Succeed())
			Expect(page.UID).To(Equal(image.UID))
			return page.Items
		}
		patch := func(ctx SpecContext, kind types.PatchType, text string, options metav1.PatchOptions) {
			GinkgoHelper()
			must(server.Images(namespace).Patch(ctx, "web", kind, []byte(text), options))
		}

		It("are who changed what of the spec, from what to what", func(ctx SpecContext) {
			before := metav1.Now().Rfc3339Copy()
			patch(ctx, types.MergePatchType, `{"spec":{"suspend":true,"parameters":[{"name":"edition","value":"server"}]}}`, metav1.PatchOptions{})
			patch(ctx, types.MergePatchType, `{"spec":{"parameters":[{"name":"edition","value":"desktop"}]}}`, metav1.PatchOptions{})
			Eventually(ctx, func() []v1alpha1.ImageChange { return changes(ctx) }).Should(HaveExactElements(
				And(HaveField("Generation", int64(3)), HaveField("Path", "parameters[edition]"), HaveField("From", "server"), HaveField("To", "desktop")),
				And(HaveField("Generation", int64(2)), HaveField("Path", "parameters[edition]"), HaveField("From", ""), HaveField("To", "server")),
				And(HaveField("Generation", int64(2)), HaveField("Path", "suspend"), HaveField("From", "false"), HaveField("To", "true"))))
			for _, change := range changes(ctx) {
				Expect(change.User).To(Equal("ada"))
				Expect(change.Time.Time).To(BeTemporally(">=", before.Time))
			}
		})

		It("are recorded for an apply and an update, but not for a write that leaves the spec unchanged", func(ctx SpecContext) {
			patch(ctx, types.MergePatchType, `{"metadata":{"labels":{"team":"red"}}}`, metav1.PatchOptions{})
			patch(ctx, types.MergePatchType, `{"spec":{"suspend":true}}`, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
			patch(ctx, types.MergePatchType, `{"spec":{"suspend":false}}`, metav1.PatchOptions{})
			must(server.Images(namespace).Instantiate(ctx, "web", request("one"), metav1.CreateOptions{})) // writes the status

			applied := newImage("web")
			applied.Spec.RunPolicy = v1alpha1.RunPolicyParallel
			patch(ctx, types.ApplyPatchType, string(manifest(applied)), metav1.PatchOptions{FieldManager: "tests", Force: new(true)})
			stored := must(server.Images(namespace).Get(ctx, "web", metav1.GetOptions{}))
			stored.Spec.Base.Reference = "debian:trixie"
			must(server.Images(namespace).Update(ctx, stored, metav1.UpdateOptions{}))
			Eventually(ctx, func() []v1alpha1.ImageChange { return changes(ctx) }).Should(HaveExactElements(
				And(HaveField("Path", "base.reference"), HaveField("From", "debian:bookworm"), HaveField("To", "debian:trixie")),
				And(HaveField("Path", "runPolicy"), HaveField("From", "Serial"), HaveField("To", "Parallel"))))
		})

		It("are none of an Image that is created", func(ctx SpecContext) {
			must(server.Images(namespace).Patch(ctx, "db", types.ApplyPatchType, manifest(newImage("db")), metav1.PatchOptions{FieldManager: "tests"}))
			must(server.Images(namespace).Patch(ctx, "db", types.MergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{}))
			page := &v1alpha1.ImageChanges{}
			Eventually(ctx, func(g Gomega) {
				g.Expect(server.read(ctx, namespace, "db", "changes", page)).To(Succeed())
				g.Expect(page.Items).To(HaveExactElements(HaveField("Generation", int64(2))))
			}).Should(Succeed())
		})
	})

	Describe("the difference of two builds", func() {
		It("is that of builds that are there no more, by their UIDs", func(ctx SpecContext) {
			made := func(digest string) func(*v1alpha1.ImageBuild) {
				return func(build *v1alpha1.ImageBuild) {
					build.Spec.Inputs.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: build.Name}}
					build.Spec.Inputs.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"etc/motd": build.Name, "same": "a"}}}
					build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest}}
				}
			}
			first := server.built(ctx, image, 1, v1alpha1.BuildSucceeded, made(digest('a')))
			second := server.built(ctx, image, 2, v1alpha1.BuildSucceeded, made(digest('b')))
			between := func(with, withUID, name, uid string) (*v1alpha1.ImageBuildDiff, error) {
				difference := &v1alpha1.ImageBuildDiff{}
				return difference, server.RESTClient().Get().Namespace(namespace).Resource("imagebuilds").Name(name).SubResource("diff").
					Param("with", with).Param("withUID", withUID).Param("uid", uid).Do(ctx).Into(difference)
			}
			changedFile := func(from, to string) v1alpha1.InputChange {
				return v1alpha1.InputChange{Path: "files[etc/motd]", From: contents.Short(contents.Summary(from)), To: contents.Short(contents.Summary(to))}
			}
			difference := must(between(first.Name, string(first.UID), second.Name, string(second.UID)))
			Expect(difference.Inputs).To(HaveExactElements(changedFile("web-1", "web-2"), v1alpha1.InputChange{Path: "parameters[edition]", From: "web-1", To: "web-2"}))
			Expect(difference.Artifacts).To(HaveExactElements(v1alpha1.ArtifactChange{Target: "linux/amd64/raw", From: digest('a'), To: digest('b')}))
			Expect(difference.From).To(And(HaveField("UID", first.UID), HaveField("Phase", v1alpha1.BuildSucceeded), HaveField("Duration.Duration", 2*time.Minute)))

			must(server.Images(namespace).Instantiate(ctx, "web", request("one"), metav1.CreateOptions{})) // another web-1
			difference = must(between(first.Name, string(first.UID), "web-1", ""))
			Expect(difference.To.UID).NotTo(Equal(first.UID))
			Expect(difference.From.UID).To(Equal(first.UID))

			third := server.built(ctx, image, 3, v1alpha1.BuildSucceeded, made(digest('b')))
			server.expireFiles(ctx, image, first, second)
			for _, other := range []*v1alpha1.ImageBuild{second, third} {
				difference = must(between(first.Name, string(first.UID), other.Name, string(other.UID)))
				Expect(difference.Inputs).To(HaveExactElements(changedFile("web-1", other.Name), HaveField("Path", "parameters[edition]")))
			}

			for _, wrong := range [][4]string{
				{first.Name, "", second.Name, ""}, {first.Name, string(second.UID), second.Name, string(second.UID)}, {first.Name, string(first.UID), second.Name, "another"},
			} {
				Expect(errorOf(between(wrong[0], wrong[1], wrong[2], wrong[3]))).To(Satisfy(apierrors.IsNotFound), "%v", wrong)
			}
		})
	})

	Describe("a deleted build", func() {
		It("is rerun by its UID and name, from its recorded inputs", func(ctx SpecContext) {
			files := map[string]string{"etc/motd": "hello"}
			recorded := server.built(ctx, image, 1, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Spec.Inputs.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "server"}}
				build.Status.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: digest('a'), BaseDigest: digest('b'), Files: files}
				build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest('c')}}
			})
			existing := must(server.Images(namespace).Instantiate(ctx, "web", request("one"), metav1.CreateOptions{})) // another web-1
			rerun := func(name string, uid types.UID) (*v1alpha1.ImageBuild, error) {
				return server.ImageBuilds(namespace).Rerun(ctx, name, &v1alpha1.RerunRequest{ObjectMeta: metav1.ObjectMeta{UID: uid}}, metav1.CreateOptions{})
			}
			build := must(rerun(recorded.Name, recorded.UID))
			Expect(build.Name).To(Equal("web-2"))
			Expect(build.Spec.Inputs).To(Equal(recorded.Spec.Inputs))
			Expect(build.Spec.Pinned).To(HaveValue(Equal(v1alpha1.PinnedInputs{BaseDigest: digest('b'), Files: files})))
			Expect(build.Spec.Trigger).To(HaveValue(And(HaveField("Reason", v1alpha1.TriggerRerun), HaveField("RerunOf", "web-1"))))
			Expect(build.Spec.ImageRef.UID).To(Equal(image.UID))

			reproducing := must(server.ImageBuilds(namespace).Rerun(ctx, recorded.Name,
				&v1alpha1.RerunRequest{ObjectMeta: metav1.ObjectMeta{UID: recorded.UID}, Reproduce: true}, metav1.CreateOptions{}))
			Expect(reproducing.Spec.Reproduces).To(HaveValue(Equal(*attestation.Reproducible(recorded))))

			same := must(rerun(existing.Name, existing.UID))
			Expect(same.Spec.Inputs).To(Equal(existing.Spec.Inputs), "of the build that exists, its own UID is no other build")

			Expect(errorOf(rerun("web-9", recorded.UID))).To(Satisfy(apierrors.IsNotFound))
			Expect(errorOf(rerun(recorded.Name, "another"))).To(MatchError(ContainSubstring("with UID another does not exist and has no record")))

			older := server.built(ctx, image, 6, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) { build.Spec.Inputs.Base.Reference = "deb\u2800ian" })
			_, err := rerun(older.Name, older.UID)
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(And(ContainSubstring(`"web-6" is invalid: spec.inputs.base.reference`), ContainSubstring("change the Image, and request a new build"))))

			withoutFiles := server.built(ctx, image, 7, v1alpha1.BuildSucceeded)
			expiring := server.built(ctx, image, 8, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) { build.Status.Resolved = recorded.Status.Resolved })
			server.expireFiles(ctx, image, withoutFiles, expiring)
			must(rerun(withoutFiles.Name, withoutFiles.UID))
			Expect(errorOf(rerun(expiring.Name, expiring.UID))).To(
				And(Satisfy(apierrors.IsResourceExpired), MatchError(ContainSubstring("the record no longer has the contents of its files"))))

			Expect(server.Images(namespace).Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			Expect(errorOf(rerun(recorded.Name, recorded.UID))).To(MatchError(ContainSubstring("cannot be rerun without its Image")))
			server.newImage(ctx, namespace, "web")
			Expect(errorOf(rerun(recorded.Name, recorded.UID))).To(Satisfy(apierrors.IsConflict))
		})
	})

	Describe("reports", func() {
		It("are listed for every Image, with its figures, and have the rest one by one", func(ctx SpecContext) {
			image.Labels = map[string]string{"team": "red"}
			must(server.Images(namespace).Update(ctx, image, metav1.UpdateOptions{}))
			for number := range int64(25) {
				server.built(ctx, image, number+1, v1alpha1.BuildSucceeded)
			}
			must(server.Images(namespace).CreateNote(ctx, "web", &v1alpha1.ImageNote{NoteRecord: v1alpha1.NoteRecord{Text: "withdrawn"}}, metav1.CreateOptions{}))
			Expect(server.store.AddChanges(ctx, records.ImageKey{Namespace: namespace, Name: "web", UID: image.UID}, 2, time.Now(), "ada",
				[]v1alpha1.InputChange{{Path: "suspend", From: "false", To: "true"}})).To(Succeed())
			must(server.Images(namespace).Create(ctx, newImage("unrecorded"), metav1.CreateOptions{}))

			list := must(server.ImageReports(namespace).List(ctx, metav1.ListOptions{}))
			Expect(list.Items).To(HaveExactElements(
				And(HaveField("Name", "unrecorded"), HaveField("Stats", BeNil()), HaveField("Health", BeNil())),
				And(HaveField("Name", "web"), HaveField("UID", image.UID), HaveField("Labels", HaveKeyWithValue("team", "red")), HaveField("Stats.Builds", int64(25)),
					HaveField("Health", Not(BeNil())), HaveField("History", BeEmpty()), HaveField("Notes", BeEmpty()), HaveField("Changes", BeEmpty()))))
			report := must(server.ImageReports(namespace).Get(ctx, "web", metav1.GetOptions{}))
			Expect(report.Stats).To(Equal(list.Items[1].Stats))
			Expect(report.History).To(And(HaveLen(20), HaveEach(HaveField("Phase", v1alpha1.BuildSucceeded))))
			Expect(report.History[0].Name).To(Equal("web-25"))
			Expect(report.Notes).To(HaveExactElements(HaveField("Text", "withdrawn")))
			Expect(report.Changes).To(HaveExactElements(HaveField("Path", "suspend")))
			Expect(errorOf(server.ImageReports(namespace).Get(ctx, "db", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
		})

		It("are selected and paged as Images are, and count what finished since", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			server.built(ctx, image, 3, v1alpha1.BuildSucceeded)
			for _, name := range []string{"a", "b"} {
				labelled := newImage(name)
				labelled.Labels = map[string]string{"team": "red"}
				must(server.Images(namespace).Create(ctx, labelled, metav1.CreateOptions{}))
			}
			list := func(options metav1.ListOptions) *v1alpha1.ImageReportList {
				GinkgoHelper()
				return must(server.ImageReports(namespace).List(ctx, options))
			}
			Expect(list(metav1.ListOptions{LabelSelector: "team=red"}).Items).To(HaveExactElements(HaveField("Name", "a"), HaveField("Name", "b")))
			Expect(list(metav1.ListOptions{FieldSelector: "metadata.name=web,since=97h30m"}).Items).To(HaveExactElements(
				And(HaveField("Name", "web"), HaveField("Stats.Builds", int64(1)), HaveField("Stats.Window.Duration", 97*time.Hour+30*time.Minute))))
			first := list(metav1.ListOptions{Limit: 2, FieldSelector: "since=720h"})
			Expect(first.Items).To(HaveExactElements(HaveField("Name", "a"), HaveField("Name", "b")))
			rest := list(metav1.ListOptions{Limit: 2, FieldSelector: "since=720h", Continue: first.Continue})
			Expect(rest.Items).To(HaveExactElements(And(HaveField("Name", "web"), HaveField("Stats.Builds", int64(2)))))
			Expect(rest.Continue).To(BeEmpty())
			for _, selector := range []string{"since=yesterday", "since!=24h", "stats.builds=1", "spec.suspend=true"} {
				_, err := server.ImageReports(namespace).List(ctx, metav1.ListOptions{FieldSelector: selector})
				Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%s: %v", selector, err)
			}
			everywhere := must(server.ImageReports(metav1.NamespaceAll).List(ctx, metav1.ListOptions{}))
			Expect(everywhere.Items).To(ContainElement(And(HaveField("Namespace", namespace), HaveField("Name", "web"), HaveField("Stats.Builds", int64(2)))))
		})

		It("are listed of deleted images, whose UIDs find what is recorded of them", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			deleted := func(image *v1alpha1.Image, at time.Time) {
				GinkgoHelper()
				Expect(server.Images(namespace).Delete(ctx, image.Name, metav1.DeleteOptions{})).To(Succeed())
				Expect(server.store.ImageDeleted(ctx, image.UID, at)).To(Succeed())
			}
			deleted(image, server.began.Add(-time.Hour))
			db := server.newImage(ctx, namespace, "db")
			deleted(db, server.began)
			server.newImage(ctx, namespace, "web") // which exists
			list := func(fields string, options metav1.ListOptions) *v1alpha1.ImageReportList {
				GinkgoHelper()
				options.FieldSelector = fields
				return must(server.ImageReports(namespace).List(ctx, options))
			}
			all := list("deleted=true", metav1.ListOptions{}).Items
			Expect(all).To(HaveExactElements(
				And(HaveField("Name", "db"), HaveField("UID", db.UID), HaveField("DeletionTimestamp.Time", BeTemporally("==", server.began)), HaveField("Stats.Builds", int64(0))),
				And(HaveField("Name", "web"), HaveField("UID", image.UID), HaveField("Stats.Builds", int64(1)))))
			Expect(list("deleted=true,metadata.name=web", metav1.ListOptions{}).Items).To(Equal(all[1:]))
			Expect(list("deleted=false", metav1.ListOptions{}).Items).To(HaveExactElements(And(HaveField("Name", "web"), HaveField("DeletionTimestamp", BeNil()))))
			first := list("deleted=true", metav1.ListOptions{Limit: 1})
			Expect(first.Items).To(Equal(all[:1]))
			rest := list("deleted=true", metav1.ListOptions{Limit: 1, Continue: first.Continue})
			Expect(rest.Items).To(Equal(all[1:]))
			Expect(rest.Continue).To(BeEmpty())
			history := &v1alpha1.ImageHistory{}
			Expect(server.read(ctx, namespace, "web", "history", history, "uid", string(all[1].UID))).To(Succeed())
			Expect(history.Items).To(HaveExactElements(HaveField("Name", "web-1")))
			for _, options := range []metav1.ListOptions{
				{FieldSelector: "deleted=true", LabelSelector: "team=red"}, {FieldSelector: "deleted=true,metadata.name!=web"}, {FieldSelector: "deleted=true", Continue: "x"},
				{FieldSelector: "deleted=true,metadata.namespace=another"},
			} {
				Expect(errorOf(server.ImageReports(namespace).List(ctx, options))).To(Satisfy(apierrors.IsBadRequest), "%v", options)
			}
		})

		It("are printed with their own columns, and cannot be written", func(ctx SpecContext) {
			server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			table := metav1.Table{}
			raw := must(server.RESTClient().Get().Namespace(namespace).Resource("imagereports").SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx))
			Expect(json.Unmarshal(raw, &table)).To(Succeed())
			var names []string
			for _, column := range table.ColumnDefinitions {
				names = append(names, column.Name)
			}
			Expect(strings.Join(names, " ")).To(Equal("Name Builds Success P50 P90 Health OneOffs Age"))
			Expect(table.Rows).To(HaveLen(1))
			Expect(table.Rows[0].Cells[:5]).To(Equal([]any{"web", "1", "100%", "2m", "2m"}))
			err := server.RESTClient().Post().Namespace(namespace).Resource("imagereports").Body(&v1alpha1.ImageReport{ObjectMeta: metav1.ObjectMeta{Name: "x"}}).Do(ctx).Error()
			Expect(apierrors.IsMethodNotSupported(err)).To(BeTrue(), "%v", err)
		})
	})

	Describe("while the database is unavailable", func() {
		It("is 503 with a reason and when to try again, and everything else is served", func(ctx SpecContext) {
			build := server.built(ctx, image, 1, v1alpha1.BuildSucceeded)
			server.away.Store(true)
			DeferCleanup(func() { server.away.Store(false) })
			expectUnavailable := func(err error) {
				GinkgoHelper()
				Expect(apierrors.IsServiceUnavailable(err)).To(BeTrue(), "%v", err)
				Expect(err).To(MatchError(ContainSubstring("connection refused")))
				seconds, again := apierrors.SuggestsClientDelay(err)
				Expect(again).To(BeTrue())
				Expect(seconds).To(BeNumerically(">", 0))
			}
			for subresource, into := range map[string]runtime.Object{
				"history": &v1alpha1.ImageHistory{}, "stats": &v1alpha1.ImageStats{}, "notes": &v1alpha1.ImageNoteList{}, "changes": &v1alpha1.ImageChanges{},
			} {
				once := server.RESTClient().Get().Namespace(namespace).Resource("images").Name("web").SubResource(subresource).MaxRetries(0)
				expectUnavailable(once.Do(ctx).Into(into))
			}
			for _, path := range [][]string{{"imagereports"}, {"imagereports", "web"}, {"imagebuilds", build.Name, "diff"}, {"imagebuilds", build.Name, "packages"}} {
				asked := server.RESTClient().Get().Namespace(namespace).Resource(path[0]).Suffix(path[1:]...).MaxRetries(0)
				expectUnavailable(asked.Param("with", build.Name).Param("withUID", string(build.UID)).Param("uid", string(build.UID)).Do(ctx).Error())
			}
			expectUnavailable(server.RESTClient().Post().Namespace(namespace).Resource("images").Name("web").SubResource("notes").MaxRetries(0).
				Body(&v1alpha1.ImageNote{NoteRecord: v1alpha1.NoteRecord{Text: "x"}}).Do(ctx).Error())

			must(server.Images(namespace).Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{}))
			must(server.Images(namespace).Instantiate(ctx, "web", request("one"), metav1.CreateOptions{}))
			ready := must(server.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx))
			Expect(string(ready)).To(Equal("ok"))
			checks := must(server.RESTClient().Get().AbsPath("/readyz").Param("verbose", "").DoRaw(ctx))
			Expect(string(checks)).To(ContainSubstring("[+]records"))
		})
	})
})

var _ = Describe("Without a database of records", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		must(imagesIn(namespace).Create(ctx, newImage("web"), metav1.CreateOptions{}))
	})
	get := func(ctx context.Context, path ...string) (answer map[string]any, warnings []string, err error) {
		result := client.ImagesV1alpha1().RESTClient().Get().Namespace(namespace).Resource(path[0]).Suffix(path[1:]...).SetHeader("Accept", runtime.ContentTypeJSON).Do(ctx)
		for _, warning := range result.Warnings() {
			warnings = append(warnings, warning.Text)
		}
		raw, err := result.Raw()
		if err != nil {
			return nil, warnings, err
		}
		return answer, warnings, json.Unmarshal(raw, &answer)
	}

	It("answers are empty, and a warning names the reason", func(ctx SpecContext) {
		for _, c := range []struct{ path, list, missing string }{
			{"images web history", "items", ""}, {"images web changes", "items", ""}, {"images web notes", "items", ""},
			{"images web stats", "", "stats"}, {"imagereports web", "", "stats"},
		} {
			answer, warnings, err := get(ctx, strings.Fields(c.path)...)
			Expect(err).NotTo(HaveOccurred(), c.path)
			Expect(warnings).To(ConsistOf(ContainSubstring("no database of records")), c.path)
			if c.list != "" {
				Expect(answer).To(HaveKeyWithValue(c.list, BeEmpty()), c.path)
			} else {
				Expect(answer).NotTo(HaveKey(c.missing), c.path)
			}
		}
		reports := must(client.ImagesV1alpha1().ImageReports(namespace).List(ctx, metav1.ListOptions{}))
		Expect(reports.Items).To(HaveExactElements(And(HaveField("Name", "web"), HaveField("Stats", BeNil()))))
		Expect(must(client.ImagesV1alpha1().ImageReports(namespace).List(ctx, metav1.ListOptions{FieldSelector: "deleted=true"})).Items).To(BeEmpty())
	})

	It("nothing can be noted, and a deleted Image is not found", func(ctx SpecContext) {
		_, err := imagesIn(namespace).CreateNote(ctx, "web", &v1alpha1.ImageNote{NoteRecord: v1alpha1.NoteRecord{Text: "x"}}, metav1.CreateOptions{})
		Expect(apierrors.IsMethodNotSupported(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("no database of records")))
		gone := client.ImagesV1alpha1().RESTClient().Get().Namespace(namespace).Resource("images").Name("web").SubResource("history").Param("uid", "another").Do(ctx).Error()
		Expect(apierrors.IsNotFound(gone)).To(BeTrue(), "%v", gone)
		_, err = buildsIn(namespace).Rerun(ctx, "web-1", &v1alpha1.RerunRequest{ObjectMeta: metav1.ObjectMeta{UID: "another"}}, metav1.CreateOptions{})
		Expect(err).To(MatchError(ContainSubstring("does not exist and has no record")))
	})
})
