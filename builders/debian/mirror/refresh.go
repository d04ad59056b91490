// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// maxRelease is the maximum size of an InRelease. That of Debian has 140 kB.
const maxRelease = 16 << 20

// Refresh replaces the kept InRelease of each suite by the present one of its archive, and removes the indices of the earlier one. Packages
// stay. If one of them cannot be fetched, all of them stay as they are. Call it before the mirror serves requests.
func (m *Mirror) Refresh(ctx context.Context) error {
	releases, err := m.releases()
	if err != nil {
		return fmt.Errorf("refresh the mirror: %w", err)
	}
	contents := make([][]byte, len(releases))
	for i, release := range releases {
		if contents[i], err = m.present(ctx, release); err != nil {
			return fmt.Errorf("refresh %s: %w; nothing is changed", release, err)
		}
	}
	for i, release := range releases {
		if err := m.replace(release, contents[i]); err != nil {
			return fmt.Errorf("refresh %s: %w", release, err)
		}
	}
	return nil
}

// releases returns the kept InRelease files, those of a folder before those of its folders.
func (m *Mirror) releases() (releases []file, err error) {
	err = fs.WalkDir(m.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && entry.Name() == inRelease {
			host, rest, _ := strings.Cut(name, "/")
			releases = append(releases, file{host, "/" + rest})
		}
		return err
	})
	return releases, err
}

// present returns the InRelease that the archive has now.
func (m *Mirror) present(ctx context.Context, release file) ([]byte, error) {
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := m.allow(release.host); err != nil {
		return nil, err
	}
	response, err := m.get(ctx, release)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxRelease+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > maxRelease:
		return nil, fmt.Errorf("it is larger than %d bytes", maxRelease)
	case !bytes.HasPrefix(content, []byte(signed)):
		return nil, refuse(http.StatusBadGateway, "what the archive answers is not signed")
	}
	return content, nil
}

// replace makes an InRelease that of its suite. The indices of the earlier one are removed first, so that none is beside the new one.
func (m *Mirror) replace(release file, content []byte) error {
	kept, err := m.root.ReadFile(release.name())
	if err == nil && bytes.Equal(kept, content) {
		m.options.Log.Printf("unchanged: %s", release)
		return nil
	}
	suite := path.Dir(release.name())
	entries, err := fs.ReadDir(m.root.FS(), suite)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == inRelease {
			continue
		}
		if err := m.root.RemoveAll(path.Join(suite, entry.Name())); err != nil {
			return err
		}
	}
	if err := m.root.MkdirAll(unfinished, 0o755); err != nil {
		return err
	}
	name := path.Join(unfinished, inRelease)
	if err := m.write(name, content); err != nil {
		return err
	}
	m.options.Log.Printf("refreshed: %s", release)
	return m.root.Rename(name, release.name())
}

func (m *Mirror) write(name string, content []byte) error {
	temporary, err := m.root.Create(name)
	if err != nil {
		return err
	}
	defer func() { _ = temporary.Close() }()
	if _, err := temporary.Write(content); err != nil {
		return err
	}
	return temporary.Sync()
}
