// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"

	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/result"
)

// publishTests publishes the report of a runner of tests, moves tags if the tests passed, and returns the message of the container.
func (p *program) publishTests(ctx context.Context, text string) (message string, err error) {
	reported := result.ReadableTests(text, p.input.Tests)
	if reported == nil {
		p.Log("the result has no tests that can be read")
		message, _, err := result.Findings(nil)
		return message, err
	}
	err = p.confirmReport(ctx, reported)
	if err == nil {
		err = p.mayAttest()
	}
	var options transport.Options
	if err == nil {
		options, err = p.registry()
	}
	if err == nil {
		err = publish.PublishTests(ctx, &p.output, &p.input, reported, func(content *result.Content) (transport.File, error) { return p.open(content) }, p.attest(nil), options)
	}
	if err != nil {
		p.Log("%v", err)
	}
	reported.Check = publish.CheckOf(err)
	message, _, err = result.Findings(reported)
	return message, err
}

// confirmReport reads the file of a report, and completes the report. A report that cannot be one is ignored.
func (p *program) confirmReport(ctx context.Context, reported *result.Result) error {
	if reported.Report == nil {
		return nil
	}
	output, err := p.openFiles()
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }() // only read from
	err = artifacts.CompleteReport(output, reported.Report, func(path string) (read artifacts.Taken) {
		read.Content, read.Err = artifacts.Identify(ctx, output, path)
		return read
	})
	if invalid, ok := errors.AsType[*artifacts.InvalidError](err); ok {
		p.Log("the report about tests is ignored: %v", invalid)
		return nil
	}
	return err
}
