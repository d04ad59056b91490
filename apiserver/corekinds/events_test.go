// SPDX-License-Identifier: Apache-2.0

package corekinds_test

import (
	"context"
	"errors"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	tools "k8s.io/client-go/tools/events"
)

// newEvent returns a valid event of events.k8s.io/v1.
func newEvent(name string) *eventsv1.Event {
	return &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Name: name, Namespace: namespace},
		EventTime:           metav1.NewMicroTime(time.Date(2026, time.May, 1, 0, 0, 0, 1000, time.UTC).Local()),
		ReportingController: "goldsmith.dev/test", ReportingInstance: "test-1", Action: "Wait", Reason: "Waited", Type: corev1.EventTypeNormal,
		Regarding: corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: namespace, Name: "one", UID: "u"}, Note: "waited a while",
	}
}

// causes returns the fields of which an error says that they are invalid.
func causes(err error) []string {
	GinkgoHelper()
	Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
	status, ok := errors.AsType[*apierrors.StatusError](err)
	Expect(ok).To(BeTrue())
	var fields []string
	for _, cause := range status.ErrStatus.Details.Causes {
		fields = append(fields, cause.Field)
	}
	return fields
}

var _ = Describe("events", func() {
	It("are found by the object that they are about", func(ctx SpecContext) {
		events := client.CoreV1().Events(namespace)
		for _, name := range []string{"one", "two"} {
			must(events.Create(ctx, &corev1.Event{
				ObjectMeta:     metav1.ObjectMeta{GenerateName: "event-"},
				InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: name, Namespace: namespace},
				Reason:         "FailedCreate",
				Type:           corev1.EventTypeWarning,
			}, metav1.CreateOptions{}))
		}
		found := must(events.List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Job,involvedObject.name=one,reason=FailedCreate"}))
		Expect(found.Items).To(HaveLen(1))

		regarding := must(client.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "regarding.kind=Job,regarding.name=one,type=Warning,reportingController="}))
		Expect(regarding.Items).To(ConsistOf(HaveField("UID", found.Items[0].UID)))

		for _, unknown := range []string{"spec.nothing=1", "regarding.name=one", "reportingController="} {
			Expect(errorOf(events.List(ctx, metav1.ListOptions{FieldSelector: unknown}))).To(Satisfy(apierrors.IsBadRequest))
		}
		for _, unknown := range []string{"regarding.nothing=1", "involvedObject.name=one", "source=", "reportingComponent="} {
			_, err := client.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: unknown})
			Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
		}
	})

	It("are the same objects in core/v1 and events.k8s.io/v1", func(ctx SpecContext) {
		core, events := client.CoreV1().Events(namespace), client.EventsV1().Events(namespace)
		coreWatch := must(core.Watch(ctx, metav1.ListOptions{}))
		defer coreWatch.Stop()
		eventsWatch := must(events.Watch(ctx, metav1.ListOptions{}))
		defer eventsWatch.Stop()
		seen := func(kind watch.EventType, inCore, inEvents any) {
			GinkgoHelper()
			Eventually(ctx, coreWatch.ResultChan()).Should(Receive(And(HaveField("Type", kind), HaveField("Object", inCore))))
			Eventually(ctx, eventsWatch.ResultChan()).Should(Receive(And(HaveField("Type", kind), HaveField("Object", inEvents))))
		}

		given := newEvent("both")
		given.Related = &corev1.ObjectReference{Kind: "Pod", Name: "web-1-x"}
		given.Series = &eventsv1.EventSeries{Count: 2, LastObservedTime: given.EventTime}
		created := must(events.Create(ctx, given, metav1.CreateOptions{}))
		Expect(created).To(And(HaveField("EventTime", given.EventTime), HaveField("Series", given.Series), HaveField("Related", given.Related),
			HaveField("Note", given.Note), HaveField("Regarding", given.Regarding)))
		Expect(core.Get(ctx, "both", metav1.GetOptions{})).To(And(HaveField("UID", created.UID), HaveField("ResourceVersion", created.ResourceVersion),
			HaveField("InvolvedObject", given.Regarding), HaveField("Message", given.Note), HaveField("Reason", given.Reason), HaveField("Type", given.Type),
			HaveField("Action", given.Action), HaveField("EventTime", given.EventTime), HaveField("Series", HaveField("Count", int32(2))),
			HaveField("Related", given.Related), HaveField("ReportingController", given.ReportingController), HaveField("ReportingInstance", given.ReportingInstance)))
		seen(watch.Added, HaveField("Message", given.Note), HaveField("Note", given.Note))

		must(events.Patch(ctx, "both", types.StrategicMergePatchType, []byte(`{"series":{"count":5}}`), metav1.PatchOptions{}))
		seen(watch.Modified, HaveField("Series.Count", int32(5)), HaveField("Series.Count", int32(5)))
		must(core.Patch(ctx, "both", types.ApplyYAMLPatchType, []byte(`{"apiVersion":"v1","kind":"Event","metadata":{"name":"both","labels":{"a":"core"}}}`), metav1.PatchOptions{FieldManager: "test"}))
		applied := must(events.Patch(ctx, "both", types.ApplyYAMLPatchType, []byte(`{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"both","labels":{"b":"events"}}}`), metav1.PatchOptions{FieldManager: "other"}))
		Expect(applied.Labels).To(Equal(map[string]string{"a": "core", "b": "events"}))

		before := metav1.NewTime(time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC))
		must(core.Create(ctx, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: "past"},
			InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: "one", Namespace: namespace},
			Source:         corev1.EventSource{Component: "builder", Host: "here"}, Message: "old", FirstTimestamp: before, LastTimestamp: before, Count: 3,
		}, metav1.CreateOptions{}))
		list := must(events.List(ctx, metav1.ListOptions{}))
		Expect(list.Items).To(ConsistOf(HaveField("Name", "both"), And(HaveField("Name", "past"), HaveField("Note", "old"), HaveField("DeprecatedCount", int32(3)),
			HaveField("DeprecatedSource", corev1.EventSource{Component: "builder", Host: "here"}),
			HaveField("DeprecatedFirstTimestamp.Time", BeTemporally("==", before.Time)), HaveField("DeprecatedLastTimestamp.Time", BeTemporally("==", before.Time)))))
		Expect(core.Delete(ctx, "both", metav1.DeleteOptions{})).To(Succeed())
		Expect(events.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})).To(Succeed())
		Expect(core.List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))
	})

	DescribeTable("are refused in events.k8s.io/v1 where kube-apiserver does", func(ctx SpecContext, change func(*eventsv1.Event), fields ...string) {
		event := newEvent("refused")
		change(event)
		_, err := client.EventsV1().Events(namespace).Create(ctx, event, metav1.CreateOptions{})
		Expect(causes(err)).To(ConsistOf(fields))
	},
		Entry("nothing is set", func(e *eventsv1.Event) { *e = eventsv1.Event{ObjectMeta: e.ObjectMeta} }, "regarding.namespace", "eventTime", "type"),
		Entry("no names", func(e *eventsv1.Event) {
			e.ReportingController, e.ReportingInstance, e.Action, e.Reason = "", "", "", ""
		}, "reportingController", "reportingInstance", "action", "reason"),
		Entry("long texts", func(e *eventsv1.Event) {
			long := strings.Repeat("x", 129)
			e.ReportingInstance, e.Action, e.Reason, e.Note = long, long, long, strings.Repeat("x", 1025)
		}, "reportingInstance", "action", "reason", "note"),
		Entry("a controller whose name is no name", func(e *eventsv1.Event) { e.ReportingController = "a b" }, "reportingController"),
		Entry("an unknown type", func(e *eventsv1.Event) { e.Type = "Notice" }, "type"),
		Entry("a series of one", func(e *eventsv1.Event) { e.Series = &eventsv1.EventSeries{Count: 1} }, "series.count", "series.lastObservedTime"),
		Entry("fields of the past", func(e *eventsv1.Event) {
			e.DeprecatedCount, e.DeprecatedSource.Component = 1, "builder"
			e.DeprecatedFirstTimestamp, e.DeprecatedLastTimestamp = metav1.Now(), metav1.Now()
		}, "deprecatedCount", "deprecatedSource", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"),
	)

	It("change only in their series through events.k8s.io/v1", func(ctx SpecContext) {
		events := client.EventsV1().Events(namespace)
		event := must(events.Create(ctx, newEvent("kept"), metav1.CreateOptions{}))
		event.Note, event.Reason, event.Regarding.Name, event.Series = "changed", "Changed", "changed", &eventsv1.EventSeries{}
		_, err := events.Update(ctx, event, metav1.UpdateOptions{})
		Expect(causes(err)).To(ConsistOf("note", "reason", "regarding", "series.count", "series.lastObservedTime"))
		must(client.CoreV1().Events(namespace).Patch(ctx, "kept", types.MergePatchType, []byte(`{"message":"changed"}`), metav1.PatchOptions{}))
	})

	It("are recorded by client-go, as a series if they repeat", func(ctx SpecContext) {
		broadcaster := tools.NewBroadcaster(&tools.EventSinkImpl{Interface: client.EventsV1()})
		recording, stop := context.WithCancel(ctx)
		Expect(broadcaster.StartRecordingToSinkWithContext(recording)).To(Succeed())
		defer func() { stop(); broadcaster.Shutdown() }()
		recorder := broadcaster.NewRecorder(scheme.Scheme, "goldsmith-test")
		about := &corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Name: "one", Namespace: namespace, UID: "u"}
		recorded := func() ([]corev1.Event, error) {
			list, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
			return list.Items, err
		}
		recorder.Eventf(about, nil, corev1.EventTypeNormal, "Happened", "Wait", "it happened %s", "here")
		Eventually(ctx, recorded).Should(ConsistOf(And(HaveField("Message", "it happened here"), HaveField("Series", BeNil()))))
		recorder.Eventf(about, nil, corev1.EventTypeNormal, "Happened", "Wait", "it happened %s", "here")
		Eventually(ctx, recorded).Should(ConsistOf(HaveField("Series", HaveField("Count", int32(2)))))
	})
})
