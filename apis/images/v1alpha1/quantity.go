// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Quantity is an amount, such as 500m, 0.5, 2 or 4Gi, with the suffixes of Kubernetes quantities. The server stores and
// returns it as it was written.
// +k8s:conversion-gen=false
// +protobuf.options.(gogoproto.goproto_stringer)=false
type Quantity struct {
	// The first field of the protobuf message is that of resource.Quantity, so both read what the other has written.

	// Text is the text that was written. It is empty for 0.
	Text string `protobuf:"bytes,1,opt,name=string"`

	// Number reports that the text was written as a number of JSON, without quotes.
	Number bool `protobuf:"varint,2,opt,name=number"`
}

// NewQuantity returns a quantity in its canonical form.
func NewQuantity(quantity resource.Quantity) Quantity {
	return Quantity{Text: quantity.String()}
}

// maxExponent is far beyond every amount. The library takes minutes and gigabytes to compare 1e1000000000 with another amount, or to
// round 1e-1000000000.
const maxExponent = 99

// Parse returns the quantity that was written.
func (q Quantity) Parse() (resource.Quantity, error) {
	quantity, err := resource.Quantity{}, resource.ErrNumeric
	if !hasLargeExponent(q.Text) {
		quantity, err = resource.ParseQuantity(q.String())
	}
	if err != nil {
		return resource.Quantity{}, fmt.Errorf("must be a quantity such as 500m or 4Gi, not %q", q.Text)
	}
	return quantity, nil
}

// hasLargeExponent reports whether a text such as 1e100 has an exponent below -maxExponent or above maxExponent.
func hasLargeExponent(text string) bool {
	exponent, err := strconv.Atoi(text[strings.LastIndexAny(text, "eE")+1:])
	return strings.ContainsAny(text, "eE") && (errors.Is(err, strconv.ErrRange) || err == nil && max(exponent, -exponent) > maxExponent)
}

// Amount returns the quantity that was written. It is 0 for a text that is no quantity, which the server refuses.
func (q Quantity) Amount() resource.Quantity {
	quantity, _ := q.Parse()
	return quantity
}

// String returns the text that was written.
func (q Quantity) String() string {
	if q.Text == "" {
		return "0"
	}
	return q.Text
}

// UnmarshalJSON reads strings and numbers, as resource.Quantity does.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	var read Quantity
	switch value := value.(type) {
	case nil:
		*q = read
		return nil
	case string:
		if value == "" {
			return fmt.Errorf("must be a quantity such as 500m or 4Gi, not %q", value)
		}
		read = Quantity{Text: value}
	case float64:
		read = Quantity{Text: string(data), Number: true}
		if _, err := strconv.ParseInt(read.Text, 10, 64); err != nil { // 5e-1 is what clients make of 0.5
			text, err := json.Marshal(value)
			if err != nil {
				return err
			}
			read.Text = string(text)
		}
	default:
		return fmt.Errorf("must be a quantity such as 500m or 4Gi, not %s", data)
	}
	if _, err := read.Parse(); err != nil && !hasLargeExponent(read.Text) { // which is refused later, because stored objects may have it
		return err
	}
	*q = read
	return nil
}

// MarshalJSON writes the text that was written: as a number if it was a number.
func (q Quantity) MarshalJSON() ([]byte, error) {
	return json.Marshal(q.ToUnstructured())
}

// ToUnstructured returns what MarshalJSON writes, for server-side apply.
func (q Quantity) ToUnstructured() any {
	if q.Number {
		if whole, err := strconv.ParseInt(q.Text, 10, 64); err == nil {
			return whole
		}
		if number, err := strconv.ParseFloat(q.Text, 64); err == nil {
			return number
		}
	}
	return q.String()
}

// OpenAPISchemaType returns the type of the schema, for the generator of OpenAPI.
func (Quantity) OpenAPISchemaType() []string { return []string{"string"} }

// OpenAPISchemaFormat returns an empty format, as resource.Quantity does.
func (Quantity) OpenAPISchemaFormat() string { return "" }

// OpenAPIV3OneOfTypes returns the types of the schema in OpenAPI v3, which can describe both.
func (Quantity) OpenAPIV3OneOfTypes() []string { return []string{"string", "number"} }

// Kubernetes returns the resources of a container. Their quantities are in canonical form.
func (r *ResourceRequirements) Kubernetes() corev1.ResourceRequirements {
	if r == nil {
		return corev1.ResourceRequirements{}
	}
	return corev1.ResourceRequirements{Limits: resourceList(r.Limits), Requests: resourceList(r.Requests)}
}

func resourceList(quantities map[string]Quantity) corev1.ResourceList {
	if len(quantities) == 0 {
		return nil
	}
	list := corev1.ResourceList{}
	for name, quantity := range quantities {
		list[corev1.ResourceName(name)] = quantity.Amount()
	}
	return list
}
