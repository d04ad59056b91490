// SPDX-License-Identifier: Apache-2.0

package imageplan_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
)

func TestAnImageThatIsNotThereWouldBeCreated(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	plan := s.planned(t, spec())
	g.Expect(plan.Name).To(Equal(imageName))
	g.Expect(plan.Spec.RunPolicy).To(Equal(v1alpha1.RunPolicySerial), "the defaults are shown")
	g.Expect(plan.Status.Build).To(BeTrue())
	g.Expect(plan.Status.Reason).To(Equal("Created"))
	g.Expect(plan.Status.BuildName).To(Equal("debian-1"))
	g.Expect(plan.Status.Changes).To(BeEmpty())
	g.Expect(plan.Status.InputsDigest).To(HavePrefix("sha256:"))
	_, err := s.images().Get(t.Context(), imageName, metav1.GetOptions{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "nothing is stored: %v", err)
}

func TestThePlannedJobIsTheOneThatIsRun(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	s.create(t, imageName, spec())
	build, err := s.images().Instantiate(t.Context(), imageName, &v1alpha1.BuildRequest{}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	s.stored(t, "another-2") // not of this Image
	s.stored(t, "debian-2")  // takes a name

	job := jobOf(t, s.plan(t))
	g.Expect(s.plan(t).Status.BuildName).To(Equal("debian-3"))
	like := build.DeepCopy()
	like.Name, like.UID = "debian-3", ""
	like.Status.Resolved, _ = inputs.Resolve(like.Spec.Inputs, inputs.Found{})
	expected, err := render.Job(like, 1, registered["mock"])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(job).To(Equal(expected))
	g.Expect(s.plan(t).Status.Message).NotTo(ContainSubstring("adds containers"))
}

func TestAPlanTellsThatTheJobLacksThePublisher(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	published := spec()
	published.Output = &v1alpha1.Output{Repository: "registry.example.com/debian"}
	s.create(t, imageName, published)
	plan := s.plan(t)
	g.Expect(plan.Status.Message).To(HaveSuffix("; the controller adds containers to this Job that fetch the base or publish, because only the controller knows their image"))
	g.Expect(jobOf(t, plan).Spec.Template.Spec.Containers).To(HaveLen(1))
}

func TestAPlanTellsOfWhatHasChanged(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	first := spec()
	first.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "minimal"}}
	s.create(t, imageName, first)
	s.attempt(t, imageName)

	as := s.plan(t)
	g.Expect(as.Status.Build).To(BeFalse())
	g.Expect(as.Status.Reason).To(Equal(v1alpha1.ReasonInputsUnchanged))
	g.Expect(as.Status.BuildName).To(Equal("debian-2"))
	g.Expect(as.Status.Job).NotTo(BeNil(), "somebody may ask for a build")

	next := *first.DeepCopy()
	next.Parameters[0].Value = "full"
	would := s.planned(t, next)
	g.Expect(would.Status.Build).To(BeTrue())
	g.Expect(would.Status.Reason).To(Equal("SpecChange"))
	g.Expect(would.Status.Changes).To(Equal([]v1alpha1.InputChange{{Path: "parameters[edition]", From: "minimal", To: "full"}}))
	g.Expect(would.Status.InputsDigest).NotTo(Equal(as.Status.InputsDigest))

	next.Suspend = new(true)
	suspended := s.planned(t, next)
	g.Expect(suspended.Status.Build).To(BeFalse())
	g.Expect(suspended.Status.Reason).To(Equal(v1alpha1.ReasonSuspended))
	g.Expect(suspended.Status.Changes).To(HaveLen(1))

	g.Expect(s.plan(t).Status).To(Equal(as.Status), "planning has changed nothing")
}

func TestAPlanShowsWhenTheScheduleStartsTheNextBuild(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	given := spec()
	given.Triggers = &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "30 4 * * *"}}
	g.Expect(s.planned(t, given).Status.NextScheduleTime.UTC()).To(Equal(time.Date(2030, 1, 3, 4, 30, 0, 0, time.UTC)))
}

func TestAPlanSaysWhyInputsDoNotResolve(t *testing.T) {
	t.Parallel()
	s := newSpace(t, admin)
	for reason, change := range map[string]func(*v1alpha1.ImageSpec){
		"BuilderNotFound":   func(spec *v1alpha1.ImageSpec) { spec.Builder.Name = "unknown" },
		"BuilderNotAllowed": func(spec *v1alpha1.ImageSpec) { spec.Builder = v1alpha1.BuilderReference{Image: "example.com/builder"} },
		"SourceNotFound": func(spec *v1alpha1.ImageSpec) {
			spec.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "nothing"}}
		},
		"BaseNotFound": func(spec *v1alpha1.ImageSpec) {
			spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "nothing"}}
		},
	} {
		given := spec()
		change(&given)
		plan := s.planned(t, given)
		NewWithT(t).Expect(plan.Status).To(And(
			HaveField("Build", false), HaveField("Reason", reason), HaveField("Message", Not(BeEmpty())),
			HaveField("InputsDigest", ""), HaveField("Job", BeNil()), HaveField("BuildName", "debian-1"),
		))
	}
}

func TestAPlanResolvesConfigMapsAndBases(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	s.create(t, "base", spec())
	s.succeed(t, "base")
	s.configMap(t, "files", map[string]string{"setup.sh": "true\n"})
	given := spec()
	given.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "base"}}
	given.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
	plan := s.planned(t, given)
	g.Expect(plan.Status.Build).To(BeTrue())
	g.Expect(plan.Status.BaseDigest).To(Equal(madeDigest))
	input := jobOf(t, plan).Spec.Template.Annotations[v1alpha1.AnnotationInput]
	g.Expect(input).To(And(ContainSubstring(`"setup.sh":"true\n"`), ContainSubstring(madeDigest)))
}

func TestAPlanTellsOfLostArtifacts(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	s.create(t, imageName, spec())
	lost := v1alpha1.Artifact{
		Target: "linux/amd64/raw", Digest: madeDigest, MediaType: "application/octet-stream", SizeBytes: 1, Verified: v1alpha1.ArtifactVerifiedContent,
	}
	s.succeedWith(t, imageName, lost)
	const message = "artifact linux/amd64/raw of build debian-1 is lost: build "
	g.Expect(s.plannedAs(t, "second", basedOn(imageName)).Status).To(And(
		HaveField("Build", false), HaveField("Reason", "BaseNotFound"), HaveField("Message", ContainSubstring(message)),
		HaveField("BaseDigest", ""), HaveField("Job", BeNil()),
	))
	g.Expect(s.plan(t).Status).To(And(HaveField("Reason", v1alpha1.ReasonInputsUnchanged), HaveField("Message", ContainSubstring(message))))

	lost.Location = "registry.example.com/debian@sha256:" + strings.Repeat("a", 64)
	s.succeedWith(t, imageName, lost)
	g.Expect(s.plannedAs(t, "second", basedOn(imageName)).Status.BaseDigest).To(Equal(madeDigest), "a registry has it")
	g.Expect(s.plan(t).Status.Message).NotTo(ContainSubstring("lost"))
}

func TestWhoMayNotReadAConfigMapDoesNotReadItInAPlan(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, viewer)
	s.configMap(t, "files", map[string]string{"setup.sh": "secret"})
	given := spec()
	given.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
	plan := s.planned(t, given)
	g.Expect(plan.Status.Build).To(BeFalse())
	g.Expect(plan.Status.Reason).To(Equal("Forbidden"))
	g.Expect(plan.Status.Message).To(ContainSubstring(`user "viewer" may not get configmaps "files" in namespace "` + s.namespace + `"`))
	g.Expect(plan.Status.InputsDigest).To(BeEmpty())
	g.Expect(json.Marshal(plan)).NotTo(ContainSubstring("secret"))
	g.Expect(plan.Status.Job).To(BeNil())

	given.Source.ConfigMapRef.Name = "nothing"
	g.Expect(s.planned(t, given).Status.Reason).To(Equal("Forbidden"), "nor do they learn whether there is one")
	g.Expect(s.planned(t, spec()).Status.Build).To(BeTrue(), "without one they may plan")
}

func TestWhatIsNoImageIsNoPlan(t *testing.T) {
	t.Parallel()
	s := newSpace(t, admin)
	based := func(on string) v1alpha1.ImageSpec {
		given := spec()
		given.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: on}}
		return given
	}
	s.create(t, "a", based("b"))
	s.create(t, "b", based("c"))
	bad := spec()
	bad.Targets[0].Format = "tape"
	bad.Triggers = &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "never"}}
	for _, test := range []struct {
		name, message string
		spec          v1alpha1.ImageSpec
	}{
		{"", "metadata.name: Required value", spec()},
		{"Debian", "metadata.name: Invalid value", spec()},
		{imageName, "spec.targets[0].format", bad},
		{imageName, "spec.triggers.schedule.cron", bad},
		{"a", "spec.targets[0].format", bad},
		{"c", "c → a → b → c", based("a")},
	} {
		_, err := s.client.ImagesV1alpha1().ImagePlans(s.namespace).Create(t.Context(), asked(test.name, test.spec), metav1.CreateOptions{})
		g := NewWithT(t)
		g.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		g.Expect(err).To(MatchError(ContainSubstring(test.message)))
	}
}

func TestAnImageThatIsNotThereHasNoPlanOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newSpace(t, admin)
	_, err := s.images().GetPlan(t.Context(), imageName, metav1.GetOptions{})
	NewWithT(t).Expect(err).To(MatchError(`images.images.goldsmith.dev "debian" not found`))
}

func TestAnImageThatIsBeingDeletedGetsNoMoreBuilds(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	image := s.create(t, imageName, spec())
	image.Finalizers = []string{"example.com/wait"}
	_, err := s.images().Update(t.Context(), image, metav1.UpdateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.images().Delete(t.Context(), imageName, metav1.DeleteOptions{})).To(Succeed())
	g.Expect(s.plan(t).Status).To(And(HaveField("Build", false), HaveField("Reason", "Deleting"), HaveField("Job", BeNil())))
}

func TestMetadataThatAnImageCannotHaveIsNoPlan(t *testing.T) {
	t.Parallel()
	s := newSpace(t, admin)
	s.create(t, "stored", spec())
	for _, name := range []string{"stored", "new"} {
		for path, change := range map[string]func(*v1alpha1.ImagePlan){
			"metadata.labels": func(plan *v1alpha1.ImagePlan) { plan.Labels = map[string]string{"owner": "Team Golden Images"} },
			"metadata.labels[images.goldsmith.dev/legal-hold]": func(plan *v1alpha1.ImagePlan) { plan.Labels = map[string]string{v1alpha1.LabelLegalHold: "on"} },
			"metadata.annotations":                             func(plan *v1alpha1.ImagePlan) { plan.Annotations = map[string]string{"not a key": ""} },
			"metadata.finalizers":                              func(plan *v1alpha1.ImagePlan) { plan.Finalizers = []string{"not a name"} },
		} {
			g, plan := NewWithT(t), asked(name, spec())
			change(plan)
			_, err := s.client.ImagesV1alpha1().ImagePlans(s.namespace).Create(t.Context(), plan, metav1.CreateOptions{})
			g.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%s of the image %s: %v", path, name, err)
			g.Expect(err).To(MatchError(ContainSubstring(path)))
		}
	}
}

func TestBuildersThatCannotBeReadKeepTheServerFromStarting(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	options, err := apiserver.Register(builder.New("broken"), apiserver.Options{
		Builders: func() (inputs.Builders, error) { return inputs.Builders{}, errors.New("no such directory") },
	}).WithBearerToken("token", admin).WithStorage(builder.Memory()).ToServerOptions()
	g.Expect(err).NotTo(HaveOccurred())
	_, err = options.Start(context.Background())
	g.Expect(err).To(MatchError(ContainSubstring("read the builders: no such directory")))
}

func jobOf(t *testing.T, plan *v1alpha1.ImagePlan) *batchv1.Job {
	t.Helper()
	job := &batchv1.Job{}
	if plan.Status.Job == nil {
		t.Fatalf("there is no Job: %s", plan.Status.Message)
	}
	require.NoError(t, json.Unmarshal(plan.Status.Job.Raw, job))
	if job.Spec.Template.Spec.Containers[0].Name != render.ContainerName || job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Fatalf("it is no Job of ours: %s", plan.Status.Job.Raw)
	}
	return job
}
