// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/kubectl/pkg/util/term"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

const (
	// backOver moves the cursor up by a number of lines, to the beginning of the line. toEnd clears the screen from the
	// cursor to the end.
	backOver = "\x1b[%dF"
	toEnd    = "\x1b[J"
	// allOver clears the screen and moves the cursor to its top.
	allOver = "\x1b[H\x1b[2J"
)

// size is the size of a terminal, in characters.
type size struct{ width, height int }

// screen draws a table of builds on a terminal, and redraws the table in place.
type screen struct {
	out       io.Writer
	namespace string // empty for all namespaces
	style     output.Style
	size      func() size

	columns []metav1.TableColumnDefinition
	builds  map[types.UID]row
	problem string // why the table is out of date; empty if it is current

	page    *bytes.Buffer // buffer for the layout of the table
	aligned flusher       // writes to page, and keeps the widths of columns, so that the columns do not jump
	dropped int           // number of least important columns that do not fit

	drawn int  // number of lines in the last draw
	on    size // size of the terminal at the last draw
}

func newScreen(out io.Writer, namespace string, style output.Style) *screen {
	page := &bytes.Buffer{}
	return &screen{out: out, namespace: namespace, style: style, page: page, aligned: printers.GetNewTabWriter(page), size: func() size {
		if found := (term.TTY{Out: out}).GetSize(); found != nil && found.Width > 0 && found.Height > 0 {
			return size{int(found.Width), int(found.Height)}
		}
		return size{80, 24}
	}}
}

func (s *screen) replace(columns []metav1.TableColumnDefinition, builds []row) error {
	s.columns, s.builds, s.problem = columns, map[types.UID]row{}, ""
	for _, build := range builds {
		s.builds[build.UID] = build
	}
	return s.draw()
}

func (s *screen) change(build row) error {
	s.builds[build.UID] = build
	return s.draw()
}

func (s *screen) remove(build row) error {
	delete(s.builds, build.UID)
	return s.draw()
}

func (s *screen) lost(err error) error {
	s.problem = err.Error()
	return s.draw()
}

// draw replaces the previous table in a single write, so that the terminal does not flicker.
func (s *screen) draw() error {
	now := s.size()
	shown, err := s.lines(now)
	if err != nil {
		return err
	}
	var frame bytes.Buffer
	switch {
	case s.drawn > 0 && now != s.on: // the terminal has wrapped the lines for its new size
		frame.WriteString(allOver)
	case s.drawn > 0:
		fmt.Fprintf(&frame, backOver+toEnd, s.drawn)
	}
	for _, line := range shown {
		fmt.Fprintln(&frame, line)
	}
	s.drawn, s.on = len(shown), now
	if _, err := s.out.Write(frame.Bytes()); err != nil {
		return fmt.Errorf("draw the table of builds: %w", err)
	}
	return nil
}

// lines returns the part of the table that fits: the header, the newest builds, and notes about the other builds. The
// last line of the terminal stays free for the cursor.
func (s *screen) lines(fits size) ([]string, error) {
	builds := slices.SortedFunc(maps.Values(s.builds), byAge)
	header, rows := "no builds in namespace "+s.namespace, []string(nil)
	if s.namespace == metav1.NamespaceAll {
		header = "no builds"
	}
	if len(builds) > 0 {
		all, err := s.layOut(builds, fits.width)
		if err != nil {
			return nil, err
		}
		header, rows = all[0], all[1:]
	}
	var notes []string
	if s.problem != "" {
		notes = append(notes, output.OneLine(s.problem)+"; trying again")
	}
	if room := max(1, fits.height-2-len(notes)); len(rows) > room {
		room = max(1, room-1)
		notes = append([]string{fmt.Sprintf("and %d older builds", len(rows)-room)}, notes...)
		rows = rows[len(rows)-room:]
	}
	shown := slices.Concat([]string{header}, rows, notes)
	for i := range shown {
		shown[i] = output.Cut(shown[i], fits.width)
		if 0 < i && i <= len(rows) {
			shown[i] = s.coloured(header, shown[i])
		}
	}
	return shown, nil
}

// layOut returns the lines of the table, without the columns that do not fit. These columns stay hidden until the width of the
// terminal changes.
func (s *screen) layOut(builds []row, width int) ([]string, error) {
	if width != s.on.width {
		s.dropped, s.aligned = 0, printers.GetNewTabWriter(s.page)
	}
	for {
		s.page.Reset()
		columns, narrowed, more := without(s.columns, builds, s.dropped)
		if err := printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(tableOf(columns, narrowed), s.aligned); err != nil {
			return nil, fmt.Errorf("lay out the table of builds: %w", err)
		}
		if err := s.aligned.Flush(); err != nil {
			return nil, fmt.Errorf("lay out the table of builds: %w", err)
		}
		lines := strings.Split(strings.TrimSuffix(s.page.String(), "\n"), "\n")
		tooWide := func(line string) bool { return utf8.RuneCountInString(strings.TrimRight(line, " ")) > width }
		if !more || !slices.ContainsFunc(lines, tooWide) {
			return lines, nil
		}
		s.dropped++
		s.aligned = printers.GetNewTabWriter(s.page)
	}
}

// coloured returns a row with its phase in a colour, if the build has finished.
func (s *screen) coloured(header, row string) string {
	begin, end := phaseIn(header, row)
	phase := row[begin:end]
	switch v1alpha1.BuildPhase(phase) {
	case v1alpha1.BuildSucceeded:
		phase = s.style.Good(phase)
	case v1alpha1.BuildFailed:
		phase = s.style.Bad(phase)
	case v1alpha1.BuildCancelled:
		phase = s.style.Faint(phase)
	}
	return row[:begin] + phase + row[end:]
}

// byAge sorts builds by age, oldest first. Builds of the same second are sorted by number.
func byAge(a, b row) int {
	return cmp.Or(
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(len(a.Name), len(b.Name)),
		cmp.Compare(a.Name, b.Name),
	)
}
