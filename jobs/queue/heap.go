// SPDX-License-Identifier: Apache-2.0

package queue

import "container/heap"

// indexedHeap is a heap whose elements know their places, so that an element can be moved or removed.
type indexedHeap[T any] struct {
	elements []T
	compare  func(a, b T) int
	// place of an element, counted from 1. It is 0 while the element is not in the heap.
	place func(element T) *int
}

var _ heap.Interface = &indexedHeap[int]{}

// top is the first element, if there is one.
func (h *indexedHeap[T]) top() (first T, ok bool) {
	if len(h.elements) == 0 {
		return first, false
	}
	return h.elements[0], true
}

// settle adds, moves or removes an element. wanted is whether the element is in the heap.
func (h *indexedHeap[T]) settle(element T, wanted bool) {
	switch at := *h.place(element); {
	case at > 0 && wanted:
		heap.Fix(h, at-1)
	case at > 0:
		heap.Remove(h, at-1)
	case wanted:
		heap.Push(h, element)
	}
}

// Len is the number of elements.
func (h *indexedHeap[T]) Len() int { return len(h.elements) }

// Less compares the elements at two places.
func (h *indexedHeap[T]) Less(i, j int) bool { return h.compare(h.elements[i], h.elements[j]) < 0 }

// Swap exchanges two elements.
func (h *indexedHeap[T]) Swap(i, j int) {
	h.elements[i], h.elements[j] = h.elements[j], h.elements[i]
	*h.place(h.elements[i]), *h.place(h.elements[j]) = i+1, j+1
}

// Push appends an element.
func (h *indexedHeap[T]) Push(element any) {
	added := element.(T) // package heap gives back what it was given
	h.elements = append(h.elements, added)
	*h.place(added) = len(h.elements)
}

// Pop removes the last element.
func (h *indexedHeap[T]) Pop() any {
	last := len(h.elements) - 1
	removed := h.elements[last]
	var none T
	h.elements[last] = none
	h.elements = h.elements[:last]
	*h.place(removed) = 0
	return removed
}
