// SPDX-License-Identifier: Apache-2.0

package secrets

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Kind is what a file has.
type Kind string

// The kinds.
const (
	PrivateKey Kind = "private key"
	Keystore   Kind = "store of keys"
	Random     Kind = "random bytes"
	Identifier Kind = "identifier of a machine"
)

var (
	// pemKey matches a private key in the form of PEM or of OpenPGP, also as a string of JSON, but not the name of the form in a program.
	pemKey = regexp.MustCompile(`-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\r|\\n|\s)+[A-Za-z0-9+/=:,. \\\r\n-]{16}`)
	// ssh2Key is that of the form of other SSH programs (RFC 4716 has that of public keys).
	ssh2Key = regexp.MustCompile(`---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY ----\r?\n`)
	// pemInBase64 matches the beginning of PEM that is encoded again, as in a kubeconfig.
	pemInBase64 = regexp.MustCompile(`LS0tLS1CRUdJTi[A-Za-z0-9+/]{40}`)
	// gpgKey matches a key of gpg-agent.
	gpgKey = regexp.MustCompile(`\A(?:Created: .*\n|Token: .*\n)*(?:Key: )?\((?:\d+:)?(?:protected-|shadowed-)?private-key`)

	uuid = `[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}`
	// identifierFile matches a file that has nothing but a UUID, such as those of D-Bus and NVMe.
	identifierFile = regexp.MustCompile(`\A\s*(?:nqn\.[^\s]*:uuid:)?` + uuid + `\s*\z`)
	// identifierLine matches an identifier in a configuration, such as those of iSCSI, NVMe, MySQL and popularity-contest.
	identifierLine = regexp.MustCompile(`(?im)^\s*(?:[a-z_]*(?:host|machine|system|server|node|client|instance|agent)[-_]?(?:uu)?id\s*[=:]\s*"?` + uuid + `"?\s*$|` +
		`InitiatorName=iqn\.)|nqn\.2014-08\.org\.nvmexpress:uuid:` + uuid)
)

// keyLines are keys that are a line of a configuration: of WireGuard, age, BIND (rndc and TSIG, and DNSSEC). The text is looked for first, because
// that takes much less time.
var keyLines = []struct {
	text string
	line *regexp.Regexp
}{
	{"PrivateKey", regexp.MustCompile(`(?m)^\s*PrivateKey\s*=\s*[A-Za-z0-9+/]{43}=`)},
	{"AGE-SECRET-KEY-1", regexp.MustCompile(`AGE-SECRET-KEY-1[A-Z0-9]{50}`)},
	{`secret`, regexp.MustCompile(`(?m)^\s*secret\s+"[A-Za-z0-9+/]{16,}={0,2}"`)},
	{"Private-key-format: v1", regexp.MustCompile(`(?m)^Private-key-format: v1`)},
}

func hasKeyLine(content []byte) bool {
	for _, key := range keyLines {
		if bytes.Contains(content, []byte(key.text)) && key.line.Match(content) {
			return true
		}
	}
	return false
}

// sshTypes begin the binary form of keys, such as those of dropbear.
var sshTypes = []string{"ssh-rsa", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"}

// kindOf returns what a file has, or "".
func kindOf(path string, content []byte) Kind {
	switch {
	case len(content) == 0:
		return ""
	case pemKey.Match(content), ssh2Key.Match(content), hasKeyLine(content), gpgKey.Match(content), isEncodedPEM(content):
		return PrivateKey
	case isSSHKey(content), isDER(content), isOpenPGP(content):
		return PrivateKey
	case isKeystore(path, content):
		return Keystore
	case isConfiguration(path, content) && (identifierFile.Match(content) || identifierLine.Match(content)):
		return Identifier
	case strings.HasPrefix(path, "etc/") && isRandom(content):
		return Random
	}
	return ""
}

// isConfiguration reports whether a file is small, and where packages keep what they make for a machine.
func isConfiguration(path string, content []byte) bool {
	const most = 64 << 10
	return len(content) <= most && (strings.HasPrefix(path, "etc/") || strings.HasPrefix(path, "var/lib/") && !strings.HasPrefix(path, infoDirectory))
}

func isEncodedPEM(content []byte) bool {
	for _, found := range pemInBase64.FindAll(content, -1) {
		const whole = 4
		text, err := base64.StdEncoding.DecodeString(string(found[:len(found)/whole*whole]))
		if err == nil && bytes.Contains(text, []byte("PRIVATE KEY")) {
			return true
		}
	}
	return false
}

// isSSHKey reports whether a file is a private key in the binary form of SSH: the type, and then more strings than a public key has.
func isSSHKey(content []byte) bool {
	for _, name := range sshTypes {
		prefix := string(binary.BigEndian.AppendUint32(nil, uint32(len(name)))) + name //nolint:gosec // short
		if bytes.HasPrefix(content, []byte(prefix)) {
			return true
		}
	}
	return false
}

// isDER reports whether a file is a private key in the form of PKCS #1, SEC 1 or PKCS #8, encrypted or not.
func isDER(content []byte) bool {
	const sequence = 0x30
	if content[0] != sequence {
		return false
	}
	if _, err := x509.ParsePKCS1PrivateKey(content); err == nil {
		return true
	}
	if _, err := x509.ParseECPrivateKey(content); err == nil {
		return true
	}
	var key struct { // RFC 5958
		Version   int
		Algorithm struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		Key  []byte
		Rest asn1.RawValue `asn1:"optional"`
	}
	if rest, err := asn1.Unmarshal(content, &key); err == nil && len(rest) == 0 {
		return true
	}
	var encrypted struct {
		Algorithm struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue
		}
		Key []byte
	}
	_, err := asn1.Unmarshal(content, &encrypted)
	return err == nil && strings.HasPrefix(encrypted.Algorithm.OID.String()+".", "1.2.840.113549.1.") // PKCS #5 and #12
}

// isOpenPGP reports whether a file begins with a packet of a secret key (RFC 9580).
func isOpenPGP(content []byte) bool {
	const (
		tag5           = 0xc5
		oldTag5        = 0x94 // with a length of 1, 2 or 4 bytes
		first, last    = 3, 6 // versions
		lastAlgorithm  = 28
		year2000       = 946684800
		headerAndBegin = 12
	)
	if len(content) < headerAndBegin {
		return false
	}
	var at int
	switch lead := content[0]; {
	case lead&^3 == oldTag5 && lead&3 != 3:
		at = 1 + 1<<(lead&3)
	case lead == tag5 && content[1] < 192:
		at = 2
	case lead == tag5 && content[1] < 224:
		at = 3
	case lead == tag5 && content[1] == 255:
		at = 6
	default:
		return false
	}
	return content[at] >= first && content[at] <= last && binary.BigEndian.Uint32(content[at+1:]) > year2000 && content[at+5] <= lastAlgorithm
}

// isKeystore reports whether a file is a store of keys: of Java with a key, PKCS #12, Kerberos, or a database of secrets of Samba. The certificates that
// Java trusts are in such a store, too.
func isKeystore(path string, content []byte) bool {
	const (
		java      = "\xfe\xed\xfe\xed"
		keyAt     = 15 // the lowest byte of the tag of the first entry, which is 1 for a key
		kerberos  = "\x05\x02"
		samba     = "TDB file\n"
		trusted   = "etc/ssl/certs/"
		nameSamba = "secrets.tdb"
	)
	switch {
	case bytes.HasPrefix(content, []byte(java)):
		return len(content) > keyAt && content[keyAt] == 1
	case bytes.HasPrefix(content, []byte(kerberos)):
		return strings.HasSuffix(path, ".keytab")
	case bytes.HasPrefix(content, []byte(samba)):
		return strings.HasSuffix(path, nameSamba)
	}
	var pkcs12 struct {
		Version int
		Safe    struct {
			Type    asn1.ObjectIdentifier
			Content asn1.RawValue `asn1:"optional"`
		}
		MAC asn1.RawValue `asn1:"optional"`
	}
	_, err := asn1.Unmarshal(content, &pkcs12)
	return err == nil && pkcs12.Version == 3 && !strings.HasPrefix(path, trusted) && strings.HasPrefix(pkcs12.Safe.Type.String(), "1.2.840.113549.1.7.")
}

// isRandom reports whether a file is a key without any form, such as that of MUNGE: few bytes, as different as random ones are.
func isRandom(content []byte) bool {
	const least, most, near = 16, 4096, 0.9
	if len(content) < least || len(content) > most || utf8.Valid(content) {
		return false
	}
	var counts [256]int
	for _, value := range content {
		counts[value]++
	}
	var entropy float64
	for _, count := range counts {
		if count > 0 {
			share := float64(count) / float64(len(content))
			entropy -= share * math.Log2(share)
		}
	}
	return entropy > near*math.Log2(min(float64(len(content)), float64(len(counts))))
}
