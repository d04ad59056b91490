// SPDX-License-Identifier: Apache-2.0

package queue

import "fmt"

// aboutToStart is what a build waits for that nothing holds up.
const aboutToStart = "the build is about to start"

// Obstacle returns what a build that joined the queue now would wait for, and "" if it would start. The queue then has the build.
func (q *Queue) Obstacle(build Build) string {
	q.Set(build)
	if why := q.Why(build.Key); why != aboutToStart {
		return why
	}
	return ""
}

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
		return aboutToStart
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
	return aboutToStart
}
