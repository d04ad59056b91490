// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"html"
	"image/color"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

const (
	// Monospaced characters of 15 px are 9 px wide in most fonts. Where they are not, textLength makes them so.
	cellWidth, cellHeight, baseline = 9, 19, 14
	margin                          = 16
	// frameSeconds is the shortest time between two frames.
	frameSeconds = 0.04
)

// The colours have a contrast of at least 4.5 with the background, which the picture brings along for light and dark pages.
const style = `
.window{fill:#0d1117;stroke:#6e7681}
.cursor{fill:#c9d1d9;opacity:.7}
text{font:15px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#c9d1d9}
.bold{font-weight:bold}
.faint{opacity:.65}
.c0,.c8{fill:#8b949e}.c1,.c9{fill:#ff7b72}.c2,.c10{fill:#56d364}.c3,.c11{fill:#e3b341}
.c4,.c12{fill:#79c0ff}.c5,.c13{fill:#d2a8ff}.c6,.c14{fill:#56d4dd}.c7,.c15{fill:#f0f6fc}
`

// frame is a picture of the terminal, from a time on.
type frame struct {
	seconds float64
	lines   []string // each line as SVG
	cursor  uv.Position
	hidden  bool // the cursor
}

func (f frame) equal(other frame) bool {
	return strings.Join(f.lines, "\n") == strings.Join(other.lines, "\n") && f.cursor == other.cursor && f.hidden == other.hidden
}

// play emulates the terminal of the cast. It returns the frames, and the text on the last one.
func (c cast) play() (frames []frame, text string) {
	terminal := vt.NewEmulator(c.Width, c.Height)
	begin := 0.0 // of the events that become one frame
	for i, e := range c.events {
		if i == 0 || e.seconds-begin >= frameSeconds {
			begin = e.seconds
		}
		_, _ = terminal.WriteString(e.output) // cannot fail before Close
		if i+1 < len(c.events) && c.events[i+1].seconds-begin < frameSeconds {
			continue
		}
		next := frame{seconds: begin, cursor: terminal.CursorPosition(), hidden: terminal.CursorHidden()}
		for y := range c.Height {
			next.lines = append(next.lines, lineSVG(terminal, y))
		}
		if len(frames) == 0 || !next.equal(frames[len(frames)-1]) {
			frames = append(frames, next)
		}
	}
	frames[0].seconds = 0
	return frames, strings.TrimSpace(terminal.String())
}

// span is text of one style without gaps.
type span struct {
	x, width int
	text     string
	style    uv.Style
}

// lineSVG draws a line of the terminal: backgrounds, and then each span at its column.
func lineSVG(terminal *vt.Emulator, y int) string {
	var spans, backgrounds []span
	for x := 0; x < terminal.Width(); {
		cell := terminal.CellAt(x, y)
		width, style := max(1, cell.Width), cell.Style
		if style.Bg != nil {
			if last := len(backgrounds) - 1; last >= 0 && backgrounds[last].x+backgrounds[last].width == x && fill(backgrounds[last].style.Bg) == fill(style.Bg) {
				backgrounds[last].width += width
			} else {
				backgrounds = append(backgrounds, span{x: x, width: width, style: style})
			}
		}
		if strings.TrimSpace(cell.Content) != "" {
			if last := len(spans) - 1; last >= 0 && x-spans[last].x-spans[last].width <= 1 && spans[last].style.Equal(&style) {
				gap := x - spans[last].x - spans[last].width
				spans[last].text += strings.Repeat(" ", gap) + cell.Content
				spans[last].width += gap + width
			} else {
				spans = append(spans, span{x, width, cell.Content, style})
			}
		}
		x += width
	}
	var svg strings.Builder
	for _, b := range backgrounds {
		fmt.Fprintf(&svg, `<rect x="%d" width="%d" height="%d" style="%s"/>`, b.x*cellWidth, b.width*cellWidth, cellHeight, fill(b.style.Bg))
	}
	for _, s := range spans {
		fmt.Fprintf(&svg, `<text x="%d" y="%d" textLength="%d"%s>%s</text>`,
			s.x*cellWidth, baseline, s.width*cellWidth, attributes(s.style), html.EscapeString(s.text))
	}
	return svg.String()
}

// fill returns the declaration of a colour.
func fill(colour color.Color) string {
	red, green, blue, _ := colour.RGBA()
	return fmt.Sprintf("fill:#%02x%02x%02x", red>>8, green>>8, blue>>8)
}

func attributes(style uv.Style) (svg string) {
	var classes []string
	switch colour := style.Fg.(type) {
	case nil:
	case ansi.BasicColor:
		if style.Bg != nil { // the classes are for the background of the window
			svg = fmt.Sprintf(` style="%s"`, fill(colour))
			break
		}
		classes = append(classes, fmt.Sprintf("c%d", colour))
	default:
		svg = fmt.Sprintf(` style="%s"`, fill(colour))
	}
	if style.Attrs&uv.AttrBold != 0 {
		classes = append(classes, "bold")
	}
	if style.Attrs&uv.AttrFaint != 0 {
		classes = append(classes, "faint")
	}
	if classes != nil {
		svg += fmt.Sprintf(` class="%s"`, strings.Join(classes, " "))
	}
	return svg
}

// svg draws the frames side by side as a film, which moves behind a window of the size of one frame. Without animation, and for people
// who prefer reduced motion, the window shows the last frame.
func (c cast) svg() string {
	frames, text := c.play()
	width, height := c.Width*cellWidth, c.Height*cellHeight
	end := c.events[len(c.events)-1].seconds
	var keyframes, defs, film strings.Builder
	lines := map[string]int{} // equal lines are drawn once
	for i, f := range frames {
		fmt.Fprintf(&keyframes, "%.3f%%{transform:translateX(%dpx)}\n", 100*f.seconds/end, -i*width)
		fmt.Fprintf(&film, "<g transform=\"translate(%d)\">\n", i*width)
		if !f.hidden {
			fmt.Fprintf(&film, "<use href=\"#cursor\" x=\"%d\" y=\"%d\"/>\n", f.cursor.X*cellWidth, f.cursor.Y*cellHeight)
		}
		for y, line := range f.lines {
			if line == "" {
				continue
			}
			if _, drawn := lines[line]; !drawn {
				lines[line] = len(lines)
				fmt.Fprintf(&defs, "<g id=\"l%d\">%s</g>\n", lines[line], line)
			}
			fmt.Fprintf(&film, "<use href=\"#l%d\" y=\"%d\"/>\n", lines[line], y*cellHeight)
		}
		film.WriteString("</g>\n")
	}
	last := -(len(frames) - 1) * width

	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="title desc">
`, width+2*margin, height+2*margin)
	fmt.Fprintf(&svg, "<title id=\"title\">%s</title>\n", html.EscapeString(c.Title))
	fmt.Fprintf(&svg, "<desc id=\"desc\">A recorded terminal session, which ends with this screen:\n%s</desc>\n", html.EscapeString(text))
	fmt.Fprintf(&svg, "<style>%s", style)
	fmt.Fprintf(&svg, ".film{transform:translateX(%dpx);animation:film %.3fs step-end infinite}\n", last, end)
	fmt.Fprintf(&svg, "@keyframes film{\n%s100%%{transform:translateX(%dpx)}\n}\n", keyframes.String(), last)
	svg.WriteString("@media (prefers-reduced-motion:reduce){.film{animation:none}}\n</style>\n")
	fmt.Fprintf(&svg, "<defs>\n<rect id=\"cursor\" class=\"cursor\" width=\"%d\" height=\"%d\"/>\n%s</defs>\n", cellWidth, cellHeight, defs.String())
	fmt.Fprintf(&svg, "<rect class=\"window\" x=\".5\" y=\".5\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n", width+2*margin-1, height+2*margin-1)
	fmt.Fprintf(&svg, "<svg x=\"%d\" y=\"%[1]d\" width=\"%d\" height=\"%d\">\n<g class=\"film\">\n%s</g>\n</svg>\n</svg>\n",
		margin, width, height, film.String())
	return svg.String()
}
