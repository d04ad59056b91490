// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// StoreTests moves the report of a runner of tests into the store, completes it, and records it for the build. If the artifacts are those of an earlier
// build, it records them for the build, too. A report that cannot be one is ignored. StoreTests returns what went wrong.
func (t *Transfer) StoreTests(ctx context.Context, of Pod, reported *result.Result) *result.Check {
	p := &pod{t, of}
	if err := p.keepTests(ctx, reported); err != nil {
		return p.notStored(ctx, err)
	}
	return &result.Check{}
}

func (p *pod) keepTests(ctx context.Context, reported *result.Result) error {
	build, err := p.build(ctx)
	if err != nil {
		return err
	}
	taken, err := p.takeReport(ctx, reported.Report)
	defer p.options.Store.Release(taken...)
	if err != nil {
		return err
	}
	if len(taken) > 0 {
		if err := p.fit(ctx); err != nil {
			return err
		}
	}
	return p.options.Store.RecordTested(stored(build), p.tested(reported.Report))
}

// takeReport moves the file of a report into the store, and completes the report. The caller releases what was taken.
func (p *pod) takeReport(ctx context.Context, report *result.Content) (taken []artifacts.Content, err error) {
	if report == nil {
		return nil, nil
	}
	if !slices.ContainsFunc(p.Input.Base.Artifacts, func(artifact render.InputArtifact) bool { return artifact.Path != "" && p.reportsOn(&artifact) }) {
		p.Say("the report about tests is ignored: no file of %s is stored", p.Input.Tests[0].Target)
		return nil, nil
	}
	output, err := openOutput(p.Output)
	if err == nil {
		defer func() { _ = output.Close() }() // nothing was written
		err = artifacts.CompleteReport(output, report, func(path string) artifacts.Taken {
			file := p.options.Store.Take(ctx, output, path)[0]
			if file.Err == nil {
				taken = append(taken, file.Content)
			}
			return file
		})
	}
	if invalid, ok := errors.AsType[*artifacts.InvalidError](err); ok {
		p.Say("the report about tests is ignored: %v", invalid)
		return taken, nil
	}
	return taken, err
}

// tested returns the artifacts under test that the store has provided, the one of the first test with a report that was taken.
func (p *pod) tested(report *result.Content) (tested []artifacts.Tested) {
	for i := range p.Input.Base.Artifacts {
		artifact := &p.Input.Base.Artifacts[i]
		one := artifacts.Tested{Target: artifact.Target, Digest: artifact.Digest}
		if report != nil && report.Verified != "" && p.reportsOn(artifact) {
			one.Report = &artifacts.Document{Type: v1alpha1.DocumentTestReport, Content: contentOf(report), MediaType: report.MediaType}
		}
		tested = append(tested, one)
	}
	return tested
}

// reportsOn reports whether the report of a runner is about an artifact: that of the first test.
func (p *pod) reportsOn(artifact *render.InputArtifact) bool {
	return artifact.Target == p.Input.Tests[0].Target
}

// PublishTests publishes the report of a runner of tests, if the pod publishes anywhere, and moves tags if the tests passed that have to. It returns
// what went wrong.
func (t *Transfer) PublishTests(ctx context.Context, of Pod, reported *result.Result) *result.Check {
	p := &pod{t, of}
	output, err := p.output()
	if err != nil {
		return notPublished(v1alpha1.ReasonRegistryRefused, err)
	}
	if output == nil {
		return &result.Check{}
	}
	check := p.inRegistry(ctx, output, func(options transport.Options) error {
		return publish.PublishTests(ctx, output, p.Input, reported, p.openStored, p.attest(nil), options)
	})
	p.sayCheck(check)
	return check
}
