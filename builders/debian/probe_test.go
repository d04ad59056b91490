// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

var checkTime = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func signingKey(t *testing.T) *openpgp.Entity {
	t.Helper()
	config := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return checkTime.AddDate(-1, 0, 0) }}
	return require.Value(openpgp.NewEntity("Archive", "", "archive@example.com", config))(t)
}

// frozenArchive is an archive of one state that a test has made and signed.
type frozenArchive struct {
	t        *testing.T
	keys     []*openpgp.Entity
	fields   map[string]string
	indexes  map[string]string // by directory
	suffix   string            // of indexes
	detached bool
	files    map[string][]byte // by path
	asked    []string
	answer   func(http.ResponseWriter, *http.Request) bool // before the files
}

func newArchive(t *testing.T, key *openpgp.Entity) *frozenArchive {
	t.Helper()
	return &frozenArchive{
		t: t, keys: []*openpgp.Entity{key}, suffix: ".xz", files: map[string][]byte{},
		fields: map[string]string{
			"Origin": "Debian", "Label": "Debian", "Suite": "stable", "Codename": "trixie", "Date": "Sat, 28 Nov 2026 10:00:00 UTC",
			"Components": "main contrib", "Architectures": "all amd64", "No-Support-for-Architecture-all": "Packages", "Acquire-By-Hash": "yes",
		},
		indexes: map[string]string{"main/binary-amd64": packageList("openssl 3.5.7-1 amd64", "tzdata 2026b-0+deb13u1 all"), "contrib/binary-amd64": ""},
	}
}

// packageList is the text of an index. Each item has a name, a version, an architecture, and further fields.
func packageList(items ...string) string {
	var text strings.Builder
	for _, item := range items {
		words := strings.SplitN(item, " ", 4)
		fmt.Fprintf(&text, "Package: %s\nVersion: %s\nArchitecture: %s\nDescription: text\n more text\n", words[0], words[1], words[2])
		if len(words) > 3 {
			text.WriteString(words[3])
		}
		text.WriteString("\n")
	}
	return text.String()
}

func (a *frozenArchive) directory() string { return "/dists/" + a.fields["Codename"] + "/" }

// freeze makes the indexes and the release file.
func (a *frozenArchive) freeze() {
	a.t.Helper()
	var release strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.fields)) {
		if a.fields[name] != "" {
			fmt.Fprintf(&release, "%s: %s\n", name, a.fields[name])
		}
	}
	release.WriteString("MD5Sum:\n 0123 1 main/binary-amd64/Packages.xz\nSHA256:\n")
	for _, directory := range slices.Sorted(maps.Keys(a.indexes)) {
		content := compressed(a.t, a.suffix, a.indexes[directory])
		sum, name := fmt.Sprintf("%x", sha256.Sum256(content)), directory+"/Packages"+a.suffix
		fmt.Fprintf(&release, " %s %d %s\n", sum, len(content), name)
		a.files[a.directory()+name] = content
		if a.fields["Acquire-By-Hash"] == "yes" {
			a.files[a.directory()+directory+"/by-hash/SHA256/"+sum] = content
		}
	}
	config := &packet.Config{Time: func() time.Time { return checkTime.Add(-time.Hour) }}
	if a.detached {
		var signature bytes.Buffer
		require.NoError(a.t, openpgp.ArmoredDetachSign(&signature, a.keys, strings.NewReader(release.String()), &openpgp.SignParams{Config: config}))
		a.files[a.directory()+"Release"], a.files[a.directory()+"Release.gpg"] = []byte(release.String()), signature.Bytes()
		return
	}
	var signed bytes.Buffer
	var private []*packet.PrivateKey
	for _, key := range a.keys {
		private = append(private, key.PrivateKey)
	}
	writer := require.Value(clearsign.EncodeMulti(&signed, private, config))(a.t)
	require.Value(io.WriteString(writer, release.String()))(a.t)
	require.NoError(a.t, writer.Close())
	a.files[a.directory()+"InRelease"] = signed.Bytes()
}

func compressed(t *testing.T, suffix, text string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	var writer io.WriteCloser
	switch suffix {
	case ".xz":
		writer = require.Value(xz.NewWriter(&buffer))(t)
	case ".gz":
		writer = gzip.NewWriter(&buffer)
	default:
		return []byte(text)
	}
	require.Value(io.WriteString(writer, text))(t)
	require.NoError(t, writer.Close())
	return buffer.Bytes()
}

func (a *frozenArchive) serve() string {
	a.t.Helper()
	return mirrorWith(a.t, func(writer http.ResponseWriter, request *http.Request) {
		a.asked = append(a.asked, path.Base(request.URL.Path))
		content, found := a.files[request.URL.Path]
		switch {
		case a.answer != nil && a.answer(writer, request):
		case !found:
			http.NotFound(writer, request)
		case request.Header.Get("If-None-Match") == `"frozen"`:
			writer.WriteHeader(http.StatusNotModified)
		default:
			writer.Header().Set("ETag", `"frozen"`)
			writer.Header().Set("Last-Modified", "Sat, 28 Nov 2026 10:01:00 GMT")
			_, _ = writer.Write(content)
		}
	})
}

// probeOf asks the builder, and returns the lines of updates, the result, the failure, and the log.
func probeOf(t *testing.T, key *openpgp.Entity, probe *render.InputProbe) (updates []string, answer *result.Probe, failure *result.Failure, log string) {
	t.Helper()
	var keyring, output bytes.Buffer
	require.NoError(t, key.Serialize(&keyring))
	directory := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(directory, "tools", filepath.Dir(tools.Keyring)), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(directory, "work"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(directory, "tools", tools.Keyring), keyring.Bytes(), 0o600))
	input := require.Value(json.Marshal(render.Input{Version: render.InputVersion, Probe: probe}))(t)
	require.NoError(t, os.WriteFile(filepath.Join(directory, "input.json"), input, 0o600))
	variables := map[string]string{render.EnvInput: filepath.Join(directory, "input.json"), "TMPDIR": filepath.Join(directory, "work")}
	b := &build{
		getenv: func(name string) string { return variables[name] }, log: &output, report: func(string, int, string) {},
		tools: filepath.Join(directory, "tools"), now: func() time.Time { return checkTime },
	}
	said, err := b.answer(t.Context())
	if err != nil {
		failure = failureOf(err)
	} else if _, invalid := result.ParseProbe(string(require.Value(json.Marshal(said))(t)), 0, bytes.NewReader(output.Bytes()), probe.Packages); invalid != nil {
		t.Errorf("Goldsmith refuses the answer: %+v", invalid)
	}
	if refused := Check(b.getenv); (refused != nil) != (failure != nil && failure.Reason == reasonInput) {
		t.Errorf("before the builder runs, its input is refused: %+v", refused)
	}
	if left := require.Value(os.ReadDir(variables["TMPDIR"]))(t); len(left) > 0 {
		t.Errorf("the builder left %v", left)
	}
	for line := range strings.Lines(output.String()) {
		if strings.HasPrefix(line, `{"update":`) {
			updates = append(updates, strings.TrimSpace(line))
		}
	}
	return updates, said.Probe, failure, output.String()
}

func question(uri string) *render.InputProbe {
	return &render.InputProbe{
		Archive:  render.InputArchive{URI: uri, Suite: "trixie", Components: []string{"main"}},
		Packages: map[string]map[string][]string{"amd64": {"openssl": {"3.5.7-1", "3.5.6-1", "3.5.4-1"}}, "all": {"tzdata": {"2026a-0+deb13u1"}}},
	}
}

const usualUpdates = `{"update":{"name":"openssl","architecture":"amd64","from":"3.5.4-1","to":"3.5.7-1"}}
{"update":{"name":"openssl","architecture":"amd64","from":"3.5.6-1","to":"3.5.7-1"}}
{"update":{"name":"tzdata","architecture":"all","from":"2026a-0+deb13u1","to":"2026b-0+deb13u1"}}`

func TestTheProbeFindsNewerPackages(t *testing.T) {
	key := signingKey(t)
	main := func(items ...string) func(*frozenArchive) {
		return func(a *frozenArchive) { a.indexes["main/binary-amd64"] = packageList(items...) }
	}
	tests := map[string]struct {
		change func(*frozenArchive)
		ask    func(*render.InputProbe)
		want   string
		log    string
	}{
		"xz, by hash":                  {want: usualUpdates, log: "of 2 packages, 0 are not in the archive"},
		"gz":                           {change: func(a *frozenArchive) { a.suffix = ".gz" }, want: usualUpdates},
		"plain":                        {change: func(a *frozenArchive) { a.suffix, a.fields["Acquire-By-Hash"] = "", "" }, want: usualUpdates},
		"Release and Release.gpg":      {change: func(a *frozenArchive) { a.detached = true }, want: usualUpdates},
		"two keys":                     {change: func(a *frozenArchive) { a.keys = []*openpgp.Entity{signingKey(a.t), key} }, want: usualUpdates},
		"two keys, detached":           {change: func(a *frozenArchive) { a.keys, a.detached = []*openpgp.Entity{signingKey(a.t), key}, true }, want: usualUpdates},
		"a slash at the end":           {ask: func(p *render.InputProbe) { p.Archive.URI += "/" }, want: usualUpdates},
		"no components":                {ask: func(p *render.InputProbe) { p.Archive.Components = nil }, want: usualUpdates},
		"only packages for everything": {ask: func(p *render.InputProbe) { delete(p.Packages, "amd64") }, want: `{"update":{"name":"tzdata","architecture":"all","from":"2026a-0+deb13u1","to":"2026b-0+deb13u1"}}`},
		"another architecture": {
			ask:  func(p *render.InputProbe) { p.Packages["riscv64"] = map[string][]string{"openssl": {"1"}} },
			want: usualUpdates, log: "has no packages of component main for riscv64",
		},
		"an index of packages for everything": {
			change: func(a *frozenArchive) {
				delete(a.fields, "No-Support-for-Architecture-all")
				a.indexes["main/binary-amd64"], a.indexes["main/binary-all"] = packageList("openssl 3.5.7-1 amd64"), packageList("tzdata 2026b-0+deb13u1 all")
			},
			want: usualUpdates,
		},
		"a component of security updates": {
			change: func(a *frozenArchive) { a.fields["Components"] = "updates/main" }, want: usualUpdates,
		},
		"epochs, tildes and rebuilds": {
			change: main("a 1:1.0-1 amd64", "b 2.0~rc1-1 amd64", "c 1.0-1+b2 amd64", "d 1.0-1 amd64", "e 1.0-1~deb13u1 amd64"),
			ask: func(p *render.InputProbe) {
				p.Packages = map[string]map[string][]string{"amd64": {"a": {"9.9-1"}, "b": {"2.0-1", "2.0~beta2-1"}, "c": {"1.0-1"}, "d": {"1:0.1-1", "1.0-1+b1"}, "e": {"1.0-1", "nonsense at all"}}}
			},
			want: `{"update":{"name":"a","architecture":"amd64","from":"9.9-1","to":"1:1.0-1"}}
{"update":{"name":"b","architecture":"amd64","from":"2.0~beta2-1","to":"2.0~rc1-1"}}
{"update":{"name":"c","architecture":"amd64","from":"1.0-1","to":"1.0-1+b2"}}`,
		},
		"several versions in the archive": {
			change: main("openssl 3.5.9-1 amd64", "openssl 3.5.10-1 amd64", "openssl 3.5.8-1 amd64", "openssl 4-1 arm64"),
			ask:    func(p *render.InputProbe) { p.Packages["amd64"]["openssl"] = []string{"3.5.7-1"} },
			want:   `{"update":{"name":"openssl","architecture":"amd64","from":"3.5.7-1","to":"3.5.10-1"}}`,
		},
		"another architecture of a package": {
			change: main("openssl 4-1 all", "tzdata 2026b-1 amd64"), ask: func(p *render.InputProbe) { p.Packages["amd64"]["openssl"] = []string{"3.5.7-1"} },
			want: `{"update":{"name":"openssl","architecture":"amd64","from":"3.5.7-1","to":"4-1"}}
{"update":{"name":"tzdata","architecture":"all","from":"2026a-0+deb13u1","to":"2026b-1"}}`,
		},
		"packages that vanished": {change: main("nginx 1 amd64"), log: "of 2 packages, 2 are not in the archive"},
		"NotAutomatic":           {change: func(a *frozenArchive) { a.fields["NotAutomatic"] = "yes" }, log: "(NotAutomatic), so it has no updates"},
		"security without files of packages": {
			change: func(a *frozenArchive) { a.fields["Label"] = "Debian-Security" },
			want:   strings.ReplaceAll(usualUpdates, `"}}`, `","security":true}}`),
			log:    "openssl 3.5.7-1: its changelog cannot be read: package openssl has 9223372036854775807 bytes, more than",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t, key)
			if test.change != nil {
				test.change(a)
			}
			a.freeze()
			probe := question(a.serve())
			if test.ask != nil {
				test.ask(probe)
			}
			updates, answer, failure, log := probeOf(t, key, probe)
			if failure != nil {
				updates = []string{failure.Reason}
			} else if answer.Updates != len(updates) || answer.Unchanged || len(answer.Release.SHA256) != 64 || answer.Release.ETag != `"frozen"` ||
				answer.Release.LastModified != "Sat, 28 Nov 2026 10:01:00 GMT" || !answer.Release.Date.Equal(new(metav1.NewTime(checkTime.Add(-2*time.Hour)))) {
				t.Errorf("answer %+v to %d updates", answer, len(updates))
			}
			if diff := cmp.Diff(strings.Join(updates, "\n"), test.want); diff != "" {
				t.Errorf("-found +want:\n%s\n%s", diff, log)
			}
			if !strings.Contains(log, test.log) {
				t.Errorf("the log lacks %q:\n%s", test.log, log)
			}
		})
	}
}

func TestTheProbeRefusesAnArchive(t *testing.T) {
	key, other := signingKey(t), signingKey(t)
	replace := func(old, with string) func(*frozenArchive) {
		return func(a *frozenArchive) {
			name := a.directory() + "InRelease"
			a.files[name] = bytes.Replace(a.files[name], []byte(old), []byte(with), 1)
		}
	}
	const index, inRelease, release, byHash = "/dists/trixie/main/binary-amd64/Packages.xz", "/dists/trixie/InRelease", "/dists/trixie/Release", "by-hash"
	withoutHash := func(a *frozenArchive) { a.fields["Acquire-By-Hash"] = "" }
	answer := func(file string, with http.HandlerFunc) func(*frozenArchive) {
		return func(a *frozenArchive) {
			a.answer = func(writer http.ResponseWriter, request *http.Request) bool {
				if !strings.Contains(request.URL.Path, file) {
					return false
				}
				with(writer, request)
				return true
			}
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(code) }
	}
	const infrastructure, config, user = v1alpha1.FailureInfrastructure, v1alpha1.FailureConfig, v1alpha1.FailureUser
	tests := map[string]struct {
		change func(*frozenArchive) // before it is signed
		after  func(*frozenArchive)
		ask    func(*render.InputProbe)
		reason string
		class  v1alpha1.FailureClass
		says   string
	}{
		"another key":             {change: func(a *frozenArchive) { a.keys[0] = other }, reason: "WrongSignature", class: config, says: "no key of the keyring has signed it"},
		"another key, detached":   {change: func(a *frozenArchive) { a.keys[0], a.detached = other, true }, reason: "WrongSignature", class: config, says: "Release.gpg: no key"},
		"a weak digest":           {change: func(a *frozenArchive) { a.detached = true }, after: func(a *frozenArchive) { a.files[release+".gpg"] = weakSignature(t, key, a.files[release]) }, reason: "WrongSignature", class: config, says: "insecure message hash algorithm"},
		"a changed text":          {after: replace("Label: Debian", "Label: Debian-Security"), reason: "WrongSignature", class: config, says: "no key of the keyring"},
		"text before it":          {after: replace("-----BEGIN PGP SIGNED", "Label: Debian-Security\n-----BEGIN PGP SIGNED"), reason: "WrongSignature", class: config, says: "is not one signed text"},
		"text after it":           {after: replace("-----END PGP SIGNATURE-----", "-----END PGP SIGNATURE-----\nLabel: Debian-Security\n"), reason: "WrongSignature", class: config, says: "is not one signed text"},
		"a text that is unsigned": {after: func(a *frozenArchive) { a.files[inRelease] = []byte("Suite: trixie\n") }, reason: "WrongSignature", class: config, says: "is not one signed text"},
		"no signature":            {change: func(a *frozenArchive) { a.detached = true }, after: func(a *frozenArchive) { delete(a.files, release+".gpg") }, reason: "WrongSignature", class: config, says: "Release.gpg does not exist"},
		"a signature of nothing":  {change: func(a *frozenArchive) { a.detached = true }, after: func(a *frozenArchive) { a.files[release+".gpg"] = nil }, reason: "WrongSignature", class: config, says: "Release.gpg: no key"},
		"a login page":            {after: answer("", func(writer http.ResponseWriter, _ *http.Request) { _, _ = writer.Write([]byte("<html>")) }), reason: "WrongSignature", class: config, says: "is not one signed text"},
		"expired":                 {change: func(a *frozenArchive) { a.fields["Valid-Until"] = "Sat, 28 Nov 2026 11:59:59 UTC" }, reason: "ReleaseFileExpired", class: config, says: "has expired at 2026-11-28T11:59:59Z"},
		"an unknown validity":     {change: func(a *frozenArchive) { a.fields["Valid-Until"] = "soon" }, reason: "ReleaseFileExpired", class: config, says: "the end of its validity"},
		"of the future":           {change: func(a *frozenArchive) { a.fields["Date"] = "Sat, 28 Nov 2026 12:00:11 UTC" }, reason: "ReleaseFileExpired", class: config, says: "is of 2026-11-28T12:00:11Z, which is in the future"},
		"older than before": {ask: func(p *render.InputProbe) {
			p.Release = &v1alpha1.ArchiveRelease{Date: metav1.NewTime(checkTime.Add(-time.Hour))}
		}, reason: "ArchiveOlder", class: infrastructure, says: "is of 2026-11-28T10:00:00Z, older than that of 2026-11-28T11:00:00Z"},
		"another suite":            {change: func(a *frozenArchive) { a.fields["Suite"] = "oldstable" }, after: func(a *frozenArchive) { a.files["/dists/sid/InRelease"] = a.files[inRelease] }, ask: func(p *render.InputProbe) { p.Archive.Suite = "sid" }, reason: "NotAMirror", class: user, says: `is that of suite "oldstable" with the code name "trixie", not of sid`},
		"no date":                  {change: func(a *frozenArchive) { a.fields["Date"] = "" }, reason: "NotAMirror", class: user, says: "its date"},
		"no release file":          {after: func(a *frozenArchive) { clear(a.files) }, reason: "NotAMirror", class: user, says: "the mirror has no suite trixie"},
		"no such component":        {ask: func(p *render.InputProbe) { p.Archive.Components = []string{"main", "universe"} }, reason: "UnknownComponent", class: user, says: "has no component universe, only main, contrib"},
		"an index of another time": {change: withoutHash, after: func(a *frozenArchive) { a.files[index][9] ^= 1 }, reason: ReasonMirror, class: infrastructure, says: "perhaps the mirror is being updated"},
		"a shorter index":          {change: withoutHash, after: func(a *frozenArchive) { a.files[index] = a.files[index][1:] }, reason: ReasonMirror, class: infrastructure, says: "perhaps the mirror is being updated"},
		"a longer index":           {change: withoutHash, after: func(a *frozenArchive) { a.files[index] = append(a.files[index], 0) }, reason: ReasonMirror, class: infrastructure, says: "bytes, more than"},
		"no index":                 {after: answer("Packages", status(http.StatusNotFound)), change: withoutHash, reason: ReasonMirror, class: infrastructure, says: "Packages.xz: 404 Not Found"},
		"no file by hash":          {after: func(a *frozenArchive) { answer(byHash, status(http.StatusNotFound))(a); a.files[index][9] ^= 1 }, reason: ReasonMirror, class: infrastructure, says: "Packages.xz has the SHA-256"},
		"a file by hash is broken": {after: answer(byHash, func(writer http.ResponseWriter, _ *http.Request) { _, _ = writer.Write([]byte("x")) }), reason: ReasonMirror, class: infrastructure, says: "perhaps the mirror is being updated"},
		"an error of the mirror":   {after: answer("", status(http.StatusServiceUnavailable)), reason: ReasonMirror, class: infrastructure, says: "InRelease: 503 Service Unavailable"},
		"304 to no condition":      {after: answer("", status(http.StatusNotModified)), reason: ReasonMirror, class: infrastructure, says: "though the request had no condition"},
		"an address without HTTP":  {ask: func(p *render.InputProbe) { p.Archive.URI = "file:///srv/debian" }, reason: reasonInput, class: user, says: "probe.archive.uri"},
		"a suite out of dists":     {ask: func(p *render.InputProbe) { p.Archive.Suite = "../pool" }, reason: reasonInput, class: user, says: "probe.archive.suite"},
		"no suite":                 {ask: func(p *render.InputProbe) { p.Archive.Suite = "" }, reason: reasonInput, class: user, says: "probe.archive.suite"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t, key)
			if test.change != nil {
				test.change(a)
			}
			a.freeze()
			if test.after != nil {
				test.after(a)
			}
			probe := question(a.serve())
			if test.ask != nil {
				test.ask(probe)
			}
			updates, _, failure, _ := probeOf(t, key, probe)
			if failure == nil || failure.Reason != test.reason || failure.Class != test.class || !strings.Contains(failure.Message, test.says) || len(updates) > 0 {
				t.Errorf("failure %+v, updates %v", failure, updates)
			}
		})
	}
}

// weakSignature signs the SHA-1 of a text.
func weakSignature(t *testing.T, key *openpgp.Entity, text []byte) []byte {
	t.Helper()
	signature := &packet.Signature{
		Version: key.PrivateKey.Version, SigType: packet.SigTypeBinary, PubKeyAlgo: key.PrivateKey.PubKeyAlgo, Hash: crypto.SHA1,
		CreationTime: checkTime.Add(-time.Hour), IssuerKeyId: &key.PrivateKey.KeyId,
	}
	config := &packet.Config{NonDeterministicSignaturesViaNotation: new(false)}
	sum := require.Value(signature.PrepareSign(config))(t)
	require.Value(sum.Write(text))(t)
	require.NoError(t, signature.Sign(sum, key.PrivateKey, config))
	var buffer bytes.Buffer
	require.NoError(t, signature.Serialize(&buffer))
	return buffer.Bytes()
}

func TestAnUnchangedArchiveIsReadOnlyIfAllIsAsked(t *testing.T) {
	key := signingKey(t)
	a := newArchive(t, key)
	a.freeze()
	uri := a.serve()
	_, first, failure, _ := probeOf(t, key, question(uri))
	if failure != nil {
		t.Fatalf("failure %+v", failure)
	}
	tests := map[string]struct {
		conditional, validators, unchanged bool
		asked                              []string
	}{
		"304":              {conditional: true, validators: true, unchanged: true, asked: []string{"InRelease"}},
		"the same SHA-256": {conditional: true, unchanged: true, asked: []string{"InRelease"}},
		"all":              {validators: true, asked: []string{"InRelease", path.Base(byHashOf(a))}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a.asked = nil
			probe := question(uri)
			known := first.Release
			if !test.validators {
				known.ETag, known.LastModified = "", ""
			}
			probe.Release, probe.Conditional = &known, test.conditional
			updates, answer, failure, log := probeOf(t, key, probe)
			if failure != nil || answer.Unchanged != test.unchanged || answer.Updates != len(updates) || (len(updates) == 0) != test.unchanged {
				t.Fatalf("failure %+v, answer %+v:\n%s", failure, answer, log)
			}
			if diff := cmp.Diff(answer.Release, first.Release); diff != "" {
				t.Errorf("release (-now +before):\n%s", diff)
			}
			if diff := cmp.Diff(a.asked, test.asked); diff != "" {
				t.Errorf("requests (-sent +want):\n%s", diff)
			}
		})
	}
}

func byHashOf(a *frozenArchive) string {
	return fmt.Sprintf("%x", sha256.Sum256(a.files[a.directory()+"main/binary-amd64/Packages.xz"]))
}

// TestSecurityUpdatesNameTheirAdvisories has a kernel: its smallest package has only a link to the documents of a package of another source.
func TestSecurityUpdatesNameTheirAdvisories(t *testing.T) {
	key := signingKey(t)
	a := newArchive(t, key)
	a.fields["Label"] = "Debian-Security"
	const changelog = "linux (6.12.118-1) trixie-security; urgency=high\n\n  * CVE-2026-2222\n\nlinux (6.12.100-1) trixie-security; urgency=high\n\n  * CVE-2026-1111\n"
	var list []string
	add := func(name, version, source string, files map[string]string) {
		content := packageWith(t, files)
		file := "pool/" + name + "_1%3a+1.deb"
		a.files["/"+file] = content
		list = append(list, fmt.Sprintf("%s %s amd64 Source: %s\nFilename: %s\nSize: %d\nSHA256: %x\n", name, version, source, file, len(content), sha256.Sum256(content)))
	}
	add("linux-image", "6.12.118-1", "linux-signed (6.12.118+1)", map[string]string{"usr/share/doc/linux-image": "->linux-headers"})
	add("linux-headers", "6.12.118-1", "linux", map[string]string{"usr/share/doc/linux-headers/changelog.Debian.gz": string(compressed(t, ".gz", changelog))})
	add("broken", "2-1", "broken", map[string]string{})
	a.files["/pool/broken_1%3a+1.deb"][0] ^= 1
	a.indexes["main/binary-amd64"] = packageList(list...)
	a.freeze()
	probe := question(a.serve())
	probe.Packages = map[string]map[string][]string{"amd64": {"linux-image": {"6.12.100-1", "6.12.41-1"}, "broken": {"1-1"}}}
	updates, _, failure, log := probeOf(t, key, probe)
	want := []string{
		`{"update":{"name":"broken","architecture":"amd64","from":"1-1","to":"2-1","security":true}}`,
		`{"update":{"name":"linux-image","architecture":"amd64","from":"6.12.100-1","to":"6.12.118-1","security":true,"advisories":["CVE-2026-2222"]}}`,
		`{"update":{"name":"linux-image","architecture":"amd64","from":"6.12.41-1","to":"6.12.118-1","security":true,"advisories":["CVE-2026-2222","CVE-2026-1111"]}}`,
	}
	if diff := cmp.Diff(updates, want); diff != "" || failure != nil {
		t.Errorf("failure %+v (-found +want):\n%s\n%s", failure, diff, log)
	}
	if !strings.Contains(log, "broken 2-1: its changelog cannot be read: package broken: ") {
		t.Errorf("the log does not name the broken package:\n%s", log)
	}
}

// packageWith is a package of Debian with files, and with symbolic links for those that begin with ->.
func packageWith(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var data bytes.Buffer
	archive := tar.NewWriter(&data)
	for name, content := range files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: "./" + name, Size: int64(len(content)), Mode: 0o644}
		if target, linked := strings.CutPrefix(content, "->"); linked {
			header.Typeflag, header.Linkname, header.Size = tar.TypeSymlink, target, 0
		}
		require.NoError(t, archive.WriteHeader(header))
		if header.Size > 0 {
			require.Value(io.WriteString(archive, content))(t)
		}
	}
	require.NoError(t, archive.Close())
	return fmt.Appendf(nil, "!<arch>\n%-48s%-10d`\n%s", "data.tar", data.Len(), data.String())
}
