// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"fmt"
	"os"
	"strings"

	"goldsmith.dev/goldsmith/builders/debian/secrets"
)

const (
	// maxSharedLines is how many lines of the log tell what all machines share.
	maxSharedLines = 50
	// maxSharedBytes bounds the annotation, which every artifact has: a result has at most 4,096 bytes.
	maxSharedBytes = 400
)

// findShared tells which private keys and identifiers all machines of the image would share.
func (b *build) findShared(context.Context) error {
	file, err := os.Open(b.rootFS())
	if err != nil {
		return fmt.Errorf("look for secrets: %w", err)
	}
	defer func() { _ = file.Close() }() // only read from
	found, err := secrets.Scan(file)
	if err != nil {
		return err
	}
	for i, finding := range found {
		if i == maxSharedLines {
			b.logf("all machines share %d more files", len(found)-i)
			break
		}
		origin := ""
		if _, declared := b.files[rootPrefix+finding.Path]; declared {
			origin = ", a file of the image"
		}
		b.logf("all machines share %s%s", finding, origin)
	}
	b.shared = sharedAnnotation(found)
	return nil
}

// sharedAnnotation returns the value of the annotation debian.shared: the paths, as many as fit.
func sharedAnnotation(found []secrets.Finding) string {
	var value strings.Builder
	for i, finding := range found {
		part := finding.String()
		if i > 0 {
			part = ", " + part
		}
		if more := fmt.Sprintf(", and %d more", len(found)-i); value.Len()+len(part)+len(more) > maxSharedBytes {
			if i == 0 {
				more = fmt.Sprintf("%d files", len(found))
			}
			value.WriteString(more)
			break
		}
		value.WriteString(part)
	}
	return value.String()
}
