// SPDX-License-Identifier: Apache-2.0

package up

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
)

// configurationFlagsName is the file of the server with the flags of configurationFlags, as a list of JSON.
const configurationFlagsName = "configuration-flags"

// configurationFlags returns the flags that name builders and kinds. They have no values of variables. The documents of the data directory
// need no flag.
func (o *Options) configurationFlags() []string {
	flags := []string{}
	if o.Kinds.Path != filepath.Join(o.DataDirectory, kindsFile) {
		flags = append(flags, "--kinds", o.Kinds.Path)
	}
	if o.BuilderDocuments != filepath.Join(o.DataDirectory, buildersFile) {
		flags = append(flags, "--builders", o.BuilderDocuments)
	}
	for _, pair := range o.Builders {
		flags = append(flags, "--builder", pair)
	}
	for _, name := range o.Unconfined {
		flags = append(flags, "--unconfined", name)
	}
	return flags
}

// rememberFlags keeps the flags that name builders and kinds, so that a restore can tell them.
func (s *system) rememberFlags() error {
	flags, err := json.Marshal(s.options.configurationFlags())
	if err != nil {
		return fmt.Errorf("keep the flags of the server: %w", err)
	}
	return s.data.remember(configurationFlagsName, string(flags))
}

// recallFlags returns the flags that named builders and kinds when a server last used the directory, or none if they cannot be read: they only
// serve to tell users.
func (d *dataDirectory) recallFlags() (flags []string) {
	content, err := d.recall(configurationFlagsName)
	if err != nil || json.Unmarshal([]byte(content), &flags) != nil {
		return nil
	}
	return flags
}

// shellWords returns words of a command line.
func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellword.Quote(word)
	}
	return strings.Join(quoted, " ")
}

// missingPaths returns the paths in these flags that do not exist.
func missingPaths(flags []string) (missing []string) {
	for i := 0; i+1 < len(flags); i += 2 {
		path := flags[i+1]
		switch flags[i] {
		case "--builder":
			_, path, _ = strings.Cut(path, "=")
		case "--unconfined":
			continue
		}
		if !exists(path) {
			missing = append(missing, path)
		}
	}
	return missing
}
