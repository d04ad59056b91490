// SPDX-License-Identifier: Apache-2.0

// Package reference has the references of sources to Git repositories and OCI artifacts, and decides which references are valid. Its
// functions are pure: a server of the API can check what users write without a client for Git.
package reference

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// maxLength is the number of bytes that a URL, a ref, a path or a repository has at most.
const maxLength = 2048

// Source is where files come from. Exactly one field is set.
type Source struct {
	Git *Git
	OCI *OCI
}

// Git is a revision of a Git repository.
type Git struct {
	// URL is https://HOST/PATH, http://HOST/PATH, ssh://USER@HOST[:PORT]/PATH or USER@HOST:PATH.
	URL string
	// Ref is the ID of a commit, a name that begins with refs/, or the short name of a branch or a tag. Empty for the default branch.
	Ref string
	// Path is a directory of the repository, whose files are fetched. Empty for all files.
	Path string
}

// OCI is an artifact of an OCI registry.
type OCI struct {
	// Repository is HOST[:PORT]/PATH.
	Repository string
	// Tag is a tag, or the digest of a manifest. Empty for latest.
	Tag string
}

// Invalid is a field with a value that cannot be used.
type Invalid struct {
	// Field is the path of the field in the source, such as git.url.
	Field string
	// Value is the value, without credentials.
	Value string
	// Message tells what is wrong, and how to correct it.
	Message string
}

func (i Invalid) Error() string { return fmt.Sprintf("%s: %q: %s", i.Field, i.Value, i.Message) }

// Check returns the fields that cannot be used. withSecret tells whether the source has a Secret, which is never sent without encryption.
func Check(s Source, withSecret bool) []Invalid {
	switch {
	case s.Git != nil && s.OCI != nil:
		return []Invalid{{Field: "oci", Message: "must not be set together with git"}}
	case s.Git != nil:
		return s.Git.check(withSecret)
	case s.OCI != nil:
		return s.OCI.check()
	}
	return []Invalid{{Field: "git", Message: "must be set, or oci"}}
}

func (g *Git) check(withSecret bool) []Invalid {
	var found []Invalid
	remote, err := g.Remote()
	if err != nil {
		found = append(found, Invalid{"git.url", withoutUser(g.URL), err.Error()})
	} else if remote.Scheme == "http" && withSecret {
		found = append(found, Invalid{"git.url", g.URL, "must be https, because http sends the credentials of the Secret without encryption"})
	}
	if err := checkRef(g.Ref); err != nil {
		found = append(found, Invalid{"git.ref", clean(g.Ref), err.Error()})
	}
	if err := checkPath(g.Path); err != nil {
		found = append(found, Invalid{"git.path", clean(g.Path), err.Error()})
	}
	return found
}

// Remote is where a repository is.
type Remote struct {
	// Scheme is https, http or ssh.
	Scheme string
	// User is the user of ssh.
	User string
	// Host is the name or the address of the host, and Port its port. An IPv6 address has no brackets.
	Host, Port string
	// Path begins with a slash, unless it is relative to the home of the user of ssh.
	Path string
}

// copyAddress is the form USER@HOST:PATH, as scp has it.
var copyAddress = regexp.MustCompile(`^([^@/:\[\]]*)@(\[[0-9A-Fa-f:.]+\]|[^@/:\[\]]+):(.+)$`)

// Remote returns where the repository is.
func (g *Git) Remote() (*Remote, error) {
	text := g.URL
	switch {
	case text == "":
		return nil, fmt.Errorf("must be set to the URL of a repository, such as https://git.example.com/team/images.git")
	case len(text) > maxLength:
		return nil, fmt.Errorf("must have at most %d bytes", maxLength)
	case !v1alpha1.Printable(text) || strings.ContainsAny(text, " \\"):
		return nil, fmt.Errorf("must have no spaces, control characters or backslashes")
	}
	if !strings.Contains(text, "://") {
		parts := copyAddress.FindStringSubmatch(text)
		if parts == nil {
			return nil, fmt.Errorf("must be https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH")
		}
		return checkRemote(&Remote{Scheme: "ssh", User: parts[1], Host: strings.Trim(parts[2], "[]"), Port: "22", Path: parts[3]})
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("must be a URL")
	}
	if parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "" || strings.Contains(text, "#") {
		return nil, fmt.Errorf("must have no query and no fragment; git.ref and git.path name what is fetched")
	}
	remote := &Remote{Scheme: parsed.Scheme, Host: parsed.Hostname(), Port: parsed.Port(), Path: parsed.Path}
	switch parsed.Scheme {
	case "https", "http":
		if parsed.User != nil {
			return nil, fmt.Errorf("must have no credentials; write them into the Secret that secretRef names")
		}
		if remote.Port == "" {
			remote.Port = map[string]string{"https": "443", "http": "80"}[parsed.Scheme]
		}
	case "ssh":
		if _, has := parsed.User.Password(); has {
			return nil, fmt.Errorf("must have no password; write a key into the Secret that secretRef names")
		}
		remote.User = parsed.User.Username()
		if remote.Port == "" {
			remote.Port = "22"
		}
		if rest, home := strings.CutPrefix(remote.Path, "/~/"); home {
			remote.Path = rest
		}
	default:
		return nil, fmt.Errorf("must begin with https://, http:// or ssh://")
	}
	return checkRemote(remote)
}

func checkRemote(r *Remote) (*Remote, error) {
	port, err := strconv.ParseUint(r.Port, 10, 16)
	switch {
	case r.Scheme == "ssh" && r.User == "":
		return nil, fmt.Errorf("must name the user of ssh, such as git@HOST")
	case r.Host == "" || strings.HasPrefix(r.Host, "-") || strings.HasPrefix(r.User, "-"):
		return nil, fmt.Errorf("must name a host, and neither it nor the user may begin with a hyphen")
	case strings.ContainsAny(r.Host, "%\"'`$;&|<>(){}*?!,"):
		return nil, fmt.Errorf("must name a host by its name or address")
	case err != nil || port == 0:
		return nil, fmt.Errorf("must have a port between 1 and 65535")
	case strings.Trim(r.Path, "/") == "":
		return nil, fmt.Errorf("must have the path of a repository")
	case strings.HasPrefix(r.Path, "-") || !v1alpha1.Printable(r.Path):
		return nil, fmt.Errorf("must have a path without control characters that does not begin with a hyphen")
	}
	return r, nil
}

// IsCommit reports whether a ref is the ID of a commit, in SHA-1 or SHA-256.
func IsCommit(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && strings.Trim(ref, "0123456789abcdef") == ""
}

// checkRef refuses what git check-ref-format refuses.
func checkRef(ref string) error {
	switch {
	case ref == "":
		return nil
	case len(ref) > maxLength:
		return fmt.Errorf("must have at most %d bytes", maxLength)
	case strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) }):
		return fmt.Errorf(`must have no spaces, control characters or any of ~^:?*[\; name a branch, a tag or a commit`)
	case !v1alpha1.Printable(ref) || ref == "@" || strings.HasPrefix(ref, "-") || strings.Contains(ref, "..") || strings.Contains(ref, "@{") || strings.HasSuffix(ref, "."):
		return fmt.Errorf("must be a name that Git allows, of printable characters: without .. or @{, without a hyphen at its beginning or a dot at its end")
	}
	for part := range strings.SplitSeq(ref, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return fmt.Errorf("must have no part between slashes that is empty, begins with a dot or ends with .lock")
		}
	}
	return nil
}

func checkPath(text string) error {
	parts := strings.Split(text, "/")
	switch {
	case text == "":
		return nil
	case len(text) > maxLength:
		return fmt.Errorf("must have at most %d bytes", maxLength)
	case !v1alpha1.Printable(text):
		return fmt.Errorf("must have printable characters only")
	case strings.HasPrefix(text, "/") || slices.Contains(parts, ".."):
		return fmt.Errorf("must be relative to the repository, and must not have .. in it")
	case slices.ContainsFunc(parts, func(part string) bool { return strings.EqualFold(part, ".git") }):
		return fmt.Errorf("must not be in .git")
	}
	return nil
}

// Directory returns the path without dots and needless slashes, and "" for all files.
func (g *Git) Directory() string {
	if cleaned := path.Clean("/" + g.Path); cleaned != "/" {
		return cleaned[1:]
	}
	return ""
}

// tag is the grammar of tags.
var tag = regexp.MustCompile(`^[\w][\w.-]{0,127}$`)

func (o *OCI) check() []Invalid {
	var found []Invalid
	named, err := reference.ParseNamed(o.Repository)
	switch {
	case o.Repository == "":
		found = append(found, Invalid{"oci.repository", "", "must be set, such as registry.example.com/team/files"})
	case err != nil || !reference.IsNameOnly(named):
		found = append(found, Invalid{"oci.repository", withoutUser(o.Repository), "must be HOST[:PORT]/PATH in lower case, without a scheme and without a tag"})
	}
	if _, err := digest.Parse(o.Tag); o.Tag != "" && !tag.MatchString(o.Tag) && (err != nil || !strings.HasPrefix(o.Tag, "sha256:")) {
		found = append(found, Invalid{"oci.tag", clean(o.Tag), "must be a tag, or a digest such as sha256:…"})
	}
	return found
}

// withoutUser returns a URL that can be shown: it leaves out what can be credentials.
func withoutUser(text string) string {
	start := strings.Index(text, "://") + 1
	if start > 0 {
		start += 2
	}
	authority, _, _ := strings.Cut(text[start:], "/")
	if at := strings.LastIndex(authority, "@"); at >= 0 && (start > 0 || strings.Contains(authority[:at], ":")) {
		text = text[:start] + "…" + text[start+at:]
	}
	text, _, _ = strings.Cut(text, "?")
	return clean(text)
}

// clean returns the beginning of a text, so that it can be shown.
func clean(text string) string {
	return v1alpha1.Escape(strings.ToValidUTF8(text[:min(len(text), 200)], "?"))
}
