// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"fmt"
	"os"
	"path/filepath"

	"goldsmith.dev/goldsmith/jobs/result"
)

// maxReport is the maximum size in bytes of a report about tests.
const maxReport = 4 << 20

// CompleteReport lets read, which is Identify or Take, read the file of a report about tests in the output directory of a runner that has ended, and adds
// its digest and its size to the report. A content that cannot be a report is an *InvalidError, which is no reason to doubt the tests.
func CompleteReport(output *os.Root, report *result.Content, read func(path string) Taken) error {
	path := filepath.Clean(report.File)
	switch info, err := output.Stat(path); {
	case report.MediaType != result.MediaTypeJUnit:
		return &InvalidError{fmt.Sprintf("mediaType of the report is %q, must be %s", report.MediaType, result.MediaTypeJUnit)}
	case report.File == "":
		return &InvalidError{"the report has no file"}
	case err == nil && info.Size() > maxReport: // read tells what is wrong with a file that has no size
		return largeReport(report.File, info.Size())
	}
	file := read(path)
	if file.Err == nil && file.Content.SizeBytes > maxReport { // somebody has written to it meanwhile
		return largeReport(report.File, file.Content.SizeBytes)
	}
	return complete(report, file, "report")
}

func largeReport(file string, sizeBytes int64) error {
	return &InvalidError{fmt.Sprintf("report: file %q has %d bytes, at most %d are allowed", file, sizeBytes, maxReport)}
}
