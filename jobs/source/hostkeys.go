// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the format of known_hosts
	"encoding/base64"
	"errors"
	"io"
	"net"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"goldsmith.dev/goldsmith/jobs/source/reference"
)

// hostKeys are the keys that known_hosts has for one server.
type hostKeys struct {
	remote  *reference.Remote
	known   []ssh.PublicKey
	revoked []ssh.PublicKey
}

// parseHostKeys reads the lines for a server. knownhosts of golang.org/x/crypto reads files only, and does not tell the types of the keys, which
// have to be negotiated: a server with a key of another type would look as if its key had changed.
func parseHostKeys(content []byte, remote *reference.Remote) (*hostKeys, error) {
	keys := &hostKeys{remote: remote}
	name := knownhosts.Normalize(net.JoinHostPort(remote.Host, remote.Port))
	for i, line := range bytes.Split(content, []byte("\n")) {
		marker, patterns, key, _, _, err := ssh.ParseKnownHosts(line)
		switch {
		case errors.Is(err, io.EOF): // empty, or a comment
		case err != nil && matchHost(patternsOf(string(line)), name):
			return nil, failure(HostKey, "line %d of known_hosts of the Secret is about %s and cannot be read; replace it with the output of: %s", i+1, name, scan(remote))
		case err != nil || !matchHost(patterns, name): // ssh skips what it cannot read, too
		case marker == "":
			keys.known = append(keys.known, key)
		case marker == "revoked":
			keys.revoked = append(keys.revoked, key)
		}
	}
	return keys, nil
}

// patternsOf returns the patterns of a line whose key cannot be read.
func patternsOf(line string) []string {
	fields := strings.Fields(line)
	if len(fields) > 1 && strings.HasPrefix(fields[0], "@") { // a marker
		fields = fields[1:]
	}
	if len(fields) == 0 {
		return nil
	}
	return strings.Split(fields[0], ",")
}

// matchHost reports whether the patterns of a line include a host, which is HOST or [HOST]:PORT.
func matchHost(patterns []string, name string) bool {
	matched := false
	for _, pattern := range patterns {
		if hashed, ok := strings.CutPrefix(pattern, "|1|"); ok {
			salt, sum, _ := strings.Cut(hashed, "|")
			key, err := base64.StdEncoding.DecodeString(salt)
			hash := hmac.New(sha1.New, key)
			_, _ = hash.Write([]byte(name)) // a hash takes all bytes
			matched = matched || err == nil && base64.StdEncoding.EncodeToString(hash.Sum(nil)) == sum
			continue
		}
		bare, negated := strings.CutPrefix(pattern, "!")
		if !matchPattern(strings.ToLower(bare), strings.ToLower(name)) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}

// matchPattern matches * and ? as OpenSSH does. Brackets, which path.Match reads otherwise, are around hosts with a port.
func matchPattern(pattern, name string) bool {
	ok, err := path.Match(strings.NewReplacer("[", `\[`, "]", `\]`, "/", `\/`).Replace(pattern), name)
	return ok && err == nil
}

// algorithms returns those of the keys that are known, so that the server shows one of these keys. Without one the server shows any key, for the
// error.
func (k *hostKeys) algorithms() []string {
	var found []string
	for _, key := range k.known {
		if key.Type() == ssh.KeyAlgoRSA {
			found = append(found, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		found = append(found, key.Type())
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// check is called before the client authenticates.
func (k *hostKeys) check(address string, _ net.Addr, key ssh.PublicKey) error {
	same := func(other ssh.PublicKey) bool { return bytes.Equal(other.Marshal(), key.Marshal()) }
	shown := key.Type() + " " + ssh.FingerprintSHA256(key)
	switch {
	case slices.ContainsFunc(k.revoked, same):
		return failure(HostKey, "%s has the host key %s, which known_hosts revokes", address, shown)
	case slices.ContainsFunc(k.known, same):
		return nil
	case len(k.known) == 0:
		return failure(HostKey, "%s has the host key %s, and known_hosts has no key for this server; compare the fingerprint with what the server's operator publishes, and add the output of: %s",
			address, shown, scan(k.remote))
	}
	var fingerprints []string
	for _, known := range k.known {
		fingerprints = append(fingerprints, known.Type()+" "+ssh.FingerprintSHA256(known))
	}
	return failure(HostKey, "the host key of %s has changed: it is %s, but known_hosts has %s; if the server's operator confirms the new key, replace it with the output of: %s",
		address, shown, strings.Join(fingerprints, " and "), scan(k.remote))
}

// scan returns the command that prints the host keys of a server.
func scan(remote *reference.Remote) string {
	if remote.Port == "22" {
		return "ssh-keyscan " + remote.Host
	}
	return "ssh-keyscan -p " + remote.Port + " " + remote.Host
}
