// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// sourceInterval is the time between two checks of a source.
const sourceInterval = 5 * time.Minute

// gitRepository is one of Git as it really is. Only checks and fetchers read it.
type gitRepository struct {
	url string
	// named are the revisions that its branch has named, the present one last.
	named []string
	// commits is how many commits were pushed.
	commits int
	// refuses is why its server refuses everybody. It is empty while the server answers.
	refuses v1alpha1.FailureReason
}

// refusals of servers of repositories.
var refusals = [...]v1alpha1.FailureReason{
	v1alpha1.ReasonSourceUnavailable, v1alpha1.ReasonSourceDenied, v1alpha1.ReasonSourceUnavailable, v1alpha1.ReasonSourceNotFound, v1alpha1.ReasonSourceInvalid,
}

// revision is that of a commit of the repository.
func (r *gitRepository) revision(commit int) string {
	return fmt.Sprintf("sha1:%s%038d", r.url[len(r.url)-2:], commit)
}

// now is what the branch names.
func (r *gitRepository) now() string { return r.named[len(r.named)-1] }

// openRepositories begins the repositories. Their names are hexadecimal.
func (w *environment) openRepositories() {
	for _, name := range [...]string{"aa", "bb"} {
		one := &gitRepository{url: "https://git.example.com/" + name, commits: 1}
		one.named = []string{one.revision(1)}
		w.repositories = append(w.repositories, one)
	}
}

// repositoryAt returns the repository with an address, or nil.
func (w *environment) repositoryAt(url string) *gitRepository {
	for _, one := range w.repositories {
		if one.url == url {
			return one
		}
	}
	return nil
}

// gitSource is the source that a number stands for: most follow the first repository, and few follow nothing.
func (w *environment) gitSource(choice int) *v1alpha1.Source {
	git := &v1alpha1.GitSource{URL: w.repositories[0].url, Ref: "main"}
	switch choice % 8 {
	case 0:
		return nil
	case 1, 2:
		git.URL = w.repositories[1].url
	case 3:
		git.Ref = strings.TrimPrefix(w.repositories[0].revision(1), "sha1:")
	}
	return &v1alpha1.Source{Git: git}
}

// push lets the branch of a repository name a new commit, or an earlier one.
func (w *environment) push(a, b int) {
	if len(w.repositories) == 0 {
		return
	}
	one := w.repositories[a%5%len(w.repositories)]
	commit := 1 + b/3%one.commits
	if b%3 > 0 {
		one.commits++
		commit = one.commits
	}
	one.named = append(one.named, one.revision(commit))
	w.note("%s names commit %d", one.url, commit)
}

// disturbServer lets the server of a repository refuse everybody, or answer again.
func (w *environment) disturbServer(a, b int) {
	if len(w.repositories) == 0 {
		return
	}
	one := w.repositories[a%5%len(w.repositories)]
	if one.refuses != "" {
		one.refuses = ""
	} else {
		one.refuses = refusals[b%len(refusals)]
	}
	w.note("%s answers %q", one.url, one.refuses)
}

// hint has a webhook tell that the source of an Image may have changed.
func (w *environment) hint(image *v1alpha1.Image) {
	if !inputs.Checked(image.Spec.Source) || image.Status.Source == nil {
		return
	}
	next := *image
	next.Status.Source = image.Status.Source.DeepCopy()
	next.Status.Source.HintTime = new(w.time())
	put(w, &w.images, &next)
}

// editSource changes or removes the source of an Image, or whether a new commit starts a build.
func (w *environment) editSource(image *v1alpha1.Image, how int) {
	if len(w.repositories) == 0 {
		return
	}
	w.edit(image, func(spec *v1alpha1.ImageSpec) {
		switch {
		case how%4 > 1:
			spec.Triggers = spec.Triggers.DeepCopy()
			spec.Triggers.OnSourceChange = new(!*spec.Triggers.OnSourceChange)
		case how%4 == 1 && inputs.Checked(spec.Source):
			spec.Source = nil
		default:
			spec.Source = w.gitSource(how / 4)
		}
	})
}

// checksSource reports whether a Job or a pod finds out what a source names.
func checksSource(object metav1.Object) bool { return object.GetLabels()[v1alpha1.LabelSource] != "" }

// ask has the pod of a check ask its repository, and keeps the answer until the pod ends.
func (w *environment) ask(pod *corev1.Pod) {
	if !checksSource(pod) {
		return
	}
	truth, asked := w.truth.pods[pod.UID], render.Input{}
	if err := json.Unmarshal([]byte(truth.question), &asked); err != nil || asked.Source == nil {
		truth.answer = &end{code: 2, started: true} // a late request: the program crashes
		return
	}
	if w.truth.jobs[truth.job] == "" {
		truth.answer = forgedAnswer()
		return
	}
	one := w.repositoryAt(asked.Source.URL)
	if one.refuses != "" {
		truth.answer = &end{code: 1, started: true, message: result.NotFetched{Reason: one.refuses, Message: "the server refuses"}.Text()}
		return
	}
	found := v1alpha1.SourceRevision{Revision: one.now(), Ref: "refs/heads/main", Summary: "Change it"}
	if asked.Source.Ref != "main" {
		found = v1alpha1.SourceRevision{Revision: "sha1:" + asked.Source.Ref}
	}
	truth.answer = &end{started: true, message: result.SourceText(found)}
}

// forgedAnswer is an answer that a user gives who may create Jobs or pods.
func forgedAnswer() *end {
	return &end{started: true, message: result.SourceText(v1alpha1.SourceRevision{Revision: "sha1:" + strings.Repeat("f", 40)})}
}

// forgeCheck has a user create the Job of the check of an Image that goes on, before the controller creates it. It returns false if there is no such check.
func (w *environment) forgeCheck(ref *v1alpha1.ImageReference) bool {
	if ref == nil {
		return false
	}
	image, ok := w.images.get(ref.Name)
	if !ok || image.Status.Source == nil || image.Status.Source.Ended == image.Status.Source.Checks || !inputs.Checked(image.Spec.Source) {
		return false
	}
	job, err := render.SourceJob(image, w.registered(false).Checker())
	if err != nil {
		panic(err)
	}
	if _, exists := w.jobs.get(job.Name); exists {
		return false
	}
	job.UID, job.CreationTimestamp = w.uid(), w.time()
	job.Spec.Template.Spec.Containers[0].Image = "mine:1"
	render.KeepFingerprint(job)
	put(w, &w.jobs, job)
	w.cover.point("a stranger's Job says to be a check's")
	return true
}

// fetch has the fetcher of a pod fetch the files of the source, if it has a fetcher. It returns false if the server refuses: the pod has ended then.
func (w *environment) fetch(pod *corev1.Pod) bool {
	build, ok := w.builds.get(pod.Labels[v1alpha1.LabelBuild])
	if !ok || !inputs.Checked(build.Spec.Inputs.Source) || publishing(pod) ||
		!slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == render.FetcherName }) {
		return true
	}
	one := w.repositoryAt(build.Spec.Inputs.Source.Git.URL)
	if one.refuses == "" {
		return true
	}
	w.truth.pods[pod.UID].unfetched = one.refuses
	w.changePod(pod, func(next *corev1.Pod) {
		next.Status.Phase = corev1.PodFailed
		next.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: render.FetcherName, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 1, Message: result.NotFetched{Reason: one.refuses, Message: "the server refuses"}.Text(),
			StartedAt: metav1.NewTime(w.time().Add(w.nodeClock)), FinishedAt: metav1.NewTime(w.time().Add(w.nodeClock)),
		}}}}
	})
	return false
}

// moment is how many revisions each repository had named.
type moment map[string]int

func (w *environment) moment() moment {
	now := moment{}
	for _, one := range w.repositories {
		now[one.url] = len(one.named)
	}
	return now
}

// namedSince reports whether a source names a revision, or has named it after a moment.
func (w *environment) namedSince(source *v1alpha1.Source, since moment, revision string) bool {
	if fixed := inputs.FixedRevision(source); fixed != "" {
		return revision == fixed
	}
	one := w.repositoryAt(source.Git.URL)
	return slices.Contains(one.named[since[one.url]-1:], revision)
}

// sourceCheck identifies a check. After a restore, a number may come again, at another time.
type sourceCheck struct {
	image   types.UID
	number  int64
	started int64
}

func checkOf(image *v1alpha1.Image, source *v1alpha1.ImageSource) sourceCheck {
	return sourceCheck{image.UID, source.Checks, source.StartTime.Unix()}
}

// checkSource holds the status of the source of an Image against what happened: a check has found what the source named after the check began.
func (w *environment) checkSource(image *v1alpha1.Image, status *v1alpha1.ImageStatus) {
	before, after := image.Status.Source, status.Source
	if before == nil && after == nil {
		return
	}
	if !inputs.Checked(image.Spec.Source) && after != nil && (before == nil || before.Ended != after.Ended || before.Checks != after.Checks) {
		w.broken("a check of %s goes on, which has no source", image.Name)
	}
	was, is := foundIn(before), foundIn(after)
	if was != is || after != nil && (before == nil || (before.Failure == nil) != (after.Failure == nil) || before.Question != after.Question) {
		w.truth.moved[image.Name]++
	}
	if was != is {
		w.truth.founds[image.UID] = append(w.truth.founds[image.UID], is)
	}
	if after == nil {
		return
	}
	if before == nil {
		before = &v1alpha1.ImageSource{}
	}
	switch {
	case after.Ended > after.Checks || after.FoundBy > after.Ended || after.Checks < before.Checks:
		w.broken("the checks of %s were %+v, and are %+v", image.Name, before, after)
	case after.Checks != before.Checks:
		w.truth.checks[checkOf(image, after)] = w.moment()
	case after.Ended == before.Ended || after.Question != before.Question:
	case after.Failure != nil:
		w.cover.point("a check ends with " + string(after.Failure.Reason))
		w.truth.checkDelayed = true
		if is != was {
			w.broken("a check of %s failed, and %s was found", image.Name, is)
		}
	default:
		w.cover.point("a check finds a commit")
		if since := w.truth.checks[checkOf(image, after)]; !w.namedSince(image.Spec.Source, since, is) {
			w.broken("check %d of %s found %s, which the source has not named since its start", after.Checks, image.Name, is)
		}
	}
}

func foundIn(source *v1alpha1.ImageSource) string {
	if source == nil {
		return ""
	}
	return inputs.Revision(source.Found)
}

// checkNewCheck holds that the Job of a check is that of the stored check of an Image.
func (w *environment) checkNewCheck(job *batchv1.Job) {
	if w.arrivesLate || w.faults.interjected { // it was decided on before
		return
	}
	image, ok := w.images.get(job.Labels[v1alpha1.LabelSource])
	switch {
	case !ok || !metav1.IsControlledBy(job, image):
		w.broken("Job %s is of no image", job.Name)
	case image.Status.Source != nil && (!inputs.Checked(image.Spec.Source) || image.Status.Source.Question != inputs.Question(image.Spec.Source)):
		w.broken("Job %s is of a check of an earlier source of %s, and asks for the present one", job.Name, image.Name)
	case image.Status.Source == nil || image.Status.Source.Ended == image.Status.Source.Checks || render.SourceJobName(image) != job.Name:
		w.broken("Job %s is not of the check of %s that goes on: %+v", job.Name, image.Name, image.Status.Source)
	}
}

// checkFresh holds that a build for which somebody asked has a commit that the source has named since then, and soon. Clocks that were turned back excuse an
// older commit.
func (w *environment) checkFresh(was *v1alpha1.ImageBuild, resolved *v1alpha1.ResolvedInputs) {
	if !inputs.AsksForCheck(was) || resolved == nil || resolved.Source == nil || w.truth.turnedBack > 0 {
		return
	}
	w.cover.point("a build has the commit of a check that follows")
	began := was.CreationTimestamp.Time
	if w.truth.endedAt.After(began) {
		began = w.truth.endedAt
	}
	if waited := w.now.Sub(began); w.peace && !w.truth.checkDelayed && waited > time.Minute {
		w.broken("%s waited %s for a check, which nothing delayed", was.Name, waited)
	}
	if !w.namedSince(was.Spec.Inputs.Source, w.truth.since[was.UID], resolved.Source.Revision) {
		w.broken("%s has %s, which the source has not named since somebody asked for the build", was.Name, resolved.Source.Revision)
	}
}

// checkMoved holds that a commit starts one build if the trigger is on, unless the source has named another commit in the meantime. A build that attempted
// nothing, or that somebody deleted, does not count.
func (w *environment) checkMoved(build *v1alpha1.ImageBuild, image *v1alpha1.Image) {
	now := foundIn(image.Status.Source)
	w.truth.startedBy[build.UID] = now
	if w.truth.excused {
		return
	}
	if !*image.Spec.Triggers.OnSourceChange {
		w.broken("%s was started because of %s, and the trigger is off", build.Name, now)
	}
	found, built := 0, 0
	for _, revision := range w.truth.founds[image.UID] {
		if revision == now {
			found++
		}
	}
	for _, other := range w.truth.created {
		ended, over := w.truth.ended[numbered{image.UID, numberOf(other)}]
		attempted := !w.truth.byHand[other.UID] && (!over || ended.phase == v1alpha1.BuildCancelled || w.truth.digests[other.UID] != "")
		if other.Spec.ImageRef.UID == image.UID && w.truth.startedBy[other.UID] == now && other.Spec.Trigger.Reason == v1alpha1.TriggerSourceChange && attempted {
			built++
		}
	}
	if built >= found {
		w.broken("%s is the build %d because of %s, which the source of %s has named %d times", build.Name, built+1, now, image.Name, found)
	}
}

// uncheckedBuild reports whether a build of the inputs of its Image failed because the check failed for which it waited: nothing is known of its commit.
func (w *environment) uncheckedBuild(build *v1alpha1.ImageBuild, image *v1alpha1.Image, now *v1alpha1.ResolvedInputs) bool {
	ended := w.truth.ended[numbered{build.Spec.ImageRef.UID, numberOf(build)}]
	return inputs.AsksForCheck(build) && !inputs.OneOff(&build.Spec, image.Spec.BuildInputs, now) && w.truth.digests[build.UID] == "" && ended.phase == v1alpha1.BuildFailed && strings.HasPrefix(string(ended.reason), "Source")
}

// settleSources lets the next checks come while all else is in peace.
func (w *environment) settleSources() {
	for _, image := range w.images.all {
		if of := image.Status.Source; of != nil && of.HintTime != nil && w.follows(image) && !of.StartTime.After(of.HintTime.Time) {
			w.broken("%s has a hint of %s, and no check has followed: the last began at %s", image.Name, of.HintTime, of.StartTime)
		}
	}
	how := w.version / 7
	w.moveSources(how)
	w.truth.checkDelayed = true
	for round := range 2 {
		if how%2 == round { // in the second round the builds of the first fetch
			w.disturbServer(how/2, w.uids)
		}
		w.now = w.now.Add(sourceInterval + sourceInterval/10 + time.Second)
		w.disturbCheck(w.version)
		w.answerAll()
	}
	w.repeatRequests()
	w.settle()
}

// moveSources lets branches move, and a user do something.
func (w *environment) moveSources(how int) {
	for i := range w.repositories {
		w.push(i, how+i)
	}
	if image, ok := pick(&w.images, how/2); ok {
		w.happenToImage([...]kind{askForBuild, hintSource, askForBuild, editSource, askForBuild, editImage}[how%6], image, how/6)
	}
}

// disturbCheck lets the checks that are due begin, and one write of one reconciliation fail.
func (w *environment) disturbCheck(how int) {
	for i := range checkSteps {
		p := w.process
		if name, ok := p.ofImages.work.pick(how); ok {
			if i == how%checkSteps {
				w.faults.rare = crash + fault(how/checkSteps%int(serverCrash-crash))
			}
			w.look(p, func() { p.reconcile(p.ofImages, name) }, how)
		}
		w.clusterWorks()
		w.deliverAll()
		w.now = w.now.Add(time.Second / 10)
	}
	for len(w.late) > 0 {
		w.arrive(0)
	}
	w.lookAtAll() // at builds that wait, too
}

// checkSteps is how many reconciliations the checks of two Images take.
const checkSteps = 12

// answerAll lets the servers of all repositories answer.
func (w *environment) answerAll() {
	for _, one := range w.repositories {
		one.refuses = ""
	}
}

// follows reports whether an Image follows a branch by itself.
func (w *environment) follows(image *v1alpha1.Image) bool {
	return inputs.Checked(image.Spec.Source) && inputs.FixedRevision(image.Spec.Source) == "" && !*image.Spec.Suspend
}

// hasOtherSource reports whether the Image of a build has another source by now, so that nothing checks that of the build.
func (w *environment) hasOtherSource(build *v1alpha1.ImageBuild) bool {
	given := build.Spec.Inputs.Source
	if !inputs.Checked(given) || build.Status.Resolved != nil || build.Spec.ImageRef == nil {
		return false
	}
	image, ok := w.images.get(build.Spec.ImageRef.Name)
	return ok && (!inputs.Checked(image.Spec.Source) || inputs.Question(image.Spec.Source) != inputs.Question(given) || w.faults.interjected || w.arrivesLate)
}

// checkFollowed holds that an Image knows in the end what its source names, and that no check goes on.
func (w *environment) checkFollowed(image *v1alpha1.Image) {
	status := image.Status.Source
	if !inputs.Checked(image.Spec.Source) {
		if status != nil {
			w.broken("%s has no source that is checked, and reports %+v", image.Name, status)
		}
		return
	}
	if status == nil && *image.Spec.Suspend {
		return
	}
	if status == nil || status.Question != inputs.Question(image.Spec.Source) && !*image.Spec.Suspend || status.Ended != status.Checks {
		w.broken("the source of %s is not checked: %+v", image.Name, status)
	}
	if w.follows(image) && (foundIn(status) != w.repositoryAt(image.Spec.Source.Git.URL).now() || status.Failure != nil) {
		w.broken("the source of %s names %s, and it knows %q (%+v)", image.Name, w.repositoryAt(image.Spec.Source.Git.URL).now(), foundIn(status), status.Failure)
	}
}

// startsBuild reports whether a trigger of an Image is on for one of the differences between what its inputs resolve to and the inputs of its last attempt.
func (w *environment) startsBuild(image *v1alpha1.Image, now *v1alpha1.ResolvedInputs, tooMany bool) bool {
	triggers, attempted := image.Spec.Triggers, image.Status.LastAttempted
	switch {
	case *image.Spec.Suspend:
		return false
	case attempted == nil:
		return *triggers.OnSpecChange
	case attempted.InputsDigest == "": // what came before decides
		return *triggers.OnSpecChange && !tooMany && *triggers.OnBaseChange && *triggers.OnSourceChange
	}
	given := image.Spec.BuildInputs
	based, base := given.Base.ImageRef != nil && attempted.BaseDigest != "" && attempted.BaseDigest != now.BaseDigest, now.BaseDigest
	if based {
		base = attempted.BaseDigest
	}
	revision := inputs.Revision(now.Source)
	moved := revision != "" && attempted.SourceRevision != "" && attempted.SourceRevision != revision
	if moved {
		revision = attempted.SourceRevision
	}
	if moved && *triggers.OnSourceChange || based && *triggers.OnBaseChange && !tooMany {
		return true
	}
	return *triggers.OnSpecChange && !tooMany && inputs.Digest(given, inputs.Files(given, now), base, revision) != attempted.InputsDigest
}

// checkAttempted holds that a build has resolved its inputs to those that an Image reports as attempted. Those of a build that was cancelled or deleted may be
// unknown.
func (w *environment) checkAttempted(image *v1alpha1.Image) {
	attempted := image.Status.LastAttempted
	if attempted == nil || attempted.InputsDigest == "" {
		return
	}
	for _, build := range w.truth.created {
		if build.Spec.ImageRef.UID != image.UID {
			continue
		}
		ended := w.truth.ended[numbered{image.UID, attempted.Number}]
		cancelled := numberOf(build) == attempted.Number && (w.truth.byHand[build.UID] || ended.phase == v1alpha1.BuildCancelled)
		if cancelled || w.truth.digests[build.UID] == attempted.InputsDigest {
			return
		}
	}
	w.broken("%s reports that build %d attempted %s (%s), and no build has", image.Name, attempted.Number, attempted.InputsDigest, attempted.SourceRevision)
}

// checkSlots holds that a build that waits for a check keeps no other build from starting, when nothing is due.
func (w *environment) checkSlots() {
	waits := func(build *v1alpha1.ImageBuild) bool {
		return !build.Status.Finished && len(build.Status.Attempts) == 0 && build.Spec.CancelRequested == nil && build.DeletionTimestamp == nil
	}
	if len(w.repositories) == 0 || w.truth.turnedBack > 0 || slices.ContainsFunc(w.builds.all, active) ||
		!slices.ContainsFunc(w.builds.all, func(build *v1alpha1.ImageBuild) bool { return waits(build) && inputs.AsksForCheck(build) }) {
		return
	}
	w.cover.point("a build waits for a check")
	for _, build := range w.builds.all {
		if !waits(build) || build.Status.Resolved == nil || external(build) {
			continue
		}
		alone := !slices.ContainsFunc(w.builds.all, func(other *v1alpha1.ImageBuild) bool {
			return other != build && waits(other) && build.Spec.ImageRef != nil && other.Spec.ImageRef != nil && other.Spec.ImageRef.UID == build.Spec.ImageRef.UID
		})
		if alone {
			w.broken("%s waits, and only builds that wait for a check are in the queue", build.Name)
		}
	}
}
