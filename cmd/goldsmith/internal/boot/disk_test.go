// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func buildOf(targets ...string) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian-7"}}
	for _, target := range targets {
		build.Status.Artifacts = append(build.Status.Artifacts, v1alpha1.Artifact{Target: target})
	}
	return build
}

func TestTheDiskIsChosen(t *testing.T) {
	const raw, qcow2, oci, arm = "linux/amd64/raw", "linux/amd64/qcow2", "linux/amd64/oci", "linux/arm64/raw"
	for _, test := range []struct {
		targets            []string
		target, want, fail string
	}{
		{targets: []string{raw}, want: raw},
		{targets: []string{oci, raw, qcow2, arm}, want: qcow2},
		{targets: []string{raw, qcow2}, target: raw, want: raw},
		{targets: []string{"linux/amd64/v3/raw", oci}, want: "linux/amd64/v3/raw"},
		{targets: []string{"linux/amd64/v3/raw", raw}, fail: "build debian-7 has several disks: choose one with --target: linux/amd64/v3/raw, linux/amd64/raw"},
		{targets: []string{oci, arm, "raw"}, fail: "build debian-7 has no disk that can boot, which is amd64 and raw or qcow2: its targets are linux/amd64/oci, linux/arm64/raw, raw"},
		{targets: []string{oci, arm}, target: oci, fail: "has no disk that can boot"},
		{targets: []string{oci, raw, qcow2}, target: oci, fail: "build debian-7 has no disk linux/amd64/oci: choose one with --target: linux/amd64/raw, linux/amd64/qcow2"},
	} {
		got, err := chooseDisk(buildOf(test.targets...), test.target)
		if got.target != test.want || (err == nil) != (test.fail == "") || err != nil && !strings.Contains(err.Error(), test.fail) {
			t.Errorf("%s of %v: got %v, error %v", test.target, test.targets, got, err)
		}
	}
}

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
		err := checkDisk(v1alpha1.ArtifactFormatRaw, strings.NewReader(test.content))
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
		err := checkDisk(v1alpha1.ArtifactFormatQCOW2, bytes.NewReader(test.header))
		if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: got error %v", title, err)
		}
	}
}
