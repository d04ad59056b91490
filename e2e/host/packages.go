// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
)

// Packages is an archive of packages of the builder mock, which this process serves.
type Packages struct {
	// URL is its address.
	URL string

	mutex sync.Mutex
	text  string
}

// NewPackages serves an archive without packages until the spec ends.
func NewPackages(address string) *Packages {
	GinkgoHelper()
	p := &Packages{}
	p.URL = "http://" + serve(address, func(answer http.ResponseWriter, _ *http.Request) {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		_, _ = answer.Write([]byte(p.text)) // the client reports what it misses
	}, nil) + "/packages"
	return p
}

// Publish replaces the state of the archive.
func (p *Packages) Publish(date time.Time, packages ...string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.text = fmt.Sprintf("date: %s\n%s\n", date.UTC().Format(time.RFC3339), strings.Join(packages, "\n"))
}
