// SPDX-License-Identifier: Apache-2.0

// Package queue is the order in which builds are admitted. It is pure: it reads no clock, calls no API, and what comes
// next follows from the builds, the namespaces and the limits that it was told of, in whatever order it was told.
//
// A build is admitted when
//   - its Image lets it: under Serial and SerialLatestOnly no other build of the Image is active, and none with a lower
//     number has yet to finish; under Parallel, and for a build created directly, always;
//   - its namespace runs fewer builds than it may;
//   - all namespaces together run fewer builds than they may.
//
// Between namespaces shares are fair: the one with the fewest active builds for its weight goes next, and of those with
// equally few the one whose oldest build has waited longest. Within a namespace the build with the highest priority goes
// next, and of those the oldest, except that a build that has waited for longer than Patience goes before all that have
// not. How long a build waits is counted from its creation, which never changes.
//
// A build that names a queue of Kueue waits here only for its Image: Kueue admits its Jobs, whatever the limits are. Once its Job
// runs, it counts like any other.
//
// Each change, and finding the next build, takes time that grows with the logarithm of the number of builds.
package queue
