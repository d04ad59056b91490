// SPDX-License-Identifier: Apache-2.0

package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// ProbeLimit is how long the check of an archive, or a resolve, may take.
const ProbeLimit = 10 * time.Minute

const (
	// maxJobNameLen is the length of a Job's name, which is a label value of its pods.
	maxJobNameLen = 63
	// maxOwnerNameLen is how much of the name of an Archive or an Image its Jobs have in theirs.
	maxOwnerNameLen = 40
	// fewerPackages is what to do about a question that is too large.
	fewerPackages = "ask for fewer packages"
)

var archiveKind = v1alpha1.Kind("Archive")

// InputProbe is the question which packages have newer versions in an archive.
type InputProbe struct {
	// Archive is the archive that is asked.
	Archive InputArchive `json:"archive"`
	// Conditional is whether the builder may answer that the archive is unchanged since Release. Otherwise a full answer is wanted.
	Conditional bool `json:"conditional,omitempty"`
	// Packages are the versions in question, by architecture and name, as locks have them.
	Packages map[string]map[string][]string `json:"packages"`
	// Release is the state of the archive in the last answer. The builder refuses an older archive. Nil the first time.
	Release *v1alpha1.ArchiveRelease `json:"release,omitempty"`
}

// InputArchive identifies an archive.
type InputArchive struct {
	// Components are those of the suite that locks name, sorted. Never nil.
	Components []string `json:"components"`
	// Suite is the suite. Empty for an archive without suites.
	Suite string `json:"suite,omitempty"`
	// URI is the address of the archive.
	URI string `json:"uri"`
}

// ProbeJobName is the name of the Job of one part of the current check of an Archive, of at most 63 characters.
func ProbeJobName(archive *v1alpha1.Archive, part int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", archive.UID, archive.Status.Checks, part))
	suffix := fmt.Sprintf("-%d-%d-%s", archive.Status.Checks, part, hex.EncodeToString(sum[:])[:hashLen])
	return cutName(archive.Name, suffix)
}

// cutName returns a name with a suffix, of at most maxJobNameLen characters.
func cutName(name, suffix string) string {
	if most := min(maxOwnerNameLen, maxJobNameLen-len(suffix)); len(name) > most {
		name = strings.TrimRight(name[:most], "-.")
	}
	return name + suffix
}

// ProbeJob renders one part of the current check of an Archive, to be run by builder in a namespace. The Archive sets the URI and the suite of
// the probe. It fails where the question is larger than MaxInputBytes, and where builder has no image.
func ProbeJob(archive *v1alpha1.Archive, namespace string, part int, probe InputProbe, builder inputs.Builder) (*batchv1.Job, error) {
	return questionJob(metav1.ObjectMeta{
		Name:            ProbeJobName(archive, part),
		Namespace:       namespace,
		Labels:          map[string]string{v1alpha1.LabelArchive: archive.Name, v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(archive, archiveKind)},
	}, probeInput(archive.Spec, probe), fewerPackages, &v1alpha1.BuildTemplate{}, builder)
}

// ProbeInput returns the input with which a builder is asked about an archive, as ProbeJob does.
func ProbeInput(archive v1alpha1.ArchiveSpec, probe InputProbe) (string, error) {
	return probeInput(archive, probe).encode(fewerPackages)
}

func probeInput(archive v1alpha1.ArchiveSpec, probe InputProbe) *Input {
	probe.Archive.URI, probe.Archive.Suite = archive.URI, archive.Suite
	if probe.Archive.Components == nil {
		probe.Archive.Components = []string{}
	}
	if probe.Packages == nil {
		probe.Packages = map[string]map[string][]string{}
	}
	return &Input{
		Version: InputVersion, Attempt: 1, Files: map[string]string{}, Parameters: map[string]string{}, Targets: []InputTarget{}, Probe: &probe,
	}
}

// questionJob renders a Job in which a builder answers a question, instead of making artifacts. remedy is what to do about a question that is too large.
func questionJob(meta metav1.ObjectMeta, input *Input, remedy string, template *v1alpha1.BuildTemplate, builder inputs.Builder) (*batchv1.Job, error) {
	if builder.Image == "" {
		return nil, fmt.Errorf("render Job %s/%s: the builder has no image", meta.Namespace, meta.Name)
	}
	encoded, err := input.encode(remedy)
	if err != nil {
		return nil, fmt.Errorf("render Job %s/%s: %w", meta.Namespace, meta.Name, err)
	}
	pod := builderPod(builder, template, ProbeLimit)
	place(&pod, builder.Placement)
	pod.Containers[0].Env = append(pod.Containers[0].Env, templateVariables(template)...)
	return newJob(meta, map[string]string{v1alpha1.AnnotationInput: encoded}, pod), nil
}

// ProbeOf returns the Archive that a Job checks. ok is false for a Job that no Archive controls.
func ProbeOf(job *batchv1.Job) (archiveUID types.UID, ok bool) { return controlledBy(job, archiveKind) }
