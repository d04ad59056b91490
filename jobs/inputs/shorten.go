// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"unicode/utf8"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// maxShownRunes is how many characters of a value, or of a name in a path, a change shows.
	maxShownRunes = 128
	// maxDifferentRunes is how many characters are kept for the part in which two values differ, where their common beginning
	// and end could fill all of maxShownRunes.
	maxDifferentRunes = 80
)

// shorten shortens two different texts to at most maxShownRunes characters each, if one of them is longer. Each text has three parts: the
// common beginning, the part that differs, and the common end. An ellipsis replaces the middle of a part that is too long. The
// results differ too, because the part that differs keeps its first character.
func shorten(from, to string) (string, string) {
	if utf8.RuneCountInString(from) <= maxShownRunes && utf8.RuneCountInString(to) <= maxShownRunes {
		return from, to
	}
	a, b := []rune(from), []rune(to)
	shorter := min(len(a), len(b))
	start := 0
	for start < shorter && a[start] == b[start] {
		start++
	}
	end := 0
	for end < shorter-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	different := max(len(a), len(b)) - start - end

	room := maxShownRunes - min(different, maxDifferentRunes)
	endRoom := min(end, max(room/2, room-start))
	startRoom := min(start, room-endRoom)
	differentRoom := maxShownRunes - startRoom - endRoom

	shortened := func(text []rune) string {
		return cutMiddle(text[:start], startRoom) + cutMiddle(text[start:len(text)-end], differentRoom) + cutMiddle(text[len(text)-end:], endRoom)
	}
	return shortened(a), shortened(b)
}

// cutMiddle replaces the middle of a text with an ellipsis, if it is longer than so many characters.
func cutMiddle(text []rune, limit int) string {
	if len(text) <= limit {
		return string(text)
	}
	if limit == 0 {
		return ""
	}
	head := limit / 2
	return string(text[:head]) + "…" + string(text[len(text)-(limit-1-head):])
}

// InBrackets is a name in a path. The middle of a long name is cut, and the name ends with a digest, so that names that begin or
// end alike stay different. Unprintable characters are escaped.
func InBrackets(name string) string {
	name = v1alpha1.Escape(name)
	if utf8.RuneCountInString(name) <= maxShownRunes {
		return "[" + name + "]"
	}
	digest := contents.ShortDigest(name)
	return "[" + cutMiddle([]rune(name), maxShownRunes-len("-")-len(digest)) + "-" + digest + "]"
}
