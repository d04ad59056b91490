// SPDX-License-Identifier: Apache-2.0

package troubleshooting

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// page is where the tables are, seen from a package of suites.
const page = "../../docs/troubleshooting.md"

// symptom is a line of the tables.
type symptom struct {
	// id is the anchor that the line begins with.
	id string
	// commands, of kubectl, show it.
	commands []string
	// shown is text in the output of the commands.
	shown []string
}

var (
	anchored = regexp.MustCompile(`(?m)^\| *<a id="([a-z-]+)"></a>(.*?) \|`)
	code     = regexp.MustCompile("`([^`]+)`")
)

// symptoms reads the lines for clusters. Those for one machine begin with up-, and a test of cmd/goldsmith provokes them.
func symptoms() ([]symptom, error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	var found []symptom
	for _, line := range anchored.FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(line[1], "up-") {
			continue
		}
		s := symptom{id: line[1]}
		for _, span := range code.FindAllStringSubmatch(line[2], -1) {
			if arguments, ok := strings.CutPrefix(span[1], "kubectl "); ok {
				s.commands = append(s.commands, arguments)
			} else {
				s.shown = append(s.shown, span[1])
			}
		}
		found = append(found, s)
	}
	return found, nil
}

// symptomOf reads one line of the page.
func symptomOf(id string) (symptom, error) {
	all, err := symptoms()
	if err != nil {
		return symptom{}, err
	}
	for _, s := range all {
		if s.id == id {
			return s, nil
		}
	}
	return symptom{}, fmt.Errorf("%s has no line %q", page, id)
}
