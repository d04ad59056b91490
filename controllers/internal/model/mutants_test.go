// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
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

func (m *mutant) String() string { return fmt.Sprintf("%s: %q instead of %q", m.file, m.new, m.old) }

// TestMutantsAreFound checks that each mutant can be made. With -mutants it plays schedules with each of them.
func TestMutantsAreFound(t *testing.T) {
	overlay, functions := withAll(t)
	if !*withMutants {
		return
	}
	model, only := compile(t, overlay), regexp.MustCompile(*onlyMutants)
	var living [][]int
	for i := range mutants {
		m := &mutants[i]
		switch {
		case !only.MatchString(m.file + " " + m.old):
		case m.lives != "":
			living = join(living, i, functions)
		default:
			t.Run(filepath.Base(m.file), func(t *testing.T) {
				if found := play(t, model, i); found != "" {
					t.Logf("%v: %s", m, found)
				} else {
					t.Errorf("%v: lives", m)
				}
			})
		}
	}
	for _, group := range living {
		t.Run("living", func(t *testing.T) { expectLife(t, model, group) })
	}
}

// withAll returns files that have all mutants: a function begins with a copy of itself for each of its mutants, which runs if a variable
// of its package is true. It also returns the function of each mutant.
func withAll(t *testing.T) (overlay map[string]string, functions []token.Position) {
	t.Helper()
	overlay, functions = map[string]string{}, make([]token.Position, len(mutants))
	files, variables := token.NewFileSet(), map[string]string{}
	inserted := map[string]map[int]string{}
	for i := range mutants {
		m := &mutants[i]
		path, err := filepath.Abs(filepath.Join(root, m.file))
		require.NoError(t, err)
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		text := string(source)
		if n := strings.Count(text, m.old); n != 1 {
			t.Errorf("%s has the text %q %d times", m.file, m.old, n)
			continue
		}
		file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
		require.NoError(t, err)
		at := strings.Index(text, m.old)
		function, begin, end := functionAt(files, file, at, at+len(m.old))
		if function == nil {
			t.Errorf("%v: not in a function", m)
			continue
		}
		functions[i] = files.Position(function.Pos())
		body := strings.TrimSuffix(strings.Replace(text[begin:end], m.old, m.new, 1), "}")
		if function.Type.Results == nil {
			body += "return\n"
		}
		if inserted[path] == nil {
			inserted[path], overlay[path] = map[int]string{}, text
		}
		inserted[path][begin+1] += fmt.Sprintf("\nif mutant%d %s}\n", i, body)
		variables[filepath.Join(filepath.Dir(path), "mutants.go")] += fmt.Sprintf("var mutant%d = isMutant(%q)\n", i, strconv.Itoa(i))
		overlay[filepath.Join(filepath.Dir(path), "mutants.go")] = "package " + file.Name.Name
	}
	for path, bodies := range inserted {
		for _, at := range slices.Backward(slices.Sorted(maps.Keys(bodies))) {
			overlay[path] = overlay[path][:at] + bodies[at] + overlay[path][at:]
		}
	}
	for path, declared := range variables {
		overlay[path] += fmt.Sprintf(`
import ("os"; "slices"; "strings")
func isMutant(number string) bool { return slices.Contains(strings.Fields(os.Getenv(%q)), number) }
`, playedMutants) + declared
	}
	return overlay, functions
}

// playedMutants is the variable of the environment with the numbers of the mutants that are played.
const playedMutants = "MUTANTS"

// functionAt returns the function that has a part of a file, and where its body begins and ends.
func functionAt(files *token.FileSet, file *ast.File, from, to int) (function *ast.FuncDecl, begin, end int) {
	for _, declaration := range file.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok {
			begin, end := files.Position(function.Body.Pos()).Offset, files.Position(function.Body.End()).Offset
			if begin < from && to <= end {
				return function, begin, end
			}
		}
	}
	return nil, 0, 0
}

// compile compiles the model with changed files.
func compile(t *testing.T, overlay map[string]string) string {
	t.Helper()
	folder, replaced := t.TempDir(), map[string]string{}
	for path, content := range overlay {
		replaced[path] = filepath.Join(folder, fmt.Sprintf("%d.go", len(replaced)))
		require.NoError(t, os.WriteFile(replaced[path], []byte(content), 0o600))
	}
	encoded, err := json.Marshal(map[string]any{"Replace": replaced})
	require.NoError(t, err)
	path, model := filepath.Join(folder, "overlay.json"), filepath.Join(folder, "model.test")
	require.NoError(t, os.WriteFile(path, encoded, 0o600))
	if output, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay="+path, "-o="+model, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return model
}

// join adds a mutant to the first group that has no other mutant of its function.
func join(groups [][]int, mutant int, functions []token.Position) [][]int {
	for i, group := range groups {
		if !slices.ContainsFunc(group, func(other int) bool { return functions[other] == functions[mutant] }) {
			groups[i] = append(group, mutant)
			return groups
		}
	}
	return append(groups, []int{mutant})
}

// expectLife plays schedules with mutants that live, first with all of them at once: that takes a fraction of the time. If two of them
// are found only together, each is played without the other.
func expectLife(t *testing.T, model string, group []int) {
	t.Helper()
	found, half := play(t, model, group...), len(group)/2
	switch {
	case found == "":
		for _, i := range group {
			t.Logf("%v: lives, because %s", &mutants[i], mutants[i].lives)
		}
	case half == 0:
		m := &mutants[group[0]]
		t.Errorf("%v: found, although %s: %s", m, m.lives, found)
	default:
		expectLife(t, model, group[:half])
		expectLife(t, model, group[half:])
	}
}

// foundBy matches the line of a schedule that breaks an invariant, or in which a controller panics, and the line of what no
// schedule reaches any more.
var foundBy = regexp.MustCompile(`seed [0-9]+: .*|[^:]*: [^:]* was reached 0 times`)

// play plays schedules with mutants, and returns what it finds.
func play(t *testing.T, model string, group ...int) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), model, "-test.run=^TestSchedules$", "-test.v", "-brief", "-schedules="+strconv.Itoa(*mutantsGoFor))
	command.Env = append(os.Environ(), playedMutants+"="+strings.Trim(fmt.Sprint(group), "[]"))
	output, err := command.CombinedOutput()
	found := foundBy.FindString(string(output))
	if found == "" && err != nil {
		t.Fatalf("%v: %v\n%s", group, err, output)
	}
	return found
}

// serverAgrees is why a controller may request a build that is not due.
const serverAgrees = "the server accepts the ID of a trigger only while it computes the same request itself"

// rechecked is why an Image need not be reconciled again by itself.
const rechecked = "the Image is reconciled a minute after its last change"

// rare is why a guard of a deletion may be missing: the decision has checked the same.
const rare = "no schedule of 20,000 lets it happen between the decision and the deletion"

// keptOlder is why what a build has attempted may be forgotten after later ones.
const keptOlder = "few schedules have several builds for packages of which the history keeps the older ones; tests of jobs/trigger do"

// podIsEvent is why the result may be lost of a reconciliation whose pod was deleted meanwhile.
const podIsEvent = "the deletion of the pod is an event, unless the cache has never had the pod"

// mutants are in the order of their files.
var mutants = []mutant{
	// The controller of Images: it asks, stores, supersedes and prunes.
	{"controllers/internal/image/ask.go", `live.UID != image.UID || live.ResourceVersion != image.ResourceVersion`, `live.UID != image.UID`, serverAgrees},
	{"controllers/internal/image/ask.go", `err != nil || unseen {`, `err != nil {`, serverAgrees},
	{"controllers/internal/image/ask.go", `now.Resolved == nil || now.Resolved.InputsDigest != inputsDigest`, `now.Resolved == nil`, serverAgrees},
	{"controllers/internal/image/ask.go", `return false, decision.DeletedStatus(live.Status.RecentRequests), nil`, `return false, decision.Status, nil`, ""},
	{"controllers/internal/image/ask.go", `known = max(known, status.LastAttempted.Number)`, `known = max(known, live.Status.BuildCounter)`, serverAgrees},
	{"controllers/internal/image/reconciler.go", `return recheckAfter(decision.After), nil`, `return 0, nil`, rechecked},
	{"controllers/internal/image/reconciler.go", `if equality.Semantic.DeepEqual(&status, &image.Status) {`, `if equality.Semantic.DeepEqual(&status, &status) {`, ""},
	{"controllers/internal/image/reconciler.go", `decision.After = askAgain`, `decision.After = 0`, rechecked},
	{"controllers/internal/image/reconciler.go", `SupersededBy: decision.SupersededBy}`, `Reason: "superseded"}`, ""},
	{"controllers/internal/image/reconciler.go", `if named || trigger.Promoting(live, build) || v1alpha1.UnderLegalHold(live) {`, `if named && !named || trigger.Promoting(live, build) || v1alpha1.UnderLegalHold(live) {`, rare},
	{"controllers/internal/image/reconciler.go", `if named || trigger.Promoting(live, build) || v1alpha1.UnderLegalHold(live) {`, `if named || v1alpha1.UnderLegalHold(live) {`, rare},
	{"controllers/internal/image/reconciler.go", `if named || trigger.Promoting(live, build) || v1alpha1.UnderLegalHold(live) {`, `if named || trigger.Promoting(live, build) {`, rare},
	{"controllers/internal/image/reconciler.go", `Preconditions:     &metav1.Preconditions{UID: &build.UID, ResourceVersion: &build.ResourceVersion},`, ``, ""},
	{"controllers/internal/image/reconciler.go", `		case notfound.Object(err):`, `		case apierrors.IsNotFound(err) || notfound.Object(err):`, "something else has the Image reconciled again in each of 20,000 schedules; a test of controllers/internal/image finds it"},
	{"controllers/internal/image/controller.go", `q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(after)}, recheck)`, ``, ""},
	{"controllers/internal/image/controller.go", `promoted || before.UID != after.UID || !equality.Semantic.DeepEqual(before.Status.LatestSuccessful, after.Status.LatestSuccessful) ||
				inputs.AwaitedBuild(before) != inputs.AwaitedBuild(after) || buildPending(before) != buildPending(after)`, `false`, ""},
	{"controllers/internal/image/controller.go", ` || buildPending(before) != buildPending(after)`, ``, ""},
	{"controllers/internal/image/controller.go", `inputs.AwaitedBuild(before) != inputs.AwaitedBuild(after)`, `false`, "the end of that build corrects the status; TestAnImageNamesTheBuildOfItsBaseForWhichItWaits looks before it"},
	{"controllers/internal/image/controller.go", `DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { enqueue(e.Object, q, 0) },`, ``, ""},
	{"controllers/internal/image/controller.go", `archived: trigger.LogSettled(build), recorded: trigger.RecordSettled(build),`, `archived: trigger.LogSettled(build) && false,`, "the model has neither an archive nor records"},
	{"jobs/trigger/channels.go", `case test.Outcome.Passed():`, `case test.Outcome != "":`, ""},
	{"jobs/trigger/channels.go", `return stored.Time.Before(finished)`, `return true`, ""},

	// The controller of builds: it observes, decides, stores and acts.
	{"controllers/internal/imagebuild/reconciler.go", `return o.live || o.begun && decision.Action == state.CreateJob || !decision.NeedsConfirmation(build)`, `return true`, ""},
	{"controllers/internal/imagebuild/reconciler.go", `o.live || o.begun &&`, `o.live || o.fresh &&`, "no schedule of 20,000 has a pod without a Job that only the API has when another process has begun the attempt; a test of controllers/internal/imagebuild does"},
	{"controllers/internal/imagebuild/reconciler.go", `		r.Queue.Release(request.NamespacedName)`, ``, "no fault of a schedule lasts; TestABuildThatCannotStartLetsOthersStart has one that does"},
	{"controllers/internal/imagebuild/reconciler.go", `		r.Queue.ObserveFailedWrite(client.ObjectKeyFromObject(build), err)`, ``, ""},
	{"controllers/internal/imagebuild/reconciler.go", `	r.Queue.ObserveWrite(stored)`, ``, ""},
	{"controllers/internal/imagebuild/reconciler.go", `order < 0 {`, `order > 0 {`, "the write of an outdated build is a conflict, and then the build is read from the API"},
	{"controllers/internal/imagebuild/reconciler.go", `written.UID == build.UID {`, `true {`, "a later build of the name has a newer resource version"},
	{"controllers/internal/imagebuild/reconciler.go", `	return maxRequeueAfter
}`, `	return after
}`, ""},
	{"controllers/internal/imagebuild/reconciler.go", `fresh: true, begun: begun, lookedAt`, `fresh: true, begun: begun || !begun, lookedAt`, "the write before was decided on what the API had, unless the cache loses a Job within one reconciliation"},
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
	{"controllers/internal/imagebuild/perform.go", `metav1.PatchOptions{}); err != nil && !apierrors.IsNotFound(err) {`, `metav1.PatchOptions{}); err != nil {`, podIsEvent},
	{"controllers/internal/imagebuild/perform.go", `		seen.job, err = jobs.Get(ctx, job.Name, metav1.GetOptions{})
`, `		seen.reject(err)
		return true, nil
`, ""},
	{"controllers/internal/imagebuild/perform.go", `case reconciliation.IsRefused(err):`, `case false:`, ""},
	{"controllers/internal/imagebuild/perform.go", `, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}`, `, metav1.DeleteOptions{}`, "no cluster makes two pods of one name: the name has a random suffix"},
	{"controllers/internal/imagebuild/perform.go", `"activeDeadlineSeconds": stopDeadline}`, `"activeDeadlineSeconds": 3600}`, ""},
	{"controllers/internal/imagebuild/perform.go", `		"uid":         pod.UID,
		"annotations"`, `		"annotations"`, ""},
	{"controllers/internal/imagebuild/perform.go", `cmp.Or(state.ResultOf(pod), "\n")`, `cmp.Or(pod.Status.Message, "\n")`, ""},
	{"controllers/internal/imagebuild/origin.go", `created == job.UID {`, `created != "" {`, ""},
	{"controllers/internal/imagebuild/origin.go", `uid != build.UID || number != attempt.Number {`, `uid == "" || number == 0 {`, "jobs/state asks again whose the Job says to be"},
	{"controllers/internal/reconciliation/job.go", `return render.SameJob(job, expected), nil`, `return render.SameJob(expected, expected), nil`, ""},
	{"controllers/internal/reconciliation/job.go", `return render.SameJob(job, expected), nil`, `return !render.SameJob(job, expected), nil`, ""},
	{"controllers/internal/imagebuild/origin.go", `; reconciliation.IsRefused(err) {
		return err.Error(), nil`, `; err == nil || reconciliation.IsRefused(err) {
		return "pod is forbidden: by an event", nil`, ""},
	{"controllers/internal/imagebuild/controller.go", `isSuspended(before) != isSuspended(job)`, `isSuspended(before) != isSuspended(before)`, "an active build is reconciled every ten minutes"},
	{"controllers/internal/imagebuild/controller.go", `pod.DeletionTimestamp != nil || state.Ended(pod) {`, `false {`, "the reconciliation only comes later"},
	{"controllers/internal/imagebuild/orphans.go", `notfound.Object(err) || err == nil && build.UID != owner.UID`, `notfound.Object(err) || err == nil && build == nil`, ""},
	{"controllers/internal/imagebuild/orphans.go", `err == nil && cached.UID == owner.UID {`, `err == nil {`, ""},
	{"controllers/internal/imagebuild/orphans.go", `	build, err := o.Client.ImagesV1alpha1().ImageBuilds(job.Namespace).Get(ctx, owner.Name, metav1.GetOptions{}) // the cache may be behind`, `	build, err := cached, o.cache.Get(ctx, client.ObjectKey{Namespace: job.Namespace, Name: owner.Name}, cached)`, ""},
	{"controllers/internal/imagebuild/expiry.go", `left > 0 {`, `left > time.Hour {`, ""},
	{"controllers/internal/imagebuild/expiry.go", `Preconditions:     &metav1.Preconditions{UID: &build.UID, ResourceVersion: &build.ResourceVersion},`, ``, ""},
	{"controllers/internal/imagebuild/expiry.go", `&& build.Spec.ImageRef == nil && build.Status.Finished`, `&& build.Spec.ImageRef == nil && !build.Status.Finished`, ""},
	{"controllers/internal/reconciliation/job.go", `Preconditions: metav1.NewUIDPreconditions(string(job.UID)), PropagationPolicy: &background,`, `PropagationPolicy: &background,`, "the Job was read from the API just before"},
	{"controllers/internal/reconciliation/reconciliation.go", `return ctrl.Result{RequeueAfter: staleRetry}, nil`, `return ctrl.Result{}, nil`, "the write that led to the conflict is an event"},
	{"controllers/internal/reconciliation/reconciliation.go", `return e.ObjectOld.GetUID() != e.ObjectNew.GetUID()`, `return false`, "the queue admits the new build, and the new Image is reconciled a minute later"},

	// Admission.
	{"controllers/internal/queue/queue.go", `	q.observeCached(ctx, key)
`, ``, "the event, which is late, has the build reconciled again"},
	{"controllers/internal/queue/queue.go", `	if isRefused(err) {
		return`, `	if true {
		return`, ""},
	{"controllers/internal/queue/queue.go", `		if key != except {`, `		if false {`, ""},
	{"controllers/internal/queue/source.go", `		q.ledger.Forget(client.ObjectKeyFromObject(build), build.UID)`, `		_ = build`, ""},
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

	// What new packages start.
	{"jobs/trigger/packages.go", `			attempted = latestStates(attempted, build.Spec.Trigger.Packages.Archives)
		}
	}`, `			_ = latestStates
		}
	}`, ""},
	{"jobs/trigger/packages.go", `attempted = build.Spec.Trigger.Packages.Attempted // as`, `attempted = latestStates(attempted, build.Spec.Trigger.Packages.Archives) // as`, ""},
	{"jobs/trigger/packages.go", `		if known.Partial != "" || slices.ContainsFunc(next.Archives, func(of v1alpha1.ArchiveState) bool { return of.Name == state.Name }) {`, `		if false {`, ""},
	{"jobs/trigger/packages.go", `!selects(trigger, &update) || isAttempted`, `isAttempted`, ""},
	{"jobs/trigger/packages.go", `!selects(trigger, &update) || isAttempted`, `!update.Security || isAttempted`, ""},
	{"jobs/trigger/packages.go", `return state.Name == update.Archive && !update.Since.After(state.Date.Time)`, `return state.Name == update.Archive && update.Since.Before(&state.Date)`, ""},
	{"jobs/trigger/packages.go", `return state.Name == update.Archive && !update.Since.After(state.Date.Time)`, `return state.Name == update.Archive || !update.Since.After(state.Date.Time)`, ""},
	{"jobs/trigger/packages.go", `failure.Reason == v1alpha1.ReasonSuperseded {`, `failure.Reason == "" {`, keptOlder},
	{"jobs/trigger/packages.go", `latest != nil && latest.Number > number(build) {`, `latest != nil && latest.Number < 0 {`, keptOlder},
	{"jobs/trigger/packages.go", `record.Number > number(build) && record.UID != ""`, `false`, keptOlder},
	{"jobs/trigger/packages.go", `return build.Status.CompletionTime.Add(packageRetry)`, `return build.Status.CompletionTime.Time`, ""},
	{"jobs/trigger/packages.go", `status.Packages.Build != status.LatestSuccessful.Name {`, `false {`, ""},
	{"jobs/trigger/packages.go", `		next = o.Now // the server`, `		_ = o.Now // the server`, serverAgrees},
	{"jobs/trigger/packages.go", `unfinished := newest(o.Builds, unfinishedAndCounts); unfinished != nil {`, `unfinished := newest(o.Builds, unfinishedAndCounts); unfinished == nil && unfinished != nil {`, ""},
	{"jobs/trigger/packages.go", `	case o.BaseComing || o.BasePackages:`, `	case o.BaseComing:`, ""},
	{"jobs/trigger/packages.go", `next = o.Now.Add(baseRecheck)`, `_ = o.Now.Add(baseRecheck)`, ""},
	{"jobs/trigger/packages.go", `status.InputsDigest == "" || o.testsChanged(&status) {`, `o.testsChanged(&status) {`, ""},
	{"jobs/trigger/packages.go", `status.InputsDigest == "" || o.testsChanged(&status) {`, `status.InputsDigest == "" {`, ""},
	{"jobs/trigger/packages.go", `status.InputsDigest == "" || o.testsChanged(&status) {`, `status.InputsDigest == "" || inputsChanged(&status) || o.testsChanged(&status) {`, ""},
	{"jobs/trigger/packages.go", `o.Image.Spec.Triggers.OnPackageChange == nil || o.Image.IsSuspended() || o`, `o.Image.Spec.Triggers.OnPackageChange == nil || o`, ""},
	{"jobs/trigger/packages.go", `o.packagesAgain(build).After(o.Now) {
		return o.packagesAgain(build)`, `o.packagesAgain(build).After(o.Now) {
		return time.Time{}`, ""},
	{"jobs/trigger/history.go", `expires = again // until`, `_ = again // until`, ""},
	{"jobs/probe/candidates.go", `(build == nil || *build.Spec.Number < last.Number):`, `build == nil:`, ""},
	{"jobs/probe/candidates.go", `&& (p.Base == nil || !p.Base.names[named{update.Name, update.Architecture}]) {`, `{`, ""},
	{"jobs/probe/candidates.go", `missing = fmt.Sprintf("the builds of the base`, `_ = fmt.Sprintf("the builds of the base`, ""},
	{"jobs/trigger/packages.go", `		if !follows || coming {
			return coming, nil`, `		if !follows || coming {
			return false, nil`, ""},
	{"controllers/internal/archives/candidates.go", `!build.Status.Finished && build.Counts() }) {`, `false }) {`, ""},
	{"controllers/internal/archives/candidates.go", `return found != nil && trigger.PackagesDue(`, `return false && trigger.PackagesDue(`, ""},
	{"jobs/trigger/packages.go", `		image = base
	}`, `		_ = base
	}`, ""},
	{"jobs/trigger/fixes.go", `return of.Name == update.Name && of.Architecture == update.Architecture && (of.From`, `return false && of.Name == update.Name && (of.From`, ""},
	{"jobs/trigger/fixes.go", `if whole && dated &&`, `if whole &&`, ""},
	{"jobs/trigger/fixes.go", `(unknown || isAttempted(&update, stored)) // which`, `unknown // which`, ""},
	{"jobs/trigger/fixes.go", `	case last != nil && !same && !o.isOlder(latest.Name, last.Build):
		fix = o.installed(last, latest)`, `	case last != nil && !same && !o.isOlder(latest.Name, last.Build) && since != nil:
		fix = o.installed(last, latest)`, ""},
	{"jobs/trigger/fixes.go", `if before > 0 && !o.counted(`, `if !o.counted(`, ""},
	{"jobs/trigger/fixes.go", `			if base < fix.Number {`, `			if base <= fix.Number {`, ""},
	{"jobs/trigger/fixes.go", `fix.Number <= number(build)`, `fix.Number > 0`, ""},
	{"controllers/internal/image/reconciler.go", `, BaseFixes: r.baseFixes(ctx, image),`, `,`, ""},
	{"controllers/internal/image/controller.go", `was && is && !sameArchive(before, after) {`, `was && is && sameArchive(before, after) {`, ""},

	// What is stated and signed.
	{"jobs/attestation/status.go", `stored.Digest != about.Digest || stored.Manifest`, `stored.Manifest`, ""},
	{"jobs/attestation/status.go", `	case stored != nil:
		return nil
`, ``, ""},
	{"jobs/attestation/status.go", `return SignatureOf(statement, key.Status.KeyID) == nil`, `return statement.Signatures == nil`, ""},
	{"jobs/attestation/status.go", `			names = append(names, key.Name)
`, ``, ""},
	{"jobs/attestation/status.go", `range its.Indexes {
		add`, `range its.Indexes[:0] {
		add`, ""},
	{"jobs/attestation/status.go", `statement.Signatures = append(statement.Signatures, `, `statement.Signatures = append([]v1alpha1.StatementSignature(nil), `, ""},

	// What is revoked.
	{"controllers/internal/resolution/resolution.go", `	if revoked.InEffect(now) {`, `	if false {`, ""},
	{"controllers/internal/imagebuild/observe.go", `observed.Unresolved, err = r.sources.Revoked(ctx, build); err != nil {`, `_, err = r.sources.Revoked(ctx, build); err != nil {`, ""},
	{"controllers/internal/imagebuild/controller.go", `return restored || !equality`, `return restored && false || !equality`, ""},
	{"controllers/internal/image/controller.go", `		revoked: build.Status.Revoked.String(),
`, ``, ""},
	{"jobs/trigger/revoked.go", `recorded != nil && !restored(build, recorded):`, `false:`, ""},
	{"jobs/state/state.go", `	case t.revoked():
		t.stop()
`, ``, ""},
	{"jobs/state/state.go", `	case t.wasRevoked(): // its artifacts must not be used, or were to be thrown away
`, ``, ""},
	{"jobs/state/revoked.go", `stored.Status != metav1.ConditionFalse:`, `false:`, ""},
	{"jobs/state/revoked.go", `!v1alpha1.Revoked(of, t.Now) || `, `true || `, "the schedules revoke builds one by one, and no invariant tells of content"},
	{"controllers/internal/image/reconciler.go", `known != nil && !v1alpha1.Revoked(known, r.Clock.Now())`, `known != nil && false`, "the chains of the schedules are too short: TestAnImageIsToldThatItsBaseIsRestored"},

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
	{"jobs/state/publishing.go", `	if waitsForResult(t.Pod) {`, `	if false {`, ""},
	{"jobs/state/evidence.go", `end != nil && (!render.Publishes(pod) || end.ExitCode != 0 || publisherEnd(pod) != nil)`, `end != nil`, ""},
	{"jobs/state/evidence.go", `			return result.Outcome{}
`, `			return result.Parse(message, end.ExitCode, t.Build.Spec.Inputs.Targets, policy)
`, ""},
	{"jobs/state/evidence.go", `message, policy.Checked = result.WithFindings(message, published.Message, t.Build.Spec.Inputs.Output.Repository, render.Tags(t.Build, t.attempt().Number)), true`,
		`policy.Checked = true`, ""},
	{"jobs/result/findings.go", `reported.Check = &Check{NotStored: notTheResult}`, `reported.Check = nil`, ""},
	{"jobs/state/evidence.go", `			if pod.UID == attempt.PodUID {`, `			if true {`, ""},
	{"jobs/state/evidence.go", `return owner != nil && owner.UID == job`, `return owner != nil`, ""},
	{"jobs/state/evidence.go", `(end == nil || endedByDeletion(pod))`, `end == nil`, ""},
	{"jobs/state/evidence.go", `t.attempt()
	return attempt != nil && (attempt.JobUID == job.UID || attempt.JobUID == "" && t.Origin == Rendered)`, `t.attempt()
	return attempt != nil && (attempt.JobUID == job.UID || attempt.JobUID == "")`, ""},
	{"jobs/state/wait.go", `	attempt.PodName, attempt.PodUID, attempt.NodeName, attempt.BuilderImage = "", "", "", ""
`, ``, ""},
	{"jobs/state/wait.go", `	case held && t.queueTimeLeft() <= 0:`, `	case false:`, ""},
	{"jobs/state/status.go", `	ForgetAttestation(t.status)
`, ``, ""},
	{"jobs/state/wait.go", `		ForgetAttestation(t.status)
`, ``, ""},
	{"jobs/state/status.go", `	EndAttestation(t.status)
`, ``, ""},
	{"jobs/state/status.go", `attempt.BuilderImage = render.BuilderStatus(t.Pod).ImageID`, `_ = render.BuilderStatus(t.Pod).ImageID`, ""},
	{"jobs/state/policy.go", `return last.CompletionTime.Add(wait + jitter(build.UID, last.Number, wait/5) + rounding)`, `return last.CompletionTime.Add(24 * time.Hour)`, ""},

	// What new commits start.
	{"jobs/trigger/request.go", `first := max(0, slices.IndexFunc(causes,`, `first := 0 * max(0, slices.IndexFunc(causes,`, ""},
	{"jobs/trigger/request.go", `reason == v1alpha1.TriggerSourceChange && !*triggers.OnSourceChange:`, `reason == v1alpha1.TriggerSourceChange && false:`, ""},
	{"jobs/inputs/source.go", ` || asks && (checks.StartTime == nil || !checks.StartTime.After(created))`, ``, ""},
	{"controllers/internal/imagebuild/observe.go", `			r.Queue.Release(client.ObjectKeyFromObject(build)) // others`, `			// others`, ""},
	{"controllers/internal/sources/sources.go", `case !started.After(build.CreationTimestamp.Time):`, `case false:`, ""},
	{"controllers/internal/sources/sources.go", `hint != nil && !started.After(hint.Time)`, `hint != nil && false`, ""},
	{"controllers/internal/reconciliation/job.go", `render.Deviation(job, pod); differs != "" {`, `render.Deviation(job, pod); differs == "-" {`, ""},
	{"controllers/internal/sources/job.go", `	case !same:`, `	case !same && same:`, ""},
}
