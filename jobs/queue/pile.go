// SPDX-License-Identifier: Apache-2.0

package queue

import "container/heap"

// pile is a heap whose elements know their places in it.
type pile[T any] struct {
	elements []T
	before   func(a, b T) bool
	// place of an element, counted from 1. It is 0 while the element is not in the pile.
	place func(element T) *int
}

var _ heap.Interface = &pile[int]{}

// top is the first element, if there is one.
func (p *pile[T]) top() (first T, ok bool) {
	if len(p.elements) == 0 {
		return first, false
	}
	return p.elements[0], true
}

// settle has an element in the pile or not, and in its right place.
func (p *pile[T]) settle(element T, wanted bool) {
	switch at := *p.place(element); {
	case at > 0 && wanted:
		heap.Fix(p, at-1)
	case at > 0:
		heap.Remove(p, at-1)
	case wanted:
		heap.Push(p, element)
	}
}

// Len is the number of elements.
func (p *pile[T]) Len() int { return len(p.elements) }

// Less compares the elements at two places.
func (p *pile[T]) Less(i, j int) bool { return p.before(p.elements[i], p.elements[j]) }

// Swap exchanges two elements.
func (p *pile[T]) Swap(i, j int) {
	p.elements[i], p.elements[j] = p.elements[j], p.elements[i]
	*p.place(p.elements[i]), *p.place(p.elements[j]) = i+1, j+1
}

// Push appends an element.
func (p *pile[T]) Push(element any) {
	added := element.(T) // package heap gives back what it was given
	p.elements = append(p.elements, added)
	*p.place(added) = len(p.elements)
}

// Pop removes the last element.
func (p *pile[T]) Pop() any {
	last := len(p.elements) - 1
	removed := p.elements[last]
	var none T
	p.elements[last] = none
	p.elements = p.elements[:last]
	*p.place(removed) = 0
	return removed
}
