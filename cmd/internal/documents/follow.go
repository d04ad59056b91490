// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
	"k8s.io/klog/v2"
)

// Follow calls pass at once, and again until ctx is done: when the time that pass returned has passed, and before that when files have
// changed and are quiet. Only changes for which concerns is true count. pass calls watch for each directory whose changes it needs, each
// time again, because the directory may be another one. A directory that cannot be watched is read in time, too. path names the files in
// the log.
func Follow(ctx context.Context, path string, concerns func(fsnotify.Event) bool, pass func(watch func(directory string)) time.Duration) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil { // the user has too many, for instance
		klog.FromContext(ctx).Info("Cannot watch files, which are read at intervals", "path", path, "err", err)
		return follow(ctx, path, nil, nil, concerns, func() time.Duration { return pass(func(string) {}) })
	}
	defer func() { _ = watcher.Close() }() // nothing was written
	return follow(ctx, path, watcher.Events, watcher.Errors, concerns, func() time.Duration {
		return pass(func(directory string) { _ = watcher.Add(directory) })
	})
}

func follow(ctx context.Context, path string, events <-chan fsnotify.Event, lost <-chan error, concerns func(fsnotify.Event) bool, pass func() time.Duration) error {
	var unread changes
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event := <-events:
			if concerns(event) {
				timer.Reset(unread.add(time.Now()))
			}
		case err := <-lost: // such as too many events at once
			klog.FromContext(ctx).Info("Cannot watch files", "path", path, "err", err)
			timer.Reset(SettleTime)
		case <-timer.C:
			unread = changes{}
			timer.Reset(pass())
		}
	}
}
