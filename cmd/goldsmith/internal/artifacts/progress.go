// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

const (
	// redraw is how often the progress bar is drawn.
	redraw = 200 * time.Millisecond
	// cells is the width of the progress bar.
	cells = 24
)

// progress shows how far a transfer is: a bar on a terminal, and otherwise a line at the beginning and for each interruption. A bar that
// cannot be written does not end the transfer.
type progress struct {
	out   io.Writer
	style output.Style
	clock clock.PassiveClock
	task  string // such as "fetching NAME"
	size  int64
	place string // such as "from LOCATION"; empty for the server

	mu             sync.Mutex // of the fields below, and of the output
	first, at      int64      // where the transfer began, and is
	started, shown time.Time
	drawn          int // the width of the bar on the terminal
}

// begin shows the beginning of a transfer at an offset.
func (p *progress) begin(at int64) {
	p.mu.Lock()
	p.first, p.at, p.started = at, at, p.clock.Now()
	if p.style.Rewrites {
		p.draw()
	}
	p.mu.Unlock()
	if p.style.Rewrites {
		return
	}
	text := fmt.Sprintf("%s %s, %s", p.step(), p.task, size(p.size))
	if p.place != "" {
		text += ", " + p.place
	}
	if at > 0 {
		text += fmt.Sprintf(", of which %s are there", size(at))
	}
	_ = p.writeLine(text)
}

// counting returns a writer to out that shows the progress.
func (p *progress) counting(out io.Writer) io.Writer { return &counter{out, p} }

type counter struct {
	io.Writer
	progress *progress
}

// Write implements io.Writer.
func (c *counter) Write(data []byte) (int, error) {
	n, err := c.Writer.Write(data)
	c.progress.mu.Lock()
	defer c.progress.mu.Unlock()
	c.progress.advance(c.progress.at + int64(n))
	return n, err
}

// update shows that the transfer is at an offset.
func (p *progress) update(at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(at)
}

func (p *progress) advance(at int64) {
	if p.at = at; p.style.Rewrites && p.clock.Since(p.shown) >= redraw {
		p.draw()
	}
}

// interrupted shows why the transfer continues with another request.
func (p *progress) interrupted(err error, at int64) {
	_ = p.writeLine(fmt.Sprintf("%s interrupted after %s, continuing: %s", p.step(), size(at), output.OneLine(err.Error())))
}

// retrying shows why a request to a registry is repeated.
func (p *progress) retrying(err error) {
	_ = p.writeLine(fmt.Sprintf("%s retrying: %s", p.step(), output.OneLine(err.Error())))
}

// end removes the bar.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// writeLine writes a line in place of the bar.
func (p *progress) writeLine(line string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	_, err := fmt.Fprintln(p.out, line)
	return err
}

func (p *progress) step() string { return p.style.Faint(output.Step) }

func (p *progress) mark() string { return p.style.Good(output.Success) }

func (p *progress) clear() {
	if p.drawn > 0 {
		_, _ = io.WriteString(p.out, "\r"+strings.Repeat(" ", p.drawn)+"\r")
		p.drawn = 0
	}
}

func (p *progress) draw() {
	p.shown = p.clock.Now()
	line := p.line(p.shown.Sub(p.started))
	width := utf8.RuneCountInString(line)
	_, _ = io.WriteString(p.out, "\r"+line+strings.Repeat(" ", max(0, p.drawn-width)))
	p.drawn = width
}

// line returns the bar, for example "[######      ]  25%  256 MiB of 1.0 GiB  180 MiB/s  4s left".
func (p *progress) line(took time.Duration) string {
	at := min(p.at, p.size) // a push counts what it adds, too
	done := min(max(float64(at)/float64(max(1, p.size)), 0), 1)
	full := int(done * cells)
	line := fmt.Sprintf("[%s%s] %3.0f%%  %s of %s", strings.Repeat("#", full), strings.Repeat(" ", cells-full), 100*done, size(at), size(p.size))
	rate := float64(at-p.first) / max(took.Seconds(), redraw.Seconds())
	if rate > 0 {
		left := time.Duration(float64(p.size-at) / rate * float64(time.Second))
		line += fmt.Sprintf("  %s/s  %s left", size(int64(rate)), duration.HumanDuration(left))
	}
	return line
}
