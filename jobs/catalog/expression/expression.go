// SPDX-License-Identifier: Apache-2.0

// Package expression compiles and evaluates the CEL expressions of ImageKinds. Neither can take long, or much memory: an expression that is
// short, and was written to take minutes, is refused before anything compiles it.
//
// It knows objects with a schema, and neither kinds nor Images.
package expression

import (
	"context"
	"fmt"
	"math"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuralcel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

const (
	// maxDerivedCost is the cost of an expression: about a tenth of a second. It limits the estimate for the largest object, too, so that
	// an expression that compiles never fails for its cost.
	maxDerivedCost = celconfig.PerCallLimit
	// maxDerivedTotal is the cost of all derived values of a kind. A write evaluates them up to three times: for the object, and for the former
	// object with and without defaults.
	maxDerivedTotal = celconfig.RuntimeCELCostBudget / 3
)

// metadataSchema is the part of the metadata that expressions can use.
var metadataSchema = &structuralschema.Structural{
	Generic: structuralschema.Generic{Type: "object"},
	Properties: map[string]structuralschema.Structural{
		"name":      nameSchema(validation.DNS1123SubdomainMaxLength),
		"namespace": nameSchema(validation.DNS1123LabelMaxLength),
	},
}

func nameSchema(maxLength int) structuralschema.Structural {
	length := int64(maxLength)
	return structuralschema.Structural{
		Generic: structuralschema.Generic{Type: "string"}, ValueValidation: &structuralschema.ValueValidation{MaxLength: &length},
	}
}

// An Compiler compiles the derived values of one kind.
type Compiler struct {
	steps   *Steps
	schemas map[string]*structuralschema.Structural
	types   map[string]*apiservercel.DeclType
	env     *cel.Env
	cost    uint64 // the estimated cost of all expressions
}

// NewCompiler returns a compiler of expressions that use metadata, and spec with the fields of its schema.
func NewCompiler(steps *Steps, spec *structuralschema.Structural) (*Compiler, error) {
	c := &Compiler{
		steps:   steps,
		schemas: map[string]*structuralschema.Structural{"metadata": metadataSchema, "spec": spec},
		types:   map[string]*apiservercel.DeclType{},
	}
	options := environment.VersionedOptions{IntroducedVersion: version.MajorMinor(1, 0)}
	for name, schema := range c.schemas {
		c.types[name] = model.SchemaDeclType(schema, false).MaybeAssignTypeName(name + "Type")
		options.EnvOptions = append(options.EnvOptions, cel.Variable(name, c.types[name].CelType()))
		options.DeclTypes = append(options.DeclTypes, c.types[name])
	}
	set, err := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).Extend(options)
	if err != nil {
		return nil, fmt.Errorf("declare the variables of expressions: %w", err)
	}
	c.env = set.NewExpressionsEnv()
	return c, nil
}

// An Expression is compiled. It is safe for concurrent use.
type Expression struct {
	at      *field.Path
	program cel.Program
	schemas map[string]*structuralschema.Structural
	reads   sets.Set[string] // the names of fields that it reads
}

// resultTypes are the types of the results, by their names in JSON schemas.
var resultTypes = map[string]*cel.Type{"string": cel.StringType, "integer": cel.IntType, "boolean": cel.BoolType}

// Compile compiles an expression whose result has a type of JSON schemas, or is an optional value of it: string, integer or boolean. path is
// the path of the expression in the ImageKind.
func (c *Compiler) Compile(text, typ string, path *field.Path) (*Expression, field.ErrorList) {
	if may, err := c.steps.Take(text, path); err != nil {
		return nil, field.ErrorList{err}
	} else if !may {
		return nil, nil
	}
	checked, issues := c.env.Compile(text)
	if issues.Err() != nil {
		return nil, field.ErrorList{field.Invalid(path, text, "compilation failed: "+issues.String())}
	}
	if want := resultTypes[typ]; !checked.OutputType().IsExactType(want) && !checked.OutputType().IsExactType(cel.OptionalType(want)) {
		return nil, field.ErrorList{field.Invalid(path, text, fmt.Sprintf("the result is of type %s, and must be of type %s or optional_type(%[2]s)", checked.OutputType(), want))}
	}
	if err := c.checkCost(checked, path); err != nil {
		return nil, field.ErrorList{err}
	}
	program, err := c.env.Program(checked, cel.CostLimit(maxDerivedCost), cel.CostTracking(costs{&library.CostEstimator{}}), cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		return nil, field.ErrorList{field.Invalid(path, text, err.Error())}
	}
	return &Expression{at: path, program: program, schemas: c.schemas, reads: fieldsOf(checked)}, nil
}

// checkCost checks the estimated cost of an expression, alone and together with those before it.
func (c *Compiler) checkCost(checked *cel.Ast, path *field.Path) *field.Error {
	cost, err := c.env.EstimateCost(checked, newCostEstimator(checked, c.types))
	if err != nil {
		return field.InternalError(path, fmt.Errorf("estimate the cost: %w", err))
	}
	const remedy = "simplify the expression, or add maxItems, maxProperties and maxLength to the schema"
	if cost.Max > maxDerivedCost {
		return field.Forbidden(path, fmt.Sprintf("the estimated cost is %d, and at most %d is allowed: %s", cost.Max, maxDerivedCost, remedy))
	}
	if c.cost += cost.Max; c.cost > maxDerivedTotal {
		return field.Forbidden(path, fmt.Sprintf("the estimated cost of the derived values up to this one is %d, and at most %d is allowed together: %s", c.cost, maxDerivedTotal, remedy))
	}
	return nil
}

// fieldsOf returns the names of the fields that an expression reads.
func fieldsOf(checked *cel.Ast) sets.Set[string] {
	names := sets.New[string]()
	add := func(name string) {
		if unescaped, ok := apiservercel.Unescape(name); ok {
			name = unescaped
		}
		names.Insert(name)
	}
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			add(e.AsSelect().FieldName())
		case ast.LiteralKind: // of spec.?name and spec["name"]
			if text, ok := literalText(e); ok {
				add(text)
			}
		}
	}))
	return names
}

// Reads reports whether the expression can read a field with a name, at any place of the object.
func (e *Expression) Reads(name string) bool { return e.reads.Has(name) }

// Evaluate returns the value that the expression has for an object, and whether there is one: string, int64 or bool. It takes the cost from
// what is left, and fails with ErrBudget once nothing is.
func (e *Expression) Evaluate(ctx context.Context, object map[string]any, left *Budget) (any, bool, error) {
	if *left <= 0 {
		return nil, false, fmt.Errorf("evaluate %s: %w", e.at, ErrBudget)
	}
	variables := map[string]any{}
	for name, schema := range e.schemas {
		value, ok := object[name].(map[string]any)
		if !ok {
			value = map[string]any{}
		}
		variables[name] = structuralcel.UnstructuredToVal(value, schema)
	}
	result, details, err := e.program.ContextEval(ctx, variables)
	if details != nil && details.ActualCost() != nil {
		*left -= Budget(min(*details.ActualCost(), math.MaxInt64))
	}
	if err != nil {
		return nil, false, fmt.Errorf("evaluate %s: %w", e.at, err)
	}
	if optional, ok := result.(*types.Optional); ok {
		if !optional.HasValue() {
			return nil, false, nil
		}
		result = optional.GetValue()
	}
	return result.Value(), true, nil
}

// A Budget is the cost that the evaluations of one request have left. Each costs at least 1.
type Budget int64

// NewBudget returns the budget of a request.
func NewBudget() *Budget { return new(Budget(celconfig.RuntimeCELCostBudget)) }

// ErrBudget reports that the evaluations of a request have used up their budget.
var ErrBudget = fmt.Errorf("the derived values cost more than %d together", celconfig.RuntimeCELCostBudget)
