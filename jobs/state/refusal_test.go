// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Messages as Kubernetes 1.37 has them in its events, without "Error creating: ".
const (
	overQuota      = `pods "debian-1-abc1234-x2x4x" is forbidden: exceeded quota: builds, requested: pods=1, used: pods=2, limited: pods=2`
	uncountedQuota = `pods "debian-1-abc1234-x2x4x" is forbidden: status unknown for quota: builds, resources: pods`
	undemanding    = `pods "debian-1-abc1234-x2x4x" is forbidden: failed quota: builds: must specify limits.cpu for: builder`
	noAccount      = `pods "debian-1-abc1234-x2x4x" is forbidden: error looking up service account team/builder: serviceaccount "builder" not found`
	noDefault      = `pods "debian-1-abc1234-x2x4x" is forbidden: error looking up service account team/default: serviceaccount "default" not found`
	noPriority     = `pods "debian-1-abc1234-x2x4x" is forbidden: no PriorityClass with name low was found`
	noRuntime      = `pods "debian-1-abc1234-x2x4x" is forbidden: pod rejected: RuntimeClass "kata" not found`
	insecure       = `pods "debian-1-abc1234-x2x4x" is forbidden: violates PodSecurity "restricted:latest": hostPort (container "proxy" uses hostPort 80)`
	overLimit      = `pods "debian-1-abc1234-x2x4x" is forbidden: maximum memory usage per Container is 64Mi, but limit is 1Gi`
	limitsUnread   = `pods "debian-1-abc1234-x2x4x" is forbidden: unable to create pods at this time because there was an error enforcing limit ranges`
	wrongDefaults  = `Pod "debian-1-abc1234-x2x4x" is invalid: spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi`
	webhookDenied  = `admission webhook "images.example.com" denied the request: builder:1 is not signed`
	webhookSilent  = `Internal error occurred: failed calling webhook "images.example.com": failed to call webhook: context deadline exceeded`
	policyDenied   = `pods "debian-1-abc1234-x2x4x" is forbidden: ValidatingAdmissionPolicy 'nodes' with binding 'nodes' denied request: say which node`
	notReady       = `pods "debian-1-abc1234-x2x4x" is forbidden: not yet ready to handle request`
	notAllowed     = `pods is forbidden: User "system:serviceaccount:kube-system:job-controller" cannot create resource "pods" in API group "" in the namespace "team"`
	overJobQuota   = `jobs.batch "debian-1-abc1234-x2x4x" is forbidden: exceeded quota: builds, requested: count/jobs.batch=1, used: count/jobs.batch=1, limited: count/jobs.batch=1`
	noDryRun       = `admission webhook "jobs.example.com" does not support dry run`
	overloaded     = `the server is currently unable to handle the request`
)

func TestWhyTheJobHasNoPod(t *testing.T) {
	for name, test := range map[string]struct {
		refused string
		after   time.Duration // age of the attempt; 3 s if zero
		reason  v1alpha1.FailureReason
		why     string
	}{
		"nobody says":                            {why: v1alpha1.ReasonWaitingForPod},
		"a quota that has no room":               {refused: overQuota, why: v1alpha1.ReasonQuotaExceeded},
		"a quota that has no room, for hours":    {refused: overQuota, after: 9 * time.Minute, why: v1alpha1.ReasonQuotaExceeded},
		"a quota that was not counted yet":       {refused: uncountedQuota, why: v1alpha1.ReasonQuotaExceeded},
		"a quota of what the pod leaves out":     {refused: undemanding, reason: v1alpha1.ReasonPodForbidden},
		"no such service account yet":            {refused: noAccount, why: v1alpha1.ReasonWaitingForPod},
		"no such service account":                {refused: noAccount, after: 12 * time.Second, reason: v1alpha1.ReasonPodForbidden},
		"no default service account yet":         {refused: noDefault, after: 9 * time.Minute, why: v1alpha1.ReasonWaitingForPod},
		"no such PriorityClass yet":              {refused: noPriority, why: v1alpha1.ReasonWaitingForPod},
		"no such PriorityClass":                  {refused: noPriority, after: 12 * time.Second, reason: v1alpha1.ReasonPodForbidden},
		"no such RuntimeClass yet":               {refused: noRuntime, why: v1alpha1.ReasonWaitingForPod},
		"no such RuntimeClass":                   {refused: noRuntime, after: 12 * time.Second, reason: v1alpha1.ReasonPodForbidden},
		"Pod Security":                           {refused: insecure, reason: v1alpha1.ReasonPodForbidden},
		"a LimitRange":                           {refused: overLimit, reason: v1alpha1.ReasonPodForbidden},
		"a LimitRange that cannot be read":       {refused: limitsUnread, why: v1alpha1.ReasonWaitingForPod},
		"a LimitRange whose defaults do not fit": {refused: wrongDefaults, reason: v1alpha1.ReasonPodForbidden},
		"a webhook":                              {refused: webhookDenied, reason: v1alpha1.ReasonPodForbidden},
		"a webhook that does not answer":         {refused: webhookSilent, after: 9 * time.Minute, why: v1alpha1.ReasonWaitingForPod},
		"an admission policy":                    {refused: policyDenied, reason: v1alpha1.ReasonPodForbidden},
		"an API server that has just begun":      {refused: notReady, why: v1alpha1.ReasonWaitingForPod},
		"the Job controller's rights":            {refused: notAllowed, why: v1alpha1.ReasonWaitingForPod},
		"an API server that is overloaded":       {refused: overloaded, why: v1alpha1.ReasonWaitingForPod},
	} {
		t.Run(name, func(t *testing.T) {
			w := given(v1alpha1.BuildStarting).job()
			w.Refused, w.Now = test.refused, t0.Add(max(test.after, firstLook))
			for _, w.Forbidden = range []string{"", noDryRun, notAllowed} {
				if decision := Next(w.Observed); decision.Status.Phase != v1alpha1.BuildStarting || decision.After <= 0 || !strings.HasSuffix(test.refused, said(decision.Status)) && test.refused != "" {
					t.Errorf("an event alone: %s, %q", decision.Status.Phase, said(decision.Status))
				}
			}
			w.Forbidden = test.refused
			decision := Next(w.Observed)
			if got := reasonOf(decision.Status); got != test.reason {
				t.Errorf("reason %q, want %q", got, test.reason)
			}
			if test.reason != "" {
				if got := decision.Status; got.Phase != v1alpha1.BuildFailed || got.Failure.Class != v1alpha1.FailureConfig || got.Failure.Message != test.refused {
					t.Errorf("%s with %+v, want the API server's message", got.Phase, got.Failure)
				}
				return
			}
			if got := why(decision.Status); got != test.why || decision.Status.Phase != v1alpha1.BuildStarting {
				t.Errorf("%s, why %q, want %q", decision.Status.Phase, got, test.why)
			}
			if said := said(decision.Status); test.refused != "" && !strings.HasSuffix(test.refused, said) {
				t.Errorf("the condition's message is %q", said)
			}
			if decision.Action != NoAction || decision.After <= 0 || decision.After > time.Minute {
				t.Errorf("action %q, next reconcile after %s", decision.Action, decision.After)
			}
		})
	}
}

func said(status v1alpha1.ImageBuildStatus) string {
	return meta.FindStatusCondition(status.Conditions, v1alpha1.BuildPodReady).Message
}

func TestQuotaIsSaidWithoutTheNameOfTheTry(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job()
	w.Refused = overQuota
	if got := said(Next(w.Observed).Status); got != "exceeded quota: builds, requested: pods=1, used: pods=2, limited: pods=2" {
		t.Errorf("the message is %q, which differs between tries", got)
	}
}

func TestStartTimeoutNamesTheRefusal(t *testing.T) {
	for refused, want := range map[string]string{
		overQuota:  "QuotaExceeded: exceeded quota: builds",
		overloaded: "WaitingForPod: " + overloaded,
		"":         "the Job has no pod",
	} {
		w := given(v1alpha1.BuildStarting).job()
		w.Refused, w.Now = refused, t0.Add(v1alpha1.DefaultStartTimeout+rounding)
		failed := Next(w.Observed).Status.Failure
		if failed == nil || failed.Reason != v1alpha1.ReasonStartTimeout || !strings.Contains(failed.Message, want) {
			t.Errorf("%q: failure %+v, want a message with %q", refused, failed, want)
		}
	}
}

func TestRefusedJob(t *testing.T) {
	for rejected, want := range map[string]string{
		overJobQuota: v1alpha1.ReasonQuotaExceeded,
		`jobs.batch is forbidden: User "goldsmith" cannot create resource "jobs" in API group "batch" in the namespace "team"`: v1alpha1.ReasonWaitingForPod,
		`jobs.batch "x" is forbidden: not yet ready to handle request`:                                                         v1alpha1.ReasonWaitingForPod,
		`jobs.batch "x" is forbidden: ValidatingAdmissionPolicy 'jobs' denied request: no`:                                     "",
		`Job.batch "x" is invalid: spec.template.spec.tolerations[0].operator: Unsupported value: "Gt"`:                        "",
		`render Job team/x: the builder's input is 250000 bytes of JSON`:                                                       "",
	} {
		w := given(v1alpha1.BuildStarting)
		w.Rejected = rejected
		decision := Next(w.Observed)
		if want == "" {
			if got := decision.Status; got.Phase != v1alpha1.BuildFailed || got.Failure.Reason != v1alpha1.ReasonJobRejected || !strings.Contains(got.Failure.Message, rejected) {
				t.Errorf("%s: %s with %+v", rejected, got.Phase, got.Failure)
			}
			continue
		}
		if got := why(decision.Status); got != want || decision.Action != NoAction || decision.After <= 0 {
			t.Errorf("%s: why %q, want %q; action %q after %s", rejected, got, want, decision.Action, decision.After)
		}
		w.Now = t0.Add(time.Second) // too early to tell anybody, and not at once again
		if decision := Next(w.Observed); decision.Action != NoAction || decision.After <= 0 || why(decision.Status) != "" {
			t.Errorf("%s after a second: action %q after %s, why %q", rejected, decision.Action, decision.After, why(decision.Status))
		}
	}
}

func TestAJobThatEndedWithoutPodSaysWhy(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job(jobCondition(batchv1.JobFailed))
	w.Refused, w.Forbidden, w.Now = wrongDefaults, wrongDefaults, t0
	if !w.NeedsRefusal() {
		t.Error("nobody asks why")
	}
	if got := reasonOf(Next(w.Observed).Status); got != v1alpha1.ReasonPodForbidden {
		t.Errorf("reason %s", got)
	}
}

func TestNeedsRefusal(t *testing.T) {
	late := func(w *scenario) *scenario { w.Now = t0.Add(firstLook); return w }
	for name, test := range map[string]struct {
		given *scenario
		want  bool
	}{
		"a Job without pod":         {late(given(v1alpha1.BuildStarting).job()), true},
		"a Job that has just begun": {given(v1alpha1.BuildStarting).job().with(func(w *scenario) { w.Now = t0.Add(firstLook - 1) }), false},
		"a Job with a pod":          {late(given(v1alpha1.BuildStarting).job().pod(corev1.PodPending)), false},
		"no Job":                    {late(given(v1alpha1.BuildStarting)), false},
		"a stranger's Job":          {late(given(v1alpha1.BuildStarting).job(func(j *batchv1.Job) { j.OwnerReferences = nil })), false},
		"a Job that is going":       {late(given(v1alpha1.BuildStarting).job(func(j *batchv1.Job) { j.DeletionTimestamp = &metav1.Time{Time: t0} })), false},
		"a pod that is gone":        {late(given(v1alpha1.BuildStarting).recorded().job()), false},
		"a build that runs":         {late(given(v1alpha1.BuildRunning).job()), false},
		"a build that has finished": {late(given(v1alpha1.BuildFailed).job()), false},
	} {
		if got := test.given.NeedsRefusal(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestRefusal(t *testing.T) {
	at := func(seconds int) metav1.Time { return metav1.NewTime(t0.Add(time.Duration(seconds) * time.Second)) }
	refused := func(seconds int, message string) corev1.Event {
		return corev1.Event{Reason: "FailedCreate", Message: "Error creating: " + message, FirstTimestamp: at(seconds), LastTimestamp: at(seconds)}
	}
	created := func(seconds int) corev1.Event {
		return corev1.Event{Reason: "SuccessfulCreate", Message: "Created pod: x", LastTimestamp: at(seconds)}
	}
	combined := refused(1, "old")
	combined.Message, combined.LastTimestamp = "(combined from similar events): Error creating: "+overQuota, at(90)
	series := corev1.Event{Reason: "FailedCreate", Message: "Error creating: " + overQuota, EventTime: metav1.NewMicroTime(t0),
		Series: &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(t0.Add(90 * time.Second))}}

	for name, test := range map[string]struct {
		events []corev1.Event
		want   string
	}{
		"no events":                    {nil, ""},
		"other events":                 {[]corev1.Event{{Reason: "Suspended", Message: "x", LastTimestamp: at(1)}}, ""},
		"one refusal":                  {[]corev1.Event{refused(1, insecure)}, insecure},
		"the last of several":          {[]corev1.Event{refused(9, overLimit), refused(1, overQuota)}, overLimit},
		"refused and then created":     {[]corev1.Event{created(5), refused(1, noAccount)}, ""},
		"both within a second":         {[]corev1.Event{refused(1, noAccount), created(1)}, ""},
		"created and refused again":    {[]corev1.Event{created(5), refused(9, overQuota)}, overQuota},
		"many refusals, combined":      {[]corev1.Event{refused(60, noAccount), combined}, overQuota},
		"a series of the newer events": {[]corev1.Event{refused(60, noAccount), series}, overQuota},
		"no time but its creation's":   {[]corev1.Event{{Reason: "FailedCreate", Message: "Error creating: x", ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(1)}}}, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Refusal(test.events); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestLooksBecomeRare(t *testing.T) {
	var looks []int
	for age := time.Duration(0); age < 5*time.Minute; {
		age += untilNextObservation(age)
		looks = append(looks, int(age.Seconds()))
	}
	want := []int{3, 6, 12, 24, 48, 96, 156, 216, 276, 336}
	if len(looks) != len(want) {
		t.Fatalf("observations at %v s, want %v", looks, want)
	}
	for i := range want {
		if looks[i] != want[i] {
			t.Fatalf("observations at %v s, want %v", looks, want)
		}
	}
}

// The message of a webhook has no limit, but the API server refuses a status with a condition of more than 32 KiB.
func TestALongRefusalFitsTheStatus(t *testing.T) {
	long := strings.Repeat("ü", 32<<10)
	for name, message := range map[string]string{"for good": webhookDenied + long, "for now": webhookSilent + long} {
		for _, o := range []Observed{{Rejected: message}, {Refused: message, Forbidden: message}} {
			w := given(v1alpha1.BuildStarting)
			if o.Refused != "" {
				w = w.job()
			}
			w.Rejected, w.Refused, w.Forbidden = o.Rejected, o.Refused, o.Forbidden
			status := Next(w.Observed).Status
			for _, condition := range status.Conditions {
				if len(condition.Message) > v1alpha1.MaxMessageBytes+200 {
					t.Errorf("%s: %s has a message of %d bytes", name, condition.Type, len(condition.Message))
				}
			}
			if status.Failure != nil && len(status.Failure.Message) > v1alpha1.MaxMessageBytes {
				t.Errorf("%s: the failure has a message of %d bytes", name, len(status.Failure.Message))
			}
		}
	}
}
