// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	namePrefix = "rebuild-"
	// maxPrefix is the maximum length of the prefix of a generated name: a build without an Image has a name of at most 55 characters, of which the
	// server generates five.
	maxPrefix = 55 - 5
	// verdictPatience is how long the result of a rebuild is waited for.
	verdictPatience = 10 * time.Second
	// rebuildMessage tells people why a build exists.
	rebuildMessage = "verify --rebuild"
)

// rebuild is the result of a build that was to make an artifact again.
type rebuild struct {
	// Build is the name of the build.
	Build string `json:"build"`
	// Status is True if the build made the same content, False if it made other content of the same inputs, and else Unknown.
	Status  metav1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason"`
	Message string                 `json:"message"`
	// Remedy is what to do next.
	Remedy string `json:"remedy,omitempty"`
}

// origin is a build whose artifacts are built again.
type origin struct {
	name string
	uid  types.UID
	// rerun is true for a build of an Image that the server knows: a rerun has the inputs that the build resolved.
	rerun bool
	// named is the build of the current namespace that the user named, or nil.
	named *v1alpha1.ImageBuild
	// artifacts are the verified artifacts of the build, each with its provenance.
	artifacts []made
	// baseDigest is the digest of the base that the build has to resolve to. Empty if it is pinned, or no Image.
	baseDigest string
}

// made is a verified artifact.
type made struct {
	*artifact
	// target is its target in the build.
	target string
	// by tells how to make it again. Nil for a rerun.
	by *attestation.Provenance
}

// own reports whether the current namespace has all that a build names: the user named the build, whose author was permitted to use it, and its
// provenance has the same inputs.
func (o *origin) own(by *attestation.Provenance) bool {
	return o.named != nil && o.named.UID == o.uid && o.named.Status.Resolved != nil && o.named.Status.Resolved.InputsDigest == by.Internal.InputsDigest
}

// buildAgain builds the verified artifacts of a report again, and adds the results. The error has the exit code of the verb.
func (o *options) buildAgain(ctx context.Context, found *report) error {
	var origins []origin
	var err error
	if build := found.build; build != nil && build.Spec.ImageRef != nil {
		origins = []origin{ofImage(build, found.Artifacts)}
	} else if origins, err = originsOf(found.Artifacts, build); err != nil {
		return err
	}
	connection := found.connection
	if connection == nil {
		if connection, err = o.connect(); err != nil {
			return fmt.Errorf("--rebuild needs a server that builds: %w", err)
		}
	}
	var outcomes []error
	for i := range origins {
		of := &origins[i]
		of.named = found.build
		started, err := start(ctx, connection, of)
		if err != nil {
			return err
		}
		again, err := o.await(ctx, connection, of, started)
		if err != nil {
			return err
		}
		if !of.rerun {
			_, err = fmt.Fprintf(o.stderr, "build %s is kept until it expires; to delete it: %s kubectl delete imagebuild %[1]s%[3]s\n", again.Name, o.show.Program, o.show.Connection)
		}
		outcomes = append(outcomes, err, follow.Outcome(again))
	}
	return verdict(found.Artifacts, outcomes...)
}

// ofImage returns a build of an Image, with its verified artifacts.
func ofImage(build *v1alpha1.ImageBuild, artifacts []*artifact) origin {
	of := origin{name: build.Name, uid: build.UID, rerun: true}
	for _, one := range artifacts {
		for i := range one.Provenance {
			if one.Provenance[i].Build == of.name && of.uid == "" { // only the status of the Image has the build
				of.uid = types.UID(one.Provenance[i].BuildUID)
			}
		}
		of.artifacts = append(of.artifacts, made{artifact: one, target: one.Target})
	}
	return of
}

// start starts the build that makes the artifacts of another build again.
func start(ctx context.Context, connection *client.Connection, of *origin) (started *v1alpha1.ImageBuild, err error) {
	builds := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace)
	if of.rerun {
		request := &v1alpha1.RerunRequest{ObjectMeta: metav1.ObjectMeta{UID: of.uid}, Reproduce: true, Message: rebuildMessage}
		started, err = builds.Rerun(ctx, of.name, request, metav1.CreateOptions{})
	} else {
		wanted, failure := direct(ctx, connection, of)
		if failure != nil {
			return nil, failure
		}
		started, err = builds.Create(ctx, wanted, metav1.CreateOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("build the artifacts of build %s again: %w", of.name, err)
	}
	return started, nil
}

// originsOf returns the builds that made verified artifacts, in the order of the artifacts. Several builds may have made an artifact: then the
// build that the user named counts, if there is one, or else the first one.
func originsOf(artifacts []*artifact, of *v1alpha1.ImageBuild) (all []origin, err error) {
	for _, one := range artifacts {
		i := -1
		if of != nil {
			i = slices.IndexFunc(one.Provenance, func(p provenance) bool { return p.BuildUID == string(of.UID) })
		}
		if i < 0 {
			i = slices.IndexFunc(one.Provenance, func(p provenance) bool { return p.BuildType == attestation.BuildType })
		}
		switch {
		case len(one.Provenance) == 0 && one.Members > 0: // its members, which follow, tell how
			continue
		case len(one.Provenance) == 0:
			return nil, fmt.Errorf("%s cannot be built again: no signed provenance was found that tells how", one.Name)
		case i < 0:
			return nil, fmt.Errorf("%s cannot be built again: another system built it, buildType %s", one.Name, one.Provenance[0].BuildType)
		}
		by := one.Provenance[i].made
		at := slices.IndexFunc(all, func(other origin) bool { return other.uid == types.UID(by.InvocationID) })
		if at < 0 {
			at = len(all)
			all = append(all, origin{name: by.Internal.Build, uid: types.UID(by.InvocationID)})
		}
		all[at].artifacts = append(all[at].artifacts, made{one, by.External.Target, by})
	}
	return all, nil
}

// direct returns a build without an Image, which makes the artifacts of another build again from their provenance alone.
func direct(ctx context.Context, connection *client.Connection, of *origin) (*v1alpha1.ImageBuild, error) {
	first := of.artifacts[0].by
	declared, err := first.Inputs()
	if err != nil {
		return nil, fmt.Errorf("read how build %s made its artifacts: %w", of.name, err)
	}
	declared.Output = nil
	if !of.own(first) {
		if declared.Template != nil {
			declared.Template.QueueName = "" // where a build waits is no input, and up to each namespace
		}
		if lent := lentBy(&declared); lent != nil {
			return nil, fmt.Errorf("build %s used %s %s of its namespace as %s, and a builder or a server that the provenance names would get that of namespace %s: "+
				"verify build %[1]s by its name, where the server has it", of.name, lent.Kind, lent.Name, lent.Field, connection.Namespace)
		}
	}
	if of.baseDigest = first.External.BaseDigest; declared.Base.ImageRef != nil {
		if err := checkBase(ctx, connection, of, declared); err != nil {
			return nil, err
		}
	}
	wanted := &v1alpha1.Reproduction{Name: of.name, UID: of.uid, BuilderImage: first.BuilderImage}
	for _, one := range of.artifacts {
		if !slices.ContainsFunc(wanted.Artifacts, func(a v1alpha1.ReproducedArtifact) bool { return a.Target == one.target }) {
			wanted.Artifacts = append(wanted.Artifacts, v1alpha1.ReproducedArtifact{Target: one.target, Digest: one.by.Digest, Lock: one.by.Lock})
		}
	}
	prefix := namePrefix + of.name
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{GenerateName: strings.TrimRight(prefix[:min(len(prefix), maxPrefix-1)], "-") + "-"},
		Spec:       v1alpha1.ImageBuildSpec{Inputs: declared, Timeouts: first.External.Timeouts, Retry: first.External.Retry, Reproduces: wanted},
	}, nil
}

// lentBy returns an object that a namespace lends to a build, such as a Secret, of which a provenance has only the name, or nil. In another namespace,
// another object has this name.
func lentBy(declared *v1alpha1.BuildInputs) *inputs.Reference {
	all := inputs.References(declared, nil)
	i := slices.IndexFunc(all, func(one inputs.Reference) bool { return one.Kind != inputs.KindImage }) // checkBase compares the content of the base
	if i < 0 {
		return nil
	}
	return &all[i]
}

// checkBase fails unless the Image that a build is based on exists, and has the content that the build was based on.
func checkBase(ctx context.Context, connection *client.Connection, of *origin, declared v1alpha1.BuildInputs) error {
	ref := declared.Base.ImageRef
	image, err := connection.ImagesV1alpha1().Images(connection.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	problem := ""
	switch {
	case client.IsNotFound(err, "images", ref.Name):
		problem = fmt.Sprintf("which namespace %s does not have", connection.Namespace)
	case err != nil:
		return fmt.Errorf("look for the base of build %s: %w", of.name, err)
	default:
		resolved, failure := inputs.Resolve(declared, inputs.Found{Base: image})
		switch {
		case failure != nil:
			return fmt.Errorf("build %s was based on image %s: %s", of.name, ref.Name, failure.Message)
		case resolved.BaseDigest == of.baseDigest:
			return nil
		}
		problem = fmt.Sprintf("whose build %s now has %s", resolved.Base.Name, contents.Abbreviate(resolved.BaseDigest))
	}
	first := "first build image " + ref.Name + " so that it has this content, as the provenance of the base tells"
	if ref.Channel != "" {
		first += ", and promote that build to channel " + ref.Channel
	}
	return fmt.Errorf("build %s was based on %s of build %s of image %s, %s: %s; or verify build %[1]s by its name, where the server has it",
		of.name, contents.Abbreviate(of.baseDigest), of.artifacts[0].by.BaseBuild, ref.Name, problem, first)
}

// await waits for a build, and adds its results to the artifacts that it was to make again.
func (o *options) await(ctx context.Context, connection *client.Connection, of *origin, started *v1alpha1.ImageBuild) (*v1alpha1.ImageBuild, error) {
	if started.Spec.Reproduces == nil {
		return nil, fmt.Errorf("the server has started build %s, but cannot tell whether it reproduces build %s: update the server", started.Name, of.name)
	}
	if _, err := fmt.Fprintf(o.stderr, "build %s is verified, and build %s makes its artifacts again\n", of.name, started.Name); err != nil {
		return nil, err
	}
	show := o.show
	show.WithoutLog = true
	again, err := follow.Build(ctx, connection, started.Name, show)
	if err != nil {
		return nil, err
	}
	if resolved := again.Status.Resolved; of.baseDigest != "" && resolved != nil && resolved.BaseDigest != of.baseDigest {
		return nil, fmt.Errorf("the base of build %s changed before build %s started: verify again", of.name, again.Name)
	}
	for i := range of.artifacts {
		one := &of.artifacts[i]
		if one.Rebuild, err = o.resultOf(ctx, connection, of, one, again); err != nil {
			return nil, err
		}
	}
	if of.rerun {
		return again, o.awaitVerdict(ctx, connection, of, again)
	}
	return again, nil
}

// awaitVerdict waits until the condition of the earlier build has the result, so that the next command finds it. It does not wait for long, because a
// controller of an earlier version stores no result.
func (o *options) awaitVerdict(ctx context.Context, connection *client.Connection, of *origin, again *v1alpha1.ImageBuild) error {
	earlier, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Get(ctx, of.name, metav1.GetOptions{})
	if err != nil || earlier.UID != of.uid { // it was deleted
		return ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, verdictPatience)
	defer cancel()
	_, err = connection.WaitForBuild(limited, fields.OneTermEqualSelector("metadata.name", of.name), func(earlier *v1alpha1.ImageBuild) bool {
		return earlier.UID != of.uid || attestation.Verdict(again, earlier, o.clock.Now()) == nil
	})
	if limited.Err() != nil || errors.Is(err, client.ErrBuildDeleted) {
		return ctx.Err()
	}
	return err
}

// resultOf returns whether a finished build made one of its artifacts again.
func (o *options) resultOf(ctx context.Context, connection *client.Connection, of *origin, one *made, again *v1alpha1.ImageBuild) (*rebuild, error) {
	target := one.target
	alone := again.DeepCopy()
	alone.Spec.Reproduces.Artifacts = slices.DeleteFunc(alone.Spec.Reproduces.Artifacts, func(a v1alpha1.ReproducedArtifact) bool { return a.Target != target })
	if len(alone.Spec.Reproduces.Artifacts) == 0 {
		return nil, fmt.Errorf("build %s was not asked to make the artifact for target %s again", again.Name, target)
	}
	condition := attestation.Reproduced(alone, o.clock.Now())
	result := &rebuild{Build: again.Name, Status: condition.Status, Reason: condition.Reason, Message: condition.Message}
	verb := func(words string) string { return "`" + o.show.Program + " " + words + o.show.Connection + "`" }
	switch condition.Reason {
	case v1alpha1.ReasonSameContent:
		return result, nil
	case v1alpha1.ReasonRebuildFailed:
		result.Remedy = "see why: " + verb("show "+again.Name)
		return result, nil
	case v1alpha1.ReasonBuilderDiffers:
		result.Remedy = "verify again on a server with the earlier builder; "
	case v1alpha1.ReasonPackagesDiffer:
		result.Remedy = "for later builds, pin the packages, for example with a snapshot of the archive; "
	}
	earlier, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Get(ctx, of.name, metav1.GetOptions{})
	switch {
	case err == nil && earlier.UID == of.uid:
		result.Remedy += "see what differs: " + verb("diff "+of.name+" "+again.Name)
	case of.rerun: // the server has a record of the earlier build
		result.Remedy += "see what differs: " + verb(fmt.Sprintf("diff %s %s --uid %s", of.name, again.Name, of.uid))
	default:
		result.Remedy += "compare the files: " + verb("artifacts get "+again.Name+" --target "+target)
	}
	return result, nil
}

// verdict returns the error of the verb about artifacts that were built again. The outcomes are errors of the builds.
func verdict(artifacts []*artifact, outcomes ...error) error {
	differ, unknown := named(artifacts, metav1.ConditionFalse), named(artifacts, metav1.ConditionUnknown)
	if differ != "" {
		return &exit.Error{Code: exit.NotVerified, Err: fmt.Errorf("%s was not reproduced: the same inputs made other content", differ)}
	}
	if err := errors.Join(outcomes...); err != nil || unknown == "" {
		return err
	}
	return fmt.Errorf("nobody can tell whether %s can be reproduced", unknown)
}

// named returns the names of the artifacts with a result.
func named(artifacts []*artifact, status metav1.ConditionStatus) string {
	var names []string
	for _, one := range artifacts {
		if one.Rebuild != nil && one.Rebuild.Status == status {
			names = append(names, one.Name)
		}
	}
	return strings.Join(slices.Compact(names), ", ")
}
