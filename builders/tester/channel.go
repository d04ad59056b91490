// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxMessage is the longest message of the guest, in bytes: 4 MiB of goss in base64.
const maxMessage = 6 << 20

// message is a message of the script in the guest.
type message struct {
	// kind is alive, waiting, up, begin, end or done.
	kind string
	// test and check are of begin and end.
	test, check int
	// code is of end, and output of end and waiting.
	code   int
	output []byte
}

// errForged reports a message that the script does not send.
var errForged = errors.New("the guest sent a message that the tester's script does not send")

// readMessages reads the messages of a guest until it ends, and calls take with each. Lines without the word are not of the script: they are
// ignored, whatever they have. It returns how many there were. The memory that it takes does not depend on what the guest writes.
func readMessages(from io.Reader, word string, take func(message, error)) (ignored int) {
	reader := bufio.NewReaderSize(from, 64<<10)
	prefix := []byte(word + " ")
	for {
		line, long, err := readLine(reader)
		switch text, ours := bytes.CutPrefix(line, prefix); {
		case ours && long:
			take(message{}, fmt.Errorf("%w: it is longer than %d bytes", errForged, maxMessage))
		case ours:
			take(parseMessage(string(text)))
		case len(line) > 0:
			ignored++
		}
		if err != nil {
			return ignored
		}
	}
}

// readLine reads a line, of which it keeps maxMessage bytes.
func readLine(reader *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := reader.ReadSlice('\n')
		room := maxMessage - len(line)
		long = long || len(part) > room
		line = append(line, part[:min(len(part), room)]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(line, []byte{'\n'}), long, err
		}
	}
}

func parseMessage(text string) (parsed message, err error) {
	words := strings.Split(text, " ")
	parsed.kind = words[0]
	numbers := map[string]int{"alive": 0, "up": 0, "done": 0, "waiting": 0, "begin": 2, "end": 3}
	count, known := numbers[parsed.kind]
	length := 1 + count
	if parsed.kind == "end" || parsed.kind == "waiting" {
		length++
	}
	if !known || len(words) != length {
		return message{}, fmt.Errorf("%w: %.100q", errForged, text)
	}
	for i, number := range []*int{&parsed.test, &parsed.check, &parsed.code}[:count] {
		if *number, err = strconv.Atoi(words[1+i]); err != nil {
			return message{}, fmt.Errorf("%w: %.100q", errForged, text)
		}
	}
	if length == 1+count {
		return parsed, nil
	}
	if parsed.output, err = base64.StdEncoding.DecodeString(words[length-1]); err != nil {
		return message{}, fmt.Errorf("%w: %.100q", errForged, text)
	}
	return parsed, nil
}
