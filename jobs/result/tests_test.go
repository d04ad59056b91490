// SPDX-License-Identifier: Apache-2.0

package result

import (
	"fmt"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestParseTests(t *testing.T) {
	own := []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}, {Name: "web", Boot: &v1alpha1.TestBoot{}}}
	theirs := []v1alpha1.ImageTest{{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "ours"}}}
	results := func(tests ...string) string {
		return `{"version":1,"outcome":"Succeeded","tests":[` + strings.Join(tests, ",") + `]}`
	}
	boots, web := `{"name":"boots","outcome":"Passed","runs":1,"passed":3}`, `{"name":"web","outcome":"Failed","message":"port 80: refused"}`
	for title, test := range map[string]struct {
		tests   []v1alpha1.ImageTest
		message string
		code    int32
		want    string // NAME=OUTCOME of each test, or the reason of the failure
		says    string // part of the first message
	}{
		"in another order":                      {own, results(web, boots), 0, "boots=Passed web=Failed", ""},
		"no result":                             {own, "", 0, "NoResult", "no result: the runner ended with exit code 0"},
		"our program died":                      {own, "", 2, "TestMachineFailed", "exit code 2"},
		"our program was killed":                {own, "", 137, "TestMachineFailed", "signal 9"},
		"one is missing":                        {own, results(boots), 0, "InvalidResult", `no result of test "web"`},
		"none":                                  {own, results(), 0, "InvalidResult", `no result of test "boots"`},
		"one twice":                             {own, results(boots, boots), 0, "InvalidResult", `two results of test "boots"`},
		"one too many":                          {own, results(boots, web, `{"name":"more","outcome":"Passed"}`), 0, "InvalidResult", "results of 3 tests, of which 2"},
		"an unknown outcome":                    {own, results(boots, `{"name":"web","outcome":"Skipped"}`), 0, "InvalidResult", `is "Skipped", must be`},
		"a negative number":                     {own, results(boots, `{"name":"web","outcome":"Passed","runs":-1}`), 0, "InvalidResult", "is negative"},
		"no JSON":                               {own, "passed", 0, "InvalidResult", "not JSON"},
		"results, but exit code 1":              {own, results(boots, web), 1, "InvalidResult", "exit code is not 0"},
		"our program lacks a package":           {own, failedOf("Config"), 1, "BuilderMisconfigured", "disk is full"},
		"our program lacks memory":              {own, failedForNow, 75, "TestMachineFailed", "503"},
		"our program is at fault":               {own, failedForGood, 1, "TestMachineFailed", "disk is full"},
		"a runner without results":              {theirs, `{"version":1,"outcome":"Succeeded"}`, 0, "ours=Passed", ""},
		"a runner that ran no test":             {theirs, results(), 0, "InvalidResult", `no result of test "ours"`},
		"a runner with null as results":         {theirs, `{"version":1,"outcome":"Succeeded","tests":null}`, 0, "InvalidResult", `no result of test "ours"`},
		"a runner that skipped its test":        {theirs, results(`{"name":"ours","outcome":"Skipped"}`), 0, "InvalidResult", `is "Skipped", must be`},
		"a runner that ran another test":        {theirs, results(`{"name":"more","outcome":"Passed"}`), 0, "InvalidResult", `no result of test "ours"`},
		"a runner that ran its test twice":      {theirs, results(`{"name":"ours","outcome":"Passed"}`, `{"name":"ours","outcome":"Failed"}`), 0, "InvalidResult", `two results`},
		"a runner that is not satisfied":        {theirs, failedForGood, 1, "ours=Failed", "NoSpace: disk is full"},
		"a runner that is not satisfied, alone": {theirs, "", 1, "ours=Failed", "the runner ended with exit code 1"},
		"a runner that wants to run again":      {theirs, failedForNow, 75, "TestMachineFailed", "503"},
		"a runner that says so by its code":     {theirs, "", 75, "TestMachineFailed", "exit code 75"},
		"a runner that was killed":              {theirs, "", 137, "TestMachineFailed", "signal 9"},
		"a message that is too long": {
			own, results(boots, fmt.Sprintf(`{"name":"web","outcome":"Failed","message":%q}`, strings.Repeat("é", MaxTestMessage))), 0, "boots=Passed web=Failed", "",
		},
	} {
		t.Run(title, func(t *testing.T) {
			found := ParseTests(test.message, test.code, test.tests, Policy{})
			var got []string
			message := ""
			for _, each := range found.Tests {
				got = append(got, each.Name+"="+string(each.Outcome))
				message += each.Message
				if len(each.Message) > MaxTestMessage || each.Runs < 1 {
					t.Errorf("%d runs, message of %d bytes", each.Runs, len(each.Message))
				}
			}
			if found.Failure != nil {
				got, message = append(got, string(found.Failure.Reason)), found.Failure.Message
			}
			if strings.Join(got, " ") != test.want || !strings.Contains(message, test.says) {
				t.Errorf("got %s: %s", got, message)
			}
		})
	}
}

func TestTheReportOfTestsIsKeptOnlyIfItWasRead(t *testing.T) {
	tests := []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}
	const head, report = `{"version":1,"outcome":"Succeeded","tests":[{"name":"boots","outcome":"Passed"}],"report":{"file":"junit.xml","mediaType":"application/vnd.junit+xml"`, `,"verified":"Content","sizeBytes":3,"digest":`
	checked := func(report, check string) string { return head + report + `},"check":{` + check + "}}" }
	reported := report + `"` + digestA + `"`
	for title, test := range map[string]struct {
		message string
		policy  Policy
		want    bool
	}{
		"read":                         {checked(reported, ""), Policy{Checked: true}, true},
		"the runner only says so":      {checked(reported, ""), Policy{}, false},
		"the agent reads no files":     {head + reported + "}}", Policy{Checked: true}, false},
		"nobody has read it":           {checked("", ""), Policy{Checked: true}, false},
		"it could not be stored":       {checked(reported, `"notStored":"disk full"`), Policy{Checked: true}, false},
		"the registry refuses the tag": {checked(reported, `"notPublished":{"reason":"RegistryDenied","message":"no"}`), Policy{Checked: true}, false},
	} {
		found := ParseTests(test.message, 0, tests, test.policy)
		if (found.Report != nil) != test.want || (found.Failure != nil) != strings.Contains(test.message, `"not`) {
			t.Errorf("%s: got %+v, failure %+v", title, found.Report, found.Failure)
		}
	}
}
