// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"math"
	"strconv"

	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/library"
)

// A bound limits the values of a part of an expression: of an optional value, the value that it has. nil is no limit.
type bound struct {
	// size is the largest number of characters, items or entries. Other values have the size 1.
	size uint64
	// items and keys limit the items or entries of a list or map.
	items, keys *bound
	// declared has the fields of an object.
	declared *apiservercel.DeclType
	// none reports whether there is no value at all, as in an empty list.
	none bool
}

const unlimited = math.MaxUint64

var scalarBound = &bound{size: 1}

func (b *bound) max() uint64 {
	if b == nil {
		return unlimited
	}
	return b.size
}

func (b *bound) itemsOf() *bound {
	if b == nil {
		return nil
	}
	return b.items
}

func (b *bound) keysOf() *bound {
	if b == nil {
		return nil
	}
	return b.keys
}

// declaredBound returns the bound of what the schema declares.
func declaredBound(declared *apiservercel.DeclType) *bound {
	switch {
	case declared == nil:
		return nil
	case declared.IsList():
		return &bound{size: sizeOf(declared.MaxElements), items: declaredBound(declared.ElemType), keys: scalarBound}
	case declared.IsMap():
		return &bound{size: sizeOf(declared.MaxElements), items: declaredBound(declared.ElemType), keys: declaredBound(declared.KeyType)}
	case declared.IsObject():
		return &bound{size: sizeOf(int64(len(declared.Fields))), declared: declared}
	}
	switch declared.CelType().Kind() {
	case types.StringKind, types.BytesKind:
		return &bound{size: sizeOf(declared.MaxElements)}
	}
	if isFixed(declared.CelType()) {
		return scalarBound
	}
	return nil
}

func sizeOf(elements int64) uint64 { return uint64(max(elements, 0)) }

// field returns the bound of a field.
func (b *bound) field(name string) *bound {
	if b == nil {
		return nil
	}
	if b.declared == nil {
		return b.items // of a map
	}
	for _, key := range []string{name, "__" + name + "__"} { // a keyword of CEL, such as namespace, is escaped
		if found := b.declared.Fields[key]; found != nil {
			return declaredBound(found.Type)
		}
	}
	return nil
}

// union limits what either bound limits.
func union(a, b *bound) *bound {
	switch {
	case a == nil || b == nil:
		return nil
	case a.none:
		return b
	case b.none:
		return a
	}
	both := &bound{size: max(a.size, b.size), items: union(a.items, b.items), keys: union(a.keys, b.keys)}
	if a.declared == b.declared {
		both.declared = a.declared
	}
	return both
}

// plus returns the bound of the concatenation of two texts or lists, or of the sum of two numbers.
func plus(a, b *bound) *bound {
	both := union(a, b)
	if both == nil || a == scalarBound && b == scalarBound {
		return both
	}
	return &bound{size: sum(a.size, b.size), items: both.items, keys: both.keys}
}

func sum(a, b uint64) uint64 {
	if a > unlimited-b {
		return unlimited
	}
	return a + b
}

func product(a, b uint64) uint64 {
	if b != 0 && a > unlimited/b {
		return unlimited
	}
	return a * b
}

func isFixed(t *types.Type) bool {
	switch t.Kind() {
	case types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.DurationKind, types.TimestampKind, types.NullTypeKind:
		return true
	case types.OpaqueKind:
		return t.TypeName() == "optional_type" && isFixed(t.Parameters()[0])
	}
	return false
}

// bounds are those of all parts of a checked expression, by ID.
type bounds struct {
	checked   *ast.AST
	library   *library.CostEstimator // asks for the sizes of its nodes
	byID      map[int64]*bound
	variables map[string]*bound
}

// boundOf returns the bound of a part, after those of its own parts.
func (b *bounds) boundOf(e ast.Expr) *bound {
	found := b.compute(e)
	if found == nil && isFixed(b.checked.GetType(e.ID())) {
		found = scalarBound
	}
	b.byID[e.ID()] = found
	return found
}

func (b *bounds) compute(e ast.Expr) *bound {
	switch e.Kind() {
	case ast.LiteralKind:
		switch value := e.AsLiteral().(type) {
		case types.String:
			return &bound{size: uint64(len([]rune(value)))}
		case types.Bytes:
			return &bound{size: uint64(len(value))}
		}
	case ast.IdentKind:
		return b.variables[e.AsIdent()]
	case ast.SelectKind:
		operand := b.boundOf(e.AsSelect().Operand())
		if e.AsSelect().IsTestOnly() {
			return scalarBound
		}
		return operand.field(e.AsSelect().FieldName())
	case ast.ListKind:
		list := &bound{size: uint64(e.AsList().Size()), items: &bound{none: true}, keys: scalarBound} //nolint:gosec // not negative
		for _, item := range e.AsList().Elements() {
			list.items = union(list.items, b.boundOf(item))
		}
		return list
	case ast.MapKind:
		made := &bound{size: uint64(e.AsMap().Size()), items: &bound{none: true}, keys: &bound{none: true}} //nolint:gosec // not negative
		for _, entry := range e.AsMap().Entries() {
			made.keys = union(made.keys, b.boundOf(entry.AsMapEntry().Key()))
			made.items = union(made.items, b.boundOf(entry.AsMapEntry().Value()))
		}
		return made
	case ast.CallKind:
		return b.call(e.AsCall())
	case ast.ComprehensionKind:
		return b.comprehension(e.AsComprehension())
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			b.boundOf(field.AsStructField().Value())
		}
	}
	return nil
}

// call returns the bound of the result of a function. Functions that it does not know have the size that the library estimates, or no limit.
func (b *bounds) call(call ast.CallExpr) *bound {
	operands, parts := []*bound{}, []ast.Expr{}
	if call.IsMemberFunction() {
		parts = append(parts, call.Target())
	}
	parts = append(parts, call.Args()...)
	for _, part := range parts {
		operands = append(operands, b.boundOf(part))
	}
	if len(operands) == 0 {
		return &bound{none: true} // optional.none
	}
	first := operands[0]
	switch call.FunctionName() {
	case operators.OptSelect:
		name, _ := literalText(call.Args()[1])
		return first.field(name)
	case operators.Index, operators.OptIndex:
		if name, ok := literalText(call.Args()[1]); ok {
			return first.field(name)
		}
		return first.itemsOf()
	case "first", "last":
		return first.itemsOf()
	case "or", "orValue":
		return union(first, operands[1])
	case operators.Conditional:
		return union(operands[1], operands[2])
	case operators.Add:
		return plus(first, operands[1])
	case "value", "optional.of", "optional.ofNonZeroValue", overloads.TypeConvertDyn, "lowerAscii", "upperAscii", "trim", "substring", "charAt", "reverse",
		"sort", "@sortByAssociatedKeys", "slice", "distinct", "unwrapOpt", "optional.unwrap", "min", "max", "find":
		if isList := b.checked.GetType(parts[0].ID()).Kind() == types.ListKind; isList && (call.FunctionName() == "min" || call.FunctionName() == "max") {
			return first.itemsOf()
		}
		return first
	case overloads.TypeConvertString:
		if isFixed(b.checked.GetType(parts[0].ID())) {
			return &bound{size: maxScalar}
		}
		return first
	case "split", "findAll":
		return &bound{size: sum(first.max(), 1), items: first, keys: scalarBound}
	case "flatten":
		if len(operands) > 1 { // several levels
			return nil
		}
		return &bound{size: product(first.max(), first.itemsOf().max()), items: first.itemsOf().itemsOf(), keys: scalarBound}
	case "strings.quote":
		return &bound{size: sum(product(first.max(), 2), 2)}
	case "lists.range":
		if count, ok := parts[0].AsLiteral().(types.Int); ok {
			return &bound{size: sizeOf(int64(count)), items: scalarBound, keys: scalarBound}
		}
		return nil
	case "format":
		return &bound{size: b.formatted(parts[0], parts[1])}
	case "cel.@mapInsert":
		return b.inserted(operands)
	}
	return b.estimated(call)
}

// inserted returns the bound of a map with another entry, or with the entries of another map.
func (b *bounds) inserted(operands []*bound) *bound {
	if len(operands) == 2 {
		return plus(operands[0], operands[1])
	}
	entry := &bound{size: 1, keys: operands[1], items: operands[2]}
	return plus(operands[0], entry)
}

// estimated returns the bound that the estimator has for the result of a function.
func (b *bounds) estimated(call ast.CallExpr) *bound {
	var target *checker.AstNode
	if call.IsMemberFunction() {
		target = new(b.node(call.Target()))
	}
	args := make([]checker.AstNode, len(call.Args()))
	for i, arg := range call.Args() {
		args[i] = b.node(arg)
	}
	estimate := b.library.EstimateCallCost(call.FunctionName(), "", target, args)
	if estimate == nil || estimate.ResultSize == nil {
		return nil
	}
	return &bound{size: estimate.ResultSize.Max}
}

// maxScalar is the length of the longest text that string() makes of a number, a time or a truth value.
const maxScalar = 35

// maxNumber is the length of the longest text of a number, a time or a truth value that is formatted without a precision.
const maxNumber = 320

// formatted returns the length of a text that a literal format has.
func (b *bounds) formatted(format, values ast.Expr) uint64 {
	text, ok := literalText(format)
	if !ok {
		return unlimited
	}
	longest, clauses, number := uint64(maxNumber), uint64(0), ""
	for _, char := range text + "%" {
		switch {
		case char >= '0' && char <= '9':
			number += string(char)
		default:
			precision, err := strconv.ParseUint("0"+number, 10, 32)
			if err != nil {
				return unlimited
			}
			longest, number = max(longest, maxNumber+precision), ""
		}
		if char == '%' {
			clauses++
		}
	}
	return sum(uint64(len(text)), product(clauses, max(longest, textSize(b.byID[values.ID()].itemsOf()))))
}

// textSize is the length of the text that a value is formatted as.
func textSize(b *bound) uint64 {
	switch {
	case b == nil || b.declared != nil:
		return unlimited
	case b.items == nil && b.keys == nil:
		return sum(product(b.size, 2), maxNumber) // hexadecimal texts have two characters for each byte
	}
	return product(sum(b.size, 1), sum(sum(textSize(b.items), textSize(b.keys)), 4))
}

// comprehension returns the bound of the result of a macro. A list or map that it makes grows by the same number of items in each step.
func (b *bounds) comprehension(loop ast.ComprehensionExpr) *bound {
	over, start := b.boundOf(loop.IterRange()), b.boundOf(loop.AccuInit())
	isList := b.checked.GetType(loop.IterRange().ID()).Kind() == types.ListKind
	first, second := over.keysOf(), over.itemsOf()
	if isList && !loop.HasIterVar2() {
		first = second
	}
	defer b.set(loop.AccuVar(), start)()
	defer b.set(loop.IterVar(), first)()
	if loop.HasIterVar2() {
		defer b.set(loop.IterVar2(), second)()
	}
	b.boundOf(loop.LoopCondition())
	step, end := b.boundOf(loop.LoopStep()), start
	if over.max() > 0 && start != nil && start.keys != nil { // the result is a list or a map
		end = nil
		if step != nil {
			end = &bound{size: sum(start.size, product(over.max(), step.size-min(step.size, start.size))), items: step.items, keys: step.keys}
		}
	}
	defer b.set(loop.AccuVar(), end)()
	return b.boundOf(loop.Result())
}

// set sets a variable, and returns a function that ends its scope.
func (b *bounds) set(name string, value *bound) func() {
	outer, shadows := b.variables[name]
	b.variables[name] = value
	return func() {
		if delete(b.variables, name); shadows {
			b.variables[name] = outer
		}
	}
}
