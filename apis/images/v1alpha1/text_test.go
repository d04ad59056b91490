// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "testing"

func TestUnprintableTextIsEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"plain, Grüße, שלום, مرحبا":                "plain, Grüße, שלום, مرحبا",
		"two\nlines\tand a tab":                    "two\nlines\tand a tab",
		"می\u200cخواهم क्\u200dष":                  "می\u200cخواهم क्\u200dष", // joiners of Persian and of Hindi
		"👩🏽\u200d💻 ❤\ufe0f\u200d🔥 ⚠\ufe0f ℹ\ufe0f": "👩🏽\u200d💻 ❤\ufe0f\u200d🔥 ⚠\ufe0f ℹ\ufe0f",
		"\u0601١":        "\u0601١", // the sign of a year is visible
		"\x1b[2Ja\r\x7f": "^[[2Ja^M^?",
		"a\u009b2J":      `a\u009b2J`,
		"deb\u202eian \u2066a\u2069 \u200e\u200f\u061c": `deb\u202eian \u2066a\u2069 \u200e\u200f\u061c`,
		"a\u200bb\u00adc\u2060\ufeff\u180e\u034f\u3164": `a\u200bb\u00adc\u2060\ufeff\u180e\u034f\u3164`,
		"a\u2800b\U00013441c\U0001d159d ⠋":              `a\u2800b\U00013441c\U0001d159d ⠋`,
		"a\u115fb\u1160c\u17b4d\uffa0e\u2065":           `a\u115fb\u1160c\u17b4d\uffa0e\u2065`,
		"1\u00a0%\u202f!\u3000。":                        "1\u00a0%\u202f!\u3000。", // spaces of several widths
		"a\u200db é\u200c e\u0301\u200d":                `a\u200db é\u200c ` + "e\u0301" + `\u200d`,
		"a\ufe0f ⚠\ufe0f\ufe0f 1\ufe00 1\U000e0100":     `a\ufe0f ⚠` + "\ufe0f" + `\ufe0f 1\ufe00 1\U000e0100`,
		"\u200d\u200d ⚠\u200d\u200d":                    `\u200d\u200d ⚠` + "\u200d" + `\u200d`,
		"a\ufe0f\u200d":                                 `a\ufe0f\u200d`,
		"tag\U000e0041\U000e007f":                       `tag\U000e0041\U000e007f`,
		"a\u2028b\u2029\u0085":                          `a\u2028b\u2029\u0085`,
		"\ufdd0\ufffe\U0010ffff":                        `\ufdd0\ufffe\U0010ffff`,
		"not \xff UTF-8 \xed\xa0\x80":                   `not \xff UTF-8 \xed\xa0\x80`,
	} {
		got := Escape(text)
		if got != want {
			t.Errorf("%+q became %+q, want %+q", text, got, want)
		}
		if Printable(text) != (text == want && text != "two\nlines\tand a tab") {
			t.Errorf("%+q: printable is %t", text, Printable(text))
		}
		if message := CutMessage(text); !Printable(message) {
			t.Errorf("%+q as a message is %+q", text, message)
		}
	}
}
