// SPDX-License-Identifier: Apache-2.0

package show

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/status"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	// tailLines is the maximum number of log lines.
	tailLines = 5
	// tailBytes limits the total size of these lines.
	tailBytes = 4 << 10
	// maxChanges is the maximum number of changed inputs.
	maxChanges = 5
)

// page is the text about a build.
type page struct {
	build *v1alpha1.ImageBuild
	asked *options

	// before is the newest earlier build of the Image, and difference what differs from it. They are nil if they are not known.
	before     *v1alpha1.ImageBuild
	difference *v1alpha1.ImageBuildDiff
	packages   []string                 // numbers of packages
	known      *trigger.Vulnerabilities // of the build; nil if the server knows none

	previous string   // name of the earlier build to compare with; empty if there is none
	changes  []string // inputs that differ from those of the earlier build
	failed   int32    // attempt whose log is shown; 0 if no attempt failed
	log      []string
	reason   string   // reason of the failure that tells most
	channels []string // of the Image, or only those that name the build
	fix      string   // the last fix of the Image, or the build as a fix; empty if there is none
	base     string   // revoked build that the build is based on; empty if there is none
	based    []string // builds that are based on the build, if it is revoked
	held     string   // what holds the Image back, if the build is its latest
	better   string   // latest successful build of the Image, if it is neither this build nor revoked
	lost     string   // which artifact of the build the server has lost; empty if none is known to be
}

// compare finds the inputs that changed since the previous build. Without a previous build, compare uses the inputs that the trigger
// names. An error becomes a line of the page, because the rest of the page does not need the comparison.
func (p *page) compare(ctx context.Context, connection *client.Connection) {
	changed, err := p.changedInputs(ctx, connection)
	if err != nil {
		p.changes = []string{"unknown: " + err.Error()}
		return
	}
	p.changes = output.Changes(changed[:min(len(changed), maxChanges)])
	if more := len(changed) - maxChanges; more > 0 {
		p.changes = append(p.changes, fmt.Sprintf("and %d more", more))
	}
}

func (p *page) changedInputs(ctx context.Context, connection *client.Connection) ([]v1alpha1.InputChange, error) {
	spec := &p.build.Spec
	if spec.ImageRef == nil || spec.Number == nil {
		return nil, nil
	}
	before, err := connection.NewestBuild(ctx, p.build.Namespace, spec.ImageRef.UID, *spec.Number)
	switch {
	case err != nil:
		return nil, err
	case before == nil && spec.Trigger == nil:
		return nil, nil
	case before == nil:
		return spec.Trigger.Changes, nil
	}
	p.before = before
	if p.difference, err = p.readDiff(ctx, connection, before); err != nil {
		return nil, fmt.Errorf("compare it with %s: %w", before.Name, err)
	}
	p.previous = before.Name
	return p.difference.Inputs, nil
}

func (p *page) readDiff(ctx context.Context, connection *client.Connection, with *v1alpha1.ImageBuild) (*v1alpha1.ImageBuildDiff, error) {
	return connection.ReadDiff(ctx, p.build.Name, map[string]string{"with": with.Name, "withUID": string(with.UID), "uid": string(p.build.UID)})
}

// readLog reads the end of the last failed attempt's log: from the status, or else from the log itself. For a missing log, the page has
// a line.
func (p *page) readLog(ctx context.Context, connection *client.Connection) {
	attempts := p.build.Status.Attempts
	for i := range slices.Backward(attempts) {
		attempt := &attempts[i]
		if attempt.Failure == nil {
			continue
		}
		p.failed = attempt.Number
		tail := p.build.Status.AttemptFailure(attempt).LogTail
		switch {
		case tail != "":
		case attempt.PodUID == "":
			tail = "no log: the builder has not started"
		default:
			tail = readTail(ctx, connection, p.build, attempt.Number)
		}
		p.log = strings.Split(strings.TrimSpace(tail), "\n")
		p.log = p.log[max(0, len(p.log)-tailLines):]
		return
	}
}

// readImage finds out from the Image whether an artifact of its latest successful build is lost, and what its channels name. Without the
// Image neither is known.
func (p *page) readImage(ctx context.Context, connection *client.Connection) {
	ref := p.build.Spec.ImageRef
	if ref == nil {
		return
	}
	image, err := connection.ImagesV1alpha1().Images(p.build.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil || image.UID != ref.UID {
		return
	}
	p.channels, p.fix = p.channelsOf(image), p.fixOf(image)
	if latest := image.Status.LatestBuild; latest != nil && latest.Name == p.build.Name {
		p.held = status.HeldBack(image, p.asked.clock.Now())
	}
	if latest := image.Status.LatestSuccessful; latest != nil && latest.Name != p.build.Name && !latest.Revoked.InEffect(p.asked.clock.Now()) {
		p.better = latest.Name
	}
	if image.Status.LatestSuccessful == nil || image.Status.LatestSuccessful.Name != p.build.Name {
		return
	}
	if ready := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageReady); ready != nil && ready.Reason == v1alpha1.ReasonArtifactMissing {
		p.lost = ready.Message
	}
}

// readTail returns the last lines of an attempt's log, or a line about a missing log.
func readTail(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, attempt int32) string {
	options := &v1alpha1.ImageBuildLogOptions{Attempt: &attempt, TailLines: new(int64(tailLines)), LimitBytes: new(int64(tailBytes))}
	stream, err := connection.ImagesV1alpha1().RESTClient().Get().
		Namespace(build.Namespace).Resource("imagebuilds").Name(build.Name).SubResource("log").
		VersionedParams(options, scheme.ParameterCodec).MaxRetries(0).Stream(ctx)
	if err != nil {
		return "no log: " + err.Error()
	}
	tail, err := io.ReadAll(stream)
	if err = errors.Join(err, stream.Close()); err != nil {
		return "no log: " + err.Error()
	}
	return cmp.Or(string(tail), "the attempt has written no log")
}

// write writes the page: a headline, and below it aligned details.
func (p *page) write(out io.Writer) error {
	headline, artifacts := p.headline()
	if _, err := fmt.Fprintln(out, headline); err != nil {
		return err
	}
	lines := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	if p.build.Spec.ImageRef != nil {
		output.Labelled(lines, "image", p.build.Spec.ImageRef.Name)
	}
	output.Labelled(lines, "held back", p.held)
	output.Labelled(lines, "why", p.cause())
	output.Labelled(lines, "base", p.usedBase())
	output.Labelled(lines, "updates", p.updates()...)
	if of := p.build.Spec.Reproduces; of != nil {
		output.Labelled(lines, "reproduces", "build "+of.Name)
	}
	output.Labelled(lines, "requested", p.request())
	output.Labelled(lines, "waits for", p.obstacle())
	output.Labelled(lines, "progress", p.progress())
	output.Labelled(lines, "now", p.present())
	switch {
	case len(p.changes) > 0:
		output.Labelled(lines, "changed", p.changes...)
		output.Labelled(lines, "since", p.previous)
	case p.previous != "":
		output.Labelled(lines, "changed", "nothing: the inputs are those of "+p.previous)
	}
	if failed := p.failedAttempt(); failed != nil && (!p.build.Status.Finished || len(p.build.Status.Attempts) > 1) {
		label := fmt.Sprintf("attempt %d", failed.Number)
		if failed.IsTest() {
			label = "failed test"
		}
		output.Labelled(lines, label, follow.Failure(failed.Failure))
	}
	output.Labelled(lines, "tests", p.tests()...)
	output.Labelled(lines, "log", p.log...)
	output.Labelled(lines, "artifacts", artifacts...)
	output.Labelled(lines, "packages", p.packages...)
	output.Labelled(lines, "vulnerable", p.vulnerabilities())
	output.Labelled(lines, "location", p.locations()...)
	output.Labelled(lines, "reproduced", p.reproduced())
	output.Labelled(lines, "channels", p.channels...)
	output.Labelled(lines, "fix", p.fix)
	output.Labelled(lines, "revoked", p.revoked())
	output.Labelled(lines, "based on it", p.based...)
	output.Labelled(lines, "on a base", p.base)
	output.Labelled(lines, "lost", p.lost)
	output.Labelled(lines, "warning", p.warning())
	output.Labelled(lines, "next", p.next())
	return lines.Flush()
}

// headline returns how the build ended, with its artifacts, or the current state of an unfinished build.
func (p *page) headline() (line string, artifacts []string) {
	status, style := &p.build.Status, p.asked.style
	if status.Finished {
		line = follow.Headline(style, p.build)
		if status.Phase == v1alpha1.BuildSucceeded && v1alpha1.Revoked(p.build, p.asked.clock.Now()) {
			line = fmt.Sprintf("%s build %s succeeded, and is revoked", style.Bad(output.Failure), p.build.Name)
		}
		return line, follow.Artifacts(p.build, func(digest string) string { return digest })
	}
	line = fmt.Sprintf("%s build %s is %s", style.Faint(output.Step), p.build.Name, cmp.Or(status.Phase, v1alpha1.BuildPending))
	if made := status.AttemptsToMake(); made > 1 {
		line += fmt.Sprintf(", attempt %d", made)
	}
	if status.StartTime != nil {
		line += fmt.Sprintf(", started %s ago", p.ago(*status.StartTime))
	}
	return line, nil
}

// usedBase names the build that the build is based on, and the channel that led to it.
func (p *page) usedBase() string {
	base := inputs.BaseOfBuild(p.build)
	if base == nil {
		return ""
	}
	if ref := p.build.Spec.Inputs.Base.ImageRef; ref != nil && ref.Channel != "" {
		return fmt.Sprintf("%s, from channel %s", base.Name, ref.Channel)
	}
	return base.Name
}

// locations returns where each artifact is that is not on the server, with its tag.
func (p *page) locations() (places []string) {
	for _, artifact := range p.build.Status.Artifacts {
		if artifact.Location == "" || strings.HasPrefix(artifact.Location, "/") {
			continue
		}
		place := artifact.Target + " " + artifact.Location
		if artifact.Tag != "" {
			place += ", tag " + artifact.Tag
		}
		places = append(places, place)
	}
	return places
}

func (p *page) ago(time metav1.Time) string {
	return duration.HumanDuration(p.asked.clock.Now().Sub(time.Time))
}

// cause returns what started the build.
func (p *page) cause() string {
	trigger := p.build.Spec.Trigger
	if trigger == nil {
		return ""
	}
	text := string(trigger.Reason)
	if trigger.RerunOf != "" {
		text += " of " + trigger.RerunOf
	}
	if trigger.Message != "" {
		text += ": " + trigger.Message
	}
	return text
}

// updates returns the newer versions of packages that the build was started for.
func (p *page) updates() []string {
	trigger := p.build.Spec.Trigger
	if trigger == nil || trigger.Packages == nil {
		return nil
	}
	return output.Updates(trigger.Packages.Updates, trigger.Packages.UpdateCount)
}

// request returns the user who requested the build, and when.
func (p *page) request() string {
	text := p.ago(p.build.CreationTimestamp) + " ago"
	if trigger := p.build.Spec.Trigger; trigger != nil && trigger.RequestedBy != "" {
		text += " by " + trigger.RequestedBy
	}
	return text
}

func (p *page) obstacle() string {
	condition := p.build.Status.Delay()
	if condition == nil {
		return ""
	}
	text := condition.Reason
	if condition.Message != "" {
		text += ": " + condition.Message
	}
	return text
}

// present returns what happens after the end of the builder of an unfinished build, such as that its artifacts are being published.
func (p *page) present() string {
	ready := meta.FindStatusCondition(p.build.Status.Conditions, v1alpha1.BuildPodReady)
	if ready == nil || ready.Status != metav1.ConditionTrue || p.build.Status.Finished || p.build.Status.Delay() != nil {
		return ""
	}
	return ready.Message
}

// reproduced returns whether another build made the same artifacts.
func (p *page) reproduced() string {
	condition := meta.FindStatusCondition(p.build.Status.Conditions, v1alpha1.BuildReproduced)
	if condition == nil {
		return ""
	}
	return output.Answer(condition.Status, condition.Message)
}

// warning returns the warning about a success.
func (p *page) warning() string {
	if succeeded := meta.FindStatusCondition(p.build.Status.Conditions, v1alpha1.BuildConditionSucceeded); succeeded != nil && succeeded.Status == metav1.ConditionTrue {
		return succeeded.Message
	}
	return ""
}

// progress returns the last report of an unfinished build's builder.
func (p *page) progress() string {
	progress := p.build.Status.Progress
	if progress == nil || p.build.Status.Finished {
		return ""
	}
	var parts []string
	if progress.Percent != nil {
		parts = append(parts, fmt.Sprintf("%d%%", *progress.Percent))
	}
	for _, text := range []string{progress.Stage, progress.Message} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "  ")
}

// failedAttempt returns the attempt whose log is shown, or nil if no attempt failed.
func (p *page) failedAttempt() *v1alpha1.BuildAttempt {
	for i := range p.build.Status.Attempts {
		if attempt := &p.build.Status.Attempts[i]; attempt.Number == p.failed {
			return attempt
		}
	}
	return nil
}

// next returns the most helpful next command.
func (p *page) next() string {
	status, name := &p.build.Status, p.build.Name
	verb := func(words string) string { return p.asked.program + " " + words + p.asked.connection }
	switch status.Phase {
	case v1alpha1.BuildSucceeded:
		switch {
		case v1alpha1.Revoked(p.build, p.asked.clock.Now()) && p.better != "":
			return verb("show " + p.better)
		case v1alpha1.Revoked(p.build, p.asked.clock.Now()) && p.build.Spec.ImageRef != nil:
			return "correct the image; then " + verb("build "+p.build.Spec.ImageRef.Name)
		case v1alpha1.Revoked(p.build, p.asked.clock.Now()):
			return verb("logs " + name)
		case p.base != "":
			return verb("status")
		case p.build.Spec.ImageRef == nil:
			return verb("logs " + name)
		case p.lost != "":
			return p.asked.program + " explain " + v1alpha1.ReasonArtifactMissing + "; then " + verb("build "+p.build.Spec.ImageRef.Name)
		}
		promote := verb("promote " + name + " CHANNEL")
		if boots(p.build) {
			return verb("boot "+name) + ", or " + promote
		}
		return promote
	case v1alpha1.BuildCancelled:
		if request := p.build.Spec.CancelRequested; request != nil && request.SupersededBy != "" {
			return verb("show " + request.SupersededBy)
		}
		return verb("rerun " + name)
	case v1alpha1.BuildFailed:
		if status.Failure == nil {
			return verb("logs " + name)
		}
		known := p.asked.program + " explain " + p.reason
		again := verb("rerun " + name) // rerun repeats the settings of the failed build
		if p.build.Spec.ImageRef != nil {
			again = verb("build " + p.build.Spec.ImageRef.Name)
		}
		if failed := follow.FirstFailed(p.build); failed != nil && status.Failure.Class == v1alpha1.FailureTest {
			known = verb("logs " + name + " --test " + failed.Name)
			if boots(p.build) {
				known += ", or " + verb("boot "+name)
			}
			return known + "; then correct the image or the test"
		}
		if status.Failure.Class == v1alpha1.FailureUser {
			known = verb("logs "+name) + ", or " + known
		}
		return known + "; then " + again
	case v1alpha1.BuildQueued:
		return verb("queue")
	}
	if waits := status.Delay(); waits != nil && (status.Phase == v1alpha1.BuildStarting || waits.Reason == v1alpha1.ReasonWaitingForPublisher ||
		waits.Reason == v1alpha1.ReasonWaitingForSigner) {
		return p.asked.program + " explain " + waits.Reason
	}
	return verb("logs " + name + " -f")
}
