// SPDX-License-Identifier: Apache-2.0

// Package junit reads and writes JUnit reports of test runs. They are below bin/reports, in one folder for each target of
// make, whatever program wrote them: gotestsum, ginkgo, WriteSuite of this package, or .ci/run.
package junit
