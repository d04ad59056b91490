// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"io"

	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/result"
)

// describe reads the locks among the files that were taken, and adds the documents that Goldsmith makes of them to the store. The caller
// releases what was added.
func (p *pod) describe(reported *result.Result) (locks []documents.Lock, added []artifacts.Content, err error) {
	open := func(content *result.Content) (io.ReadCloser, error) { return p.options.Store.OpenBlob(content.Digest) }
	if locks, err = documents.Make(reported, open); err != nil {
		return nil, nil, err
	}
	added, err = p.addMade(reported, func(*result.Document) bool { return true })
	return locks, added, err
}

// addMade adds some documents that Goldsmith made to the store. The caller releases what was added.
func (p *pod) addMade(reported *result.Result, some func(*result.Document) bool) (added []artifacts.Content, err error) {
	for i := range reported.Artifacts {
		for j := range reported.Artifacts[i].Made {
			made := &reported.Artifacts[i].Made[j]
			if !some(made) {
				continue
			}
			content := contentOf(&made.Content)
			if err := p.options.Store.Add(content, made.Write); err != nil {
				return added, err
			}
			added = append(added, content)
		}
	}
	return added, nil
}

// Record records the locks of artifacts that were stored, so that the server can list their packages. A failure is only logged: the store
// has the locks.
func (t *Transfer) Record(ctx context.Context, of Pod, locks []documents.Lock) {
	if len(locks) == 0 || t.options.RecordLocks == nil {
		return
	}
	p := &pod{t, of}
	_, build, err := p.owners(ctx, p.Newest())
	if err == nil && build != nil {
		err = t.options.RecordLocks(ctx, build, locks)
	}
	if err != nil {
		p.Say("the packages are not recorded: %v", err)
	}
}
