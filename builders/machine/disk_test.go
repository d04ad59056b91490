// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestWhatIsNoDiskIsRefused(t *testing.T) {
	const fails = "the artifact is no disk that can boot: its bytes 510 and 511 are not those of a boot sector, 55 AA"
	zeros := strings.Repeat("\x00", 510)
	for title, test := range map[string]struct{ content, fails string }{
		"a boot sector":      {zeros + "\x55\xaa", ""},
		"a disk":             {zeros + "\x55\xaaEFI PART", ""},
		"zeros":              {zeros + zeros, fails},
		"half the signature": {zeros + "\x55", fails},
		"a text":             {"{\"targets\":[]}", fails},
		"an empty file":      {"", fails},
	} {
		err := CheckDisk(v1alpha1.ArtifactFormatRaw, strings.NewReader(test.content))
		if (err == nil) != (test.fails == "") || err != nil && err.Error() != test.fails {
			t.Errorf("%s: got error %v", title, err)
		}
	}
}

func TestDisksThatNameOtherFilesAreRefused(t *testing.T) {
	header := func(version uint32, backing, features uint64) []byte {
		text := append([]byte("QFI\xfb"), make([]byte, 100)...)
		binary.BigEndian.PutUint32(text[4:], version)
		binary.BigEndian.PutUint64(text[8:], backing)
		binary.BigEndian.PutUint64(text[72:], features)
		return text
	}
	for title, test := range map[string]struct {
		header []byte
		fails  string
	}{
		"version 3":                {header(3, 0, 1), ""},
		"version 2, which is less": {header(2, 0, 0)[:72], ""},
		"a backing file":           {header(3, 104, 0), "the difference to a backing file"},
		"an external data file":    {header(3, 0, 5), "its data in another file"},
		"another format":           {make([]byte, 512), "the artifact is not in the format qcow2"},
		"an empty file":            {nil, "the artifact is not in the format qcow2"},
	} {
		err := CheckDisk(v1alpha1.ArtifactFormatQCOW2, bytes.NewReader(test.header))
		if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: got error %v", title, err)
		}
	}
}
