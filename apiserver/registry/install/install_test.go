// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"fmt"
	"math/rand"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/equality"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/randfill"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/install"
	"goldsmith.dev/goldsmith/e2e/require"
)

func newScheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	require.NoError(t, install.Install(scheme))
	return scheme
}

// random fills objects at random. Some texts are not in their canonical form.
func random(codecs serializer.CodecFactory) *randfill.Filler {
	ours := func(serializer.CodecFactory) []any {
		return []any{
			func(duration *v1alpha1.Duration, c randfill.Continue) {
				c.FillNoCustom(&duration.Duration)
				duration.Written = fmt.Sprintf("%dns", duration.Duration)
			},
			func(quantity *v1alpha1.Quantity, c randfill.Continue) {
				*quantity = v1alpha1.Quantity{Text: fmt.Sprintf("0%d", c.Uint32())}
				if c.Bool() {
					*quantity = v1alpha1.Quantity{Text: fmt.Sprint(c.Uint32()), Number: true}
				}
			},
			func(raw *runtime.RawExtension, c randfill.Continue) {
				raw.Raw = fmt.Appendf(nil, `{"a":%d}`, c.Uint32()) // YAML sorts fields
			},
		}
	}
	return fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, ours), rand.NewSource(1), codecs).NilChance(0.3).NumElements(0, 3)
}

// TestDefaultsAndEncodingsAreStable sets the defaults of random objects of every kind. Since the stored type is the type of requests,
// defaults are set whenever an object is read. So neither the defaults nor an encoding may change an object that has them.
func TestDefaultsAndEncodingsAreStable(t *testing.T) {
	scheme := newScheme(t)
	codecs, filler := encodings(t, scheme), random(serializer.NewCodecFactory(scheme))
	internal := schema.GroupVersion{Group: v1alpha1.GroupName, Version: runtime.APIVersionInternal}
	for kind, goType := range scheme.KnownTypes(internal) {
		if goType.PkgPath() != reflect.TypeFor[v1alpha1.Image]().PkgPath() {
			continue // WatchEvent
		}
		for range 50 {
			object, err := scheme.New(internal.WithKind(kind))
			require.NoError(t, err)
			filler.Fill(object)
			object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
			scheme.Default(object)
			once := object.DeepCopyObject()
			scheme.Default(object)
			if diff := cmp.Diff(once, object); diff != "" {
				t.Fatalf("the defaults of a %s changed it the second time:\n%s", kind, diff)
			}
			for name, codec := range codecs {
				if got := again(t, codec, once); !equality.Semantic.DeepEqual(once, got) {
					t.Fatalf("%s changed a %s:\n%s", name, kind, cmp.Diff(once, got))
				}
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	scheme := newScheme(t)
	duration := func(d time.Duration) *v1alpha1.Duration { return &v1alpha1.Duration{Duration: d} }
	timeouts := &v1alpha1.BuildTimeouts{Queue: duration(24 * time.Hour), Start: duration(10 * time.Minute), Run: duration(time.Hour)}
	retry := &v1alpha1.RetryPolicy{
		Limit: new(int32(2)), Classes: []v1alpha1.FailureClass{v1alpha1.FailureInfrastructure, v1alpha1.FailureRegistry},
		Backoff: &v1alpha1.Backoff{Initial: duration(10 * time.Second), Max: duration(5 * time.Minute)},
	}
	for _, test := range []struct{ object, want runtime.Object }{
		{&v1alpha1.Image{}, &v1alpha1.Image{Spec: v1alpha1.ImageSpec{
			Triggers:  &v1alpha1.Triggers{OnSpecChange: new(true), OnBaseChange: new(true), OnSourceChange: new(true), DisableAfterFailures: new(int32(5))},
			RunPolicy: v1alpha1.RunPolicySerial, Suspend: new(false),
			Timeouts: timeouts, Retry: retry, History: &v1alpha1.HistoryLimits{
				Succeeded: new(int32(3)), Failed: new(int32(3)), LogMaxBytes: &v1alpha1.Quantity{Text: "1Gi"}, FileRetention: &v1alpha1.Duration{Duration: 90 * 24 * time.Hour, Written: "90d"},
			},
		}}},
		{&v1alpha1.ImageBuild{}, &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Timeouts: timeouts, Retry: retry}}},
		{&v1alpha1.BuildRequest{}, &v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual}},
	} {
		scheme.Default(test.object)
		if diff := cmp.Diff(test.want, test.object); diff != "" {
			t.Errorf("defaults of a %T:\n%s", test.object, diff)
		}
	}

	nightly := &v1alpha1.Image{Spec: v1alpha1.ImageSpec{Triggers: &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "@daily"}}}}
	scheme.Default(nightly)
	if diff := cmp.Diff(&v1alpha1.Schedule{Cron: "@daily", TimeZone: "UTC", Mode: v1alpha1.ScheduleAlways, Jitter: duration(0)}, nightly.Spec.Triggers.Schedule); diff != "" {
		t.Errorf("defaults of a schedule:\n%s", diff)
	}

	long := &v1alpha1.Image{Spec: v1alpha1.ImageSpec{Retry: &v1alpha1.RetryPolicy{Backoff: &v1alpha1.Backoff{Initial: duration(time.Hour)}}}}
	scheme.Default(long)
	if got := long.Spec.Retry.Backoff.Max.Duration; got != time.Hour {
		t.Errorf("max defaults to %s where initial is an hour, want an hour", got)
	}
}

func TestLogOptionsAreReadFromTheQuery(t *testing.T) {
	codec := runtime.NewParameterCodec(newScheme(t))
	options := &v1alpha1.ImageBuildLogOptions{}
	query := url.Values{
		"attempt": {"2"}, "follow": {"true"}, "tailLines": {"3"}, "limitBytes": {"4"}, "timestamps": {"true"}, "sinceTime": {"2030-01-02T03:04:05Z"}, "uid": {"u-1"},
	}
	require.NoError(t, codec.DecodeParameters(query, v1alpha1.SchemeGroupVersion, options))
	since := metav1.NewTime(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).Local())
	want := &v1alpha1.ImageBuildLogOptions{
		Attempt: new(int32(2)), Follow: true, TailLines: new(int64(3)), LimitBytes: new(int64(4)), Timestamps: true, SinceTime: &since, UID: "u-1",
	}
	if diff := cmp.Diff(want, options); diff != "" {
		t.Error(diff)
	}
	other := &v1alpha1.ImageBuildDiffOptions{}
	if err := codec.DecodeParameters(url.Values{"with": {"web-1"}}, v1alpha1.SchemeGroupVersion, other); err != nil || other.With != "web-1" {
		t.Errorf("with is read as %q, error %v", other.With, err)
	}
	compared := &v1alpha1.ImageBuildDiffOptions{}
	if err := codec.DecodeParameters(url.Values{"with": {"web-1"}, "uid": {"a"}, "withUID": {"b"}}, v1alpha1.SchemeGroupVersion, compared); err != nil ||
		compared.UID != "a" || compared.WithUID != "b" {
		t.Errorf("the UIDs are read as %q and %q, error %v", compared.UID, compared.WithUID, err)
	}
	none := &v1alpha1.ImageBuildLogOptions{}
	if err := codec.DecodeParameters(url.Values{"attempt": {""}}, v1alpha1.SchemeGroupVersion, none); err != nil || none.Attempt != nil {
		t.Errorf("an empty attempt is read as %v, error %v", none.Attempt, err)
	}
	for _, query := range []url.Values{{"attempt": {"two"}}, {"attempt": {"3000000000"}}, {"tailLines": {"x"}}} {
		if err := codec.DecodeParameters(query, v1alpha1.SchemeGroupVersion, &v1alpha1.ImageBuildLogOptions{}); err == nil {
			t.Errorf("%v was taken for valid", query)
		}
	}
}

func TestOptionsOfRecordsAreReadFromTheQuery(t *testing.T) {
	codec := runtime.NewParameterCodec(newScheme(t))
	query := url.Values{
		"limit": {"7"}, "continue": {"next"}, "outcome": {"Failed"}, "trigger": {"Rerun"}, "user": {"ada"}, "since": {"24h"}, "until": {"1h"}, "uid": {"u-1"},
	}
	for _, c := range []struct{ into, want runtime.Object }{
		{&v1alpha1.ImageHistoryOptions{}, &v1alpha1.ImageHistoryOptions{
			Limit: 7, Continue: "next", Outcome: "Failed", Trigger: "Rerun", User: "ada", Since: "24h", Until: "1h", UID: "u-1",
		}},
		{&v1alpha1.ImageStatsOptions{}, &v1alpha1.ImageStatsOptions{Since: "24h", UID: "u-1"}},
		{&v1alpha1.ImageJournalOptions{}, &v1alpha1.ImageJournalOptions{Limit: 7, Continue: "next", UID: "u-1"}},
	} {
		if err := codec.DecodeParameters(query, v1alpha1.SchemeGroupVersion, c.into); err != nil {
			t.Errorf("%T: %v", c.into, err)
		}
		if diff := cmp.Diff(c.want, c.into); diff != "" {
			t.Errorf("%T (-want +got):\n%s", c.into, diff)
		}
	}
	if err := codec.DecodeParameters(url.Values{"limit": {"many"}}, v1alpha1.SchemeGroupVersion, &v1alpha1.ImageHistoryOptions{}); err == nil {
		t.Error("a limit that is no number was taken for valid")
	}
}

func TestAParameterThatIsNoNumberIsNamed(t *testing.T) {
	scheme := newScheme(t)
	for parameter, options := range map[string][]runtime.Object{
		"limit":   {&v1alpha1.ImageHistoryOptions{}, &v1alpha1.ImageJournalOptions{}},
		"attempt": {&v1alpha1.ImageBuildLogOptions{}}, "tailLines": {&v1alpha1.ImageBuildLogOptions{}}, "limitBytes": {&v1alpha1.ImageBuildLogOptions{}},
	} {
		for _, into := range options {
			if err := scheme.Convert(&url.Values{parameter: {"many"}}, into, nil); err == nil || !strings.HasSuffix(err.Error(), parameter+" must be a number, not \"many\"") {
				t.Errorf("%T: got %v", into, err)
			}
			if err := scheme.Convert(&url.Values{parameter: {"3"}, "uid": {"x"}}, into, nil); err != nil {
				t.Errorf("%T: %v", into, err)
			}
		}
	}
}
