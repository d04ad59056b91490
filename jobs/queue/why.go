// SPDX-License-Identifier: Apache-2.0

package queue

import "fmt"

// Why returns what a build waits for, and which settings of its namespace are invalid. It is empty for a build that does not wait.
func (q *Queue) Why(key Key) string {
	build, ok := q.builds[key]
	if !ok || build.State == Active {
		return ""
	}
	why := q.why(build)
	if problem := build.namespace.share.Problem; problem != "" && !build.External {
		why += "; " + problem
	}
	return why
}

func (q *Queue) why(build *entry) string {
	if build.waitsForImage() {
		return "an earlier build of the image has not finished"
	}
	if build.External {
		return "the build is about to start"
	}
	if limit, limited := q.limitOf(build.namespace); limited && build.namespace.active.reached(limit) {
		return fmt.Sprintf("the namespace has reached its limit of active builds (%d)", limit)
	}
	if build.Automatic && q.automaticFullIn(build.namespace) {
		return fmt.Sprintf("the namespace has reached its limit of active automatic builds (%d)", q.limits.AutomaticPerNamespace)
	}
	if q.full() {
		return fmt.Sprintf("Goldsmith has reached its limit of active builds (%d)", q.limits.Builds)
	}
	if build.Automatic && q.automaticFull() {
		return fmt.Sprintf("Goldsmith has reached its limit of active automatic builds (%d)", q.limits.Automatic)
	}
	return "the build is about to start"
}
