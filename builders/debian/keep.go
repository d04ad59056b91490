// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/builders/debian/kept"
	"goldsmith.dev/goldsmith/builders/disk"
)

// Files of the plan. With the first, customize.sh only installs packages, and writes the second: the digests of the release files that apt has read.
const (
	planKeep     = "keep"
	planReleases = "releases"
	planPackages = "packages"
)

// afterPackages are the files of the plan, and those in its directories, that act only after packages are installed. Everything else is part of
// the key under which the packages are kept. The root file system of a base is so by its digest.
var afterPackages = []string{
	"root.tar", "uuid", "timezone", "locale", "accounts", "users", "homes", "machine.list", "enable", "disable", "scripts", "scripts.list",
	"first-boot", "first-boot.service", baseTar, baseDisk,
}

// installKept gives the plan a root file system in which its packages are installed: the one that an earlier build has kept, or else a new one,
// which it keeps. The plan is applied to it in another run of mmdebstrap. So its bytes are the same in both cases. A build that reproduces another
// one takes and keeps nothing: what it makes shows what the inputs make.
func (b *build) installKept(ctx context.Context, plan *plan, client *kept.Client, directory, list string) (err error) {
	made := b.path("packages.tar")
	if b.input.Build.Reproduces {
		b.logf("the packages are installed again, because the build makes the artifacts of an earlier one again")
		if err = client.Close(); err == nil { // before any program of the base runs
			err = b.makeKept(ctx, plan, directory, made, list)
		}
	} else {
		err = b.getOrKeep(ctx, plan, client, directory, made, list)
	}
	if err != nil {
		return err
	}
	if plan.config.based {
		if err := os.WriteFile(filepath.Join(directory, planPackages), nil, modeFile); err != nil {
			return fmt.Errorf("write the plan: %w", err)
		}
	}
	plan.kept = true
	if err := os.Rename(made, filepath.Join(directory, baseTar)); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// getOrKeep gets the root file system that an earlier build has kept, or makes one and keeps it. Nothing that goes wrong with what is kept fails the
// build.
func (b *build) getOrKeep(ctx context.Context, plan *plan, client *kept.Client, directory, made, list string) error {
	key, err := b.keyOf(plan, directory, list)
	if err != nil {
		return fmt.Errorf("compute the key of the packages: %w", err)
	}
	digest, err := client.Get(ctx, key, made)
	switch {
	case err == nil:
		b.logf("the packages are those that an earlier build has kept, %s: goldsmith up --builder-cache-max 0 would install them again", digest)
		return nil
	case ctx.Err() != nil:
		return err
	case !errors.Is(err, kept.ErrNothing):
		b.logf("the packages that earlier builds have kept are not used: %v", err)
	}
	if err := b.makeKept(ctx, plan, directory, made, list); err != nil {
		return err
	}
	b.keep(ctx, client, key, directory, made)
	return nil
}

// makeKept installs the packages only.
func (b *build) makeKept(ctx context.Context, plan *plan, directory, to, list string) error {
	marker := filepath.Join(directory, planKeep)
	if err := os.WriteFile(marker, nil, modeFile); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	// Scripts of the image see what packages have left, whether it was kept or not.
	b.keeping = true
	err := b.mmdebstrap(ctx, plan, directory, to, list, "--skip=cleanup/apt/lists,cleanup/run,cleanup/tmp,cleanup/reproducible")
	b.keeping = false
	if err != nil {
		return err
	}
	if err := os.Remove(marker); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// keep keeps a root file system, unless the mirror has changed since the key was computed.
func (b *build) keep(ctx context.Context, client *kept.Client, key, directory, made string) {
	read, err := os.ReadFile(filepath.Join(directory, planReleases))
	if want := slices.Sorted(slices.Values(b.releases)); err == nil && !slices.Equal(strings.Fields(string(read)), want) {
		err = errors.New("the mirror has changed meanwhile")
	}
	var digest string
	var size int64
	if err == nil {
		digest, size, err = client.Put(ctx, key, made)
	}
	if err != nil {
		b.logf("the packages are not kept for later builds: %v", err)
		return
	}
	b.logf("the packages are kept for later builds, %s, %s", digest, disk.SizeText(size))
}

// keyOf returns a digest of everything that the root file system with the packages is made of.
func (b *build) keyOf(plan *plan, directory, list string) (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	digests := map[string]string{}
	for name, path := range map[string]string{"program": program, "sources": list} {
		if digests[name], err = digestOf(path); err != nil {
			return "", err
		}
	}
	for _, name := range plan.early() {
		file := plan.files[name]
		content, err := file.open()
		if err != nil {
			return "", err
		}
		if digests["files/"+name], err = digestAll(content); err != nil {
			return "", err
		}
	}
	root := os.DirFS(directory)
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(afterPackages, name) && entry.IsDir():
			return fs.SkipDir
		case slices.Contains(afterPackages, name) || entry.IsDir():
			return nil
		}
		digests["plan/"+name], err = digestOf(filepath.Join(directory, name))
		return err
	})
	if err != nil {
		return "", err
	}
	var base string
	if plan.config.based {
		artifact, err := chooseBase(&b.input.Base)
		if err != nil {
			return "", err
		}
		base = artifact.Digest
	}
	options := plan.mmdebstrap(directory)
	for i := range options {
		options[i] = strings.ReplaceAll(options[i], b.work, "WORK")
	}
	text, err := json.Marshal(struct {
		Digests           map[string]string
		Tools, Base, Time string
		Options, Releases []string
	}{digests, b.toolsDigest, base, b.time.String(), options, b.releases})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// digestOf returns the SHA-256 of a file, in hexadecimal digits.
func digestOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	return digestAll(file)
}

// digestAll returns the SHA-256 of the rest of a file, in hexadecimal digits, and closes it.
func digestAll(file io.ReadCloser) (string, error) {
	defer func() { _ = file.Close() }() // only read from
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
