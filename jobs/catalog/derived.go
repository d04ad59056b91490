// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuralcel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

const (
	// maxExpression is the length of an expression in bytes.
	maxExpression = 4096
	// maxDerivedCost is the cost of an expression: about a tenth of a second. It limits the estimate for the largest object, too, so that
	// an expression that compiles never fails for its cost.
	maxDerivedCost = celconfig.PerCallLimit
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

// An expressionCompiler compiles the derived values of one kind.
type expressionCompiler struct {
	schemas   map[string]*structuralschema.Structural
	types     map[string]*apiservercel.DeclType
	env       *cel.Env
	estimator *costEstimator
}

// newExpressionCompiler returns a compiler of expressions that use metadata, and spec with the fields of its schema.
func newExpressionCompiler(spec *structuralschema.Structural) (*expressionCompiler, error) {
	c := &expressionCompiler{
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
	c.env, c.estimator = set.NewExpressionsEnv(), &costEstimator{&library.CostEstimator{SizeEstimator: c}}
	return c, nil
}

// A costEstimator estimates costs as rules of custom resources do, and knows the size of texts of numbers in addition. Without it the text of a
// number may have any size, and joining it to another text costs too much.
type costEstimator struct{ *library.CostEstimator }

// textSizes are the largest sizes of the results of string(), by overload.
var textSizes = map[string]uint64{
	overloads.BoolToString: 5, overloads.IntToString: 20, overloads.UintToString: 20, overloads.DoubleToString: 24, overloads.TimestampToString: 35, overloads.DurationToString: 22,
}

// EstimateCallCost estimates the cost of a function and the size of its result.
func (e *costEstimator) EstimateCallCost(function, overload string, target *checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	if size, ok := textSizes[overload]; ok {
		return &checker.CallEstimate{CostEstimate: checker.FixedCostEstimate(1), ResultSize: &checker.SizeEstimate{Min: 1, Max: size}}
	}
	return e.CostEstimator.EstimateCallCost(function, overload, target, args)
}

// An expression is the compiled form of a derived value. It is safe for concurrent use.
type expression struct {
	at      *field.Path
	program cel.Program
	schemas map[string]*structuralschema.Structural
}

// resultTypes are the types of the results, by the types of the fields of Images.
var resultTypes = map[scalarType]*cel.Type{textScalar: cel.StringType, integerScalar: cel.IntType, booleanScalar: cel.BoolType}

// compile compiles an expression whose result has a type, or is an optional value of it.
func (c *expressionCompiler) compile(text string, typ scalarType, path *field.Path) (*expression, field.ErrorList) {
	switch {
	case text == "":
		return nil, field.ErrorList{field.Required(path, "")}
	case len(text) > maxExpression:
		return nil, field.ErrorList{field.TooLong(path, "", maxExpression)}
	}
	ast, issues := c.env.Compile(text)
	if issues.Err() != nil {
		return nil, field.ErrorList{field.Invalid(path, text, "compilation failed: "+issues.String())}
	}
	if want := resultTypes[typ]; !ast.OutputType().IsExactType(want) && !ast.OutputType().IsExactType(cel.OptionalType(want)) {
		return nil, field.ErrorList{field.Invalid(path, text, fmt.Sprintf("the result is of type %s, and must be of type %s or optional_type(%[2]s)", ast.OutputType(), want))}
	}
	cost, err := c.env.EstimateCost(ast, c.estimator)
	if err != nil {
		return nil, field.ErrorList{field.InternalError(path, fmt.Errorf("estimate the cost: %w", err))}
	}
	if cost.Max > maxDerivedCost {
		return nil, field.ErrorList{field.Forbidden(path, fmt.Sprintf(
			"the estimated cost is %d, and at most %d is allowed: simplify the expression, or add maxItems, maxProperties and maxLength to the schema",
			cost.Max, maxDerivedCost))}
	}
	program, err := c.env.Program(ast, cel.CostLimit(maxDerivedCost), cel.CostTracking(c.estimator))
	if err != nil {
		return nil, field.ErrorList{field.Invalid(path, text, err.Error())}
	}
	return &expression{at: path, program: program, schemas: c.schemas}, nil
}

// EstimateSize returns the size of a variable, or of a part of it, for which its schema is the limit.
func (c *expressionCompiler) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	if len(element.Path()) == 0 {
		return nil
	}
	at := c.types[element.Path()[0]]
	for _, name := range element.Path()[1:] {
		switch {
		case at == nil:
			return nil
		case name == "@items" || name == "@values":
			at = at.ElemType
		case name == "@keys":
			at = at.KeyType
		case at.Fields[name] != nil:
			at = at.Fields[name].Type
		case at.Fields["__"+name+"__"] != nil: // a keyword of CEL, such as namespace
			at = at.Fields["__"+name+"__"].Type
		default:
			return nil
		}
	}
	if at == nil {
		return nil
	}
	return &checker.SizeEstimate{Min: 0, Max: uint64(max(at.MaxElements, 0))}
}

// EstimateCallCost leaves the cost of functions to the library.
func (c *expressionCompiler) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// evaluate returns the value that the expression derives from an object, and whether there is one: string, int64 or bool.
func (e *expression) evaluate(object map[string]any) (any, bool, error) {
	variables := map[string]any{}
	for name, schema := range e.schemas {
		value, ok := object[name].(map[string]any)
		if !ok {
			value = map[string]any{}
		}
		variables[name] = structuralcel.UnstructuredToVal(value, schema)
	}
	result, _, err := e.program.Eval(variables)
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
