// SPDX-License-Identifier: Apache-2.0

// Package queue decides the order in which builds are admitted. It is pure: it reads no clock and calls no API. The next build
// depends only on the builds, the namespaces and the limits, not on the order in which they were set.
//
// A build is admitted when
//   - its Image allows it: under Serial and SerialLatestOnly no other build of the Image is active, and every build with a lower
//     number has finished; under Parallel, and for a build that was created
//     directly or only reproduces artifacts, always;
//   - its namespace has fewer active builds than its limit;
//   - all namespaces together have fewer active builds than the limit;
//   - if the build is automatic, there are fewer active automatic builds than the limits for these, in its namespace and in all.
//
// A slow test must not delay builds: as many active builds as a limit has do not count in it while they run tests. More of them do, because tests
// need memory and their artifacts disks.
//
// order.go has the order of the builds that can be admitted. Waiting is counted from the creation of a build, which never changes.
//
// A build that names a queue of Kueue waits here only for its Image: Kueue admits its Jobs, whatever the limits are. Once its Job
// runs, the build counts like any other.
//
// Each change, and finding the next build, takes time logarithmic in the number of builds.
package queue
