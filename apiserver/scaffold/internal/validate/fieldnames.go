// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"regexp"
	"strings"
	"unicode"
)

var fieldNames = rule{
	name: "fieldnames",
	doc: "check that fields are called the same in Go and in JSON, there in lower camel case, with all letters of an " +
		"abbreviation in the same case",
	section: "naming-conventions",
	check: func(a *api) {
		a.eachField(func(_ *structType, f *field) {
			if f.json.name == "" || f.embedded && f.json.name == "metadata" {
				return
			}
			name, wanted := f.json.name, jsonName(f.name)
			switch {
			case !lowerCamel.MatchString(name):
				a.reportField(f, noFix, "%q is not in lower camel case: call it %q", name, wanted)
			case !strings.EqualFold(name, f.name):
				a.reportField(f, noFix, "is called %s in Go and %q in JSON: call it the same in both", f.name, name)
			case !sameWords(name, f.name) && !sameWords(name, apiVersion.ReplaceAllStringFunc(f.name, strings.ToLower)):
				a.reportField(f, noFix, "%q is not how %s is written in JSON: call it %q", name, f.name, wanted)
			default:
				if word := miscased(name); word != "" {
					a.reportField(f, noFix, "%q has an abbreviation in mixed case: write it %s", name, strings.ToUpper(word))
				}
			}
		})
	},
}

var (
	lowerCamel = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
	apiVersion = regexp.MustCompile(`V[0-9]+(Alpha|Beta)[0-9]+`) // may be one word, in lower case
)

// words splits a Go name: PodIPs is Pod and IPs, HTTPGet is HTTP and Get.
func words(name string) []string {
	runes := []rune(name)
	var found []string
	start := 0
	for i := 1; i < len(runes); i++ {
		upper, next := unicode.IsUpper(runes[i]), i+1 < len(runes) && unicode.IsLower(runes[i+1])
		plural := next && runes[i+1] == 's' && (i+2 == len(runes) || unicode.IsUpper(runes[i+2]))
		switch {
		case upper && !unicode.IsUpper(runes[i-1]), upper && next && !plural:
			found = append(found, string(runes[start:i]))
			start = i
		}
	}
	return append(found, string(runes[start:]))
}

// jsonName is a Go name in lower camel case, with a leading abbreviation in lower case.
func jsonName(name string) string {
	first := words(name)[0]
	return strings.ToLower(first) + name[len(first):]
}

// sameWords reports whether a name in JSON is the Go name but for the case of its beginning. The end of a leading
// abbreviation is not always clear: XYZRange may be xyzRange or xyZRange.
func sameWords(name, goName string) bool {
	for end := 1; end <= len(goName); end++ {
		head := goName[:end]
		if strings.ToLower(head)+goName[end:] == name {
			rest := goName[end:]
			return name == jsonName(goName) || end > 1 && (rest == "" || unicode.IsUpper(rune(rest[0])))
		}
	}
	return false
}

// abbreviations are the words that the conventions of Kubernetes and of Go write in a single case.
var abbreviations = map[string]bool{
	"api": true, "cidr": true, "cpu": true, "dns": true, "gid": true, "http": true, "https": true, "id": true, "ip": true,
	"json": true, "nfs": true, "os": true, "pid": true, "qos": true, "ssh": true, "tcp": true, "tls": true, "ttl": true,
	"udp": true, "uid": true, "uri": true, "url": true, "uuid": true, "yaml": true,
}

// miscased returns the first abbreviation in mixed case after the first word.
func miscased(name string) string {
	for _, word := range words(name)[1:] {
		singular := strings.TrimSuffix(word, "s")
		if abbreviations[strings.ToLower(word)] && strings.ToUpper(word) != word {
			return word
		}
		if len(singular) > 1 && abbreviations[strings.ToLower(singular)] && strings.ToUpper(singular) != singular && singular != word {
			return singular
		}
	}
	return ""
}
