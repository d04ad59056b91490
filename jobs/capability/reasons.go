// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// maxReasons is the maximum number of reasons of a builder.
	maxReasons = 64
	// maxPhrase is the maximum length of a meaning and of a remedy, in characters.
	maxPhrase = 512
)

var reasonWord = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,63}$`)

// reasonClasses are the classes that a result of a builder can have.
var reasonClasses = []v1alpha1.FailureClass{v1alpha1.FailureUser, v1alpha1.FailureConfig, v1alpha1.FailureInfrastructure}

// reasonProblems returns what is wrong with the reasons, each with the path of the field.
func reasonProblems(reasons []v1alpha1.BuilderReason) []error {
	var problems []error
	report := func(path, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	if len(reasons) > maxReasons {
		report("reasons", "must have at most %d reasons", maxReasons)
	}
	for i, of := range reasons {
		path := fmt.Sprintf("reasons[%d]", i)
		switch {
		case !reasonWord.MatchString(of.Reason):
			report(path+".reason", "must be a word of at most 64 letters and digits that begins with an upper-case letter, such as MirrorDown")
		case slices.Contains(v1alpha1.FailureReasons(), v1alpha1.FailureReason(of.Reason)):
			// `goldsmith explain` and users would take one for the other, with another class and another remedy.
			report(path+".reason", "%s is a reason of Goldsmith, which has a meaning already: choose another word", of.Reason)
		case slices.ContainsFunc(reasons[:i], func(other v1alpha1.BuilderReason) bool { return other.Reason == of.Reason }):
			report(path+".reason", "%s is set twice: remove one of them", of.Reason)
		}
		if !slices.Contains(reasonClasses, of.Class) {
			report(path+".class", "must be one of %s", list(reasonClasses))
		}
		if of.Meaning == "" {
			report(path+".meaning", "set a phrase that tells what is wrong")
		}
		for _, phrase := range []struct{ field, text string }{{"meaning", of.Meaning}, {"remedy", of.Remedy}} {
			switch {
			case !v1alpha1.Printable(phrase.text):
				report(path+"."+phrase.field, "must be one line of printable characters")
			case utf8.RuneCountInString(phrase.text) > maxPhrase:
				report(path+"."+phrase.field, "must have at most %d characters", maxPhrase)
			}
		}
	}
	return problems
}
