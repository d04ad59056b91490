// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func aTest(name string) []v1alpha1.ImageTest {
	return []v1alpha1.ImageTest{{Name: name, Boot: &v1alpha1.TestBoot{}}}
}

// withTest gives an Image a test.
func withTest(name string) func(*v1alpha1.Image) {
	return func(image *v1alpha1.Image) { image.Spec.Tests = aTest(name) }
}

// testedBuild is a build of the inputs A with a test, and with an artifact once it has finished.
func testedBuild(n int64, phase v1alpha1.BuildPhase, name string) v1alpha1.ImageBuild {
	build := newBuild(n, phase, "A")
	if name != "" {
		build.Spec.Tests = aTest(name)
	}
	if phase.Finished() {
		build = withArtifact(build)
	}
	if phase == v1alpha1.BuildFailed {
		build.Status.Failure = v1alpha1.ReasonTestsFailed.Failure("test %s: it does not boot", name)
	}
	return build
}

func without(build v1alpha1.ImageBuild) v1alpha1.ImageBuild {
	build.Status.Artifacts = nil
	return build
}

func retests(build v1alpha1.ImageBuild, of string) v1alpha1.ImageBuild {
	build.Spec.Retests = &v1alpha1.TestedBuild{Name: of}
	return build
}

func TestChangedTestsTestTheArtifactsAgain(t *testing.T) {
	const (
		ok, failed, run, cancelled = v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildRunning, v1alpha1.BuildCancelled
		changed                    = "False TestsChanged"
		same                       = "True InputsUnchanged"
	)
	webDigest := inputs.TestsDigest(aTest("web"))
	suspend := func(i *v1alpha1.Image) { i.Spec.Suspend = new(true) }
	noSpec := func(i *v1alpha1.Image) { i.Spec.Triggers.OnSpecChange = new(false) }
	daily := func(i *v1alpha1.Image) {
		i.Spec.Triggers.Schedule = &v1alpha1.Schedule{Cron: "30 3 * * *", Mode: v1alpha1.ScheduleIfChanged}
		v1alpha1.SetObjectDefaults_Image(i)
		keep(observed(i, "A", testedBuild(1, ok, "boots")))
	}
	deleted := func(i *v1alpha1.Image) { keep(observed(i, "A", testedBuild(1, ok, "boots"))) }
	oneOff := testedBuild(2, ok, "web")
	oneOff.Spec.OneOff = new(true)
	lost := func(o Observed) Observed {
		o.Kept = func(string) bool { return false }
		return o
	}
	later := func(o Observed) Observed {
		o.Now = o.Now.AddDate(0, 0, 1)
		return o
	}
	for name, c := range map[string]struct {
		observed Observed
		id       string // of the request, or empty
		of       string // whose artifacts are tested
		message  string // a part of it
		upToDate string
		progress string // the reason of Reconciling or Stalled, whichever is True
		ready    string
	}{
		"never built":                {observed(newImage(withTest("web")), "A"), "A:0", "", "never built", "False NeverBuilt", "BuildDue", "False NeverBuilt"},
		"the same tests":             {observed(newImage(withTest("web")), "A", testedBuild(1, ok, "web")), "", "", "the inputs are those", same, "", "True BuildSucceeded"},
		"other tests":                {observed(newImage(withTest("web")), "A", testedBuild(1, ok, "boots")), "tests:" + webDigest + ":1", "debian-1", "the tests differ from those of build debian-1: the artifacts of build debian-1 are tested again, and nothing is built", changed, "BuildDue", "True BuildSucceeded"},
		"the first tests":            {observed(newImage(withTest("web")), "A", testedBuild(1, ok, "")), "tests:" + webDigest + ":1", "debian-1", "tested again", changed, "BuildDue", "True BuildSucceeded"},
		"other inputs, too":          {observed(newImage(withTest("web")), "B", testedBuild(1, ok, "boots")), "B:1", "", "the inputs differ", "False InputsChanged", "BuildDue", "True BuildSucceeded"},
		"tested again":               {observed(newImage(withTest("web")), "A", testedBuild(1, ok, "boots"), retests(testedBuild(2, ok, "web"), "debian-1")), "", "", "debian-2", same, "", "True BuildSucceeded"},
		"are being tested":           {observed(newImage(withTest("web")), "A", testedBuild(1, ok, "boots"), retests(testedBuild(2, v1alpha1.BuildTesting, "web"), "debian-1")), "", "", "debian-2", changed, "BuildActive", "True BuildSucceeded"},
		"failed again":               {observed(newImage(withTest("web")), "A", testedBuild(1, ok, "boots"), retests(testedBuild(2, failed, "web"), "debian-1")), "", "", "debian-2", changed, "TestsFailed", "False BuildFailed"},
		"the test is corrected":      {observed(newImage(withTest("web")), "A", testedBuild(1, failed, "boots")), "tests:" + webDigest + ":1", "debian-1", "tested again", "False NeverBuilt", "BuildDue", "False BuildFailed"},
		"corrected twice":            {observed(newImage(withTest("web")), "A", testedBuild(1, failed, "a"), retests(testedBuild(2, failed, "b"), "debian-1")), "tests:" + webDigest + ":2", "debian-2", "those of build debian-2: the artifacts of build debian-2", "False NeverBuilt", "BuildDue", "False BuildFailed"},
		"the last has no artifact":   {observed(newImage(withTest("web")), "A", testedBuild(1, ok, "boots"), without(testedBuild(2, failed, "boots"))), "tests:" + webDigest + ":2", "debian-1", "those of build debian-2: the artifacts of build debian-1", changed, "BuildDue", "False BuildFailed"},
		"none has an artifact":       {observed(newImage(withTest("web")), "A", without(testedBuild(1, failed, "boots"))), "", "", "no build of these inputs has artifacts that could be tested", "False NeverBuilt", "TestsFailed", "False BuildFailed"},
		"artifacts of other inputs":  {observed(newImage(withTest("web")), "A", withArtifact(newBuild(1, ok, "B")), without(testedBuild(2, failed, "boots"))), "", "", "no build of these inputs has artifacts", "False InputsChanged", "TestsFailed", "False BuildFailed"},
		"a one-off build has them":   {observed(newImage(withTest("web")), "A", without(testedBuild(1, failed, "boots")), oneOff), "", "", "no build of these inputs has artifacts", "False NeverBuilt", "TestsFailed", "False BuildFailed"},
		"the build was deleted":      {observed(newImage(withTest("boots"), deleted, withTest("web")), "A"), "", "", "no build of these inputs has artifacts", changed, "TestsChanged", "True BuildSucceeded"},
		"the artifacts are lost":     {lost(observed(newImage(withTest("web")), "A", testedBuild(1, ok, "boots"))), "", "", "is lost", changed, "ArtifactMissing", "False ArtifactMissing"},
		"a build is unfinished":      {observed(newImage(withTest("web")), "A", testedBuild(1, ok, "boots"), testedBuild(2, run, "boots")), "", "", "wait until build debian-2 has finished", changed, "BuildActive", "True BuildSucceeded"},
		"the test was cancelled":     {observed(newImage(withTest("web")), "A", testedBuild(1, ok, "boots"), retests(testedBuild(2, cancelled, "web"), "debian-1")), "", "", "debian-2", changed, "BuildCancelled", "True BuildSucceeded"},
		"no tests any more":          {observed(newImage(), "A", testedBuild(1, ok, "boots")), "", "", "debian-1", same, "", "True BuildSucceeded"},
		"no tests after a failure":   {observed(newImage(), "A", testedBuild(1, failed, "boots")), "tests:none:1", "debian-1", "tested again", "False NeverBuilt", "BuildDue", "False BuildFailed"},
		"suspended":                  {observed(newImage(withTest("web"), suspend), "A", testedBuild(1, ok, "boots")), "", "", "the tests differ from those of build debian-1, but spec.suspend is true", changed, "Suspended", "True BuildSucceeded"},
		"onSpecChange off":           {observed(newImage(withTest("web"), noSpec), "A", testedBuild(1, ok, "boots")), "", "", "but triggers.onSpecChange is false", changed, "Suspended", "True BuildSucceeded"},
		"they wait for the schedule": {observed(newImage(withTest("boots"), noSpec, daily, withTest("web")), "A", testedBuild(1, ok, "boots")), "", "", "but triggers.onSpecChange is false", changed, "Scheduled", "True BuildSucceeded"},
		"the schedule tests them":    {later(observed(newImage(withTest("boots"), noSpec, daily, withTest("web")), "A", testedBuild(1, ok, "boots"))), "tests:" + webDigest + ":1", "debian-1", "tested again", changed, "BuildDue", "True BuildSucceeded"},
		"the schedule has nothing":   {later(observed(newImage(withTest("boots"), noSpec, daily), "A", testedBuild(1, ok, "boots"))), "", "", "the inputs are those", same, "", "True BuildSucceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			decision := Next(c.observed)
			id := ""
			if decision.Request != nil {
				id = decision.Request.RequestID
				if strings.HasPrefix(id, testsPrefix) != (decision.Request.Reason == v1alpha1.TriggerTestsChange) || decision.Request.Message != decision.Message {
					t.Errorf("request %+v", decision.Request)
				}
				if strings.HasPrefix(id, testsPrefix) && (!Reserved(id) || !IsRetest(id) || !Requests(c.observed, id)) {
					t.Errorf("the server would refuse %s", id)
				}
			}
			of := ""
			if decision.Retests != nil {
				of = decision.Retests.Name
				if again := Retested(c.observed); again == nil || again.Name != of {
					t.Errorf("the server would test %+v", again)
				}
			}
			if id != c.id || of != c.of || !strings.Contains(decision.Message, c.message) {
				t.Errorf("request %q of build %q: %s, want %q of %q: %s", id, of, decision.Message, c.id, c.of, c.message)
			}
			progress := ""
			for _, kind := range []string{v1alpha1.ImageReconciling, v1alpha1.ImageStalled} {
				if condition := meta.FindStatusCondition(decision.Status.Conditions, kind); condition.Status == metav1.ConditionTrue {
					progress += condition.Reason
				}
			}
			if progress != c.progress {
				t.Errorf("it progresses or is stalled because of %q, want %q", progress, c.progress)
			}
			for kind, want := range map[string]string{v1alpha1.ImageUpToDate: c.upToDate, v1alpha1.ImageReady: c.ready} {
				condition := meta.FindStatusCondition(decision.Status.Conditions, kind)
				if got := string(condition.Status) + " " + condition.Reason; got != want {
					t.Errorf("%s is %s, want %s", kind, got, want)
				}
			}
		})
	}
}

func TestADeletedBuildIsNotTestedAgain(t *testing.T) {
	o := observed(newImage(withTest("web")), "A", testedBuild(1, v1alpha1.BuildSucceeded, "boots"))
	decision := Next(o)
	o.Image.Status = decision.DeletedStatus([]v1alpha1.BuildRequestRecord{{RequestID: decision.Request.RequestID, Number: 2}})
	if attempted := o.Image.Status.LastAttempted; attempted.Number != 2 || attempted.InputsDigest != "A" || attempted.TestsDigest != inputs.TestsDigest(aTest("web")) {
		t.Errorf("the last attempt is %+v", attempted)
	}
	if again := Next(o); again.Request != nil {
		t.Errorf("it is requested again: %+v", again.Request)
	}
}

func TestOnlyTriggersUseTheirFormsOfRequestIDs(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for id, want := range map[string][2]bool{
		digest + ":1": {true, false}, "schedule:now": {true, false}, "tests:" + digest + ":1": {true, true}, "tests:none:12": {true, true},
		"tests:mine": {}, "tests:" + digest: {}, "tests:none:": {}, "x tests:none:1": {},
	} {
		if got := [2]bool{Reserved(id), IsRetest(id)}; got != want {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
}

func TestABuildThatIsTestedAgainIsKept(t *testing.T) {
	image := newImage(func(i *v1alpha1.Image) { i.Spec.History.Failed = new(int32(0)) })
	builds := []v1alpha1.ImageBuild{testedBuild(1, v1alpha1.BuildFailed, "a"), testedBuild(2, v1alpha1.BuildFailed, "b"), retests(testedBuild(3, v1alpha1.BuildQueued, "c"), "debian-1")}
	builds[2].Spec.Retests.UID = builds[0].UID
	for i, want := range []string{"debian-2", "debian-3 debian-2 debian-1"} {
		if i == 1 {
			builds[2].Status.Phase, builds[2].Status.Finished, builds[2].Status.CompletionTime = v1alpha1.BuildFailed, true, &now
		}
		o := observed(image, "A", builds...)
		keep(o)
		var got []string
		for _, build := range Next(o).Prune {
			got = append(got, build.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("pruned %v, want %s", got, want)
		}
	}
}

func TestABuildThatTestsSupersedesNone(t *testing.T) {
	image := newImage(func(i *v1alpha1.Image) { i.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly })
	makes, test := newBuild(1, v1alpha1.BuildQueued, "A"), retests(newBuild(2, v1alpha1.BuildQueued, "A"), "debian-0")
	if got := Next(observed(image, "A", makes, test)); len(got.Supersede) > 0 {
		t.Errorf("it supersedes %v", got.Supersede[0].Name)
	}
	newer := newBuild(3, v1alpha1.BuildQueued, "A")
	if got := Next(observed(image, "A", test, newer)); len(got.Supersede) != 1 || got.Supersede[0].Name != "debian-2" || got.SupersededBy != "debian-3" {
		t.Errorf("superseded by %q: %+v", got.SupersededBy, got.Supersede)
	}
}
