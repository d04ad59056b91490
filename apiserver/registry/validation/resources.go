// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func validateResources(written *v1alpha1.ResourceRequirements, path *field.Path) field.ErrorList {
	if written == nil {
		return nil
	}
	errs := validateResourceList(written.Limits, path.Child("limits"))
	errs = append(errs, validateResourceList(written.Requests, path.Child("requests"))...)
	resources := written.Kubernetes()
	for _, name := range slices.Sorted(maps.Keys(resources.Requests)) {
		request, path := resources.Requests[name], path.Child("requests").Key(string(name))
		limit, limited := resources.Limits[name]
		switch {
		case !limited && !overcommitted(name):
			errs = append(errs, field.Invalid(path, request.String(), "set a limit equal to the request: this resource cannot be overcommitted"))
		case limited && !overcommitted(name) && request.Cmp(limit) != 0:
			errs = append(errs, field.Invalid(path, request.String(), fmt.Sprintf("must be %s, the limit: this resource cannot be overcommitted", limit.String())))
		case limited && request.Cmp(limit) > 0:
			errs = append(errs, field.Invalid(path, request.String(), fmt.Sprintf("must be at most %s, the limit", limit.String())))
		}
	}
	return append(errs, validateHugePages(resources, path)...)
}

func validateResourceList(list map[string]v1alpha1.Quantity, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(list)) {
		errs = append(errs, validateResourceName(corev1.ResourceName(name), path.Key(name))...)
		errs = append(errs, validateQuantity(corev1.ResourceName(name), list[name], path.Key(name))...)
	}
	return errs
}

// validateResourceName knows the resources of containers, and those that nodes may have besides: vendor.com/device.
func validateResourceName(name corev1.ResourceName, path *field.Path) field.ErrorList {
	if strings.Contains(string(name), "/") {
		return Names(validation.IsQualifiedName(string(name)), string(name), path)
	}
	switch {
	case name == corev1.ResourceCPU, name == corev1.ResourceMemory, name == corev1.ResourceEphemeralStorage, hugePages(name):
		return nil
	}
	return field.ErrorList{field.Invalid(path, name, "must be cpu, memory, ephemeral-storage, hugepages-<size> or the full name of an extended resource, such as example.com/device")}
}

func validateQuantity(name corev1.ResourceName, quantity v1alpha1.Quantity, path *field.Path) field.ErrorList {
	if errs := QuantityText(quantity, path); len(errs) > 0 {
		return errs
	}
	amount := quantity.Amount()
	switch {
	case amount.Sign() < 0:
		return field.ErrorList{field.Invalid(path, quantity.String(), "must not be negative")}
	case extended(name) && amount.MilliValue()%1000 != 0:
		return field.ErrorList{field.Invalid(path, quantity.String(), "must be a whole number")}
	}
	return nil
}

func validateHugePages(resources corev1.ResourceRequirements, path *field.Path) field.ErrorList {
	names := slices.Concat(slices.Collect(maps.Keys(resources.Limits)), slices.Collect(maps.Keys(resources.Requests)))
	if !slices.ContainsFunc(names, hugePages) || slices.Contains(names, corev1.ResourceCPU) || slices.Contains(names, corev1.ResourceMemory) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "set cpu or memory too: huge pages need one of the two")}
}

// overcommitted reports whether nodes may promise more of a resource than they have.
func overcommitted(name corev1.ResourceName) bool { return !extended(name) && !hugePages(name) }

// extended reports whether a resource is an extended resource, which Kubernetes does not define.
func extended(name corev1.ResourceName) bool {
	return strings.Contains(string(name), "/") && !strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

func hugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}
