// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"
	"sync"
	"time"
)

// The environment variables of the builder contract for reporting progress. None is set for a builder that does not report.
const (
	envURL   = "GOLDSMITH_REPORT_URL"   // where reports are sent to
	envToken = "GOLDSMITH_REPORT_TOKEN" // the file with the token
	envCA    = "GOLDSMITH_REPORT_CA"    // the file with the certificates, in PEM, that the server's is verified by
)

const (
	// interval is how far apart reports are sent. The server takes no more.
	interval = time.Second
	// maxWait bounds how long the server can make the next report wait.
	maxWait = 30 * time.Second
	// closeLimit bounds how long the last report may take.
	closeLimit = 500 * time.Millisecond
	// maxPercent is the percentage of a complete build.
	maxPercent = 100
)

// Client reports the progress of one build. It is safe for concurrent use, and so is a nil one, which does nothing.
type Client struct {
	send func(ctx context.Context, report report) verdict

	newer   chan struct{} // has room for one: there is another report
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when nothing is sent any more
	stop    context.CancelFunc
	close   sync.Once

	mu      sync.Mutex
	pending *report // the newest that was not sent, or has to be sent again
}

// report is the JSON that is sent: a BuildReport.
type report struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Stage      string `json:"stage,omitempty"`
	Percent    *int   `json:"percent,omitempty"`
	Message    string `json:"message,omitempty"`
}

// verdict is the server's answer to a report.
type verdict struct {
	again bool          // it may be taken later
	after time.Duration // not before; 0 is up to the client
	never bool          // no report of this builder will be taken
}

// New creates a client from the builder's environment, which getenv reads. If the variables for reporting are missing or invalid,
// the client does nothing.
func New(getenv func(string) string) *Client {
	sender, ok := newSender(getenv)
	if !ok {
		return nil
	}
	return start(sender.send)
}

func start(send func(context.Context, report) verdict) *Client {
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{send: send, newer: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}), stop: stop}
	go c.run(ctx)
	return c
}

// Report reports the stage that the builder is in, of at most 63 characters, and the percentage of the whole build. An empty stage
// means the stage of the last report. A percentage below 0 is unknown, and a percentage above 100 counts as 100. The message is for
// people and may be empty. A stage cannot be entered again, and a build has at most 32 stages.
//
// Report returns at once. Reports are sent at least one second apart, and of several waiting reports only the newest is sent.
func (c *Client) Report(stage string, percent int, message string) {
	if c == nil {
		return
	}
	next := &report{APIVersion: "images.goldsmith.dev/v1alpha1", Kind: "BuildReport", Stage: truncate(stage, maxStage), Message: truncate(message, maxMessage)}
	if percent >= 0 {
		percent = min(percent, maxPercent)
		next.Percent = &percent
	}
	c.mu.Lock()
	c.pending = next
	c.mu.Unlock()
	c.signal()
}

// Close sends the newest report, if it was not sent yet, and ends the client within half a second. Later reports are not sent.
func (c *Client) Close() {
	if c == nil {
		return
	}
	c.close.Do(func() {
		limit := time.AfterFunc(closeLimit, c.stop)
		close(c.closing)
		<-c.done
		limit.Stop()
		c.stop()
	})
}

// run sends reports until the client is closed, and then the last one, or until none is taken any more.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	for {
		select {
		case <-c.closing:
			c.deliver(ctx)
			return
		case <-c.newer:
		}
		said := c.deliver(ctx)
		if said.never {
			return
		}
		pause := time.NewTimer(max(interval, min(said.after, maxWait)))
		select {
		case <-c.closing:
			pause.Stop()
			c.deliver(ctx)
			return
		case <-pause.C:
		}
	}
}

// deliver sends the waiting report, if there is one. If the server may accept it later, the report waits again, unless there is a
// newer one.
func (c *Client) deliver(ctx context.Context) verdict {
	c.mu.Lock()
	next := c.pending
	c.pending = nil
	c.mu.Unlock()
	if next == nil {
		return verdict{}
	}
	said := c.send(ctx, *next)
	c.mu.Lock()
	defer c.mu.Unlock()
	if said.again && c.pending == nil {
		c.pending = next
		c.signal()
	}
	return said
}

// signal wakes run up, unless run is awake already.
func (c *Client) signal() {
	select {
	case c.newer <- struct{}{}:
	default:
	}
}
