// SPDX-License-Identifier: Apache-2.0

package junit

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/reporters"
	"github.com/onsi/ginkgo/v2/types"
)

// FolderVariable is the environment variable that names the folder for reports of Ginkgo suites. It is an absolute path,
// because each test runs in the folder of its package.
const FolderVariable = "JUNIT_REPORTS"

// WriteSuite returns what to pass to ReportAfterSuite in a Ginkgo suite that runs under go test. gotestsum reports such a
// suite as one test, so the suite writes a report of its specs itself, if FolderVariable is set. That report has the name of
// the test: readers of both reports can tell that the test is the suite, and count its seconds once.
func WriteSuite(t *testing.T) func(types.Report) {
	return func(report types.Report) {
		folder := os.Getenv(FolderVariable)
		if folder == "" {
			return
		}
		report.SuiteDescription, report.SuitePath = t.Name(), packageUnderTest(report.SuitePath)
		file := filepath.Join(folder, strings.ReplaceAll(report.SuitePath, "/", "-")+"-"+t.Name()+".xml")
		config := reporters.JunitReportConfig{
			OmitSpecLabels:            true,
			OmitTimelinesForSpecState: types.SpecStatePassed | types.SpecStateSkipped | types.SpecStatePending,
		}
		if err := reporters.GenerateJUnitReportWithConfig(report, file, config); err != nil {
			t.Errorf("write JUnit report %s: %v", file, err)
		}
	}
}

// packageUnderTest returns the import path of the package whose tests this process runs.
func packageUnderTest(otherwise string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return otherwise
	}
	return strings.TrimSuffix(info.Path, ".test")
}
