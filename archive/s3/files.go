// SPDX-License-Identifier: Apache-2.0

package s3

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/ini.v1"
)

// profileSection is how the names of profiles begin in files.
const profileSection = "profile "

// files are the settings in the shared files of the AWS SDKs, config and credentials.
type files struct {
	// name and settings of the profile in use.
	name    string
	profile map[string]string
	// sections by their name in config, such as "profile NAME". A nested setting has the key "OUTER.INNER".
	sections map[string]map[string]string
}

// readFiles reads the settings of a profile, of that in the environment, or of the default profile. The file credentials takes precedence.
// A missing file has no settings. A missing profile is an error if it was named.
func readFiles(name string) (*files, error) {
	named := cmp.Or(name, os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE"))
	f := &files{name: cmp.Or(named, "default"), sections: map[string]map[string]string{}}
	home, _ := os.UserHomeDir()
	for _, source := range []struct{ path, prefix string }{
		{cmp.Or(os.Getenv("AWS_CONFIG_FILE"), filepath.Join(home, ".aws", "config")), ""},
		{cmp.Or(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), filepath.Join(home, ".aws", "credentials")), profileSection},
	} {
		content, err := ini.LoadSources(ini.LoadOptions{
			Loose: true, SkipUnrecognizableLines: true, InsensitiveKeys: true, AllowNestedValues: true, SpaceBeforeInlineComment: true,
			IgnoreContinuation: true, PreserveSurroundedQuote: true, KeyValueDelimiters: "=",
		}, source.path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", source.path, err)
		}
		for _, section := range content.Sections() {
			title := source.prefix + strings.Join(strings.Fields(section.Name()), " ")
			if title == "default" {
				title = profileSection + title
			}
			if f.sections[title] == nil {
				f.sections[title] = map[string]string{}
			}
			maps.Copy(f.sections[title], section.KeysHash())
			for _, key := range section.Keys() {
				for _, nested := range key.NestedValues() {
					setting, value, _ := strings.Cut(nested, "=")
					f.sections[title][key.Name()+"."+strings.TrimSpace(setting)] = strings.TrimSpace(value)
				}
			}
		}
	}
	f.profile = f.sections[profileSection+f.name]
	if named != "" && f.profile == nil {
		return nil, errors.New("the shared AWS files have no profile of the name that is set")
	}
	return f, nil
}

// setting returns a setting of the environment or of the profile.
func (f *files) setting(variable, key string) string {
	return cmp.Or(os.Getenv(variable), f.profile[key])
}

func (f *files) isSet(variable, key string) bool {
	return strings.EqualFold(f.setting(variable, key), "true")
}

// endpoint returns the address that is set for a service, such as S3, or for all services.
func (f *files) endpoint(service string) string {
	if f.isSet("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") {
		return ""
	}
	return cmp.Or(os.Getenv("AWS_ENDPOINT_URL_"+service), os.Getenv("AWS_ENDPOINT_URL"),
		f.sections["services "+f.profile["services"]][strings.ToLower(service)+".endpoint_url"], f.profile["endpoint_url"])
}
