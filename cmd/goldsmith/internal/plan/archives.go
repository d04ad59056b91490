// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/render"
)

// askedAtOnce is how many archives are asked at the same time.
const askedAtOnce = 4

// askBuilder runs the program of a builder with an input, and returns its result file, its exit code and its log.
type askBuilder func(ctx context.Context, builder, input string) (result string, exitCode int, log []byte, err error)

// archiveState is what is known of an archive, and how.
type archiveState struct {
	probe.Archive
	// found tells how it is known, and unknown why nothing is known. One of them is empty.
	found, unknown string
	updates        int32
}

// name names the archive for users.
func (s archiveState) name() string {
	if s.Suite == "" {
		return s.URI
	}
	return s.URI + " " + s.Suite
}

// readArchives finds out what the archives have that the Images demand, and keeps it.
func (f *fleet) readArchives(ctx context.Context, demands probe.Demands, asked *options, stderr io.Writer) ([]archiveState, error) {
	if len(demands) == 0 {
		return nil, nil
	}
	readable := true
	stored, _, err := client.Pages(0, func(limit int, next string) ([]v1alpha1.Archive, string, error) {
		page, err := f.connection.ImagesV1alpha1().Archives().List(ctx, metav1.ListOptions{Limit: int64(limit), Continue: next})
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Continue, nil
	})
	switch {
	case apierrors.IsForbidden(err) && asked.archive == archiveNow:
		readable = false
		if _, err := fmt.Fprintln(stderr, "you cannot list archives: what the controller's checks found is left out"); err != nil {
			return nil, err
		}
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("list the archives, which have no namespace: get permission to list them, or use --archive %s: %w", archiveNow, err)
	case err != nil:
		return nil, fmt.Errorf("list the archives: %w", err)
	}
	for i := range stored {
		f.archives[stored[i].Name] = &stored[i]
	}
	names := slices.Sorted(maps.Keys(demands))
	states := make([]archiveState, len(names))
	archives := make([]*v1alpha1.Archive, len(names))
	var group errgroup.Group
	group.SetLimit(askedAtOnce)
	for i, name := range names {
		demand := demands[name]
		known := f.archives[name]
		if known == nil || known.Spec != demand.Archive.Spec() {
			known = &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: demand.Archive.Spec()}
		}
		if !readable {
			known.Status.Updates = f.storedUpdates(name)
		}
		group.Go(func() error {
			archives[i], states[i] = readArchive(ctx, demand, known, asked)
			return nil
		})
	}
	_ = group.Wait() // no member fails
	for i, name := range names {
		f.archives[name] = archives[i]
	}
	return states, ctx.Err()
}

// storedUpdates returns the updates of an archive that the status of Images has, which tell since when each version is there.
func (f *fleet) storedUpdates(archive string) (updates []v1alpha1.PackageUpdate) {
	for _, image := range f.images {
		if image.Status.Packages == nil {
			continue
		}
		for _, update := range image.Status.Packages.Updates {
			if update.Archive == archive {
				updates = append(updates, update)
			}
		}
	}
	return updates
}

// readArchive asks an archive, unless only the last check counts. If that fails, the last check counts.
func readArchive(ctx context.Context, demand *probe.Demand, known *v1alpha1.Archive, asked *options) (*v1alpha1.Archive, archiveState) {
	state := archiveState{Archive: demand.Archive}
	why := ""
	now := asked.clock.Now()
	if asked.archive == archiveNow {
		next := known.DeepCopy()
		err := ask(ctx, demand, &next.Status, asked)
		if err == nil {
			state.found, state.updates = "asked now", next.Status.UpdateCount
			return next, state
		}
		why = "asking it failed: " + err.Error()
	} else if ready := meta.FindStatusCondition(known.Status.Conditions, v1alpha1.ArchiveReady); ready != nil && ready.Status == metav1.ConditionFalse {
		why = "the last check failed: " + ready.Message
	}
	known = known.DeepCopy()
	if unchecked := probe.Unchecked(known, now); unchecked != "" {
		if state.unknown = why; why == "" {
			state.unknown = unchecked
			return known, state
		}
		meta.SetStatusCondition(&known.Status.Conditions, metav1.Condition{ // for the messages of Images
			Type: v1alpha1.ArchiveReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonArchiveCheckFailed, Message: why,
		})
		return known, state
	}
	demand.Report(&known.Status) // of these Images only
	state.updates = known.Status.UpdateCount
	state.found = fmt.Sprintf("checked %s ago", duration.HumanDuration(now.Sub(known.Status.LastCheckTime.Time)))
	if why != "" {
		state.found += "; " + why
	}
	return known, state
}

// ask asks an archive as the controller's checks do, and adds the answer to the status.
func ask(ctx context.Context, demand *probe.Demand, status *v1alpha1.ArchiveStatus, asked *options) error {
	ctx, cancel := context.WithTimeout(ctx, render.ProbeLimit)
	defer cancel()
	var answers []probe.Answer
	for _, packages := range demand.Questions(nil) {
		question := render.InputProbe{Archive: render.InputArchive{Components: demand.Components}, Packages: packages, Release: status.Release}
		input, err := render.ProbeInput(demand.Archive.Spec(), question)
		if err != nil {
			return err
		}
		message, code, log, err := asked.ask(ctx, demand.Archive.Builder, input)
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return fmt.Errorf("no answer within %s", duration.HumanDuration(render.ProbeLimit))
		case err != nil:
			return err
		}
		answer, err := probe.ReadAnswer(message, int32(code), bytes.NewReader(log), &question) //nolint:gosec // an exit code has 8 bits
		if err != nil {
			return err
		}
		answers = append(answers, answer)
	}
	return demand.Add(status, answers, asked.clock.Now().Truncate(time.Second))
}
