// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// lookAgain is the time after which an Image is reconciled again once a build was requested.
const lookAgain = time.Minute

// lookAtImage is controllers/internal/image in short.
func (p *process) lookAtImage(name string) {
	image, ok := p.imageCache.get(name)
	if !ok {
		return
	}
	decision, asked, err := p.decideImage(image)
	if p.tracing {
		p.note("    %s: %s, asked %t, error %v", name, decision.Reason, asked, err)
	}
	if asked {
		// The new build is an event, unless it is deleted before a disconnected cache has received it.
		p.imageWork.add(name, p.now.Add(lookAgain))
	}
	switch {
	case err != nil && p.mutant != dropsErrors:
		p.imageWork.add(name, p.now)
	case decision.After > 0:
		p.imageWork.add(name, p.now.Add(decision.After))
	}
}

func (p *process) decideImage(image *v1alpha1.Image) (decision trigger.Decision, asked bool, err error) {
	if p.mutant == prunesHeld {
		image = withLabels(image, nil)
	}
	builds := p.buildsOf(image)
	now := p.resolve(&image.Spec.BuildInputs, p.imageCache.get)
	decision = trigger.Next(trigger.Observed{
		Image: image, Builds: builds, Now: p.now, Resolved: now.resolved, Unresolved: now.unresolved,
		MayAppear: now.unresolved != nil && now.unresolved.Reason == v1alpha1.ReasonBaseNotFound,
	})
	status := decision.Status
	if decision.Request != nil {
		answered, gone, err := p.ask(image, builds, decision)
		switch {
		case errors.Is(err, errNotDue):
			decision.After = time.Second
		case err != nil || answered:
			return decision, answered, err
		default:
			status = gone
		}
	}
	if !sameImageStatus(p.cover, &status, &image.Status) {
		if err := p.write("image status", func() error { return p.updateImageStatus(image, status) }); err != nil {
			return decision, false, err
		}
	}
	if err := p.supersede(decision); err != nil {
		return decision, false, err
	}
	return decision, false, p.prune(image, decision.Prune)
}

// buildsOf are the Image's own, in the order of their numbers.
func (p *process) buildsOf(image *v1alpha1.Image) []v1alpha1.ImageBuild {
	p.buffer = p.buffer[:0]
	for _, build := range p.buildCache.all {
		if build.Spec.ImageRef != nil && build.Spec.ImageRef.UID == image.UID {
			p.buffer = append(p.buffer, *build)
			if p.mutant == countsAll {
				p.buffer[len(p.buffer)-1].Spec.OneOff = new(false)
			}
			if seen := &p.buffer[len(p.buffer)-1]; p.mutant == countsCancelled && seen.Status.Phase == v1alpha1.BuildCancelled {
				seen.Status.Phase = v1alpha1.BuildFailed
			}
			if p.mutant == prunesHeld {
				p.buffer[len(p.buffer)-1].Labels = nil
			}
		}
	}
	slices.SortFunc(p.buffer, func(a, b v1alpha1.ImageBuild) int { return cmp.Compare(*a.Spec.Number, *b.Spec.Number) })
	return p.buffer
}

// ask asks for the build that is due, if what was decided on is still what is stored.
func (p *process) ask(image *v1alpha1.Image, builds []v1alpha1.ImageBuild, decision trigger.Decision) (bool, v1alpha1.ImageStatus, error) {
	p.request()
	live, ok := p.images.get(image.Name)
	if p.mutant != asksUnconfirmed {
		now := resolution{}
		if ok {
			now = p.resolve(&live.Spec.BuildInputs, p.images.get)
		}
		if !ok || live.ResourceVersion != image.ResourceVersion || now.resolved == nil || now.resolved.InputsDigest != decision.Status.InputsDigest {
			return false, v1alpha1.ImageStatus{}, errConflict
		}
	}
	if p.mutant != asksBlindly && p.unseenBuild(live, builds, decision.Status) {
		return true, v1alpha1.ImageStatus{}, nil
	}
	asked := request{image: image.Name, id: decision.Request.RequestID, reason: decision.Request.Reason}
	asked.unchecked = p.mutant == asksBlindly || p.mutant == asksUnconfirmed // the server would find these mistakes
	if p.mutant == asksAnew {
		p.truth.anew++
		asked.id = fmt.Sprintf("anew-%d", p.truth.anew)
	}
	excused := p.faults.interjected
	err := p.write("build asked for", func() error {
		asked.crash = p.truth.serverCrash
		p.truth.excused = excused || p.faults.interjected || p.arrivesLate
		build, err := p.instantiate(asked)
		p.truth.excused = false
		if err == nil {
			p.note("controller asked for %s: %s", build.Name, decision.Message)
		}
		return err
	})
	switch {
	case errors.Is(err, errGone):
		return false, decision.Gone(live.Status.RecentRequests), nil
	case err != nil:
		return false, v1alpha1.ImageStatus{}, err
	}
	return true, v1alpha1.ImageStatus{}, nil
}

// unseenBuild reports whether there is a build that the cache does not have yet.
func (p *process) unseenBuild(live *v1alpha1.Image, builds []v1alpha1.ImageBuild, status v1alpha1.ImageStatus) bool {
	known := status.CountedBuild
	if status.LastAttempted != nil {
		known = max(known, status.LastAttempted.Number)
	}
	if len(builds) > 0 {
		known = max(known, numberOf(&builds[len(builds)-1]))
	}
	if live.Status.BuildCounter <= known {
		return false
	}
	p.request()
	return slices.ContainsFunc(p.builds.all, func(build *v1alpha1.ImageBuild) bool {
		return build.Spec.ImageRef != nil && build.Spec.ImageRef.UID == live.UID && numberOf(build) > known
	})
}

func (p *process) supersede(decision trigger.Decision) error {
	for _, build := range decision.Supersede {
		name, by := build.Name, decision.SupersededBy
		if p.mutant == supersedesAll {
			by = ""
		}
		err := p.write("build superseded", func() error {
			defer p.checkSuperseding(name)()
			return p.cancel(name, by)
		})
		if err != nil && !errors.Is(err, errNotFound) {
			return err
		}
	}
	return nil
}

func (p *process) prune(image *v1alpha1.Image, old []*v1alpha1.ImageBuild) error {
	if p.mutant == prunesAll {
		for i := range p.buffer {
			if p.buffer[i].Status.Finished {
				old = append(old, &p.buffer[i])
			}
		}
	}
	for _, build := range old {
		p.request()
		live, ok := p.images.get(image.Name)
		if !ok {
			return errNotFound
		}
		named := slices.ContainsFunc(live.Status.Channels, func(c v1alpha1.ImageChannel) bool { return c.Build == build.Name })
		if p.mutant != prunesAll && named || p.mutant != prunesHeld && v1alpha1.UnderLegalHold(live) {
			continue
		}
		name, uid, version, excused := build.Name, build.UID, build.ResourceVersion, p.faults.interjected
		err := p.write("build pruned", func() error {
			return p.deleteBuild(name, uid, version, excused || p.faults.interjected)
		})
		if err != nil && !errors.Is(err, errNotFound) {
			return err
		}
	}
	return nil
}
