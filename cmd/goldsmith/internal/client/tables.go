// SPDX-License-Identifier: Apache-2.0

package client

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// tableType is the content type of the tables that kubectl prints. It accepts no other type, so that a server without tables
// returns an error.
const tableType = "application/json;as=Table;g=" + metav1.GroupName + ";v=v1"

// Tables makes a client that reads every object, and every list of them, as a metav1.Table with kubectl's columns. Each
// row comes with the metadata of its object.
func (c *Connection) Tables() (rest.Interface, error) {
	scheme := runtime.NewScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register tables: %w", err)
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config := rest.CopyConfig(c.Config)
	config.APIPath, config.GroupVersion = "/apis", &v1alpha1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.AcceptContentTypes, config.ContentType = tableType, runtime.ContentTypeJSON
	tables, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("create a client for tables: %w", err)
	}
	return tables, nil
}
