// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"cmp"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// repository is where builds with an output publish.
const repository = "registry.example.com/images"

// builderImage is the image of each builder, as nodes report it.
const builderImage = "registry.example.com/mock@sha256:0"

// publisherEnds are the ways in which publishers fail that know the result of their builder.
var publisherEnds = [...]struct {
	name string
	end  end
}{
	{"crashed", end{code: 137, reason: "OOMKilled", started: true}},
	{"denied", end{started: true, message: publisherCheck(v1alpha1.ReasonRegistryDenied)}},
	{"refused", end{started: true, message: publisherCheck(v1alpha1.ReasonRegistryRefused)}},
	{"registry unavailable", end{started: true, message: publisherCheck(v1alpha1.ReasonRegistryUnavailable)}},
	{"not stored", end{started: true, message: `{"check":{"notStored":"no space left on device"}}`}},
	{"invalid", end{started: true, message: `{"check":{"invalid":"the file is missing"}}`}},
	{"unreadable", end{started: true, message: `{`}},
	{"of another result", end{started: true, message: `{"check":{}}`}},
	{"without a check", end{started: true, message: `{}`}},
}

// publisherCheck is the message of a publisher that could not publish.
func publisherCheck(reason v1alpha1.FailureReason) string {
	return fmt.Sprintf(`{"check":{"notPublished":{"reason":%q,"message":"the registry said no"}}}`, reason)
}

// reportedIn returns what the publisher of a pod knows the builder to have made; nil if it knows nothing.
func reportedIn(pod *corev1.Pod) *result.Result {
	targets := []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	return result.Readable(pod.Annotations[v1alpha1.AnnotationResult], targets, result.Policy{})
}

// attestPod attests what the publisher of a pod has pushed by its digest. The signer works meanwhile, as far as a number lets it.
func (w *environment) attestPod(pod *corev1.Pod, how int) (answer, *v1alpha1.BuildFailure) {
	reported := reportedIn(pod)
	if _, tests := w.testedBy(pod); tests != nil || reported == nil { // a runner of tests that reports artifacts has made none
		return answerSigned, nil
	}
	truth, made := w.truth.pods[pod.UID], &reported.Artifacts[0]
	if truth.manifest == "" {
		w.truth.results++
		truth.manifest = digest(w.truth.results)
	}
	artifact := &v1alpha1.AttestedArtifact{Target: made.Target, Digest: cmp.Or(made.Digest, digest(0)), Manifest: truth.manifest}
	got, failure := w.attest(pod, artifact)
	if got == answerWaiting && !w.peace && how%3 > 0 {
		w.sign(how % 5)
		got, failure = w.attest(pod, artifact)
	}
	return got, failure
}

// publishNext does the next step of a publisher: it attests what it has pushed, and sets tags once that is signed. It returns false if it waits.
func (w *environment) publishNext(pod *corev1.Pod, how int) bool {
	before := w.version
	switch got, failure := w.attestPod(pod, how); got {
	case answerSigned:
		w.terminate(pod, end{code: 0, started: true}, true)
	case answerWaiting:
		w.cover.publisher("waits for the signer")
		if job, ok := w.jobs.get(pod.Labels[batchv1.JobNameLabel]); ok && (how+w.version)%8 == 3 {
			w.suspendJob(job) // also in peace, because more schedules come so far
		}
		return w.version != before
	case answerRefused: // rarely, because it takes a restore
		w.terminate(pod, end{started: true, message: `{"check":{"notStored":"the server refuses to attest"}}`}, false)
	case answerFailed:
		w.cover.publisher("not signed")
		w.truth.pods[pod.UID].unsigned = failure.Reason
		w.terminate(pod, end{started: true, message: fmt.Sprintf(`{"check":{"notAttested":{"reason":%q,"message":"no key"}}}`, failure.Reason)}, false)
	}
	return true
}

// attestsAtEnd reports whether a publisher that is about to be killed has just had everything signed.
func (w *environment) attestsAtEnd(pod *corev1.Pod, how int) bool {
	got, _ := w.attestPod(pod, how)
	return got == answerSigned
}

// publish sets the tags of what the publisher of a pod knows the builder to have made. It returns the message of the publisher.
func (w *environment) publish(pod *corev1.Pod) string {
	w.checkTags(pod)
	reported := reportedIn(pod)
	if build, attempt := w.testedBy(pod); build != nil {
		reported = w.release(pod, build, attempt)
	} else if reported == nil {
		w.cover.publisher("nothing to publish")
	} else {
		w.cover.publisher("published")
		truth, made := w.truth.pods[pod.UID], &reported.Artifacts[0].Content
		reported.Check = &result.Check{}
		made.Digest, made.SizeBytes, made.Verified = cmp.Or(made.Digest, digest(0)), new(int64(1)), v1alpha1.ArtifactVerifiedContent
		made.Location = repository + "@" + truth.manifest
		truth.made, truth.published = true, v1alpha1.Artifact{Digest: made.Digest, Location: made.Location}
	}
	message, _, err := result.Findings(reported)
	if err != nil {
		panic(err)
	}
	return message
}

// release moves the tags of a build if the tests of an attempt have passed.
func (w *environment) release(pod *corev1.Pod, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) *result.Result {
	var tests []v1alpha1.ImageTest
	for _, name := range attempt.Tests {
		tests = append(tests, *inputs.FindTest(build.Spec.Tests, name))
	}
	reported := result.ReadableTests(pod.Annotations[v1alpha1.AnnotationResult], tests)
	if reported == nil {
		return nil
	}
	reported.Check = &result.Check{}
	if len(reported.NotPassed(tests, render.Gates(build, attempt.Number))) == 0 {
		reported.Tagged = render.Tags(build, attempt.Number)
	}
	return reported
}

// passResult lets the publisher of a pod know the result of the builder.
func (w *environment) passResult(name string, uid types.UID, text string) error {
	if uid == "" {
		w.broken("a result is passed to any pod with the name %s", name)
	}
	pod, ok := w.pods.get(name)
	switch {
	case !ok:
		return notFound(name)
	case pod.UID != uid:
		return errConflict
	case w.truth.jobs[w.truth.pods[uid].job] == "":
		w.broken("a result is passed to pod %s of a stranger", name)
	case !publishing(pod):
		w.broken("a result is passed to pod %s, whose builder has not succeeded", name)
	case !w.knowsBuilder(pod):
		w.broken("a result is passed to pod %s, and its build does not have the image of its builder", name)
	case text != cmp.Or(render.BuilderStatus(pod).State.Terminated.Message, "\n"):
		w.broken("the publisher of pod %s is told %q, which is not the result of its builder", name, text)
	}
	w.changePod(pod, func(next *corev1.Pod) {
		next.Annotations = map[string]string{v1alpha1.AnnotationResult: text}
		for key, value := range pod.Annotations {
			if key != v1alpha1.AnnotationResult {
				next.Annotations[key] = value
			}
		}
	})
	if now, ok := w.pods.get(name); ok && !w.peace && w.version%4 > 0 && w.truth.pods[uid].node == nodeUp && stateOf(now).Running != nil {
		w.workOnPod(now, w.version) // before the controller has the answer
	}
	return nil
}

// knowsBuilder reports whether the build of a pod has the image of the pod's builder, which its statements name.
func (w *environment) knowsBuilder(pod *corev1.Pod) bool {
	for _, build := range w.builds.all {
		if attempt := lastAttempt(build); attempt != nil && attempt.PodUID == pod.UID {
			return attempt.BuilderImage == builderImage
		}
	}
	return true // a late request: the publisher cannot attest
}

// checkPublished checks that a build with an output has succeeded by its publisher, and that it reports what was published.
func (w *environment) checkPublished(build *v1alpha1.ImageBuild, status *v1alpha1.ImageBuildStatus, pod *podTruth) {
	if build.Spec.Inputs.Output == nil {
		return
	}
	if pod.published.Location == "" || len(status.Artifacts) != 1 {
		w.broken("%s succeeded with %+v, and its publisher has published %+v", build.Name, status.Artifacts, pod.published)
	}
	tag := build.Name
	if build.IsOneOff() {
		tag = ""
	}
	if made := status.Artifacts[0]; made.Digest != pod.published.Digest || made.Location != pod.published.Location ||
		made.Tag != tag || made.Verified != v1alpha1.ArtifactVerifiedContent {
		w.broken("%s reports %+v with the tag %q wanted, and its publisher has published %+v", build.Name, made, tag, pod.published)
	}
}

// checkTold checks that no publisher waits while nothing is about to happen, unless its pod has been told to end.
func (w *environment) checkTold() {
	for _, build := range w.builds.all {
		if !active(build) || build.Status.Phase == v1alpha1.BuildCancelling {
			continue
		}
		for _, pod := range w.pods.all {
			if pod.UID == lastAttempt(build).PodUID && publishing(pod) && !told(pod) && !stopping(pod) && !podOver(pod) && pod.DeletionTimestamp == nil && stateOf(pod).Terminated == nil {
				w.broken("the publisher of pod %s waits, and nobody passes the result to it", pod.Name)
			}
		}
	}
}
