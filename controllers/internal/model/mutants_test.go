// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Flags of `make mutants`.
var (
	withMutants  = flag.Bool("mutants", false, "play the schedules with each mutant")
	onlyMutants  = flag.String("mutant", "", "only the mutants whose file or text matches this regular expression")
	mutantsGoFor = flag.Int("mutant-schedules", 20_000, "within how many schedules each mutant has to be found")
)

// root is the folder of the module.
const root = "../../.."

// mutant is a mistake in a file that ships: the only occurrence of a text is replaced. The invariants have to find it.
type mutant struct {
	file, old, new string
	// lives is why no invariant finds the mistake, if none does.
	lives string
}

func (m mutant) String() string { return fmt.Sprintf("%s: %q instead of %q", m.file, m.new, m.old) }

// TestMutantsAreFound checks that each mutant can be made. With -mutants it plays schedules with each of them.
func TestMutantsAreFound(t *testing.T) {
	only := regexp.MustCompile(*onlyMutants)
	var living [][]mutant
	for _, m := range mutants {
		if _, err := changed(m); err != nil {
			t.Error(err)
		}
		if !*withMutants || !only.MatchString(m.file+" "+m.old) {
			continue
		}
		if m.lives != "" {
			living = join(living, m)
			continue
		}
		t.Run(filepath.Base(m.file), func(t *testing.T) {
			t.Parallel()
			if found := play(t, m); found != "" {
				t.Logf("%v: %s", m, found)
			} else {
				t.Errorf("%v: lives", m)
			}
		})
	}
	for _, group := range living {
		t.Run("living", func(t *testing.T) {
			t.Parallel()
			expectLife(t, group...)
		})
	}
}

// join adds a mutant to the first group that it can be made together with.
func join(groups [][]mutant, m mutant) [][]mutant {
	for i := range groups {
		if _, err := changed(append(groups[i], m)...); err == nil {
			groups[i] = append(groups[i], m)
			return groups
		}
	}
	return append(groups, []mutant{m})
}

// expectLife plays schedules with mutants that live, first with all of them at once: that takes a fraction of the time. If two of them
// are found only together, each is played without the other.
func expectLife(t *testing.T, group ...mutant) {
	t.Helper()
	found, half := play(t, group...), len(group)/2
	switch {
	case found == "":
		for _, m := range group {
			t.Logf("%v: lives, because %s", m, m.lives)
		}
	case half == 0:
		t.Errorf("%v: found, although %s: %s", group[0], group[0].lives, found)
	default:
		expectLife(t, group[:half]...)
		expectLife(t, group[half:]...)
	}
}

// changed returns the files that mutants change, with the mistakes.
func changed(group ...mutant) (map[string]string, error) {
	files := map[string]string{}
	for _, m := range group {
		path, err := filepath.Abs(filepath.Join(root, m.file))
		if err != nil {
			return nil, err
		}
		if _, ok := files[path]; !ok {
			source, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			files[path] = string(source)
		}
		if n := strings.Count(files[path], m.old); n != 1 {
			return nil, fmt.Errorf("%s has the text %q %d times", m.file, m.old, n)
		}
		files[path] = strings.Replace(files[path], m.old, m.new, 1)
	}
	return files, nil
}

// foundBy matches the line of a schedule that breaks an invariant, or in which a controller panics, and the line of what no
// schedule reaches any more.
var foundBy = regexp.MustCompile(`seed [0-9]+: .*|[^:]*: [^:]* was reached 0 times`)

// play compiles the model with mutants, and returns what it finds.
func play(t *testing.T, group ...mutant) string {
	t.Helper()
	files, err := changed(group...)
	if err != nil {
		t.Fatal(err)
	}
	folder, overlay := t.TempDir(), struct{ Replace map[string]string }{map[string]string{}}
	for path, content := range files {
		mutated := filepath.Join(folder, fmt.Sprintf("%d.go", len(overlay.Replace)))
		overlay.Replace[path] = mutated
		if err := os.WriteFile(mutated, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	replaced := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(replaced, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-ldflags=-s -w", "-overlay="+replaced, "-timeout=30m", ".",
		"-run=^TestSchedules$", "-args", "-brief", "-schedules="+strconv.Itoa(*mutantsGoFor))
	output, err := command.CombinedOutput()
	found := foundBy.FindString(string(output))
	if found == "" && err != nil {
		t.Fatalf("%v: %v\n%s", group, err, output)
	}
	return found
}

// serverAgrees is why a controller may request a build that is not due.
const serverAgrees = "the server accepts the ID of a trigger only while it computes the same request itself"

// rare is why a guard of a deletion may be missing: the decision has checked the same.
const rare = "no schedule of 20,000 lets it happen between the decision and the deletion"

// podIsEvent is why the result may be lost of a reconciliation whose pod was deleted meanwhile.
const podIsEvent = "the deletion of the pod is an event, unless the cache has never had the pod"

// mutants are in the order of their files.
var mutants = []mutant{
	// The controller of Images: it asks, stores, supersedes and prunes.
	{"controllers/internal/image/ask.go", `live.UID != image.UID || live.ResourceVersion != image.ResourceVersion`, `live.UID != image.UID`, serverAgrees},
	{"controllers/internal/image/ask.go", `err != nil || unseen {`, `err != nil {`, serverAgrees},
	{"controllers/internal/image/ask.go", `now.Resolved == nil || now.Resolved.InputsDigest != inputsDigest`, `now.Resolved == nil`, ""},
	{"controllers/internal/image/ask.go", `return false, decision.Gone(live.Status.RecentRequests), nil`, `return false, decision.Status, nil`, ""},
	{"controllers/internal/image/ask.go", `known = max(known, status.LastAttempted.Number)`, `known = max(known, live.Status.BuildCounter)`, ""},
	{"controllers/internal/image/reconciler.go", `return soon(decision.After), nil`, `return 0, nil`, ""},
	{"controllers/internal/image/reconciler.go", `if equality.Semantic.DeepEqual(&status, &image.Status) {`, `if equality.Semantic.DeepEqual(&status, &status) {`, ""},
	{"controllers/internal/image/reconciler.go", `decision.After = askAgain`, `decision.After = 0`, "the Image is reconciled a minute after its last change"},
	{"controllers/internal/image/reconciler.go", `SupersededBy: decision.SupersededBy}`, `Reason: "superseded"}`, ""},
	{"controllers/internal/image/reconciler.go", `if named || trigger.Promoting(live, build) || v1alpha1.UnderLegalHold(live) {`, `if named && !named || trigger.Promoting(live, build) || v1alpha1.UnderLegalHold(live) {`, rare},
	{"controllers/internal/image/reconciler.go", `if named || trigger.Promoting(live, build) || v1alpha1.UnderLegalHold(live) {`, `if named || v1alpha1.UnderLegalHold(live) {`, rare},
	{"controllers/internal/image/reconciler.go", `if named || trigger.Promoting(live, build) || v1alpha1.UnderLegalHold(live) {`, `if named || trigger.Promoting(live, build) {`, rare},
	{"controllers/internal/image/reconciler.go", `Preconditions:     &metav1.Preconditions{UID: &build.UID, ResourceVersion: &build.ResourceVersion},`, ``, ""},
	{"controllers/internal/image/reconciler.go", `		case notfound.Object(err):`, `		case apierrors.IsNotFound(err) || notfound.Object(err):`, ""},
	{"controllers/internal/image/controller.go", `q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(after)}, recheck)`, ``, ""},
	{"controllers/internal/image/controller.go", `promoted || before.UID != after.UID || !equality.Semantic.DeepEqual(before.Status.LatestSuccessful, after.Status.LatestSuccessful)`, `false`, ""},
	{"controllers/internal/image/controller.go", `DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { enqueue(e.Object, q, 0) },`, ``, ""},
	{"controllers/internal/image/controller.go", `archived: trigger.LogSettled(build), recorded: trigger.RecordSettled(build),`, `archived: trigger.LogSettled(build) && false,`, "the model has neither an archive nor records"},

	// The controller of builds: it observes, decides, stores and acts.
	{"controllers/internal/imagebuild/reconciler.go", `return o.live || o.begun && decision.Action == state.CreateJob || !decision.NeedsConfirmation(build)`, `return true`, ""},
	{"controllers/internal/imagebuild/reconciler.go", `o.live || o.begun &&`, `o.live || o.fresh &&`, ""},
	{"controllers/internal/imagebuild/reconciler.go", `r.written.Delete(request.NamespacedName)`, ``, ""},
	{"controllers/internal/imagebuild/reconciler.go", `		r.Queue.Release(request.NamespacedName)`, ``, ""},
	{"controllers/internal/imagebuild/reconciler.go", `		r.Queue.NotStored(client.ObjectKeyFromObject(build), err)`, ``, ""},
	{"controllers/internal/imagebuild/reconciler.go", `	r.Queue.Stored(stored)`, ``, ""},
	{"controllers/internal/imagebuild/reconciler.go", `order < 0 {`, `order > 0 {`, "the write of an outdated build is a conflict, and then the build is read from the API"},
	{"controllers/internal/imagebuild/reconciler.go", `written.UID == build.UID {`, `true {`, "a later build of the name has a newer resource version"},
	{"controllers/internal/imagebuild/reconciler.go", `	return longestLook
}`, `	return after
}`, ""},
	{"controllers/internal/imagebuild/reconciler.go", `fresh: true, begun: begun, lookedAt`, `fresh: true, begun: begun || !begun, lookedAt`, ""},
	{"controllers/internal/imagebuild/observe.go", `if seen.live && !seen.fresh {`, `if false {`, ""},
	{"controllers/internal/imagebuild/observe.go", `if live.ResourceVersion != build.ResourceVersion {`, `if false {`, ""},
	{"controllers/internal/imagebuild/observe.go", `if seen.live && observed.Job == nil && len(pods) > 0 {`, `if false {`, ""},
	{"controllers/internal/imagebuild/observe.go", `			foreign = job.UID`, `			foreign = ""`, ""},
	{"controllers/internal/imagebuild/observe.go", `			owner = job.UID`, `			owner = "nobody"`, "the UID of the Job is recorded at once, and then the pod is found by it"},
	{"controllers/internal/imagebuild/observe.go", `if state.IsFinal(observed.Refused) {`, `if false {`, ""},
	{"controllers/internal/imagebuild/observe.go", `if len(pods.Items) > 0 {`, `if len(pods.Items) < 0 {`, "a dry run confirms a final refusal, and any other only delays"},
	{"controllers/internal/imagebuild/observe.go", `	case seen.live:
		live`, `	case false:
		live`, ""},
	{"controllers/internal/imagebuild/observe.go", `	if live {
`, `	if false {
`, ""},
	{"controllers/internal/imagebuild/observe.go", `observed.Admission.Admitted, observed.Admission.Message = r.Queue.Admission(ctx, build)`, `observed.Admission.Admitted = true`, ""},
	{"controllers/internal/imagebuild/perform.go", `		r.created.Store(client.ObjectKeyFromObject(build), created.UID)`, `		_ = created`, "the Job is compared with a dry run instead"},
	{"controllers/internal/imagebuild/perform.go", `seen.job, err = nil, nil // deleted meanwhile`, `seen.job = nil // deleted meanwhile`, ""},
	{"controllers/internal/imagebuild/perform.go", `if err != nil && !apierrors.IsNotFound(err) {`, `if err != nil {`, podIsEvent},
	{"controllers/internal/imagebuild/perform.go", `return client.IgnoreNotFound(err)`, `return err`, podIsEvent},
	{"controllers/internal/imagebuild/perform.go", `		seen.job, err = jobs.Get(ctx, job.Name, metav1.GetOptions{})
`, `		seen.reject(err)
		return true, nil
`, "a rejection is confirmed, and then the API has the Job"},
	{"controllers/internal/imagebuild/perform.go", `case refused(err):`, `case false:`, ""},
	{"controllers/internal/imagebuild/perform.go", `, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}`, `, metav1.DeleteOptions{}`, "no cluster makes two pods of one name: the name has a random suffix"},
	{"controllers/internal/imagebuild/perform.go", `const stopDeadline = 1`, `const stopDeadline = 3600`, ""},
	{"controllers/internal/imagebuild/origin.go", `created == job.UID {`, `created != "" {`, ""},
	{"controllers/internal/imagebuild/origin.go", `uid != build.UID || number != attempt.Number {`, `uid == "" || number == 0 {`, "jobs/state asks again whose the Job says to be"},
	{"controllers/internal/imagebuild/origin.go", `if render.SameJob(job, expected) {`, `if render.SameJob(expected, expected) {`, ""},
	{"controllers/internal/imagebuild/origin.go", `if render.SameJob(job, expected) {`, `if !render.SameJob(job, expected) {`, ""},
	{"controllers/internal/imagebuild/origin.go", `; refused(err) {
		return err.Error(), nil`, `; err == nil || refused(err) {
		return "pod is forbidden: by an event", nil`, ""},
	{"controllers/internal/imagebuild/controller.go", `suspended(before) != suspended(job)`, `suspended(before) != suspended(before)`, "an active build is reconciled every ten minutes"},
	{"controllers/internal/imagebuild/controller.go", `pod.DeletionTimestamp != nil || state.Ended(pod) {`, `false {`, "the reconciliation only comes later"},
	{"controllers/internal/imagebuild/orphans.go", `notfound.Object(err) || err == nil && build.UID != owner.UID`, `notfound.Object(err) || err == nil && build == nil`, ""},
	{"controllers/internal/imagebuild/orphans.go", `err == nil && cached.UID == owner.UID {`, `err == nil {`, ""},
	{"controllers/internal/imagebuild/orphans.go", `	build, err := o.Client.ImagesV1alpha1().ImageBuilds(job.Namespace).Get(ctx, owner.Name, metav1.GetOptions{}) // the cache may be behind`, `	build, err := cached, o.cache.Get(ctx, client.ObjectKey{Namespace: job.Namespace, Name: owner.Name}, cached)`, ""},
	{"controllers/internal/imagebuild/expiry.go", `left > 0 {`, `left > time.Hour {`, ""},
	{"controllers/internal/imagebuild/expiry.go", `Preconditions:     &metav1.Preconditions{UID: &build.UID, ResourceVersion: &build.ResourceVersion},`, ``, ""},
	{"controllers/internal/imagebuild/expiry.go", `&& build.Spec.ImageRef == nil && build.Status.Finished`, `&& build.Spec.ImageRef == nil && !build.Status.Finished`, ""},
	{"controllers/internal/reconciliation/reconciliation.go", `Preconditions: metav1.NewUIDPreconditions(string(job.UID)), PropagationPolicy: &background,`, `PropagationPolicy: &background,`, "the Job was read from the API just before"},
	{"controllers/internal/reconciliation/reconciliation.go", `return ctrl.Result{RequeueAfter: staleRetry}, nil`, `return ctrl.Result{}, nil`, "the write that led to the conflict is an event"},
	{"controllers/internal/reconciliation/reconciliation.go", `return e.ObjectOld.GetUID() != e.ObjectNew.GetUID()`, `return false`, "the queue admits the new build, and the new Image is reconciled a minute later"},

	// Admission.
	{"controllers/internal/queue/queue.go", `	q.observeCached(ctx, key)
`, ``, "the event, which is late, has the build reconciled again"},
	{"controllers/internal/queue/queue.go", `	if refused(err) {
		return`, `	if true {
		return`, ""},
	{"controllers/internal/queue/queue.go", `		if key != except {`, `		if false {`, ""},
	{"controllers/internal/queue/source.go", `			q.ledger.Forget(client.ObjectKeyFromObject(build), build.UID)`, `			_ = build`, ""},
	{"controllers/internal/queue/catchup.go", `	if known || has {
		return known`, `	if known || has || !has {
		return true`, ""},
	{"jobs/queue/ledger.go", `if known != nil && newer(known.version, build.ResourceVersion) {`, `if false {`, ""},
	{"jobs/queue/ledger.go", `|| !known.held || known.unsure {`, `|| !known.held {`, ""},
	{"jobs/queue/ledger.go", `		l.set(key, Active)`, `		l.set(key, Resting)`, ""},
	{"jobs/queue/ledger.go", `	if build, ok := l.queue.Find(key); ok && build.State == Resting {
		l.set(key, Waiting)`, `	if build, ok := l.queue.Find(key); ok && build.State == Resting {
		l.set(key, Resting)`, ""},
	{"jobs/queue/build.go", `	case build.Spec.CancelRequested != nil || build.DeletionTimestamp != nil:`, `	case build.Spec.CancelRequested != nil:`, "the build is admitted, and then ends instead of starting"},

	// What is due.
	{"jobs/trigger/trigger.go", `!build.Status.Finished && !build.IsOneOff() {`, `!build.Status.Finished {`, "the Image only waits for longer"},
	{"jobs/trigger/status.go", `build.Status.Finished && build.Counts() && (last`, `build.Status.Finished && (last`, ""},
	{"jobs/trigger/status.go", `		status.ConsecutiveFailures = 0
	}
	status.ObservedGeneration`, `	}
	status.ObservedGeneration`, ""},
	{"jobs/trigger/request.go", `	return fmt.Sprintf("%s:%d", digest, after)`, `	return fmt.Sprintf("%s:%d", digest, after*0)`, ""},
	{"jobs/trigger/request.go", `return request != nil && request.RequestID == requestID`, `return request != nil || requestID != ""`, ""},
	{"jobs/trigger/history.go", `|| build.DeletionTimestamp != nil || build.IsOneOff():`, `|| build.DeletionTimestamp != nil:`, ""},
	{"jobs/trigger/history.go", `!build.Status.Phase.Active() && len(build.Status.Attempts) == 0`, `!build.Status.Phase.Active()`, "the server ignores this cancellation of a build that has started"},
	{"jobs/trigger/history.go", `if v1alpha1.UnderLegalHold(o.Image) || v1alpha1.UnderLegalHold(build) || kept(status, build) {`, `if v1alpha1.UnderLegalHold(o.Image) || v1alpha1.UnderLegalHold(build) {`, ""},
	{"jobs/trigger/history.go", `if v1alpha1.UnderLegalHold(o.Image) || v1alpha1.UnderLegalHold(build) || kept(status, build) {`, `if v1alpha1.UnderLegalHold(o.Image) || kept(status, build) {`, ""},
	{"jobs/trigger/history.go", `n > status.CountedBuild ||`, `false ||`, ""},
	{"jobs/trigger/history.go", `return record.Number == n && record.UID == ""`, `return false`, "the server records the UID before it deletes the build"},

	// The state machine.
	{"jobs/state/state.go", `	case CreateJob, DeleteJob, DeletePod:
		return true`, `	case CreateJob, DeletePod:
		return true`, ""},
	{"jobs/state/state.go", `t.Build.Spec.CancelRequested != nil || t.Build.DeletionTimestamp != nil
}`, `t.Build.Spec.CancelRequested != nil
}`, ""},
	{"jobs/state/state.go", `	case t.action != NoAction || t.lives():
	case`, `	case t.action != NoAction:
	case`, ""},
	{"jobs/state/state.go", `if attempt.JobUID != t.Job.UID && t.Origin == Foreign {`, `if false {`, ""},
	{"jobs/state/state.go", `return t.Pod == nil || !Ended(t.Pod) || t.deletedBySuspension()`, `return true`, ""},
	{"jobs/state/state.go", `	case evidence.started && t.runTimeLeft() <= 0:`, `	case false:`, ""},
	{"jobs/state/state.go", `	case t.Job == nil && t.Rejected == "" && t.lives():
		t.discard()
`, ``, ""},
	{"jobs/state/evidence.go", `			if pod.UID == attempt.PodUID {`, `			if true {`, ""},
	{"jobs/state/evidence.go", `return owner != nil && owner.UID == job`, `return owner != nil`, ""},
	{"jobs/state/evidence.go", `(end == nil || endedByDeletion(pod))`, `end == nil`, ""},
	{"jobs/state/evidence.go", `t.attempt()
	return attempt != nil && (attempt.JobUID == job.UID || attempt.JobUID == "" && t.Origin == Rendered)`, `t.attempt()
	return attempt != nil && (attempt.JobUID == job.UID || attempt.JobUID == "")`, ""},
	{"jobs/state/wait.go", `	attempt.PodName, attempt.PodUID, attempt.NodeName = "", "", ""
`, ``, ""},
	{"jobs/state/wait.go", `	case held && t.queueTimeLeft() <= 0:`, `	case false:`, ""},
	{"jobs/state/policy.go", `return last.CompletionTime.Add(wait + jitter(build.UID, last.Number, wait/5) + rounding)`, `return last.CompletionTime.Add(24 * time.Hour)`, ""},
}
