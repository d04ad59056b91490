// SPDX-License-Identifier: Apache-2.0

package status

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// refresh is how often --watch lists again.
const refresh = 2 * time.Second

// cleared clears a terminal, and moves the cursor to its top.
const cleared = "\x1b[H\x1b[2J"

// watch prints the list, and prints it again after each change, until the context ends: on a terminal in place of the last one, elsewhere below
// it. It outlives a server that restarts.
func watch(ctx context.Context, connection *client.Connection, asked *options, clock clock.Clock, out, stderr io.Writer) error {
	for shown := ""; ; {
		var page bytes.Buffer
		err := run(ctx, connection, asked, clock, &page, stderr)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the user ends it
		}
		switch {
		case err != nil && (shown == "" || !client.Temporary(err)):
			return err
		case err != nil:
			page.Reset()
			fmt.Fprintln(&page, err.Error()+": trying again")
		}
		if text := page.String(); text != shown {
			if err := asked.show(text, shown != "", out); err != nil {
				return err
			}
			shown = text
		}
		stderr = io.Discard // a message is shown once
		select {
		case <-ctx.Done():
			return nil
		case <-clock.After(refresh):
		}
	}
}

func (o *options) show(page string, again bool, out io.Writer) error {
	switch {
	case o.style.Rewrites:
		if _, err := io.WriteString(output.Terminal(out), cleared); err != nil {
			return err
		}
	case again:
		page = "\n" + page
	}
	_, err := io.WriteString(output.Colours(out), page)
	return err
}
