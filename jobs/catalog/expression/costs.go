// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"strconv"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/library"
)

// costs are the costs of calls as for rules of custom resources. In addition, a text that can be far longer than what it is made of costs its length:
// otherwise a few calls would use up the memory of the server.
type costs struct{ *library.CostEstimator }

// growing reports whether a function has such results.
func growing(function string) bool { return function == "replace" || function == "format" }

// CallCost returns the cost of a call.
func (c costs) CallCost(function, overload string, args []ref.Val, result ref.Val) *uint64 {
	cost := c.CostEstimator.CallCost(function, overload, args, result)
	if text, ok := result.(traits.Sizer); ok && growing(function) {
		size, _ := text.Size().(types.Int)
		grown := checker.FixedSizeEstimate(sizeOf(int64(size))).MultiplyByCostFactor(common.StringTraversalCostFactor).Max
		if cost != nil {
			grown += *cost
		}
		return &grown
	}
	return cost
}

// A costEstimator estimates the costs of the calls of one expression, for the largest objects that the schema allows.
type costEstimator struct {
	costs
	bounds *bounds
}

func newCostEstimator(checked *cel.Ast, variables map[string]*apiservercel.DeclType) *costEstimator {
	e := &costEstimator{bounds: &bounds{checked: checked.NativeRep(), byID: map[int64]*bound{}, variables: map[string]*bound{}}}
	e.costs = costs{&library.CostEstimator{SizeEstimator: e}}
	e.bounds.library = e.CostEstimator
	for name, declared := range variables {
		e.bounds.variables[name] = declaredBound(declared)
	}
	e.bounds.boundOf(checked.NativeRep().Expr())
	return e
}

// textSizes are the largest sizes of the results of string(), by overload.
var textSizes = map[string]uint64{
	overloads.BoolToString: 5, overloads.IntToString: 20, overloads.UintToString: 20, overloads.DoubleToString: 24, overloads.TimestampToString: 35, overloads.DurationToString: 22,
}

// EstimateCallCost estimates the cost of a function and the size of its result.
func (e *costEstimator) EstimateCallCost(function, overload string, target *checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	if size, ok := textSizes[overload]; ok {
		return &checker.CallEstimate{CostEstimate: checker.FixedCostEstimate(1), ResultSize: &checker.SizeEstimate{Min: 1, Max: size}}
	}
	if target != nil {
		target = new(e.bounds.node((*target).Expr()))
	}
	nodes := make([]checker.AstNode, len(args))
	for i := range args {
		nodes[i] = e.bounds.node(args[i].Expr())
	}
	estimate := e.costs.EstimateCallCost(function, overload, target, nodes)
	if function == "format" && target != nil && len(nodes) == 1 {
		size := e.bounds.formatted((*target).Expr(), args[0].Expr())
		estimate = &checker.CallEstimate{CostEstimate: checker.FixedCostEstimate(1), ResultSize: &checker.SizeEstimate{Max: size}}
	}
	if estimate != nil && estimate.ResultSize != nil && growing(function) {
		estimate.CostEstimate = estimate.Add(estimate.ResultSize.MultiplyByCostFactor(common.StringTraversalCostFactor))
	}
	return estimate
}

// EstimateSize returns the size of a part of the expression, or of the items of a part.
func (e *costEstimator) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	found := e.bounds.byNode(element)
	if found == nil {
		return nil
	}
	return &checker.SizeEstimate{Max: found.size}
}

// A node is a part of an expression whose path is its ID, so that the library finds the bounds of the items of any list.
type node struct {
	expr ast.Expr
	typ  *types.Type
}

func (b *bounds) node(e ast.Expr) checker.AstNode {
	return node{e, b.checked.GetType(e.ID())}
}

// Path implements checker.AstNode.
func (n node) Path() []string { return []string{strconv.FormatInt(n.expr.ID(), 10)} }

// Type implements checker.AstNode.
func (n node) Type() *types.Type { return n.typ }

// Expr implements checker.AstNode.
func (n node) Expr() ast.Expr { return n.expr }

// ComputedSize returns the size of a literal text. Others have a bound.
func (n node) ComputedSize() *checker.SizeEstimate {
	if text, ok := literalText(n.expr); ok {
		return new(checker.FixedSizeEstimate(uint64(len([]rune(text)))))
	}
	return nil
}

// byNode returns the bound of a node, or of the items of a node.
func (b *bounds) byNode(element checker.AstNode) *bound {
	if e := element.Expr(); e != nil {
		return b.byID[e.ID()]
	}
	path := element.Path()
	if len(path) != 2 {
		return nil
	}
	id, err := strconv.ParseInt(path[0], 10, 64)
	if err != nil {
		return nil
	}
	return b.byID[id].itemsOf()
}
