// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"archive/zip"
	"bytes"
	_ "embed" // the time zones
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// zoneinfo is the IANA database as Go publishes it. time.LoadLocation would prefer the files of the machine, which differ
// between machines and have further names, such as localtime.
//
//go:generate sh -c "cp \"$(go env GOROOT)/lib/time/zoneinfo.zip\" ."
//go:embed zoneinfo.zip
var zoneinfo []byte

// zones reads the directory of zoneinfo once, because it has about 600 entries.
var zones = sync.OnceValues(func() (*zip.Reader, error) {
	return zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
})

// parseTimeZone returns the time zone of a name of the IANA database. It reads no file, and no environment variable.
func parseTimeZone(name string) (*time.Location, error) {
	switch name {
	case "":
		return nil, errors.New("set a time zone, such as Europe/Berlin")
	case "UTC":
		return time.UTC, nil
	}
	database, err := zones()
	if err != nil {
		return nil, fmt.Errorf("read the time zones: %w", err)
	}
	data, err := fs.ReadFile(database, name)
	if err != nil {
		return nil, errors.New("must be a time zone of the IANA database, such as Europe/Berlin")
	}
	return time.LoadLocationFromTZData(name, data)
}
