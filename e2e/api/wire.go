// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// wireEvent is an event as it comes over the wire in JSON.
type wireEvent struct {
	Type   string
	Object wireObject
}

// wireObject has the fields that any object has over the wire.
type wireObject struct {
	metav1.TypeMeta
	metav1.ObjectMeta `json:"metadata"`
	Raw               json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the whole object, too.
func (o *wireObject) UnmarshalJSON(data []byte) error {
	type plain wireObject
	if err := json.Unmarshal(data, (*plain)(o)); err != nil {
		return err
	}
	o.Raw = append(json.RawMessage(nil), data...)
	return nil
}

// readEvents decodes events until there are no more.
func readEvents(from io.Reader, events chan<- wireEvent) {
	decoder := json.NewDecoder(from)
	for {
		var event wireEvent
		if decoder.Decode(&event) != nil {
			return
		}
		events <- event
	}
}
