// SPDX-License-Identifier: Apache-2.0

package fieldnames

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec Spec `json:"spec"`
}

type Spec struct {
	Snake    string   `json:"snake_case"` // want `^Widget.spec.snake_case: "snake_case" is not in lower camel case: call it "snake"$`
	Upper    string   `json:"Upper"`      // want `"Upper" is not in lower camel case: call it "upper"`
	Length   int32    `json:"size"`       // want `^Widget.spec.size: is called Length in Go and "size" in JSON: call it the same in both$`
	PodIP    string   `json:"podIp"`      // want `"podIp" is not how PodIP is written in JSON: call it "podIP"`
	NodeId   string   `json:"nodeId"`     // want `"nodeId" has an abbreviation in mixed case: write it ID`
	BaseUrls []string `json:"baseUrls"`   // want `"baseUrls" has an abbreviation in mixed case: write it URL`
	HTTPGet  string   `json:"hTTPGet"`    // want `"hTTPGet" is not how HTTPGet is written in JSON: call it "httpGet"`

	UID            string   `json:"uid"`
	HTTPPort       int32    `json:"httpPort"`
	IPs            []string `json:"ips"`
	PodIPs         []string `json:"podIPs"`
	NonURLs        []string `json:"nonURLs"`
	SELinuxOptions string   `json:"seLinuxOptions"`
	FSType         string   `json:"fsType"`
	X              int32    `json:"x"`
	Ideas          []string `json:"ideas"`
	V4Address      string   `json:"v4Address"`
	V1Beta1        string   `json:"v1beta1"`
	OldV1Beta1Name string   `json:"oldV1Beta1Name"`
}
